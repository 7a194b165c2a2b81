"""Control charts of individual figures, shares and rates, with run tests.

Guarantee: the same figures give the same chart. Limits of counts come from the exact binomial and Poisson
distributions, so that small days raise no more alarms than large ones; where points vary more than counts of their
size do, limits are wider by that much (Laney). Too few points have no limits and raise no alarm.

SciPy is loaded when a chart of counts is made, not when this is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from qa_service.domain.causes import Cause
from qa_service.domain.control_charts import Advice, Chart, ChartKind, ChartPoint, ChartPolicy, RunTest
from qa_service.domain.proportions import Interval
from qa_service.statistics.run_tests import alarm, alarms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# The mean range of two values of a normal distribution, in standard deviations (d2 of tables of control charts).
_D2: Final = 1.128379
_SIGMAS: Final = 3.0
# Beyond this many deviations the tails of counts are lost to rounding, and nobody asks how far exactly.
_FAR: Final = 5.0
_DEFAULT: Final = ChartPolicy()


def individuals(values: Sequence[float | None], *, policy: ChartPolicy = _DEFAULT) -> Chart:
    """A chart of single figures, such as the mean handling time of each day: XmR.

    Shewhart's limits at three standard deviations, which come from the mean range of neighbours (Wheeler 1992,
    "Understanding statistical process control"): a shift half-way through does not hide itself in them.

    Args:
        values: in order; None where nothing was measured, which neither breaks nor makes a run.
        policy: tests, baseline, target.
    """
    present = [value for value in values if value is not None]
    base = present[: policy.baseline]
    if len(base) < max(2, policy.min_points):
        return _unlimited(ChartKind.INDIVIDUALS, values)
    centre = fmean(base)
    spread = fmean(abs(after - before) for before, after in pairwise(base)) / _D2
    if spread == 0:
        return _unlimited(ChartKind.INDIVIDUALS, values)
    limits = Interval(centre - _SIGMAS * spread, centre + _SIGMAS * spread)
    points = [ChartPoint(value, limits, None if value is None else (value - centre) / spread) for value in values]
    return _judged(ChartKind.INDIVIDUALS, points, centre, spread, policy)


def proportions(counts: Sequence[int], sizes: Sequence[int], *, policy: ChartPolicy = _DEFAULT) -> Chart:
    """A chart of shares, such as calls with a fault among the calls of each day: p, or p′ where days differ.

    Laney (2002), "Improved control charts for attributes", Quality Engineering 14(4):531-537.

    Args:
        counts: of each point.
        sizes: of each point; one of none is a gap.
        policy: tests, baseline, target.

    Raises:
        ValueError: more were counted than there are, or as many counts as sizes were not given.
    """
    if any(not 0 <= count <= size for count, size in zip(counts, sizes, strict=True)):
        raise ValueError("a count is more than its size, or less than nothing")

    def binomial(centre: float, size: Floats) -> Any:
        from scipy.stats import binom

        return binom(size, centre)

    return _counted(ChartKind.PROPORTIONS, counts, sizes, binomial, policy)


def rates(counts: Sequence[int], exposures: Sequence[float], *, policy: ChartPolicy = _DEFAULT) -> Chart:
    """A chart of events by exposure, such as complaints by hundred calls or breaks by shift: u, or u′.

    Args:
        counts: of each point.
        exposures: of each point, in any unit above nothing; one of nothing is a gap.
        policy: tests, baseline, target.

    Raises:
        ValueError: a negative count or exposure, or events without exposure.
    """
    for count, exposure in zip(counts, exposures, strict=True):
        if count < 0 or exposure < 0 or (count and not exposure):
            raise ValueError("a count or an exposure is less than nothing, or events have no exposure")

    def poisson(centre: float, size: Floats) -> Any:
        from scipy.stats import poisson as distribution

        return distribution(size * centre)

    return _counted(ChartKind.RATES, counts, exposures, poisson, policy)


def _counted(
    kind: ChartKind,
    counts: Sequence[int],
    sizes: Sequence[float],
    distribution: Callable[[float, Floats], Any],
    policy: ChartPolicy,
) -> Chart:
    import numpy as np
    from scipy.stats import norm

    size = np.array(sizes, dtype=float)
    count = np.array(counts, dtype=float)
    here = size > 0
    values = [float(k / n) if n > 0 else None for k, n in zip(count, size, strict=True)]
    base = np.flatnonzero(here)[: policy.baseline]
    total = float(size[base].sum())
    centre = float(count[base].sum()) / total if total else 0.0
    few = len(base) < max(2, policy.min_points) or centre * total < policy.min_expected * len(base)
    if few or (kind is ChartKind.PROPORTIONS and (1 - centre) * total < policy.min_expected * len(base)):
        return _unlimited(kind, values)

    expected = distribution(centre, size[here])
    k, n = count[here], size[here]
    # Half of what is exactly so counts as less: a normal score of a count, right even where counts are small.
    below = expected.cdf(k - 1) + expected.pmf(k) / 2
    above = expected.sf(k) + expected.pmf(k) / 2
    scores = np.where(below < above, norm.ppf(below), norm.isf(above))
    plain = (k - expected.mean()) / expected.std()
    scores = np.where(np.abs(plain) > _FAR, plain, scores)
    # Laney's factor. Never below one: shares that vary less than they can are a matter of CHECK_LIMITS.
    spread = max(1.0, float(np.abs(np.diff(scores[: len(base)])).mean()) / _D2)

    tail = float(norm.sf(_SIGMAS))
    high = centre + spread * (expected.isf(tail) / n - centre)
    low = centre + spread * (expected.ppf(tail) / n - centre)
    top = 1.0 if kind is ChartKind.PROPORTIONS else float("inf")
    limits = iter(
        [
            (Interval(max(0.0, float(a)), min(top, float(b))), float(z) / spread)
            for a, b, z in zip(low, high, scores, strict=True)
        ]
    )
    points = [
        ChartPoint(None, None, None) if value is None else ChartPoint(value, *next(limits)) for value in values
    ]
    return _judged(kind, points, centre, spread, policy)


def _unlimited(kind: ChartKind, values: Sequence[float | None]) -> Chart:
    return Chart(kind, tuple(ChartPoint(value, None, None) for value in values), None, None)


def _judged(
    kind: ChartKind, points: Sequence[ChartPoint], centre: float, spread: float, policy: ChartPolicy
) -> Chart:
    numbers, z, outside = [], [], []
    for number, point in enumerate(points):
        if point.value is None or point.limits is None or point.z is None:
            continue
        numbers.append(number)
        z.append(point.z)
        outside.append((point.value > point.limits.high) - (point.value < point.limits.low))
    found = [
        alarm(one.test, tuple(numbers[point] for point in one.points), one.above)
        for one in alarms(z, outside, policy.tests)
    ]
    # A run of six is told, but chance makes one in most quarters of a year: by itself it makes no chart special.
    special = any(one.cause is Cause.SPECIAL and one.advice is not Advice.WATCH for one in found)
    # The centre of what is not steady says nothing of where the work settles.
    if not special and policy.target is not None and centre not in policy.target:
        found.append(alarm(RunTest.OFF_TARGET, tuple(numbers), centre > policy.target.high))
    cause = Cause.SPECIAL if special else Cause.COMMON
    return Chart(kind, tuple(points), centre, spread, tuple(found), cause)
