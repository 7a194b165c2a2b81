"""Reading English number words: cardinals, and digits in whatever groups people say them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_ONES: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
}  # fmt: skip
_TEENS: Final = {
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES: Final = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_REPEATS: Final = {"double": 2, "triple": 3, "treble": 3}
ORDINALS: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15,
    "sixteenth": 16, "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
ORDINAL: Final = "(?:(?:twenty|thirty)[ -](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|" + (
    "|".join(sorted(ORDINALS, key=len, reverse=True)) + ")"
)
_FIRST: Final = (*_ONES, *_TEENS, *_TENS, *_REPEATS, "oh", "o")


def _any_of(words: Sequence[str]) -> str:
    return rf"(?<![a-z'])(?:{'|'.join(sorted(words, key=len, reverse=True))})(?![a-z'])"


FIRST_WORD: Final = _any_of(_FIRST)
_NUMBER_WORD: Final = re.compile(_any_of((*_FIRST, *_SCALES, "hundred", "point", "and", "a")))
_BETWEEN: Final = re.compile(r"(?: ?- ?| +|(?P<comma>, *))")
_MOST_WORDS = 32


@dataclass(frozen=True, slots=True)
class Word:
    """A number word at ``[start, end)``; ``apart``: a comma stands before it."""

    text: str
    start: int
    end: int
    apart: bool = False


@lru_cache(maxsize=4)  # every reading of a place asks for its words
def words_at(plain: str, start: int) -> tuple[Word, ...]:
    """The number words in a row from ``start``, without what only joins them at the ends."""
    found: list[Word] = []
    position, apart = start, False
    while len(found) < _MOST_WORDS and (match := _NUMBER_WORD.match(plain, position)):
        found.append(Word(match[0], match.start(), match.end(), apart))
        between = _BETWEEN.match(plain, match.end())
        if between is None:
            break
        position, apart = between.end(), between["comma"] is not None
    while found and found[-1].text in ("and", "a", "point", *_REPEATS):
        found.pop()
    return tuple(found)


def cardinal(words: Sequence[Word], first: int = 0) -> tuple[int, int] | None:
    """The largest cardinal that starts at ``words[first]``: its value and the index behind it."""
    total, at, below, spoken = 0, first, 10**12, False
    while at < len(words):
        group = _below_thousand(words, at, initial=not spoken)
        if group is None:
            break
        value, after = group
        scale = _SCALES.get(words[after].text, 0) if after < len(words) and not words[after].apart else 0
        if scale and scale < below:
            total, at, below, spoken = total + value * scale, after + 1, scale, True
            if at < len(words) and words[at].text == "and" and not words[at].apart:
                if _below_thousand(words, at + 1, initial=False) is None:
                    break
                at += 1
            continue
        if not scale:
            total, at, spoken = total + value, after, True
        break
    if at > first and words[at - 1].text == "and":
        at -= 1
    return (total, at) if spoken else None


def _below_thousand(words: Sequence[Word], at: int, *, initial: bool) -> tuple[int, int] | None:
    if at >= len(words) or (words[at].apart and not initial):
        return None
    said = words[at].text
    article = said == "a" and at + 1 < len(words) and words[at + 1].text in ("hundred", *_SCALES)
    base = (1, at + 1) if article else _below_hundred(words, at)
    if base is None:
        return None
    value, at = base
    if at < len(words) and words[at].text == "hundred" and value > 0 and not words[at].apart:
        value, at = value * 100, at + 1
        joins = at < len(words) and words[at].text == "and"
        rest = _below_hundred(words, at + joins) if at < len(words) and not words[at].apart else None
        if rest is not None and rest[0] > 0:
            return value + rest[0], rest[1]
    return value, at


def _below_hundred(words: Sequence[Word], at: int) -> tuple[int, int] | None:
    if at >= len(words):
        return None
    said = words[at].text
    if said in _TENS:
        after = at + 1
        if after < len(words) and not words[after].apart and _ONES.get(words[after].text, 0) > 0:
            return _TENS[said] + _ONES[words[after].text], after + 1
        return _TENS[said], after
    if said in _TEENS:
        return _TEENS[said], at + 1
    return (_ONES[said], at + 1) if said in _ONES else None


def digit_reading(words: Sequence[Word]) -> tuple[str, tuple[int, ...]] | None:
    """The digits that the words spell in groups (double five, oh, twenty three, eight hundred), and the groups'
    lengths between commas; None where they are no such thing."""
    digits: list[str] = []
    lengths: list[int] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word.apart or not lengths:
            lengths.append(0)
        if word.text in ("oh", "o"):
            said, at = "0", at + 1
        elif word.text in _REPEATS:
            if at + 1 >= len(words) or (words[at + 1].text not in _ONES and words[at + 1].text not in ("oh", "o")):
                return None
            said, at = str(_ONES.get(words[at + 1].text, 0)) * _REPEATS[word.text], at + 2
        elif word.text in _ONES and at + 1 < len(words) and words[at + 1].text == "hundred":
            said, at = f"{_ONES[word.text]}00", at + 2  # one eight hundred five five five …
        else:
            group = cardinal(words, at)
            if group is None or group[0] >= 1_000 or words[at].text == "a":
                return None
            said, at = str(group[0]), group[1]
        digits.append(said)
        lengths[-1] += len(said)
    return "".join(digits), tuple(lengths)
