"""Folding text for matching, with offsets back to what was said.

Guarantee: folding never replaces the raw text. ``FoldedText.offsets[i]`` is the index, in the source text, of
the character behind folded character ``i``; quotes are cut from the source.
"""

import re
import unicodedata
from dataclasses import dataclass

# U+3007 is the zero 〇 of numbers written out.
_HAN = re.compile(r"[\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002fa1f]")
# Recognisers write 您 and 你, 他 and 她 at random: for matching they are one pronoun each.
_SAME = str.maketrans({"您": "你", "她": "他", "它": "他", "妳": "你", "祢": "你"})
_LATIN = "[A-Za-zÀ-ÖØ-öø-ɏ]+"
_WORDS = re.compile(rf"{_LATIN}(?:'{_LATIN})?|\d")


@dataclass(frozen=True, slots=True)
class FoldedText:
    """Lower-case, width-folded text without punctuation, and where each of its characters came from."""

    text: str
    offsets: tuple[int, ...]


def is_han(character: str) -> bool:
    return _HAN.match(character) is not None


def fold(text: str) -> FoldedText:
    """Fold ``text``: NFKC, lower case, pronouns unified, punctuation dropped; a space is kept only between Latin
    words (digits of one number, however grouped, stay together).

    Length never grows by surprise: a character whose folding has several characters (``㎏``) gives each of
    them the same offset.
    """
    out: list[str] = []
    offsets: list[int] = []
    gap = False
    for index, source in enumerate(text):
        for character in unicodedata.normalize("NFKC", source).lower().translate(_SAME):
            if character.isalnum():
                if gap and out and _separate_words(out[-1], character):
                    out.append(" ")
                    offsets.append(index)
                out.append(character)
                offsets.append(index)
                gap = False
            elif character not in "'’" and not unicodedata.combining(character):
                gap = True  # don't → dont: one word either way; nor does an accent written apart cut a word
    return FoldedText("".join(out), tuple(offsets))


def _separate_words(left: str, right: str) -> bool:
    return not (is_han(left) or is_han(right) or (left.isdigit() and right.isdigit()))


def hot_word_fault(word: str) -> str | None:
    """Why ``word`` cannot be respelled by its sound, as a hot word is."""
    if not word or not all(map(is_han, word)):
        return "it is not all Chinese characters"
    if len(word) < 3:
        return "words of two characters sound like too many others (世纪: 十几)"
    return None


def spoken_units(text: str) -> int:
    """Han characters + Latin words + single digits: the unit of speech rate (domain definition, §3)."""
    folded = unicodedata.normalize("NFKC", text)
    return len(_HAN.findall(folded)) + len(_WORDS.findall(folded.replace("’", "'")))
