"""Where a phrase may have been said although it was not recognised.

A word that was probably heard right is what was said; a doubtful one may have been another. So a phrase may stand
wherever it agrees with all that was surely heard: syllable by syllable (word by word in Latin script) the same
sound, a sound that is somewhat alike under a word that is not sure, or any sound under one that is doubtful.

Guarantee: pure; without doubtful words nothing is found.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from qa_service.domain.conversation import Turn
from qa_service.domain.text import fold, is_han
from qa_service.pinyin import sound_key, syllables
from rules.index import DIGIT_SOUNDS, DIGITS, CallIndex, TurnText, Unit
from rules.matching import PLACEHOLDER

_WRITTEN_SHORT = {"iu": "ou", "ui": "ei", "un": "en"}
"""Finals that pinyin writes without their vowel: 九 is jiou."""

_SINGLE = re.compile("[0-9\u4e00-\u9fff]*")
"""Text of which each character is a unit."""

_DIGIT = "#"
_DIGITS = frozenset(map(sound_key, DIGIT_SOUNDS)) | set(DIGITS)


class Sought:
    """Phrases to look for, by each of their sounds and finals: few places share even one with a phrase."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self.phrases = [(phrase, sounds) for phrase in phrases if (sounds := _sounds(phrase))]
        self.traces = frozenset(trace for _, sounds in self.phrases for trace in _traces_of_phrase(sounds))
        self._shortest = min((len(sounds) for _, sounds in self.phrases), default=0)
        self._by_sound: dict[str, list[tuple[int, int]]] = {}
        self._by_final: dict[str, list[tuple[int, int]]] = {}
        for number, (_, sounds) in enumerate(self.phrases):
            for place, sound in enumerate(sounds):
                for heard in _DIGITS if sound == _DIGIT else (sound,):
                    self._by_sound.setdefault(heard, []).append((number, place))
                if final := _final(sound):
                    self._by_final.setdefault(final, []).append((number, place))

    def places(self, units: Sequence[Unit], alike: float) -> Iterator[tuple[int, int]]:
        """``(first unit, phrase)``: wherever one may stand that contains a unit below ``alike``.

        What is sure on either side of units in doubt has to agree, or else the phrase lies between.
        """
        for first, last in _in_doubt(units, alike):
            for number, place in self._by_sound.get(units[first - 1].sound, ()) if first else ():
                if place + 1 < len(self.phrases[number][1]):
                    yield first - 1 - place, number
            for number, place in self._by_sound.get(units[last].sound, ()) if last < len(units) else ():
                if 1 <= place <= last - first:
                    yield last - place, number
            for index in range(first, last) if last - first >= self._shortest else ():
                near = (
                    self._by_sound.get(units[index].sound, ()),
                    self._by_final.get(_final(units[index].sound), ()),
                )
                for number, place in chain(*near):
                    if first <= index - place and index - place + len(self.phrases[number][1]) <= last:
                        yield index - place, number


def _in_doubt(units: Sequence[Unit], alike: float) -> Iterator[tuple[int, int]]:
    """Runs ``[first, last)`` of units below ``alike``."""
    first = None
    for index, unit in enumerate(units):
        if unit.confidence < alike:
            first = index if first is None else first
        elif first is not None:
            yield first, index
            first = None
    if first is not None:
        yield first, len(units)


@dataclass(frozen=True, slots=True)
class Misheard:
    """A turn with words in doubt.

    ``traces``: ``Sought`` that has none of them holds no phrase that may have been said there. Few have any.
    """

    text: TurnText
    turn: Turn
    traces: frozenset[str]


def misheard(index: CallIndex, *, doubt: float, alike: float) -> tuple[Misheard, ...]:
    """The turns in which anything may have been misheard, found once."""
    key = doubt, alike
    if key not in index.misheard:
        index.misheard[key] = tuple(
            Misheard(text, turn, frozenset(_traces_in_doubt(units_of(text), doubt, alike)))
            for text, turn in zip(index.turns, index.conversation.turns, strict=True)
            if text.weakest < alike
        )
    found: tuple[Misheard, ...] = index.misheard[key]
    return found


def may_be_said(sought: Sought, place: Misheard, *, doubt: float, alike: float) -> Iterator[tuple[str, int, int]]:
    """``(phrase, start, end)``: places of folded text where a phrase may have been said, in order.

    A word of a confidence below ``alike`` may have been another that sounds alike, below ``doubt`` any other.
    """
    units = units_of(place.text)
    found = []
    for first, number in set(sought.places(units, alike)):
        sounds = sought.phrases[number][1]
        last = first + len(sounds)
        if first >= 0 and last <= len(units) and _agree(units[first:last], sounds, doubt, alike):
            found.append((first, number))
    for first, number in sorted(found):
        phrase, sounds = sought.phrases[number]
        yield phrase, units[first].start, units[first + len(sounds) - 1].end


# A trace is what a phrase and a place have in common where the one may have been said at the other. Most words in
# doubt stand alone: between two that agree, or at either end of the phrase.

