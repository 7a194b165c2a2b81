"""How far people agree who judged the same calls: per cent, Cohen's κ, Krippendorff's α, with intervals.

Guarantee: the same answers give the same figures, intervals included: the resampling has a fixed seed. What cannot
be told is None: a coefficient without variation, an interval from too few calls.

numpy is loaded when something is measured, not when this is imported: the web process starts without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Final

from qa_service.domain.agreement import Agreement, Coefficient, PairAgreement, Scale, Value
from qa_service.domain.proportions import LEVEL, Interval, wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES: Final = 1_000
# Of a resample in which everybody says the same the coefficients are undefined. An interval of the rest would be
# about other calls than were judged.
MIN_DEFINED: Final = 0.95
# How often 95 % intervals held the truth (400 simulated sessions of three raters, three rules, 2026-11-22):
# with 5 calls 73 to 95 %, with 10 84 to 96 %, with 20 88 to 97 %, with 50 93 to 94 %.
MIN_CALLS: Final = 10
_SEED: Final = 20_111
_NONE: Final = 1e-12


def agreement(
    answers: Mapping[int, Mapping[int, Value]],
    *,
    scale: Scale = Scale.NOMINAL,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Agreement:
    """Measure how far raters agree on one criterion.

    Calls are resampled, not judgements: those of one call hang together (Zapf, Castell, Morawietz, Karch 2016,
    "Measuring inter-rater reliability for nominal data", BMC Medical Research Methodology 16:93).

    Args:
        answers: by call, what each rater said; who did not judge a call is left out.
        scale: what the values mean; numbers for all but NOMINAL.
        level: of the intervals.
        resamples: how often calls are drawn anew.
    """
    together = {call: given for call, given in answers.items() if len(given) > 1}
    raters = sorted({rater for given in answers.values() for rater in given})
    pairs = [_pair(answers, *pair, level=level, resamples=resamples) for pair in combinations(raters, 2)]
    if not together:
        return Agreement(0, None, Coefficient(), tuple(pairs))
    values = [tuple(together[call].values()) for call in sorted(together)]
    same = sum(map(_same, values)) / len(values)
    return Agreement(len(values), same, _alpha(values, scale, level=level, resamples=resamples), tuple(pairs))


def _same(values: Sequence[Value]) -> float:
    """The share of pairs of ``values`` that are the same."""
    both = list(combinations(values, 2))
    return sum(first == second for first, second in both) / len(both)


def _pair(
    answers: Mapping[int, Mapping[int, Value]], first: int, second: int, *, level: float, resamples: int
) -> PairAgreement:
    calls = [call for call in sorted(answers) if first in answers[call] and second in answers[call]]
    said = [(answers[call][first], answers[call][second]) for call in calls]
    if not said:
        return PairAgreement(first, second, 0, None, Coefficient())
    same = sum(one == other for one, other in said) / len(said)
    return PairAgreement(first, second, len(said), same, _kappa(said, level=level, resamples=resamples))


def _kappa(said: Sequence[tuple[Value, Value]], *, level: float, resamples: int) -> Coefficient:
    """Cohen (1960), "A coefficient of agreement for nominal scales"."""
    import numpy as np

    known = {value: index for index, value in enumerate(sorted({v for pair in said for v in pair}, key=repr))}
    codes = np.array([[known[one], known[other]] for one, other in said])
    own = np.eye(len(known))[codes]  # (call, rater, value)
    differs = (codes[:, 0] != codes[:, 1]).astype(float)

    def disagreement(times: Floats) -> tuple[Floats, Floats]:
        said_by = np.einsum("sc,crv->srv", times, own) / len(said)
        return times @ differs / len(said), 1 - (said_by[:, 0] * said_by[:, 1]).sum(axis=1)

    return _coefficient(disagreement, len(said), named=True, level=level, resamples=resamples)


def _alpha(values: Sequence[Sequence[Value]], scale: Scale, *, level: float, resamples: int) -> Coefficient:
    """Krippendorff (2011), "Computing Krippendorff's alpha-reliability": one minus the disagreement that was
    observed over the one expected if values fell on calls at random. Each call has two values or more."""
    import numpy as np

    numbers = scale is not Scale.NOMINAL
    domain = sorted({value for given in values for value in given}, key=None if numbers else repr)
    known = {value: index for index, value in enumerate(domain)}
    counts = np.zeros((len(values), len(domain)))
    for row, given in enumerate(values):
        for value in given:
            counts[row, known[value]] += 1
    size = counts.sum(axis=1)
    # Of each call the ordered pairs of values by different raters, so weighted that a call counts for its raters.
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(domain))
    pairs /= (size - 1)[:, None, None]
    points = np.array(domain, dtype=float) if scale is Scale.INTERVAL else np.arange(len(domain), dtype=float)

    def disagreement(times: Floats) -> tuple[Floats, Floats]:
        found = np.einsum("sc,cvw->svw", times, pairs)
        margin = times @ counts
        apart = _distances(scale, points, margin)
        total = margin.sum(axis=1)
        by_chance = (margin[:, :, None] * margin[:, None, :] * apart).sum(axis=(1, 2)) / (total - 1)
        return (found * apart).sum(axis=(1, 2)) / total, by_chance / total

    named = scale is Scale.NOMINAL
    return _coefficient(disagreement, len(values), named=named, level=level, resamples=resamples)


def _distances(scale: Scale, points: Floats, margin: Floats) -> Floats:
    """Squared distances of values, by resample: that of ranks depends on how many values lie between them."""
    import numpy as np

    if scale is Scale.NOMINAL:
        return 1.0 - np.eye(len(points))[None]
    if scale is Scale.INTERVAL:
        return np.square(points[:, None] - points[None, :])[None]
    # From the middle of one rank to the middle of the other.
    middle = np.cumsum(margin, axis=1) - margin / 2
    return np.square(middle[:, :, None] - middle[:, None, :])


def _coefficient(
    disagreement: Callable[[Floats], tuple[Floats, Floats]],
    calls: int,
    *,
    named: bool,
    level: float,
    resamples: int,
) -> Coefficient:
    """One minus the ratio of observed to expected disagreement, with the interval of most resamples of the calls.

    Args:
        disagreement: observed and expected, by resample, of how often each resample has each call.
        calls: how many there are.
        named: whether values differ or do not, without distances.
        level: of the interval.
        resamples: how many are drawn.
    """
    import numpy as np

    observed, expected = (float(one[0]) for one in disagreement(np.ones((1, calls))))
    if expected <= _NONE:
        return Coefficient()
    value = 1 - observed / expected
    if calls < MIN_CALLS:
        return Coefficient(value, None)
    if observed <= _NONE:
        if not named:
            return Coefficient(value, None)
        # No resample knows of a disagreement, and a few calls without one prove little: at most so many have one.
        return Coefficient(value, Interval(max(-1.0, 1 - wilson(0.0, calls, level=level).high / expected), 1.0))
    random = np.random.default_rng(_SEED)
    times = random.multinomial(calls, np.full(calls, 1 / calls), size=resamples).astype(float)
    found, by_chance = disagreement(times)
    defined = by_chance > _NONE
    if defined.sum() < MIN_DEFINED * resamples:
        return Coefficient(value, None)
    drawn = 1 - found[defined] / by_chance[defined]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Coefficient(value, Interval(float(low), float(high)))
