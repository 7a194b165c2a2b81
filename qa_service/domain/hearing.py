"""How well speech was heard: which of it the recognised words account for.

Guarantee: pure; the stretches of an utterance do not overlap, each has the confidence of the one word in it, and
speech in which no word was recognised has none.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, zip_longest
from statistics import median

from qa_service.domain.conversation import Utterance, Word
from qa_service.domain.timeline import TimeSpan, clip, total_s

SLACK_S = 0.3
"""Recognisers place words to about this much."""

LONG_S, LONG_WORDS = 0.6, 3.0
"""A word longer than both, in seconds and in its utterance's median word, took a pause with it or words that were
lost: what was heard lies at its end."""

_TINY_S = 1e-6  # no speech at all: what sums of floats may leave of it

Stretch = tuple[TimeSpan, float]
"""A time and the confidence of the word that accounts for it."""


def placed_words(utterance: Utterance) -> tuple[Word, ...]:
    """Its words of a usual length, punctuation left out."""
    words = _spoken(utterance)
    longest_s = _longest_s(words)
    return tuple(word for word in words if word.end - word.start <= longest_s)


def _spoken(utterance: Utterance) -> list[Word]:
    return [w for w in utterance.words if w.text.isalnum() or any(c.isalnum() for c in w.text)]


def _longest_s(words: Sequence[Word]) -> float:
    return max(LONG_S, LONG_WORDS * median(w.end - w.start for w in words)) if words else LONG_S


def stretches(utterance: Utterance) -> tuple[Stretch, ...]:
    """What each word accounts for: its own time and up to ``SLACK_S`` around it, at most half-way to its
    neighbours.

    An utterance whose words carry no times is one stretch.
    """
    return tuple((TimeSpan(start, end), confidence) for start, end, confidence in _edges(utterance))


def _edges(utterance: Utterance) -> list[tuple[float, float, float]]:
    """Start, end and confidence of each stretch: plain numbers, as a call has thousands."""
    words = _spoken(utterance)
    if not words:
        return [(utterance.start, utterance.end, utterance.confidence)]
    longest_s = _longest_s(words)
    found = []
    core_start = max(words[0].start, words[0].end - longest_s)
    first = core_start - SLACK_S
    for word, after in zip_longest(words, words[1:]):
        next_start = 0.0 if after is None else max(after.start, after.end - longest_s)
        last = word.end + SLACK_S if after is None else (word.end + next_start) / 2
        start, end = max(core_start - SLACK_S, first), min(word.end + SLACK_S, last)
        if end > start:
            found.append((start, end, word.confidence))
        core_start, first = next_start, last
    return found


def heard(speech: Sequence[TimeSpan], utterances: Iterable[Utterance]) -> tuple[Stretch, ...]:
    """The stretches of the utterances inside ``speech`` (disjoint, in order of time)."""
    return tuple((TimeSpan(start, end), confidence) for start, end, confidence in _heard(speech, utterances))


def _heard(speech: Sequence[TimeSpan], utterances: Iterable[Utterance]) -> Iterator[tuple[float, float, float]]:
    starts = [span.start for span in speech]
    for utterance in utterances:
        for begin, finish, confidence in _edges(utterance):
            index = max(0, bisect_right(starts, begin) - 1)
            while index < len(speech) and starts[index] < finish:
                start, end = max(begin, starts[index]), min(finish, speech[index].end)
                if end > start:
                    yield start, end, confidence
                index += 1


def heard_share(speech: Sequence[TimeSpan], utterances: Iterable[Utterance]) -> float | None:
    """Expected share of the speech that was heard right in the utterances; None without speech."""
    spoken_s = total_s(speech)
    if spoken_s < _TINY_S:
        return None
    right_s = sum(confidence * (end - start) for start, end, confidence in _heard(speech, utterances))
    return min(1.0, right_s / spoken_s)


def worst_share(
    speech: Sequence[TimeSpan], found: Sequence[Stretch], window: TimeSpan, *, length_s: float
) -> float:
    """The least expected share heard right of any ``length_s`` seconds of the speech in ``window``, pauses not
    counted; 1 where there is less speech than that."""
    begin, end = window.start, window.end
    inside = [(s, c) for s, c in found if s.start < end and s.end > begin and s.overlap_s(window) > 0]
    pieces = _pieces(clip(speech, window), inside)
    ends = list(accumulate(seconds for seconds, _ in pieces))
    right = [0.0, *accumulate(seconds * confidence for seconds, confidence in pieces)]
    if not pieces or ends[-1] < length_s:
        return 1.0

    def right_until(time_s: float) -> float:
        index = bisect_right(ends, time_s)
        if index == len(pieces):
            return right[-1]
        begin = ends[index] - pieces[index][0]
        return right[index] + (time_s - begin) * pieces[index][1]

    # The mean over a moving window of a step function is least where one of its edges is at a step.
    starts = {0.0, *ends, *(end - length_s for end in ends)}
    return min(
        (right_until(start + length_s) - right_until(start)) / length_s
        for start in starts
        if 0 <= start <= ends[-1] - length_s
    )


def _pieces(speech: Sequence[TimeSpan], found: Sequence[Stretch]) -> list[tuple[float, float]]:
    """``(seconds, confidence)`` of the speech from its start to its end, 0 where nothing was heard."""
    pieces: list[tuple[float, float]] = []
    index = 0
    ordered = sorted(found, key=lambda stretch: (stretch[0].start, stretch[0].end, stretch[1]))
    for span in speech:
        at = span.start
        while index < len(ordered) and ordered[index][0].end <= span.start:
            index += 1
        while index < len(ordered) and ordered[index][0].start < span.end:
            stretch, confidence = ordered[index]
            start, end = max(stretch.start, at), min(stretch.end, span.end)
            if start > at:
                pieces.append((start - at, 0.0))
            if end > start:
                pieces.append((end - start, confidence))
                at = end
            if stretch.end > span.end:
                break
            index += 1
        if span.end > at:
            pieces.append((span.end - at, 0.0))
    return pieces


class Hearing:
    """How well one role's speech was heard, prepared for many questions."""

    def __init__(self, speech: Sequence[TimeSpan], found: Iterable[Stretch]) -> None:
        """``speech``: disjoint, in order; ``found``: its stretches, as ``heard`` finds them."""
        self._speech = tuple(speech)
        self._found = sorted(found, key=lambda stretch: stretch[0].start)
        self._spoken = _Area([(span.start, span.end, 1.0) for span in self._speech])
        self._worst: dict[tuple[float, float, float], float] = {}
        self._right = _Area([(span.start, span.end, confidence) for span, confidence in self._found])

    def right_share(self, window: TimeSpan) -> float | None:
        """Expected share of the speech in ``window`` that was heard right; None without speech there.

        The words' mean confidence over the time they account for, 0 over the rest.
        """
        spoken_s = self._spoken.until(window.end) - self._spoken.until(window.start)
        if spoken_s < _TINY_S:
            return None
        return min(1.0, (self._right.until(window.end) - self._right.until(window.start)) / spoken_s)

    def worst_share(self, window: TimeSpan, *, length_s: float) -> float:
        """See ``worst_share``."""
        key = (window.start, window.end, length_s)
        if key not in self._worst:
            self._worst[key] = worst_share(self._speech, self._found, window, length_s=length_s)
        return self._worst[key]


class _Area:
    """Under steps ``(start, end, height)`` in order of their starts; they may overlap a little."""

    def __init__(self, steps: Sequence[tuple[float, float, float]]) -> None:
        self._steps = steps
        self._starts = [start for start, _, _ in steps]
        self._before = [0.0, *accumulate((end - start) * height for start, end, height in steps)]
        self._furthest = list(accumulate((end for _, end, _ in steps), max))

    def until(self, time_s: float) -> float:
        """What lies before ``time_s``."""
        index = bisect_right(self._starts, time_s)
        area = self._before[index]
        while index and self._furthest[index - 1] > time_s:
            index -= 1
            _, end, height = self._steps[index]
            area -= max(0.0, end - time_s) * height
        return area
