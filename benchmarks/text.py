"""Recognised and true text brought to the same tokens, so that an error rate counts errors of hearing only.

Mandarin: characters, in simplified script, digits as they are read. English: words, numbers digit by digit.
"""

import re
import unicodedata
from functools import cache

from opencc import OpenCC

_DIGITS = str.maketrans("0123456789〇幺", "零一二三四五六七八九零一")
_UNITS = {"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4"}
_UNITS |= {"five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9"}
_TEENS = {"ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14"}
_TEENS |= {"fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19"}
_TENS = {"twenty": "20", "thirty": "30", "forty": "40", "fifty": "50"}
_TENS |= {"sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90"}
_NUMBERS = {**_UNITS, **_TEENS, **_TENS, "oh": "0"}


def tokens(text: str, language: str) -> list[str]:
    """Characters for ``zh…``, words for every other language."""
    return _mandarin(text) if language.startswith("zh") else _english(text)


@cache
def _to_simplified() -> OpenCC:
    return OpenCC("t2s")


def _mandarin(text: str) -> list[str]:
    folded = _to_simplified().convert(unicodedata.normalize("NFKC", text)).lower()
    folded = re.sub(r"(\d+(?:\.\d+)?)%", r"百分之\1", folded).translate(_DIGITS)
    return [character for character in folded if character.isalnum()]


def _english(text: str) -> list[str]:
    folded = re.sub("['’]", "", unicodedata.normalize("NFKC", text).lower())
    folded = re.sub(r"\$(\d+)", r"\1 dollars", folded).replace("%", " percent ")
    words = re.findall(r"[a-z]+|\d", folded)
    said: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        number = _NUMBERS.get(word, "")
        if word in _TENS and following in _UNITS:
            number = number[0]  # "twenty five": the unit tells the second digit
        said += [*number] or [word]
    return said
