"""Simplified script and toneless pinyin, as overlays on the recognised text.

Guarantee: overlays are aligned character by character with the text they lie on; the raw text is never
replaced. pypinyin is slow (88 calls/s), so this runs once, when a conversation is stored.
"""

from functools import cached_property
from typing import Any

from models.text.hot_words import Places, respelled
from qa_service.domain.conversation import TextOverlay
from qa_service.domain.text import fold
from qa_service.pinyin import syllables


class PinyinAnnotator:
    """Implements ``TextAnnotator`` with OpenCC (t2s) and pypinyin."""

    revision = "opencc-1.4-t2s+pypinyin-0.55+hot-words-1"

    @cached_property
    def _to_simplified(self) -> Any:
        from opencc import OpenCC

        return OpenCC("t2s").convert

    def simplified(self, raw_text: str, language: str) -> str:
        if not language.startswith("zh"):
            return raw_text
        whole = self._convert(raw_text)
        if len(whole) == len(raw_text):
            return whole
        # A phrase conversion changed the length; single characters cannot.
        return "".join(s if len(s := self._convert(c)) == 1 else c for c in raw_text)

    def _convert(self, text: str) -> str:
        try:
            return str(self._to_simplified(text))
        except UnicodeEncodeError:  # a lone surrogate, which no script has: it stays, the rest is converted
            return text if len(text) == 1 else "".join(self._convert(c) for c in text)

    def respelled(self, text: str, words: tuple[str, ...]) -> tuple[str, Places]:
        return respelled(text, words)

    def overlay(self, text: str) -> TextOverlay:
        folded = fold(text)
        return TextOverlay(folded.text, folded.offsets, syllables(folded.text))
