"""How sure the mean of scores is.

Guarantee: pure; exact or closed forms of the standard library. Where too little was scored to tell, there is no
interval.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

from qa_service.domain.figures import ScoreTotals
from qa_service.domain.proportions import LEVEL, Interval

_EXPANDED_FROM: Final = 200
_LOWEST, _HIGHEST = 0.0, 100.0


def mean_interval(totals: ScoreTotals, *, level: float = LEVEL) -> Interval | None:
    """The interval of a mean score, by Student's t over the days of agents.

    Calls of one agent on one day are alike (the same mood, the same fault of a system, the same campaign), so that
    a month holds less than its number of calls promises. The mean is taken as the ratio of points to calls over
    days of agents, whose variance is G/(G-1)·Σ(p - m·n)²/N² with G-1 degrees of freedom: p points in n calls a
    day, N calls in all, G days (Cochran 1977, "Sampling Techniques", §6.3 and §9A.1). Of a single day the interval
    is that of its calls, and says nothing of other days.

    It tells how far chance moves the mean of these agents. It says nothing of agents who took no calls.
    """
    mean, sums = totals.mean, totals.by_day
    if mean is None:
        return None
    if sums.days >= 2:
        groups = sums.days
        squares = sums.points_points - 2 * mean * sums.points_scored + mean**2 * sums.scored_scored
        variance = groups / (groups - 1) * max(0.0, squares) / totals.scored**2
    elif totals.scored >= 2 and totals.variance is not None:
        groups = totals.scored
        variance = totals.variance / totals.scored
    else:
        return None
    half = student_t(groups - 1, level=level) * math.sqrt(variance)
    return Interval(max(_LOWEST, mean - half), min(_HIGHEST, mean + half))


@lru_cache(maxsize=1024)
def student_t(degrees: int, *, level: float = LEVEL) -> float:
    """Between minus and plus this lies ``level`` of Student's t with so many whole degrees of freedom.

    From the finite series of the distribution (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4), halved until
    nothing changes; for many degrees the expansion from the normal distribution (26.7.5), there right to 1e-9.

    Raises:
        ValueError: no degrees of freedom, or no probability.
    """
    if degrees < 1 or not 0.0 < level < 1.0:
        raise ValueError(f"no quantile of {degrees} degrees at {level}")
    if degrees >= _EXPANDED_FROM:
        return _expanded(NormalDist().inv_cdf((1 + level) / 2), degrees)
    low, high = 0.0, math.pi / 2  # of the angle atan(t / sqrt(degrees)), on which the series runs
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _within(middle, degrees) < level else (low, middle)
    return math.tan(low) * math.sqrt(degrees)


def _within(angle: float, degrees: int) -> float:
    """The probability between minus and plus the t of this angle."""
    cos, sin = math.cos(angle), math.sin(angle)
    if degrees == 1:
        return 2 * angle / math.pi
    odd = degrees % 2
    term = cos if odd else 1.0
    total = term
    for k in range(2 + odd, degrees - 1, 2):
        term *= cos**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sin * total) if odd else sin * total


def _expanded(z: float, degrees: int) -> float:
    v = degrees
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4)
    )
