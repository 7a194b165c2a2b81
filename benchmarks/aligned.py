"""Which recognised words were heard right: recognised text aligned with what was said.

Guarantee: pure. Both sides are simplified, folded and have their digits spoken; then the least number of changes
between them (Levenshtein) says which recognised units stand for a unit that was said.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from rapidfuzz.distance import Levenshtein

from models.text.normalise import PinyinAnnotator
from qa_service.domain.text import fold
from qa_service.pinyin import sound_key, syllables

_DIGITS = "零一二三四五六七八九"
_SPOKEN = str.maketrans("0123456789〇幺", _DIGITS + "零一")
_PLACES = ("", "十", "百", "千")
_UNITS = {
    w: str(i)
    for i, w in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
} | {"oh": "0"}
_TEENS = {
    w: f"1{i}"
    for i, w in enumerate(
        [
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS = {
    w: str(i)
    for i, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}


@dataclass(frozen=True, slots=True)
class Judged:
    """``heard``: it has the sounds that were said; ``written``: the characters, too."""

    heard: bool
    written: bool


def judged(words: Sequence[str], said: str, language: str) -> list[Judged | None]:
    """Each recognised word against what was said; None for punctuation."""
    units = units_of(words, language, said)
    recognised = [unit for unit, _ in units]
    truth = [unit for unit, _ in units_of([said] if language == "zh" else said.split(), language, said)]
    written = _kept(recognised, truth)
    heard = written
    if language == "zh":
        sounds = _kept(_sounds(recognised), _sounds(truth))
        heard = [one or other for one, other in zip(written, sounds, strict=True)]
    found: list[Judged | None] = [None] * len(words)
    for (_, index), by_sound, by_spelling in zip(units, heard, written, strict=True):
        before = found[index] or Judged(heard=True, written=True)
        found[index] = Judged(heard=before.heard and by_sound, written=before.written and by_spelling)
    return found


def _kept(recognised: Sequence[str], truth: Sequence[str]) -> list[bool]:
    kept = [False] * len(recognised)
    for step in Levenshtein.opcodes(recognised, truth):
        if step.tag == "equal":
            kept[step.src_start : step.src_end] = [True] * (step.src_end - step.src_start)
    return kept


def _sounds(characters: Sequence[str]) -> list[str]:
    return [sound_key(sound) for sound in syllables("".join(characters))]


def units_of(words: Sequence[str], language: str, said: str) -> list[tuple[str, int]]:
    """``(unit, word index)``: characters in Mandarin, lower-case words in English, digits one by one.

    A number is read the way it was said: 50 as 五十 where ``said`` has 五十, else as 五零.
    """
    return _characters(words, fold(said).text) if language == "zh" else _latin(words)


def _characters(words: Sequence[str], said: str) -> list[tuple[str, int]]:
    flat = [(c, i) for i, word in enumerate(words) for c in _folded(word) if c != " "]
    units: list[tuple[str, int]] = []
    start = 0
    while start < len(flat):
        end = start
        while end < len(flat) and flat[end][0] in "0123456789":
            end += 1
        if end == start:
            units.append((flat[start][0].translate(_SPOKEN), flat[start][1]))
            start += 1
            continue
        number = "".join(c for c, _ in flat[start:end])
        read, digits = cardinal(number), number.translate(_SPOKEN)
        spoken = read if read and read in said and digits not in said else digits
        indices = [i for _, i in flat[start:end]]
        units.extend(
            (c, indices[min(n * len(indices) // len(spoken), len(indices) - 1)]) for n, c in enumerate(spoken)
        )
        start = end
    return units


@lru_cache(maxsize=65536)
def _folded(word: str) -> str:
    return fold(_annotator().simplified(unicodedata.normalize("NFKC", word), "zh")).text


@cache
def _annotator() -> PinyinAnnotator:
    return PinyinAnnotator()


def cardinal(number: str) -> str:
    """Digits read as a number below ten thousand; empty for others."""
    if len(number) > len(_PLACES) or number.startswith("0"):
        return ""
    read, zero = "", False
    for place, digit in zip(range(len(number) - 1, -1, -1), number, strict=True):
        if digit == "0":
            zero = True
            continue
        read += ("零" if zero else "") + _DIGITS[int(digit)] + _PLACES[place]
        zero = False
    return read.removeprefix("一") if read.startswith("一十") else read


def _latin(words: Sequence[str]) -> list[tuple[str, int]]:
    tokens = [(token, i) for i, word in enumerate(words) for token in _tokens(word)]
    units: list[tuple[str, int]] = []
    for (token, index), following in zip(tokens, [*(t for t, _ in tokens[1:]), ""], strict=True):
        digits = _UNITS.get(token) or _TEENS.get(token) or ""
        if token in _TENS:
            digits = _TENS[token] + ("" if following in _UNITS else "0")
        units.extend((unit, index) for unit in (digits or [token]))
    return units


def _tokens(word: str) -> list[str]:
    text = unicodedata.normalize("NFKC", word).lower().replace("'", "").replace("’", "").replace("%", " percent ")
    return re.findall(r"[a-z]+|\d", text)
