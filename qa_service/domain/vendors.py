"""How an outsourced vendor does by month: measures, targets, breaches and trends.

Guarantee: pure. What is not told is unknown, which is not zero. A target counts as missed only when the interval
of the measure lies beyond it altogether; otherwise it is not certain. Outsourced vendors are held to response
time, first-contact resolution, satisfaction, abandonment, security, continuity and complaint handling
(domain.md §5).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from qa_service.domain.figures import NO_SCORES, ScoreTotals
from qa_service.domain.imported_figures import ImportedFigure
from qa_service.domain.means import mean_interval
from qa_service.domain.proportions import LEVEL, Interval, Share, holm, wilson


class Measure(StrEnum):
    """Names are stable: targets are given by them. Those that are imported have the names of their columns."""

    RESPONSE = "response_s"
    ANSWERED_IN_TIME = "answered_in_time"
    FIRST_CONTACT = "first_contact_resolution"
    SATISFACTION = "satisfaction"
    ABANDONMENT = "abandonment"
    AVAILABILITY = "availability"
    PEAK = "peak_availability"
    SECURITY = "security_incidents"
    COMPLAINTS_ANSWERED = "complaints_answered_in_time"
    COMPLAINTS_HANDLED = "complaints_handled_in_time"
    QA_SCORE = "qa_score"

    @property
    def less_is_better(self) -> bool:
        return self in _LESS_IS_BETTER

    @property
    def highest(self) -> float:
        """The largest value that there is."""
        if self is Measure.QA_SCORE:
            return 100.0
        return math.inf if self in (Measure.RESPONSE, Measure.SECURITY) else 1.0


_LESS_IS_BETTER: Final = frozenset({Measure.RESPONSE, Measure.ABANDONMENT, Measure.SECURITY})
COUNTED_WHOLE: Final = frozenset({Measure.RESPONSE, Measure.AVAILABILITY, Measure.PEAK, Measure.SECURITY})
"""Imported figures that a system counts of everything, not of a sample: what they say is what happened."""
IMPORTED: Final = COUNTED_WHOLE | {Measure.FIRST_CONTACT, Measure.SATISFACTION, Measure.ABANDONMENT}
_CALLS: Final = "calls"


class Source(StrEnum):
    """Where a figure comes from."""

    CALLS = "calls"
    COMPLAINTS = "complaints"
    SCORES = "scores"
    IMPORT = "import"


class Verdict(StrEnum):
    """A measure beside its target. ``not_certain``: chance may have done it, or part of the month is missing."""

    MET = "met"
    BREACHED = "breached"
    NOT_CERTAIN = "not_certain"
    UNKNOWN = "unknown"
    NO_TARGET = "no_target"


@dataclass(frozen=True, slots=True)
class VendorFigure:
    """A measure in a month. ``value`` None: unknown. ``interval`` None: nobody can tell how sure it is.

    ``size``: of how many calls, ratings, complaints or days; ``whole``: all of the month is in it.
    """

    measure: Measure
    source: Source | None = None
    value: float | None = None
    interval: Interval | None = None
    size: int | None = None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class JudgedFigure:
    figure: VendorFigure
    target: float | None
    verdict: Verdict


class Trend(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    NO_CHANGE = "no_change"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class VendorMonth:
    """``over``: the month, and what has to be waited for after it, is over."""

    starts: date
    over: bool
    figures: tuple[JudgedFigure, ...]


@dataclass(frozen=True, slots=True)
class VendorPolicy:
    """How a site holds vendors to what was agreed.

    Args:
        targets: by ``(vendor, measure)``; ``("", measure)`` holds for all others.
        repeat_days: a customer who calls again within so many days was not helped the first time. † 7.
        rings: answered within so many rings is in time (domain.md §2: 3).
        least: fewer calls, ratings or complaints judge nobody. † 30.
    """

    targets: Mapping[tuple[str, Measure], float] = field(default_factory=dict)
    repeat_days: int = 7
    rings: int = 3
    least: int = 30

    def target(self, vendor: str, measure: Measure) -> float | None:
        own = self.targets.get((vendor, measure))
        return self.targets.get(("", measure)) if own is None else own


@dataclass(frozen=True, slots=True)
class Contacts:
    """First contacts of customers and those after which they did not call again within the window. ``unfollowed``:
    calls that name no customer; ``waiting``: first contacts whose window is not over."""

    first: int = 0
    resolved: int = 0
    unfollowed: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class VendorCounts:
    """What is known of a vendor's month. ``rung`` calls tell how often it rang, ``quick`` of them were answered in
    time."""

    contacts: Contacts = Contacts()
    rung: int = 0
    quick: int = 0
    answered: Share | None = None
    handled: Share | None = None
    scores: ScoreTotals = NO_SCORES
    imported: tuple[ImportedFigure, ...] = ()


def figures_of(counts: VendorCounts, *, days: int) -> tuple[VendorFigure, ...]:
    """Every measure of a month of so many days. Of two sources the own calls go before what a vendor tells of
    itself."""
    own = {
        Measure.FIRST_CONTACT: _share(
            Measure.FIRST_CONTACT, Source.CALLS, counts.contacts.resolved, counts.contacts.first
        ),
        Measure.ANSWERED_IN_TIME: _share(Measure.ANSWERED_IN_TIME, Source.CALLS, counts.quick, counts.rung),
        Measure.COMPLAINTS_ANSWERED: _of_share(Measure.COMPLAINTS_ANSWERED, counts.answered),
        Measure.COMPLAINTS_HANDLED: _of_share(Measure.COMPLAINTS_HANDLED, counts.handled),
        Measure.QA_SCORE: _score(counts.scores),
    }
    told = {measure: _imported(measure, counts.imported, days) for measure in IMPORTED}
    return tuple(_known(own.get(measure), told.get(measure)) or VendorFigure(measure) for measure in Measure)


def _known(*figures: VendorFigure | None) -> VendorFigure | None:
    return next((one for one in figures if one is not None and one.value is not None), None)


def _share(measure: Measure, source: Source, count: int, total: int) -> VendorFigure | None:
    if not total:
        return None
    return VendorFigure(measure, source, count / total, wilson(count / total, total), total)


def _of_share(measure: Measure, counted: Share | None) -> VendorFigure | None:
    if counted is None or counted.value is None:
        return None
    return VendorFigure(measure, Source.COMPLAINTS, counted.value, counted.interval, counted.total)


def _score(totals: ScoreTotals) -> VendorFigure | None:
    if totals.mean is None:
        return None
    return VendorFigure(Measure.QA_SCORE, Source.SCORES, totals.mean, mean_interval(totals), totals.scored)


def _imported(measure: Measure, figures: Sequence[ImportedFigure], days: int) -> VendorFigure | None:
    """What was told of the month; else what was told of its days, weighed by what it is of."""
    of_month = next((one for one in figures if one.is_month and one.name == measure.value), None)
    calls = {(one.is_month, one.starts): one.value for one in figures if one.name == _CALLS}
    if of_month is not None:
        size = of_month.size
        if size is None and measure is Measure.ABANDONMENT:
            size = round(calls.get((True, of_month.starts), 0)) or None
        return _told(measure, of_month.value, size, whole=True)
    daily = [one for one in figures if not one.is_month and one.name == measure.value]
    if not daily:
        return None
    whole = len(daily) == days
    if measure is Measure.SECURITY:
        return _told(measure, sum(one.value for one in daily), len(daily), whole=whole)
    if measure in (Measure.AVAILABILITY, Measure.PEAK):
        return _told(measure, math.fsum(one.value for one in daily) / len(daily), len(daily), whole=whole)
    by_calls = measure in (Measure.RESPONSE, Measure.ABANDONMENT)  # which are of calls in any case
    weights = [
        one.size if one.size is not None else (calls.get((False, one.starts)) if by_calls else None)
        for one in daily
    ]
    known = [weight for weight in weights if weight is not None]
    if len(known) < len(weights) or not sum(known):
        return None  # days of unknown weight add up to nothing
    value = math.fsum(one.value * weight for one, weight in zip(daily, known, strict=True)) / sum(known)
    return _told(measure, value, round(sum(known)), whole=whole)


def _told(measure: Measure, value: float, size: int | None, *, whole: bool) -> VendorFigure:
    if measure in COUNTED_WHOLE:
        interval: Interval | None = Interval(value, value)
    else:
        interval = None if size is None else wilson(value, size)
    return VendorFigure(measure, Source.IMPORT, value, interval, size, whole)


def judge(figure: VendorFigure, target: float | None, *, least: int) -> JudgedFigure:
    """Beside its target; a breach needs an interval that lies beyond it altogether."""
    return JudgedFigure(figure, target, _verdict(figure, target, least))


def _verdict(figure: VendorFigure, target: float | None, least: int) -> Verdict:
    if figure.value is None:
        return Verdict.UNKNOWN
    if target is None:
        return Verdict.NO_TARGET
    if figure.measure is Measure.SECURITY and figure.value > target:
        return Verdict.BREACHED  # whatever the days that are missing hold
    sampled = figure.measure not in COUNTED_WHOLE
    if figure.interval is None or not figure.whole or (sampled and (figure.size or 0) < least):
        return Verdict.NOT_CERTAIN
    low, high = figure.interval.low, figure.interval.high
    if figure.measure.less_is_better:
        return Verdict.BREACHED if low > target else Verdict.MET if high <= target else Verdict.NOT_CERTAIN
    return Verdict.BREACHED if high < target else Verdict.MET if low >= target else Verdict.NOT_CERTAIN


def trends(months: Sequence[VendorMonth], *, least: int, level: float = LEVEL) -> dict[Measure, Trend]:
    """Of each measure over the months that are over, those of too few calls left out.

    Mann's test of Kendall's rank correlation with time, exact (Mann 1945, "Nonparametric tests against trend"):
    it needs no form of the trend and no equal steps; of fewer than five months it cannot tell. Over the measures
    it is adjusted by Holm's method: among so many something always seems to move.
    """
    values: dict[Measure, list[float]] = {measure: [] for measure in Measure}
    for month in sorted(months, key=lambda month: month.starts):
        for judged in month.figures:
            figure = judged.figure
            enough = figure.measure in COUNTED_WHOLE or (figure.size or 0) >= least
            if month.over and figure.value is not None and figure.whole and enough:
                values[figure.measure].append(figure.value)
    tested = {measure: series for measure, series in values.items() if len(series) >= _LEAST_MONTHS}
    adjusted = holm({measure: mann(series)[1] for measure, series in tested.items()})
    found = dict.fromkeys(Measure, Trend.CANNOT_TELL)
    for measure, series in tested.items():
        rising = mann(series)[0] > 0
        if adjusted[measure] > 1 - level:
            found[measure] = Trend.NO_CHANGE
        else:
            found[measure] = Trend.WORSE if rising == measure.less_is_better else Trend.BETTER
    return found


_LEAST_MONTHS: Final = 5
"""With four even a series that only rises comes about by chance in one of twelve."""


def mann(series: Sequence[float]) -> tuple[int, float]:
    """Kendall's S, pairs that rise less those that fall, and how probable one as far from zero is by chance.

    Exact for series without ties; with ties, which make S smaller, the p-value is too large rather than too small.
    """
    count = len(series)
    score = sum(
        (later > earlier) - (later < earlier)
        for number, earlier in enumerate(series)
        for later in series[number + 1 :]
    )
    ways = [1]  # of so many pairs that fall, among the orders of one value, of two, of three
    for size in range(2, count + 1):
        wider = [0] * (len(ways) + size - 1)
        for falls, number in enumerate(ways):
            for more in range(size):
                wider[falls + more] += number
        ways = wider
    pairs = count * (count - 1) // 2
    as_far = sum(number for falls, number in enumerate(ways) if abs(pairs - 2 * falls) >= abs(score))
    return score, as_far / math.factorial(count)


def days_of_month(starts: date) -> int:
    following = (starts.replace(day=1) + timedelta(days=32)).replace(day=1)
    return (following - starts.replace(day=1)).days
