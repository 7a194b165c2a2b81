"""Finding phrases in what was recognised: by spelling, and by sound as a second chance.

Guarantee: pure after compilation; every hit carries the words' times, the verbatim quote and whether it was
found by spelling. All phrases of a pack are searched in one pass (Aho–Corasick), phrases with placeholders with
RE2, so neither the number of phrases nor a hostile pattern makes evaluation slow.

A phrase is plain text, matched on folded text, with optional placeholders: ``{digits:2-8}`` a spoken or written
number of so many digits, ``{any:0-6}`` up to so many other characters.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ahocorasick_rs
import re2

from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.domain.text import fold, is_han
from qa_service.domain.timeline import TimeSpan, hull
from qa_service.pinyin import sound_key, syllables

Pattern = Any  # google-re2 publishes no name for what re2.compile returns

PLACEHOLDER = re.compile(r"\{(digits|any):(\d{1,2})-(\d{1,2})\}")
DIGITS = "0123456789零〇一二两三四五六七八九幺"
DIGIT_SOUNDS = frozenset(("ling", "yi", "er", "liang", "san", "si", "wu", "liu", "qi", "ba", "jiu", "yao"))
_UNHEARD = "\uf8ff"  # stands for every syllable that no phrase contains


def phrase_fault(phrase: str) -> str | None:
    """What is wrong with the notation of ``phrase``."""
    if rest := re.search(r"[{}]", PLACEHOLDER.sub("", phrase)):
        return f"{phrase!r}: {rest[0]!r} is not a placeholder: write {{digits:2-8}} or {{any:0-6}}"
    pieces = PLACEHOLDER.split(phrase)
    for low, high in zip(pieces[2::4], pieces[3::4], strict=True):
        if int(low) > int(high):
            return f"{phrase!r}: {low} is more than {high}"
    if "digits" not in pieces[1::4] and not any(fold(literal).text for literal in pieces[::4]):
        return f"{phrase!r} has no letters to look for"
    return None


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase found in one turn. ``spelled`` False: only the sound matches; ``respelled``: hot words wrote what
    matches, and so it is no better than sound where it accuses."""

    phrase: str
    role: SpeakerRole
    span: TimeSpan
    quote: str
    utterances: tuple[int, ...]
    confidence: float
    spelled: bool
    turn: int
    start: int
    end: int
    respelled: bool = False


@dataclass(frozen=True, slots=True)
class TurnText:
    """The folded text of one turn, joined over its utterances so that a pause does not split a phrase.

    ``origin[i]`` is ``(utterance, folded index)`` behind character ``i``, None for a joining space;
    ``confidences[i]`` that of its word, 1 for a joining space.
    """

    index: int
    role: SpeakerRole
    text: str
    syllables: tuple[str, ...]
    origin: tuple[tuple[Utterance, int] | None, ...]
    confidences: tuple[float, ...]

    def least(self, start: int, end: int) -> float:
        """Confidence of the weakest word of ``[start, end)``, 1 where there is none."""
        return min(self.confidences[start:end], default=1.0)

    def respelled(self, start: int, end: int) -> bool:
        """Whether hot words wrote any of the characters ``[start, end)``."""
        return any(
            first <= utterance.overlay.offsets[offset] < last
            for entry in self.origin[start:end]
            if entry is not None
            for utterance, offset in [entry]
            for first, last in utterance.respelled
        )

    def locate(self, start: int, end: int) -> tuple[TimeSpan, str, tuple[int, ...], float]:
        """Time, quote, utterances and confidence of the characters ``[start, end)``.

        They are as sure as their weakest word: a mean hides the one misheard character that decides (能 for 不能).
        """
        parts: dict[int, tuple[Utterance, int, int]] = {}
        for entry in self.origin[start:end]:
            if entry is not None:
                utterance, offset = entry
                first = parts[utterance.index][1] if utterance.index in parts else offset
                parts[utterance.index] = (utterance, first, offset + 1)
        pieces = list(parts.values())
        return (
            hull([u.span_of(a, b) for u, a, b in pieces]),
            " … ".join(u.quote(a, b) for u, a, b in pieces),
            tuple(u.index for u, _, _ in pieces),
            self.least(start, end),
        )


