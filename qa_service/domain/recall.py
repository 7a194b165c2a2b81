"""What a rule misses, estimated from calls that were drawn at random and heard by people.

People hear few of the calls that nobody flagged. Each that was drawn stands for 1/π others, π being its inclusion
probability, so that calls which are drawn more often (of new agents, say) do not count more than their share.

Guarantee: pure. A slice without a miss does not say that nothing is missed: its upper bound stays above zero.
Without a slice there is no estimate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qa_service.domain.proportions import LEVEL, Interval, Share, share, wilson


@dataclass(frozen=True, slots=True)
class Heard:
    """Sums over calls that were drawn for people to hear, of one kind (flagged, unflagged).

    ``population``: the sum of 1/π over all that were drawn, which is about how many calls there are. The others
    are over those that have been heard to their end: how many, the sums of 1/π and of 1/π², and the same sums over
    those in which the fault was found that the machine had missed.
    """

    population: float
    calls: int
    weight: float
    weight_squares: float
    missed: int = 0
    missed_weight: float = 0.0
    missed_weight_squares: float = 0.0

    def __add__(self, other: "Heard") -> "Heard":
        return Heard(
            self.population + other.population,
            self.calls + other.calls,
            self.weight + other.weight,
            self.weight_squares + other.weight_squares,
            self.missed + other.missed,
            self.missed_weight + other.missed_weight,
            self.missed_weight_squares + other.missed_weight_squares,
        )

    @property
    def share(self) -> float:
        """Hájek's estimate of the share of calls with a miss: sum of weights with one over sum of weights.

        Hájek (1971), comment on "An essay on the logical foundations of survey sampling". Unlike Horvitz and
        Thompson's it stays a share when not all that were drawn have been heard yet.
        """
        return self.missed_weight / self.weight

    @property
    def variance(self) -> float:
        """Of ``share``, linearised, as if drawn with replacement; never too small for a slice of a finite day."""
        share = self.share
        others = self.weight_squares - self.missed_weight_squares
        return ((1 - share) ** 2 * self.missed_weight_squares + share**2 * others) / self.weight**2

    @property
    def effective_size(self) -> float:
        """How many calls drawn alike would say as much: Kish (1965), "Survey sampling", section 11.7."""
        return self.weight**2 / self.weight_squares


@dataclass(frozen=True, slots=True)
class Missed:
    """About how many calls hold a fault that the machine missed, with the interval of that number."""

    calls: float
    interval: Interval
    heard: int
    found: int


@dataclass(frozen=True, slots=True)
class Recall:
    """Of the faults that there are, the share that the machine brought before a person."""

    value: float
    interval: Interval


def heard_one(probability: float, *, missed: bool, done: bool = True) -> Heard:
    """The sums of a single call.

    Raises:
        ValueError: no probability that a call can have been drawn with.
    """
    if not 0 < probability <= 1:
        raise ValueError(f"{probability} is no inclusion probability")
    weight = 1 / probability
    if not done:
        return Heard(weight, 0, 0.0, 0.0)
    one = (1, weight, weight**2)
    return Heard(weight, *one, *(one if missed else (0, 0.0, 0.0)))


def missed(kinds: Sequence[Heard], *, level: float = LEVEL) -> Missed | None:
    """How many calls hold a miss, over kinds of calls that were drawn each on its own.

    The interval is Wilson's with an effective size, which keeps its promise where misses are rare and weights
    differ: Franco, Little, Louis, Slud (2019), "Comparative study of confidence intervals for proportions in
    complex sample surveys". Of two effective sizes, from the variance and from the weights alone, the smaller one
    is taken: with a handful of misses the variance is itself a guess.

    Returns:
        None where of some kind nobody has heard a call: nothing can be said of those.
    """
    drawn = [kind for kind in kinds if kind.population > 0]
    if not drawn or any(kind.calls == 0 for kind in drawn):
        return None
    population = math.fsum(kind.population for kind in drawn)
    parts = [kind.population / population for kind in drawn]
    value = math.fsum(part * kind.share for part, kind in zip(parts, drawn, strict=True))
    variance = math.fsum(part**2 * kind.variance for part, kind in zip(parts, drawn, strict=True))
    size = 1 / math.fsum(part**2 / kind.effective_size for part, kind in zip(parts, drawn, strict=True))
    if variance > 0:
        size = min(size, value * (1 - value) / variance)
    bounds = wilson(value, size, level=level)
    return Missed(
        value * population,
        Interval(bounds.low * population, bounds.high * population),
        sum(kind.calls for kind in drawn),
        sum(kind.missed for kind in drawn),
    )


def recall(flagged: Sequence[tuple[int, Share]], kinds: Sequence[Heard], *, level: float = LEVEL) -> Recall | None:
    """Of the faults that there are, the share that was flagged.

    Faults that were flagged are findings times their precision; faults that were missed are estimated from
    ``kinds``. These come from different calls, and recall rises with the one and falls with the other: each gets
    an interval with its part of the error, and the corners bound recall with the whole of it (Bonferroni).

    Args:
        flagged: findings in the calls that ``kinds`` stands for, by sort (faults, doubts): how many there are, and
            how many of those that people judged were faults.
        kinds: the calls that people heard for what was missed.

    Returns:
        None where nothing was flagged or some sort was never judged, where nobody has heard a slice, and where
        there was no fault at all.
    """
    sorts = [(count, judged) for count, judged in flagged if count]
    each = 1 - (1 - level) / (len(sorts) + 1)
    absent = missed(kinds, level=each)
    if absent is None or not sorts or any(judged.value is None for _, judged in sorts):
        return None
    found = math.fsum(count * (judged.value or 0.0) for count, judged in sorts)
    if found + absent.calls == 0:
        return None
    bounds = [(count, share(judged.count, judged.total, level=each).interval) for count, judged in sorts]
    low = math.fsum(count * interval.low for count, interval in bounds)
    high = math.fsum(count * interval.high for count, interval in bounds)
    return Recall(
        found / (found + absent.calls),
        Interval(_part(low, absent.interval.high), _part(high, absent.interval.low)),
    )


def _part(found: float, absent: float) -> float:
    return found / (found + absent) if found + absent > 0 else 0.0
