"""Time spans and their algebra.

Guarantee: every function is pure and returns spans sorted by start. Spans are half-open
``[start, end)`` in float seconds from the recording's start.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from operator import attrgetter


@dataclass(frozen=True, slots=True, order=True)
class TimeSpan:
    """A bare interval ``[start, end)`` in seconds."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not self.end >= self.start:  # also catches NaN
            raise ValueError(f"a time span ends before it starts: [{self.start}, {self.end})")

    @property
    def duration_s(self) -> float:
        return self.end - self.start

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2

    def overlap_s(self, other: "TimeSpan") -> float:
        """Seconds that both spans share (0 when they do not touch)."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))

    def contains(self, time_s: float) -> bool:
        return self.start <= time_s < self.end


_EDGES = attrgetter("start", "end")


def union(spans: Iterable[TimeSpan], *, bridge_s: float = 0.0) -> tuple[TimeSpan, ...]:
    """Disjoint spans covering the same time; gaps of at most ``bridge_s`` seconds are filled."""
    ordered = sorted([span for span in spans if span.end > span.start], key=_EDGES)
    last = -inf
    for span in ordered:  # most are disjoint already
        if not span.start - last > bridge_s:
            return union_of_edges(map(_EDGES, ordered), bridge_s=bridge_s)
        last = span.end
    return tuple(ordered)


def union_of_edges(edges: Iterable[tuple[float, float]], *, bridge_s: float = 0.0) -> tuple[TimeSpan, ...]:
    """``union`` of pairs of start and end: of a call's words there are too many to make a span of each."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(edges):
        if end <= start:
            continue
        if merged and start - merged[-1][1] <= bridge_s:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(TimeSpan(start, end) for start, end in merged)


def intersection(a: Iterable[TimeSpan], b: Iterable[TimeSpan]) -> tuple[TimeSpan, ...]:
    """Time covered by both sets of spans."""
    left, right = union(a), union(b)
    found: list[TimeSpan] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i].start, right[j].start), min(left[i].end, right[j].end)
        if end > start:
            found.append(TimeSpan(start, end))
        if left[i].end <= right[j].end:
            i += 1
        else:
            j += 1
    return tuple(found)


def difference(a: Iterable[TimeSpan], b: Iterable[TimeSpan]) -> tuple[TimeSpan, ...]:
    """Time covered by ``a`` and not by ``b``."""
    left: list[TimeSpan] = []
    holes = union(b)
    for span in union(a):
        start = span.start
        for hole in holes:
            if hole.end <= start or hole.start >= span.end:
                continue
            if hole.start > start:
                left.append(TimeSpan(start, hole.start))
            start = max(start, hole.end)
        if start < span.end:
            left.append(TimeSpan(start, span.end))
    return tuple(left)


def gaps(spans: Iterable[TimeSpan], within: TimeSpan) -> tuple[TimeSpan, ...]:
    """Time of ``within`` that no span covers."""
    return difference((within,), spans)


def total_s(spans: Iterable[TimeSpan]) -> float:
    """Seconds covered by the union of the spans."""
    return sum(span.duration_s for span in union(spans))


def clip(spans: Iterable[TimeSpan], within: TimeSpan) -> tuple[TimeSpan, ...]:
    """The spans cut to ``within``."""
    return intersection(spans, (within,))


def hull(spans: Sequence[TimeSpan]) -> TimeSpan:
    """The smallest span around all of them. Raises ValueError on none."""
    if not spans:
        raise ValueError("hull of no spans")
    return TimeSpan(min(s.start for s in spans), max(s.end for s in spans))
