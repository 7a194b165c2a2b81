"""Putting signs in the place of words: text, raw text, words and overlays of an utterance, all of them alike.

Guarantee: nothing of a replaced place remains in the utterance, not even its sound or its value; everything else
keeps its time, its confidence and its sound.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from qa_service.domain.conversation import TextOverlay, Utterance, Word
from qa_service.domain.text import fold


@dataclass(frozen=True, slots=True)
class Edit:
    """``sign`` stands in the place of the characters ``[start, end)``."""

    start: int
    end: int
    sign: str


def edited_text(text: str, edits: Sequence[Edit]) -> str:
    """``text`` with disjoint ``edits`` done."""
    pieces: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda e: e.start):
        pieces += (text[at : edit.start], edit.sign)
        at = edit.end
    return "".join((*pieces, text[at:]))


def edited(utterance: Utterance, edits: Sequence[Edit]) -> Utterance:
    """``utterance`` with disjoint ``edits`` of its text done; a sign must hold no letter and no digit."""
    ordered = sorted(edits, key=lambda e: e.start)
    text = edited_text(utterance.text, ordered)
    moved = _Moved(ordered)
    if len(utterance.raw_text) == len(utterance.text) == sum(len(word.text) for word in utterance.words):
        raw, words = edited_text(utterance.raw_text, ordered), _words(utterance, moved)
    else:  # nobody knows which raw words they are
        raw, words = text, (Word(text, utterance.start, utterance.end, utterance.confidence),)
    return replace(
        utterance,
        text=text,
        raw_text=raw,
        words=words,
        word_offsets=tuple(accumulate((len(w.text) for w in words[:-1]), initial=0)),
        overlay=_overlay(utterance, text, moved),
        numbers=tuple(
            replace(n, start=moved(n.start), end=moved(n.end))
            for n in utterance.numbers
            if not moved.touches(n.start, n.end)
        ),
        respelled=tuple((moved(a), moved(b)) for a, b in utterance.respelled if not moved.touches(a, b)),
    )


class _Moved:
    """Where a character that stays has gone."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        self._starts = [edit.start for edit in edits]
        self._ends = [edit.end for edit in edits]
        self._shifts = list(accumulate((len(e.sign) - (e.end - e.start) for e in edits), initial=0))

    def __call__(self, index: int) -> int:
        return index + self._shifts[bisect_right(self._ends, index)]

    def touches(self, start: int, end: int) -> bool:
        return bisect_right(self._ends, start) < bisect_left(self._starts, end)

    def within(self, start: int, end: int) -> Sequence[Edit]:
        """The edits that touch ``[start, end)``."""
        return self._edits[bisect_right(self._ends, start) : bisect_left(self._starts, end)]


def _overlay(utterance: Utterance, text: str, moved: _Moved) -> TextOverlay:
    folded = fold(text)
    overlay = utterance.overlay
    sound = {
        moved(offset): syllable
        for offset, syllable in zip(overlay.offsets, overlay.syllables, strict=False)
        if not moved.touches(offset, offset + 1)
    }
    syllables = tuple(
        c if c == " " else sound.get(offset, c) for c, offset in zip(folded.text, folded.offsets, strict=True)
    )
    return TextOverlay(folded.text, folded.offsets, syllables)


def _words(utterance: Utterance, moved: _Moved) -> tuple[Word, ...]:
    """A word that a sign swallows lends its time to the one before."""
    words: list[Word] = []
    at = 0
    for word in utterance.words:
        end = at + len(word.text)
        inside = [
            Edit(max(e.start, at) - at, min(e.end, end) - at, e.sign if at <= e.start < end else "")
            for e in moved.within(at, end)
        ]
        text = edited_text(word.text, inside)
        if text or not words:
            words.append(replace(word, text=text))
        else:
            words[-1] = replace(words[-1], end=max(words[-1].end, word.end))
        at = end
    return tuple(words)
