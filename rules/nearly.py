"""Where a phrase may have been said although it was not recognised.

A word that was probably heard right is what was said; a doubtful one may have been another. So a phrase may stand
wherever it agrees with all that was surely heard: syllable by syllable (word by word in Latin script) the same
sound, a sound that is somewhat alike under a word that is not sure, or any sound under one that is doubtful.

Guarantee: pure; without doubtful words nothing is found.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from qa_service.domain.text import fold, is_han
from qa_service.pinyin import sound_key, syllables
from rules.index import TurnText
from rules.matching import DIGIT_SOUNDS, DIGITS, PLACEHOLDER

_WRITTEN_SHORT = {"iu": "ou", "ui": "ei", "un": "en"}
"""Finals that pinyin writes without their vowel: 九 is jiou."""

_DIGIT = "#"
_DIGITS = frozenset(map(sound_key, DIGIT_SOUNDS)) | set(DIGITS)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A syllable or a Latin word of a turn: folded characters ``[start, end)``, how they sound, how sure that
    is."""

    sound: str
    start: int
    end: int
    confidence: float


def may_be_said(
    phrases: Iterable[str], text: TurnText, *, doubt: float, alike: float
) -> Iterator[tuple[str, int, int]]:
    """``(phrase, start, end)``: places of folded text where a phrase may have been said.

    A word of a confidence below ``alike`` may have been another that sounds alike, below ``doubt`` any other.
    """
    if text.weakest >= alike:
        return
    units = tuple(_units(text.text, text.syllables, text.confidences))
    unsure = [index for index, unit in enumerate(units) if unit.confidence < alike]
    for phrase in phrases:
        sounds = _sounds(phrase)
        length = len(sounds)
        reached = 0  # from where on no place has been looked at
        for index in unsure if sounds else ():
            for first in range(max(reached, index - length + 1), min(index, len(units) - length) + 1):
                if _agree(units[first : first + length], sounds, doubt, alike):
                    yield phrase, units[first].start, units[first + length - 1].end
            reached = max(reached, index + 1)


def _agree(units: Sequence[_Unit], sounds: Sequence[str], doubt: float, alike: float) -> bool:
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


def _units(text: str, sounds: tuple[str, ...], confidences: tuple[float, ...]) -> Iterator[_Unit]:
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
        yield _Unit(sound, start, end, min(confidences[start:end]))
        start = end
