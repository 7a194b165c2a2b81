"""What one voice says, in one string: people say a number in pieces, with a pause and somebody's "yes" between."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Final

from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.domain.numbers.english_words import FIRST_WORD
from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.numbers.finder import find_numbers

APART: Final = "\0"
"""Stands where no number goes on: a long pause, an amount, a date."""
PAUSE: Final = "\n"
ALIKE: Final = "~"
"""Stands, in ``coded``, for a character that only sounds like a digit."""

_PAUSE_S = 10.0
_PLAIN: Final = str.maketrans(
    "〇○０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺABCDEFGHIJKLMNOPQRSTUVWXYZ’~",
    "零零0123456789abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz'-",
)
_SOUNDS: Final = {
    "ling": "0", "yi": "1", "yao": "1", "er": "2", "liang": "2", "san": "3", "si": "4", "wu": "5", "liu": "6",
    "qi": "7", "ba": "8", "jiu": "9",
}  # fmt: skip
_WRITTEN_ALIKE: Final = {"要": "1", "腰": "1", "妖": "1", "邀": "1", "吆": "1"}
"""Of text without an overlay: what recognisers write for 幺, the digit that they know least."""
_DIGITS: Final = frozenset("0123456789零一二三四五六七八九幺两")
_MAYBE: Final = re.compile(rf"[{''.join(sorted(_DIGITS))}]|{FIRST_WORD}")
_MEASURES: Final = frozenset(
    (
        NumberKind.AMOUNT,
        NumberKind.PERCENT,
        NumberKind.DATE,
        NumberKind.TIME,
        NumberKind.DURATION,
        NumberKind.ORDINAL,
    )
)


@dataclass(frozen=True, slots=True)
class Said:
    """Where a stream's characters come from: those of ``utterance`` begin at ``at``."""

    utterance: Utterance
    at: int


@dataclass(frozen=True)
class Stream:
    """``plain`` and ``coded`` have a character for each of the words; ``alike``: the digits that some sound like.

    ``asked``: what the others had said last when each of ``parts`` began.
    """

    plain: str
    coded: str
    alike: dict[int, str]
    parts: tuple[Said, ...] = ()
    asked: tuple[str, ...] = ()
    syllables: dict[int, str] = field(default_factory=dict)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        return tuple(part.at for part in self.parts)

    @cached_property
    def sounds(self) -> tuple[str, tuple[int, ...]]:
        """The syllables with a space around each, and where in that string those of each character begin."""
        each = [self.syllables.get(index, APART) for index in range(len(self.plain))]
        return " ".join(("", *each, "")), tuple(accumulate((len(s) + 1 for s in each), initial=0))

    def part_at(self, index: int) -> int:
        """Number of the part that the character ``index`` is of."""
        return bisect_right(self.starts, index) - 1

    def reach(self, index: int) -> int:
        """Where what belongs to the character begins: not before a long pause."""
        return self.plain.rfind(APART, 0, index) + 1


def stream_of_text(text: str) -> Stream:
    """A stream of a string that nobody said, such as a note."""
    plain = text.translate(_PLAIN)
    alike = {i: _WRITTEN_ALIKE[c] for i, c in enumerate(plain) if c in _WRITTEN_ALIKE}
    return Stream(plain, _coded(plain, alike, [(0, _numbers(text))]), alike)


def streams_of(conversation: Conversation) -> tuple[Stream, ...]:
    """What each voice says. Voices without a role are told apart by channel and speaker."""
    voices: dict[tuple[object, ...], list[Utterance]] = {}
    for utterance in sorted(conversation.utterances, key=lambda u: (u.start, u.index)):
        known = utterance.role in (SpeakerRole.AGENT, SpeakerRole.CUSTOMER)
        voice = (utterance.role,) if known else (utterance.role, utterance.channel, utterance.speaker)
        voices.setdefault(voice, []).append(utterance)
    return tuple(_stream(voice, conversation.utterances) for voice in voices.values())


def _stream(utterances: Sequence[Utterance], everybody: Iterable[Utterance]) -> Stream:
    texts: list[str] = []
    parts: list[Said] = []
    alike: dict[int, str] = {}
    syllables: dict[int, str] = {}
    numbers: list[tuple[int, tuple[SpokenNumber, ...]]] = []
    at, ended = 0, None
    for utterance in utterances:
        if ended is not None:
            texts.append(PAUSE if utterance.start - ended <= _PAUSE_S else APART)
            at += 1
        plain = utterance.text.translate(_PLAIN)
        texts.append(plain)
        parts.append(Said(utterance, at))
        numbers.append((at, utterance.numbers or _numbers(utterance.text)))
        overlay = utterance.overlay
        for offset, syllable in zip(overlay.offsets, overlay.syllables, strict=False):
            if offset < len(plain):
                syllables[at + offset] = syllable
                if syllable in _SOUNDS and plain[offset] not in _DIGITS and not plain[offset].isascii():
                    alike[at + offset] = _SOUNDS[syllable]
        at += len(plain)
        ended = utterance.end
    plain = "".join(texts)
    mine = {id(u) for u in utterances}
    asked = _asked(utterances, [u for u in everybody if id(u) not in mine])
    return Stream(plain, _coded(plain, alike, numbers), alike, tuple(parts), asked, syllables)


def _numbers(text: str) -> tuple[SpokenNumber, ...]:
    """The numbers of a text of which none were stored."""
    return find_numbers(text) if _MAYBE.search(text.translate(_PLAIN)) else ()


def _asked(utterances: Sequence[Utterance], others: Sequence[Utterance]) -> tuple[str, ...]:
    """What the others said in the time before each utterance, the last of it at the end."""
    ordered = sorted(others, key=lambda u: (u.start, u.index))
    starts = [u.start for u in ordered]
    found: list[str] = []
    for utterance in utterances:
        before = bisect_right(starts, utterance.start)
        near = [u for u in ordered[max(0, before - 3) : before] if utterance.start - u.end <= _PAUSE_S]
        found.append(PAUSE.join(u.text.translate(_PLAIN) for u in near))
    return tuple(found)


def _coded(plain: str, alike: dict[int, str], numbers: Iterable[tuple[int, tuple[SpokenNumber, ...]]]) -> str:
    coded = list(plain)
    for index in alike:
        coded[index] = ALIKE
    for at, found in numbers:
        for number in found:
            if number.kind in _MEASURES:
                coded[at + number.start : at + number.end] = APART * (number.end - number.start)
    return "".join(coded)
