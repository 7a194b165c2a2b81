"""Toneless pinyin of folded text: what recognised words sound like.

Lives outside ``domain`` because it needs a library (pypinyin); rules use it for their phrases, the speech side
for what was said, so that both hear alike. Pure: same text, same syllables.
"""

from pypinyin import Style, lazy_pinyin


def _as_is(run: str) -> list[str]:
    return list(run)


def syllables(folded: str) -> tuple[str, ...]:
    """One toneless syllable per character of folded text; a character without pinyin stands for itself."""
    found = lazy_pinyin(folded, style=Style.NORMAL, errors=_as_is, strict=False)
    if len(found) != len(folded):  # an unknown script may come back joined; never let offsets drift
        found = [lazy_pinyin(c, style=Style.NORMAL, errors=_as_is, strict=False)[0] for c in folded]
    return tuple(found)


def sound_key(syllable: str) -> str:
    """Syllables that telephone speech and recognisers confuse share a key: zh/z, ch/c, sh/s, -ng/-n."""
    for retroflex, plain in (("zh", "z"), ("ch", "c"), ("sh", "s")):
        if syllable.startswith(retroflex):
            syllable = plain + syllable[2:]
    return syllable[:-1] if syllable.endswith(("ang", "eng", "ing")) else syllable
