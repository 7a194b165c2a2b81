"""Folding text for matching, with offsets back to what was said.

Guarantee: folding never replaces the raw text. ``FoldedText.offsets[i]`` is the index, in the source text, of
the character behind folded character ``i``; quotes are cut from the source.
"""

import re
import unicodedata
from dataclasses import dataclass

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002fa1f]")
_WORDS = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?|\d")


@dataclass(frozen=True, slots=True)
class FoldedText:
    """Lower-case, width-folded text without punctuation, and where each of its characters came from."""

    text: str
    offsets: tuple[int, ...]


def is_han(character: str) -> bool:
    return _HAN.match(character) is not None


def fold(text: str) -> FoldedText:
    """Fold ``text``: NFKC, lower case, punctuation dropped; a space is kept only between Latin words.

    Length never grows by surprise: a character whose folding has several characters (``㎏``) gives each of
    them the same offset.
    """
    out: list[str] = []
    offsets: list[int] = []
    gap = False
    for index, source in enumerate(text):
        for character in unicodedata.normalize("NFKC", source).lower():
            if character.isalnum():
                if gap and out and _is_latin(out[-1]) and _is_latin(character):
                    out.append(" ")
                    offsets.append(index)
                out.append(character)
                offsets.append(index)
                gap = False
            elif character not in "'’":  # don't → dont: one word either way
                gap = True
    return FoldedText("".join(out), tuple(offsets))


def _is_latin(character: str) -> bool:
    return character.isalnum() and not is_han(character)


def spoken_units(text: str) -> int:
    """Han characters + Latin words + single digits: the unit of speech rate (domain definition, §3)."""
    folded = unicodedata.normalize("NFKC", text)
    return sum(1 for c in folded if is_han(c)) + len(_WORDS.findall(folded.replace("’", "'")))
