"""Numbers read out, digit by digit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

import re2
from pydantic import Field, PositiveInt

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.results import Evidence
from qa_service.domain.text import fold, is_han
from qa_service.domain.timeline import TimeSpan
from qa_service.pinyin import sounded, syllables
from rules.checks.base import role_of
from rules.checks.scope import ScopedCheck, place_of
from rules.context import Context, place_evidence, within
from rules.index import DIGIT_SOUNDS, DIGITS, TurnText
from rules.matching import mentioned
from rules.verdict import FALSE, Verdict, unknown

_WRITTEN_SHARE = 0.75

_WORDS: Final = frozenset(
    ("zero", "nought", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
)
_REPEATS: Final = {"double": 1, "triple": 2}
_INSIDE: Final = frozenset(("oh", "o"))  # zero between digits, an interjection before them
_ALIKE: Final = frozenset(("for", "fore", "ate", "won"))
"""What 4, 8 and 1 are written as between other digits; not ``to``: 1230 to 1245 is no number."""
_TOKEN = re.compile(r"\d+|[a-z]+")


@dataclass(frozen=True, slots=True)
class _Number:
    """``digits`` read out in the characters ``[start, end)``; not ``written``: some of them only sound like
    digits."""

    start: int
    end: int
    digits: int
    written: bool


class DigitsCheck(ScopedCheck):
    """``role`` reads out a number of at least ``length`` digits.

    With one of the ``named`` words up to ``reach`` characters before it the number convicts; with one of
    ``harmless`` it is ignored (an order number, a hotline); otherwise, below ``certain_length``, a person looks.
    Digits that are only recognised by their sound convict where they are ``certain_length`` and named, and where
    nothing before them sounds like one of ``harmless``: no sentence has so many in a row. Single digits are easily
    misheard, that so many were read out is not: the lower confidence of accepted phrases is enough.
    """

    length: PositiveInt = 11
    certain_length: PositiveInt = 15
    named: tuple[str, ...] = Field(min_length=1)
    harmless: tuple[str, ...] = ()
    reach: PositiveInt = 14

    def evaluate(self, context: Context) -> Verdict:
        role = role_of(self.role)
        if doubt := context.doubt(role):
            return unknown(doubt)
        place = place_of(self.scope, context, role)
        if place.doubt:
            return unknown(place.doubt)
        if (window := place.window) is None:
            return FALSE
        english = context.conversation.language == "en"
        if self.length > context.index.longest_sounding_number and not english:
            return self._not_read_out(context, window, role)
        sure: list[Evidence] = []
        doubtful: list[Evidence] = []
        reason = "homophone_only"
        for text in context.texts:
            if role not in (None, text.role):
                continue
            for number in self._numbers(text, english=english):
                start = number.start
                span, confidence, _ = text.heard_at(start, number.end)
                if not within(span, window) or mentioned(self.harmless, text.text, start - self.reach, start):
                    continue
                evidence = place_evidence(text, start, number.end, "number read out")
                if confidence < context.recognition.accept_confidence:
                    doubtful.append(evidence)
                    reason = "low_confidence"
                elif self._tells(number, text):
                    sure.append(evidence)
                else:
                    doubtful.append(evidence)
                    reason = "unnamed_number" if number.written else reason
        if sure:
            return Verdict(True, tuple(sure))
        if doubtful:
            return unknown(reason, tuple(doubtful))
        return self._not_read_out(context, window, role)

    def _tells(self, number: _Number, text: TurnText) -> bool:
        """Whether this is surely one of the numbers that are meant."""
        before = max(0, number.start - self.reach)
        named = mentioned(self.named, text.text, before, number.start)
        if named and number.written:
            return True
        if number.digits < self.certain_length or _sounds(self.harmless, text, before, number.start):
            return False
        return number.written or named or _sounds(self.named, text, before, number.start)

    def _not_read_out(self, context: Context, window: TimeSpan, role: SpeakerRole | None) -> Verdict:
        unheard = context.unheard(window, role)
        return FALSE if unheard is None else unknown(unheard)

    def _numbers(self, text: TurnText, *, english: bool) -> list[_Number]:
        """Runs of written digits, and long runs of which some only sound like digits, or are English words.

        No ordinary sentence holds eleven syllables in a row that all sound like digits; what was read out then
        is a number that the recogniser did not understand. It counts as written where most of it is
        (要3912345678 for 幺三九…).
        """
        found: list[_Number] = []
        if self.length <= text.longest_sounding_number:
            found += (
                _Number(m.start(), m.end(), m.end() - m.start(), written=True)
                for m in re2.finditer(f"[{DIGITS}]{{{self.length},}}", text.text)
            )
            found += [n for n in self._by_sound(text) if not _beside(n, found)]
        if english:
            found += [n for n in self._in_words(text) if not _beside(n, found)]
        return found

    def _by_sound(self, text: TurnText) -> Iterator[_Number]:
        start = 0
        for index in range(len(text.text) + 1):
            if index < len(text.text) and (text.text[index] in DIGITS or text.syllables[index] in DIGIT_SOUNDS):
                continue
            if index - start >= self.length:
                share = sum(c in DIGITS for c in text.text[start:index]) / (index - start)
                yield _Number(start, index, index - start, share >= _WRITTEN_SHARE)
            start = index + 1

    def _in_words(self, text: TurnText) -> Iterator[_Number]:
        """Digits some of which are words: 555 one two three; with words that sound like digits only where the
        number is named."""
        run: list[tuple[int, int, int]] = []
        for token in chain(_TOKEN.finditer(text.text), [None]):
            digits = _digits(token[0]) if token else None
            if digits is not None and token and not (run and token.start() > run[-1][1] + 1):
                run.append((token.start(), token.end(), digits))
                continue
            if number := self._of_tokens(run, text):
                yield number
            run = [(token.start(), token.end(), digits)] if token and digits is not None else []

    def _of_tokens(self, run: list[tuple[int, int, int]], text: TurnText) -> _Number | None:
        said = [text.text[start:end] for start, end, _ in run]
        while said and said[-1] in _INSIDE | _ALIKE:
            said.pop()
        first = next((n for n, word in enumerate(said) if word not in _INSIDE | _ALIKE), 0)
        counted = run[first : len(said)]
        digits = sum(count for _, _, count in counted)
        if digits < self.length:
            return None
        start, end, written = counted[0][0], counted[-1][1], _ALIKE.isdisjoint(said[first:])
        if not written and not mentioned(self.named, text.text, start - self.reach, start):
            return None
        return _Number(start, end, digits, written)


def _digits(token: str) -> int | None:
    """How many digits a word is read as; None: it is none."""
    if token.isdigit():
        return len(token)
    return 1 if token in _WORDS | _INSIDE | _ALIKE else _REPEATS.get(token)


def _beside(number: _Number, others: list[_Number]) -> bool:
    return any(other.start < number.end and number.start < other.end for other in others)


def _sounds(words: tuple[str, ...], text: TurnText, start: int, end: int) -> bool:
    """Whether anything in ``[start, end)`` of ``text`` sounds like one of ``words``."""
    heard = text.sounds[start:end]
    return any(word in heard for word in _sounding(words))


@lru_cache(maxsize=256)
def _sounding(words: tuple[str, ...]) -> tuple[str, ...]:
    """How the words sound that are two syllables or more: of one too many sound alike."""
    folded = (fold(word).text for word in words)
    return tuple(sounded(syllables(word)) for word in folded if len(word) > 1 and all(map(is_han, word)))
