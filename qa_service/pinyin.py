"""Toneless pinyin of folded text: what recognised words sound like.

Lives outside ``domain`` because it needs a library (pypinyin); rules use it for their phrases, the speech side
for what was said, so that both hear alike. Pure: same text, same syllables.
"""

from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial
from threading import Lock


@cache
def _pinyin() -> Callable[[str], list[str]]:
    """pypinyin reads a dictionary of phrases when it is imported, which takes longer than many a command does."""
    from pypinyin import Style, lazy_pinyin

    return partial(lazy_pinyin, style=Style.NORMAL, errors=_as_is, strict=False)


def _as_is(run: str) -> list[str]:
    return list(run)


def syllables(folded: str) -> tuple[str, ...]:
    """One toneless syllable per character of folded text; a character without pinyin stands for itself."""
    found = _pinyin()(folded)
    if len(found) != len(folded):  # an unknown script may come back joined; never let offsets drift
        found = [_pinyin()(c)[0] for c in folded]
    return tuple(found)


@lru_cache(maxsize=4096)  # pinyin has some four hundred
def sound_key(syllable: str) -> str:
    """Syllables that telephone speech and recognisers confuse share a key: zh/z, ch/c, sh/s, -ng/-n."""
    for retroflex, plain in (("zh", "z"), ("ch", "c"), ("sh", "s")):
        if syllable.startswith(retroflex):
            syllable = plain + syllable[2:]
    return syllable[:-1] if syllable.endswith(("ang", "eng", "ing")) else syllable


class _Codes(dict[str, str]):
    """Syllable → the one character that stands for its sound in this process: itself, or one for private use.

    Folded text holds no characters for private use, and pinyin has some four hundred syllables.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, str] = {}
        self._lock = Lock()

    def __missing__(self, syllable: str) -> str:
        key = sound_key(syllable)
        with self._lock:
            code = key if len(key) == 1 else self._keys.setdefault(key, chr(0xE000 + len(self._keys)))
        self[syllable] = code
        return code


_CODES = _Codes()


def sounded(syllables: Iterable[str]) -> str:
    """How syllables sound, one character each: what sounds alike is equal. Of use in this process only."""
    return "".join(map(_CODES.__getitem__, syllables))
