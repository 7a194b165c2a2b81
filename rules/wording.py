"""What somebody probably meant: the nearest known word, and letters that only look like others."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_LONGEST: Final = 80  # nobody means anything known by more

# Letters of other alphabets that look like Latin ones (Unicode technical standard 39, the lower-case part that
# keys are made of).
_LOOKS_LIKE: Final = str.maketrans("аеорсухіјѕԁһɡοανιρτκµ‐‑‒–—−_", "aeopcyxijsdhgoaviptku-------")


def plain(text: str) -> str:
    """``text`` with full-width and look-alike letters as the Latin ones that they look like."""
    return unicodedata.normalize("NFKC", text).lower().translate(_LOOKS_LIKE)


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word that ``word`` was probably meant to be."""
    if not isinstance(word, str) or len(word) > _LONGEST:
        return None
    by_shape: dict[str, str] = {}
    for name in known:
        by_shape.setdefault(plain(name), name)
    shape = plain(word)
    if shape in by_shape:
        return by_shape[shape]
    close = get_close_matches(shape, list(by_shape), n=1, cutoff=0.7)
    return by_shape[close[0]] if close else None


def hint(word: object, known: Iterable[str]) -> str:
    """The fix for an unknown ``word``: the nearest known one, else all of them."""
    names = sorted(set(known))
    meant = nearest(word, names)
    if meant is not None:
        foreign = foreign_letter(word)
        return f"did you mean {meant!r}?" + (f" {foreign}" if foreign else "")
    return f"one of {', '.join(names)}" if names else "there are none"


def foreign_letter(word: object) -> str:
    """Names the first character of ``word`` that is not ASCII; empty without any."""
    for character in word if isinstance(word, str) else "":
        if not character.isascii():
            return f"{character!r} is {unicodedata.name(character, f'U+{ord(character):04X}')}"
    return ""
