"""Shares of a whole that were counted, and what such counts allow to say.

Guarantee: pure; exact or closed forms of the standard library, no approximation that fails at 0, at 1 or for few
counts. Where nothing was counted there is no share, and the interval is everything from 0 to 1.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeVar

LEVEL: Final = 0.95

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; both bounds belong to it."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``total``; ``value`` is None where nothing was counted."""

    count: int
    total: int
    interval: Interval

    @property
    def value(self) -> float | None:
        return self.count / self.total if self.total else None


def share(count: int, total: int, *, level: float = LEVEL) -> Share:
    """A counted share with its Wilson interval.

    Raises:
        ValueError: more were counted than there are.
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share")
    value = count / total if total else 0.0
    return Share(count, total, wilson(value, total, level=level))


def wilson(value: float, size: float, *, level: float = LEVEL) -> Interval:
    """The score interval of a share ``value`` seen among ``size``, which may be an effective size.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference". Unlike the normal
    approximation it does not collapse when all or none of a few were right.
    """
    if size <= 0:
        return Interval(0.0, 1.0)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = value + z2 / (2 * size)
    half = math.sqrt(z2 * (value * (1 - value) + z2 / (4 * size)) / size)
    whole = 1 + z2 / size
    # At the ends the bounds are 0 and 1 in exact arithmetic.
    low = 0.0 if value <= 0 else max(0.0, (middle - half) / whole)
    high = 1.0 if value >= 1 else min(1.0, (middle + half) / whole)
    return Interval(low, high)


def fisher_less(count: int, total: int, other_count: int, other_total: int) -> float:
    """How probable it is to see as few as ``count`` of ``total``, if they are as good as the others.

    Fisher's exact test, one-sided, given both margins (Fisher 1935, "The logic of inductive inference"). Exact for
    the handful of verdicts that a rule gets in a week; 1.0 where one of the two is empty.
    """
    if not (0 <= count <= total and 0 <= other_count <= other_total):
        raise ValueError(f"{count} of {total}, or {other_count} of {other_total}, is no share")
    right, everyone = count + other_count, total + other_total
    fewest = max(0, right - other_total)
    logs = [
        _log_choose(total, k) + _log_choose(other_total, right - k) - _log_choose(everyone, right)
        for k in range(fewest, count + 1)
    ]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(log - top) for log in logs))


def sign_test(ups: int, downs: int) -> float:
    """How probable a split at least as uneven is, if both directions are alike: exact, two-sided."""
    total, fewer = ups + downs, min(ups, downs)
    tail = sum(math.comb(total, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**total))


def holm(p_values: Mapping[K, float]) -> dict[K, float]:
    """The p-values, adjusted for having looked at all of them.

    Holm (1979), "A simple sequentially rejective multiple test procedure": the chance that any of those under 5 %
    is there by chance is at most 5 %, however the tests depend on each other.
    """
    adjusted: dict[K, float] = {}
    reached = 0.0
    for done, (key, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        reached = max(reached, min(1.0, p * (len(p_values) - done)))
        adjusted[key] = reached
    return adjusted


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