def turn_texts(conversation: Conversation) -> tuple[TurnText, ...]:
    """The searchable text of every turn."""
    texts = []
    for index, turn in enumerate(conversation.turns):
        text: list[str] = []
        sounds: list[str] = []
        origin: list[tuple[Utterance, int] | None] = []
        confidences: list[float] = []
        for number in turn.utterances:
            utterance = conversation.utterances[number]
            overlay = utterance.overlay
            if text and overlay.folded and not (is_han(text[-1]) or is_han(overlay.folded[0])):
                text.append(" ")
                sounds.append(" ")
                origin.append(None)
                confidences.append(1.0)
            text.extend(overlay.folded)
            sounds.extend(overlay.syllables)
            origin.extend((utterance, i) for i in range(len(overlay.folded)))
            confidences.extend(utterance.confidence_at(i) for i in range(len(overlay.folded)))
        texts.append(TurnText(index, turn.role, "".join(text), tuple(sounds), tuple(origin), tuple(confidences)))
    return tuple(texts)


class PhraseBook:
    """All phrases of a rule set, compiled once."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = tuple(dict.fromkeys(phrases))
        self._plain: list[tuple[str, str]] = []
        self._templates: list[tuple[str, str]] = []
        for phrase in self._phrases:
            if PLACEHOLDER.search(phrase):
                self._templates.append((phrase, phrase))
            elif folded := fold(phrase).text:
                self._plain.append((phrase, folded))

    @cached_property
    def _codes(self) -> Mapping[str, str]:
        """Sound key → one private-use character, for the sounds that phrases contain."""
        keys = {sound_key(s) for s in DIGIT_SOUNDS} | set("0123456789")
        for phrase in self._phrases:
            for literal in PLACEHOLDER.split(phrase)[::4]:
                keys.update(sound_key(s) for s in syllables(fold(literal).text))
        return {key: chr(0xE000 + number) for number, key in enumerate(sorted(keys))}

    @cached_property
    def _spelling(self) -> ahocorasick_rs.AhoCorasick:
        return ahocorasick_rs.AhoCorasick([folded for _, folded in self._plain])

    @cached_property
    def _sound(self) -> tuple[ahocorasick_rs.AhoCorasick, tuple[str, ...]]:
        han = [(p, f) for p, f in self._plain if sum(map(is_han, f)) >= 2]
        return ahocorasick_rs.AhoCorasick([self._encode(syllables(f)) for _, f in han]), tuple(p for p, _ in han)

    @cached_property
    def _patterns(self) -> tuple[tuple[str, Pattern, Pattern | None], ...]:
        return tuple((phrase, *self._template(text)) for phrase, text in self._templates)

    def _encode(self, sounds: Sequence[str]) -> str:
        codes = self._codes
        return "".join(codes.get(sound_key(s), _UNHEARD) for s in sounds)

    def _template(self, phrase: str) -> tuple[Pattern, Pattern | None]:
        """RE2 patterns of a phrase with placeholders: over folded text, and over encoded sounds."""
        digit_sounds = "".join(self._codes[sound_key(s)] for s in sorted(DIGIT_SOUNDS))
        written = "".join(self._codes[d] for d in "0123456789")
        spelled, sounded = "", ""
        pieces = PLACEHOLDER.split(phrase)
        for literal, kind, low, high in zip(
            pieces[::4], [*pieces[1::4], ""], [*pieces[2::4], ""], [*pieces[3::4], ""], strict=True
        ):
            folded = fold(literal).text
            # A Latin literal is whole words: the "im" of "{any:2-14}im" is not the end of "claim".
            word = "" if any(map(is_han, folded)) or not folded else r"\b"
            spelled += word + re2.escape(folded) + word
            sounded += self._encode(syllables(folded))
            if kind == "digits":
                spelled += f"[{DIGITS}]{{{low},{high}}}"
                sounded += f"[{digit_sounds}{written}]{{{low},{high}}}"
            elif kind == "any":
                spelled += f".{{{low},{high}}}?"
                sounded += f".{{{low},{high}}}?"
        has_sound = any(is_han(c) for c in phrase)
        if not has_sound:
            spelled = rf"\b{spelled}\b"  # a Latin phrase ends where a word ends
        return re2.compile(spelled), re2.compile(sounded) if has_sound else None

    def search(self, texts: Sequence[TurnText]) -> Mapping[str, tuple[Hit, ...]]:
        """Hits of every phrase, in order of time. A place found by spelling is not reported by sound again."""
        found: dict[str, list[Hit]] = {}
        for text in texts:
            for phrase, start, end, spelled in self._raw(text):
                hits = found.setdefault(phrase, [])
                if not spelled and any(
                    h.spelled and h.turn == text.index and h.start < end and start < h.end for h in hits
                ):
                    continue
                span, quote, utterances, confidence = text.locate(start, end)
                hits.append(
                    Hit(
                        phrase,
                        text.role,
                        span,
                        quote,
                        utterances,
                        confidence,
                        spelled,
                        text.index,
                        start,
                        end,
                        text.respelled(start, end),
                    )
                )
        return {phrase: tuple(sorted(hits, key=lambda h: h.span)) for phrase, hits in found.items()}

    def _raw(self, text: TurnText) -> Iterable[tuple[str, int, int, bool]]:
        if not text.text:
            return
        if self._plain:
            for number, start, end in self._spelling.find_matches_as_indexes(text.text, overlapping=True):
                if _on_word_boundaries(text.text, start, end, whole_numbers=True):
                    yield self._plain[number][0], start, end, True
        encoded = self._encode(text.syllables)
        sound, names = self._sound
        if names:
            for number, start, end in sound.find_matches_as_indexes(encoded, overlapping=True):
                yield names[number], start, end, False
        for phrase, spelled, sounded in self._patterns:
            for match in spelled.finditer(text.text):
                if match.end() > match.start():
                    yield phrase, match.start(), match.end(), True
            if sounded is not None:
                for match in sounded.finditer(encoded):
                    if match.end() > match.start():
                        yield phrase, match.start(), match.end(), False


def _on_word_boundaries(text: str, start: int, end: int, *, whole_numbers: bool = False) -> bool:
    """A Latin phrase matches whole words only: ``hell`` is not in ``hello``, and the hotline ``12345`` (a phrase
    without placeholders) not in an order number."""
    for left, right in ((start - 1, start), (end - 1, end)):
        if left >= 0 and right < len(text):
            pair = text[left] + text[right]
            if " " not in pair and not any(is_han(c) for c in pair) and (whole_numbers or not pair.isdigit()):
                return False
    return True


def places_of(words: Iterable[str], text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """Where one of ``words`` stands in ``[start, end)`` of folded ``text``; ``or`` does not in ``sorry``."""
    for word in words:
        folded = fold(word).text
        at = text.find(folded, max(0, start), end)
        while folded and at >= 0:
            if _on_word_boundaries(text, at, at + len(folded)):
                yield at, at + len(folded)
            at = text.find(folded, at + 1, end)


def mentioned(words: Iterable[str], text: str, start: int, end: int) -> bool:
    """Whether one of ``words`` stands in ``[start, end)`` of folded ``text``."""
    return any(True for _ in places_of(words, text, start, end))


def joined(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    """One hit an occurrence: of overlapping hits in a turn the spelled, then the longest one stays."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (not h.spelled, h.start - h.end, h.turn, h.start, h.phrase)):
        if not any(k.turn == hit.turn and k.start < hit.end and hit.start < k.end for k in kept):
            kept.append(hit)
    return tuple(sorted(kept, key=lambda h: (h.span, h.phrase)))
