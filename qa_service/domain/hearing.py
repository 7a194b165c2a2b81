"""How well speech was heard: which of it the recognised words account for.

Guarantee: pure; the stretches of an utterance do not overlap, each has the confidence of the one word in it, and
speech in which no word was recognised has none.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, zip_longest
from statistics import median

from qa_service.domain.conversation import MASK, Utterance, Word
from qa_service.domain.timeline import TimeSpan, total_s

SLACK_S = 0.3
"""Recognisers place words to about this much."""

LONG_S, LONG_WORDS = 0.6, 3.0
"""A word longer than both, in seconds and in its utterance's median word, took a pause with it or words that were
lost: what was heard lies at its end."""

_TINY_S = 1e-6  # no speech at all: what sums of floats may leave of it
_NEAR = 1e-6  # two numbers so near may be equal: sums of floats

Stretch = tuple[float, float, float]
"""Start, end, and the confidence of the word that accounts for it: plain numbers, as a call has thousands."""


def placed_words(utterance: Utterance) -> tuple[Word, ...]:
    """Its words of a usual length, punctuation left out."""
    words = _spoken(utterance)
    longest_s = _longest_s(words)
    return tuple([word for word in words if word.end - word.start <= longest_s])


def _spoken(utterance: Utterance) -> list[Word]:
    # A masked word was heard: a card code's sign stands where somebody spoke.
    return [w for w in utterance.words if w.text.isalnum() or any(c.isalnum() or c == MASK for c in w.text)]


def _longest_s(words: Sequence[Word]) -> float:
    lengths = sorted([w.end - w.start for w in words])
    if not lengths or lengths[-1] < LONG_S - _NEAR:
        return LONG_S  # or more, but no word is as long
    return max(LONG_S, LONG_WORDS * median(lengths))


def stretches(utterance: Utterance) -> list[Stretch]:
    """What each word accounts for: its own time and up to ``SLACK_S`` around it, at most half-way to its
    neighbours.

    An utterance whose words carry no times is one stretch.
    """
    words = _spoken(utterance)
    if not words:
        return [(utterance.start, utterance.end, utterance.confidence)]
    longest_s = _longest_s(words)
    cores = [w.start if w.end - w.start < LONG_S - _NEAR else max(w.start, w.end - longest_s) for w in words]
    found = []
    first = cores[0] - SLACK_S
    for word, core, after in zip_longest(words, cores, cores[1:]):
        start, end = core - SLACK_S, word.end + SLACK_S
        if first > start:
            start = first
        if after is not None:
            first = (word.end + after) / 2
            if first < end:
                end = first
        if end > start:
            found.append((start, end, word.confidence))
    return found


def heard(speech: Sequence[TimeSpan], utterances: Iterable[Utterance]) -> list[Stretch]:
    """The stretches of the utterances inside ``speech`` (disjoint, in order of time)."""
    starts, ends = [span.start for span in speech], [span.end for span in speech]
    found: list[Stretch] = []
    low = high = 0.0  # of a span of speech
    for utterance in utterances:
        for stretch in stretches(utterance):
            begin, finish, confidence = stretch
            if low <= begin < finish <= high:  # as most: inside the span of the one before
                found.append(stretch)
                continue
            index = max(0, bisect_right(starts, begin) - 1)
            while index < len(starts) and starts[index] < finish:
                low, high = starts[index], ends[index]
                start, end = max(begin, low), min(finish, high)
                if end > start:
                    found.append((start, end, confidence))
                index += 1
    return found


def heard_share(speech: Sequence[TimeSpan], utterances: Iterable[Utterance]) -> float | None:
    """Expected share of the speech that was heard right in the utterances; None without speech."""
    spoken_s = total_s(speech)
    if spoken_s < _TINY_S:
        return None
    right_s = sum([confidence * (end - start) for start, end, confidence in heard(speech, utterances)])
    return min(1.0, right_s / spoken_s)


class Hearing:
    """How well one role's speech was heard, prepared for many questions."""

    def __init__(self, speech: Sequence[TimeSpan], found: Iterable[Stretch]) -> None:
        """``speech``: disjoint, in order; ``found``: its stretches, as ``heard`` finds them."""
        self._spoken = _Area([(span.start, span.end, 1.0) for span in speech])
        self._right = _Area(sorted(found))
        self._even: dict[tuple[float, float, float, float], bool] = {}

    def right_share(self, window: TimeSpan) -> float | None:
        """Expected share of the speech in ``window`` that was heard right; None without speech there.

        The words' mean confidence over the time they account for, 0 over the rest.
        """
        spoken_s = self._spoken.until(window.end) - self._spoken.until(window.start)
        if spoken_s < _TINY_S:
            return None
        return min(1.0, (self._right.until(window.end) - self._right.until(window.start)) / spoken_s)

    def evenly(self, window: TimeSpan, *, length_s: float, share: float) -> bool:
        """Whether ``share`` of any ``length_s`` seconds of the speech in ``window``, pauses not counted, is
        expected to have been heard right; it is where there is less speech than that."""
        key = (window.start, window.end, length_s, share)
        if key not in self._even:
            pieces = _pieces(self._spoken.inside(window), self._right.inside(window), window)
            self._even[key] = _evenly(pieces, length_s, share)
        return self._even[key]


