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
from rules.index import DIGIT_SOUNDS, DIGITS, CallIndex, TurnText
from rules.matching import PLACEHOLDER

_WRITTEN_SHORT = {"iu": "ou", "ui": "ei", "un": "en"}
"""Finals that pinyin writes without their vowel: 九 is jiou."""

_SINGLE = re.compile("[0-9\u4e00-\u9fff]*")
"""Text of which each character is a unit."""

_DIGIT = "#"
_DIGITS = frozenset(map(sound_key, DIGIT_SOUNDS)) | set(DIGITS)


@dataclass(frozen=True, slots=True)
class Units:
    """The syllables and Latin words of a text, in order: how each sounds, its folded characters ``[start, end)``,
    and how sure that is."""

    sounds: Sequence[str]
    starts: Sequence[int]
    ends: Sequence[int]
    confidences: Sequence[float]


@dataclass(frozen=True, slots=True)
class Misheard:
    """A turn with words in doubt.

    ``runs``: which units ``[first, last)`` are. ``traces``: ``Sought`` that has none of them holds no phrase that
    may have been said there. Few have any.
    """

    text: TurnText
    turn: Turn
    units: Units
    runs: Sequence[tuple[int, int]]
    traces: frozenset[str]


class Sought:
    """Phrases to look for, by each of their sounds and finals: few places share even one with a phrase."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self.phrases = [(phrase, sounds) for phrase in phrases if (sounds := _sounds(phrase))]
        self.traces = frozenset(trace for _, sounds in self.phrases for trace in _traces_of_phrase(sounds))
        self._shortest = min((len(sounds) for _, sounds in self.phrases), default=0)
        self._by_sound: dict[str, list[tuple[int, int, int]]] = {}
        """Phrases with their units before each that sounds so, and from it on."""
        self._by_final: dict[str, list[tuple[int, int, int]]] = {}
        for number, (_, sounds) in enumerate(self.phrases):
            for before, sound in enumerate(sounds):
                entry = number, before, len(sounds) - before
                for heard in _DIGITS if sound == _DIGIT else (sound,):
                    self._by_sound.setdefault(heard, []).append(entry)
                if final := _final(sound):
                    self._by_final.setdefault(final, []).append(entry)

    def places(self, place: Misheard) -> Iterator[tuple[int, int]]:
        """``(first unit, phrase)``: wherever one may stand that contains a unit in doubt.

        What is sure on either side of units in doubt has to agree, or else the phrase lies between.
        """
        heard, by_sound = place.units.sounds, self._by_sound
        count = len(heard)
        for first, last in place.runs:
            for number, before, after in by_sound.get(heard[first - 1], ()) if first else ():
                if 1 < after <= count - first + 1 and before < first:
                    yield first - 1 - before, number
            for number, before, after in by_sound.get(heard[last], ()) if last < count else ():
                if 1 <= before <= last - first and after <= count - last:
                    yield last - before, number
            for index in range(first, last) if last - first >= self._shortest else ():
                near = by_sound.get(heard[index], ()), self._by_final.get(_final(heard[index]), ())
                for number, before, after in chain(*near):
                    if before <= index - first and after <= last - index:
                        yield index - before, number


def _in_doubt(confidences: Sequence[float], alike: float) -> Sequence[tuple[int, int]]:
    """Runs ``[first, last)`` of units below ``alike``."""
    runs: list[tuple[int, int]] = []
    for index, confidence in enumerate(confidences):
        if confidence < alike:
            if runs and runs[-1][1] == index:
                runs[-1] = runs[-1][0], index + 1
            else:
                runs.append((index, index + 1))
    return runs


def misheard(index: CallIndex, *, doubt: float, alike: float) -> tuple[Misheard, ...]:
    """The turns in which anything may have been misheard, found once."""
    key = doubt, alike
    if key not in index.misheard:
        index.misheard[key] = tuple(_misheard(index, doubt, alike))
    found: tuple[Misheard, ...] = index.misheard[key]
    return found


def _misheard(index: CallIndex, doubt: float, alike: float) -> Iterator[Misheard]:
    for text, turn in zip(index.turns, index.conversation.turns, strict=True):
        if text.weakest < alike:
            units = units_of(text.text, text.syllables, text.confidences)
            runs = _in_doubt(units.confidences, alike)
            traces = frozenset(_traces_in_doubt(units, runs, max(doubt, alike)))
            yield Misheard(text, turn, units, runs, traces)


def may_be_said(sought: Sought, place: Misheard, *, doubt: float, alike: float) -> Iterator[tuple[str, int, int]]:
    """``(phrase, start, end)``: places of folded text where a phrase may have been said, in order.

    A word of a confidence below ``alike`` may have been another that sounds alike, below ``doubt`` any other.
    """
    units, phrases = place.units, sought.phrases
    found = [
        (first, number)
        for first, number in set(sought.places(place))
        if _agree(units, first, phrases[number][1], doubt, alike)
    ]
    for first, number in sorted(found):
        phrase, sounds = phrases[number]
        yield phrase, units.starts[first], units.ends[first + len(sounds) - 1]


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


def _traces_in_doubt(units: Units, runs: Iterable[tuple[int, int]], sure: float) -> Iterator[str]:
    """``sure``: from which confidence on a word beside the run was heard right."""
    sounds, confidences = units.sounds, units.confidences
    for first, last in runs:
        before = _names(sounds[first - 1]) if first else ()
        after = _names(sounds[last]) if last < len(sounds) else ()
        beside = (*confidences[max(0, first - 1) : first], *confidences[last : last + 1])
        if last - first == 1 and (not beside or min(beside) >= sure):
            for sound in before:
                yield f"{sound}_$"
                for other in after:
                    yield f"{sound}_{other}"
            for sound in after:
                yield f"^_{sound}"
            continue
        for sound in before:
            yield f"{sound}__"
        for sound in after:
            yield f"__{sound}"
        for size in range(2, min(last - first, _SEVERAL) + 1):
            for sound in sounds[first:last]:
                yield from (f"{size}{name}" for name in _names(sound))
                yield f"{size}~{_final(sound)}"


def _names(sound: str) -> tuple[str, ...]:
    """A unit's sound, as phrases write it."""
    return (sound, _DIGIT) if sound in _DIGITS else (sound,)


def _agree(units: Units, first: int, sounds: Sequence[str], doubt: float, alike: float) -> bool:
    """Whether nothing surely heard from unit ``first`` on contradicts the phrase and half of it was heard; a rhyme
    is half heard."""
    said, confidences = units.sounds, units.confidences
    found = 0.0
    for at, sound in enumerate(sounds, first):
        if said[at] == sound or (sound == _DIGIT and said[at] in _DIGITS):
            found += 1
        elif confidences[at] < alike and rhyme(said[at], sound):
            found += 0.5
        elif confidences[at] >= doubt:
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
        sounds.extend(units_of(text, syllables(text), (1.0,) * len(text)).sounds)
        if kind == "digits":
            sounds.append(_DIGIT)
    return tuple(sounds) if len(sounds) > 1 else ()


def units_of(text: str, sounds: Sequence[str], confidences: Sequence[float]) -> Units:
    """The units of folded ``text``; ``sounds`` and ``confidences`` are of its characters."""
    if _SINGLE.fullmatch(text):  # as most turns are
        return Units(list(map(sound_key, sounds)), range(len(text)), range(1, len(text) + 1), confidences)
    named, starts, ends = [], [], []
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
        named.append(sound)
        starts.append(start)
        ends.append(end)
        start = end
    return Units(named, starts, ends, [min(confidences[a:b]) for a, b in zip(starts, ends, strict=True)])
