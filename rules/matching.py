"""Phrases found in what was recognised: by spelling, and by sound as a second chance.

Guarantee: pure; every hit carries the words' times, the verbatim quote and whether it was found by spelling.
``rules.phrase_book`` finds them.

A phrase is plain text, matched on folded text, with optional placeholders: ``{digits:2-8}`` a spoken or written
number of so many digits, ``{any:0-6}`` up to so many other characters.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.hearing import SLACK_S
from qa_service.domain.results import Evidence
from qa_service.domain.text import fold, is_han
from qa_service.domain.timeline import TimeSpan
from rules.index import CallIndex, TurnText

PLACEHOLDER = re.compile(r"\{(digits|any):(\d{1,2})-(\d{1,2})\}")


def phrase_fault(phrase: str) -> str | None:
    """What is wrong with the notation of ``phrase``."""
    if rest := re.search(r"[{}]", PLACEHOLDER.sub("", phrase)):
        return f"{phrase!r}: {rest[0]!r} is not a placeholder: write {{digits:2-8}} or {{any:0-6}}"
    pieces = PLACEHOLDER.split(phrase)
    for low, high in zip(pieces[2::4], pieces[3::4], strict=True):
        if int(low) > int(high):
            return f"{phrase!r}: {low} is more than {high}"
    if "digits" not in pieces[1::4] and not any(fold(literal).text for literal in pieces[::4]):
        return f"{phrase!r} has no letters to look for"
    return None


@dataclass(slots=True)  # not frozen: a call has a hundred, and freezing one takes as long as finding it
class Hit:
    """A phrase found in the characters ``[start, end)`` of one turn, ``[start_s, end_s)`` of the recording.

    ``spelled`` False: only the sound matches.
    """

    phrase: str
    text: TurnText = field(compare=False, repr=False)
    start: int
    end: int
    spelled: bool
    start_s: float
    end_s: float
    confidence: float
    utterances: tuple[int, ...]
    at: int
    """Where it starts in the text of the whole call."""
    rank: tuple[bool, int, int]
    """The spelled before those by sound, the longer before the shorter, in the order of the text."""
    middle_s: float
    _evidence: Evidence | None = field(default=None, compare=False, repr=False)

    @property
    def evidence(self) -> Evidence:
        """The time of its words, and the clause they stand in, word for word."""
        if self._evidence is None:
            self._evidence = Evidence(
                self.start_s,
                self.end_s,
                self.text.role,
                self.text.clause(self.start, self.end),
                self.utterances,
                self.confidence,
            )
        return self._evidence

    @property
    def respelled(self) -> bool:
        """Whether hot words wrote what matches: it is no better than sound where it accuses."""
        return self.text.respelled(self.start, self.end)

    @property
    def span(self) -> TimeSpan:
        return TimeSpan(self.start_s, self.end_s)

    @property
    def turn(self) -> int:
        return self.text.index

    @property
    def role(self) -> SpeakerRole:
        return self.text.role

    @property
    def quote(self) -> str:
        return self.text.quote(self.start, self.end)


def hit_of(phrase: str, text: TurnText, start: int, end: int, *, spelled: bool) -> Hit:
    """The hit of ``phrase`` in the characters ``[start, end)`` of ``text``."""
    at, rank = text.at + start, (not spelled, start - end, text.at + start)
    start_s, end_s, confidence, utterances = text.heard(start, end)
    middle_s = (start_s + end_s) / 2
    return Hit(phrase, text, start, end, spelled, start_s, end_s, confidence, utterances, at, rank, middle_s)


Raw = tuple[int, int, bool]
"""Start and end in the text of the whole call, and whether it was found by spelling."""


class Hits:
    """What was found in one call, by list of phrases."""

    def __init__(
        self, index: CallIndex, found: Mapping[str, Sequence[Raw]], by_list: Mapping[int, Sequence[str]]
    ) -> None:
        """``found``: places by phrase; ``by_list``: the phrases that were found, by the id of their list."""
        self._index = index
        self._found = found
        self._by_list = by_list
        self._told: dict[str, list[Hit]] = {}
        """By phrase: the hits of all lists that have it."""
        self._hits: dict[tuple[int, SpeakerRole | None], Sequence[Hit]] = {}
        self._joined: dict[tuple[int, SpeakerRole | None], Sequence[Hit]] = {}

    def of(self, phrases: tuple[str, ...], role: SpeakerRole | None = None) -> Sequence[Hit]:
        """Hits of the phrases of one of the book's lists, by ``role`` (None: by anybody), in order of time.

        Raises KeyError: the book was not compiled with this list.
        """
        found = self._by_list[id(phrases)]
        if not found:
            return ()
        key = (id(phrases), role)
        hits = self._hits.get(key)
        if hits is None:
            hits = [hit for phrase in found for hit in self._of_phrase(phrase)]
            if role is not None:
                hits = [hit for hit in hits if hit.text.role is role]
            hits.sort(key=_IN_TIME)
            self._hits[key] = hits
        return hits

    def within(self, phrases: tuple[str, ...], role: SpeakerRole | None, window: TimeSpan) -> Sequence[Hit]:
        """One hit an occurrence, as ``joined``, of those that lie ``within`` the window."""
        every = self.of(phrases, role)
        if not every:
            return ()
        start, end = window.start - SLACK_S, window.end + SLACK_S
        hits = [hit for hit in every if start <= hit.middle_s <= end]
        if len(hits) < len(every):
            return joined(hits)
        key = (id(phrases), role)
        if key not in self._joined:
            self._joined[key] = joined(hits)
        return self._joined[key]

    def _of_phrase(self, phrase: str) -> list[Hit]:
        if phrase not in self._told:
            turn_of = self._index.turn_of
            self._told[phrase] = [
                hit_of(phrase, turn, start - turn.at, end - turn.at, spelled=spelled)
                for start, end, spelled in self._found[phrase]
                for turn in (turn_of[start],)
            ]
        return self._told[phrase]


_IN_TEXT = attrgetter("at")
_IN_TIME = attrgetter("start_s", "end_s", "phrase", "rank")
_STRONGER = attrgetter("rank", "phrase")


def on_word_boundaries(text: str, start: int, end: int, *, whole_numbers: bool = False) -> bool:
    """A Latin phrase matches whole words only: ``hell`` is not in ``hello``, and the hotline ``12345`` (a phrase
    without placeholders) not in an order number."""
    for left, right in ((start - 1, start), (end - 1, end)):
        if left >= 0 and right < len(text):
            pair = text[left] + text[right]
            if pair.split() != [pair]:
                continue  # a space, or the end of a turn
            if not any(is_han(c) for c in pair) and (whole_numbers or not pair.isdigit()):
                return False
    return True


@lru_cache(maxsize=1024)
def _folded(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(folded for word in words if (folded := fold(word).text))


def places_of(words: tuple[str, ...], text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """Where one of ``words`` stands in ``[start, end)`` of folded ``text``; ``or`` does not in ``sorry``."""
    for word in _folded(words):
        at = text.find(word, max(0, start), end)
        while at >= 0:
            if on_word_boundaries(text, at, at + len(word)):
                yield at, at + len(word)
            at = text.find(word, at + 1, end)


def mentioned(words: tuple[str, ...], text: str, start: int, end: int) -> bool:
    """Whether one of ``words`` stands in ``[start, end)`` of folded ``text``."""
    return any(True for _ in places_of(words, text, start, end))


def joined(hits: Sequence[Hit]) -> Sequence[Hit]:
    """One hit an occurrence: of overlapping hits the spelled, then the longest one stays. In order of time."""
    if len(hits) < 2:
        return hits
    kept: list[Hit] = []
    beside: list[Hit] = []
    reach = 0
    for hit in sorted(hits, key=_IN_TEXT):
        if hit.at >= reach and beside:
            kept += _strongest(beside)
            beside = []
        beside.append(hit)
        reach = max(reach, hit.at + hit.end - hit.start)
    kept += _strongest(beside)
    kept.sort(key=_IN_TIME)
    return kept


def _strongest(hits: list[Hit]) -> list[Hit]:
    if len(hits) == 1:
        return hits
    kept: list[Hit] = []
    for hit in sorted(hits, key=_STRONGER):
        if not any(k.start < hit.end and hit.start < k.end for k in kept):
            kept.append(hit)
    return kept