_SEVERAL = 6
"""Units of a phrase from which on traces tell its length no more."""


def _traces_of_phrase(sounds: Sequence[str]) -> Iterator[str]:
    size = min(len(sounds), _SEVERAL)
    yield f"^_{sounds[1]}"
    yield f"{sounds[-2]}_$"
    for before, after in zip(sounds, sounds[2:], strict=False):
        yield f"{before}_{after}"
    for sound in sounds[:-1]:
        yield f"{sound}__"
    for sound in sounds[1:]:
        yield f"__{sound}"
    for sound in sounds:
        yield f"{size}{sound}"
        if final := _final(sound):
            yield f"{size}~{final}"


def _traces_in_doubt(units: Sequence[Unit], doubt: float, alike: float) -> Iterator[str]:
    sure = max(doubt, alike)
    for first, last in _in_doubt(units, alike):
        before = _names(units[first - 1]) if first else ()
        after = _names(units[last]) if last < len(units) else ()
        beside = (*units[max(0, first - 1) : first], *units[last : last + 1])
        if last - first == 1 and all(unit.confidence >= sure for unit in beside):
            yield from (f"{sound}_$" for sound in before)
            yield from (f"^_{sound}" for sound in after)
            yield from (f"{one}_{other}" for one in before for other in after)
            continue
        yield from (f"{sound}__" for sound in before)
        yield from (f"__{sound}" for sound in after)
        for size in range(2, min(last - first, _SEVERAL) + 1):
            for unit in units[first:last]:
                yield from (f"{size}{sound}" for sound in _names(unit))
                yield f"{size}~{_final(unit.sound)}"


def _names(unit: Unit) -> tuple[str, ...]:
    """Its sound, as phrases write it."""
    return (unit.sound, _DIGIT) if unit.sound in _DIGITS else (unit.sound,)


def units_of(text: TurnText) -> Sequence[Unit]:
    """The turn's units, found once."""
    if text.units is None:
        text.units = tuple(_units(text.text, text.syllables, text.confidences))
    return text.units


def _agree(units: Sequence[Unit], sounds: Sequence[str], doubt: float, alike: float) -> bool:
    """Whether nothing surely heard contradicts the phrase and half of it was heard; a rhyme is half heard."""
    found = 0.0
    for unit, sound in zip(units, sounds, strict=True):
        if unit.sound == sound or (sound == _DIGIT and unit.sound in _DIGITS):
            found += 1
        elif unit.confidence < alike and rhyme(unit.sound, sound):
            found += 0.5
        elif unit.confidence >= doubt:
            return False
    return found >= len(sounds) / 2


def rhyme(one: str, other: str) -> bool:
    """Syllables with the same final, which carries most of what is heard of a syllable in noise."""
    return _final(one) == _final(other) != ""


@lru_cache(maxsize=4096)
def _final(sound: str) -> str:
    """What rhymes of a syllable, its final without the glide; nothing of a digit or a Latin word."""
    if not sound.islower():
        return ""
    for glide, vowel in (("yu", "v"), ("yi", "i"), ("y", "i"), ("wu", "u"), ("w", "u")):
        if sound.startswith(glide):
            sound = vowel + sound[len(glide) :]
            break
    final = sound.lstrip("bpmfdtnlgkhjqxzcsr")
    if final in _WRITTEN_SHORT:
        return _WRITTEN_SHORT[final]
    return final[1:] if len(final) > 1 and final[0] in "iuv" and final[1] in "aeiou" else final


@lru_cache(maxsize=8192)
def _sounds(phrase: str) -> tuple[str, ...]:
    """The phrase's units; a number is one digit (the others may be misheard), ``{any:…}`` nothing.

    None of a phrase of one unit: nothing of it would have to be heard.
    """
    pieces = PLACEHOLDER.split(phrase)
    sounds: list[str] = []
    for literal, kind in zip(pieces[::4], [*pieces[1::4], ""], strict=True):
        text = fold(literal).text
        sounds.extend(unit.sound for unit in _units(text, syllables(text), (1.0,) * len(text)))
        if kind == "digits":
            sounds.append(_DIGIT)
    return tuple(sounds) if len(sounds) > 1 else ()


def _units(text: str, sounds: tuple[str, ...], confidences: tuple[float, ...]) -> Iterator[Unit]:
    if _SINGLE.fullmatch(text):  # as most turns are
        yield from map(Unit, map(sound_key, sounds), range(len(text)), range(1, len(text) + 1), confidences)
        return
    start = 0
    while start < len(text):
        end = start + 1
        if text[start] == " ":
            start = end
            continue
        if is_han(text[start]) or text[start].isdigit():
            sound = sound_key(sounds[start])
        else:
            while end < len(text) and not (text[end] == " " or is_han(text[end]) or text[end].isdigit()):
                end += 1
            sound = text[start:end].upper()  # no syllable, even where it is spelled like one
        yield Unit(sound, start, end, min(confidences[start:end]))
        start = end