def _evenly(pieces: Sequence[tuple[float, float]], length_s: float, share: float) -> bool:
    """``Hearing.evenly`` of ``(seconds, confidence)`` in a row."""
    ends = list(accumulate([seconds for seconds, _ in pieces]))
    if not pieces or ends[-1] < length_s:
        return True
    right = [0.0, *accumulate([seconds * confidence for seconds, confidence in pieces])]
    latest = ends[-1] - length_s

    def right_until(time_s: float) -> float:
        index = bisect_right(ends, time_s)
        if index == len(pieces):
            return right[-1]
        seconds, confidence = pieces[index]
        return right[index] + (time_s - (ends[index] - seconds)) * confidence

    def enough(start: float) -> bool:
        return not 0 <= start <= latest or (right_until(start + length_s) - right_until(start)) / length_s >= share

    # The mean over a moving window of a step function is least where one of its edges is at a step, and no less
    # than the least confidence inside: only windows that reach into a piece below ``share`` have to be looked at.
    seen = 0
    for (seconds, confidence), end in zip(pieces, ends, strict=True):
        if confidence >= share + _NEAR:
            continue
        first = bisect_right(ends, end - seconds - length_s - _NEAR)
        last = bisect_right(ends, end + length_s + _NEAR)
        if _least(pieces[first : last + 1], length_s, share) < share + _NEAR:
            if not all(enough(step - length_s) and enough(step) for step in ends[max(seen, first) : last]):
                return False
            seen = max(seen, last)
    return enough(0.0)


def _least(pieces: Sequence[tuple[float, float]], length_s: float, share: float) -> float:
    """What the mean over ``length_s`` is at least: all that is below ``share``, and the worst of the others."""
    bad_s = right_s = 0.0
    worst = 1.0
    for seconds, confidence in pieces:
        if confidence < share:
            bad_s += seconds
            right_s += seconds * confidence
        elif confidence < worst:
            worst = confidence
    return (right_s + worst * (length_s - bad_s)) / length_s if bad_s < length_s else 0.0


def _pieces(speech: Sequence[Stretch], found: Sequence[Stretch], window: TimeSpan) -> list[tuple[float, float]]:
    """``(seconds, confidence)`` of the speech in ``window``, in order, 0 where nothing was heard."""
    pieces: list[tuple[float, float]] = []
    index = 0
    for begin, finish, _ in speech:
        at, until = max(begin, window.start), min(finish, window.end)
        while index < len(found) and found[index][1] <= at:
            index += 1
        while index < len(found) and found[index][0] < until:
            start, end, confidence = found[index]
            if start > at:
                pieces.append((start - at, 0.0))
                at = start
            if end > until:
                if until > at:
                    pieces.append((until - at, confidence))
                at = until
                break
            if end > at:
                pieces.append((end - at, confidence))
                at = end
            index += 1
        if until > at:
            pieces.append((until - at, 0.0))
    return pieces


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

    def inside(self, window: TimeSpan) -> Sequence[Stretch]:
        """The steps that reach into ``window``."""
        return self._steps[bisect_right(self._furthest, window.start) : bisect_left(self._starts, window.end)]
