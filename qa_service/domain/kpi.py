"""The KPI of an agent's month: what it is made of, how sure it is, its tier and bonus.

Guarantee: pure. What is missing is never taken for zero: the other parts carry it while enough of the weight is
there, and below that there is no KPI. An agent with too few scored calls is not ranked. A tier belongs to a month,
never to a call or a year, and says how sure it is.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Final

from qa_service.domain.figures import ScoreTotals
from qa_service.domain.means import mean_interval, student_t
from qa_service.domain.proportions import Interval, Share, share, wilson

FULL: Final = 100.0
MOST: Final = 120.0
_Z95: Final = NormalDist().inv_cdf(0.975)


class Part(StrEnum):
    """What a KPI is made of. Settings and tables name them so."""

    QA = "qa"
    VOLUME = "volume"
    CONNECT_RATE = "connect_rate"
    SUCCESS_RATE = "success_rate"
    SATISFACTION = "satisfaction"
    ATTITUDE = "attitude"
    APPRAISAL = "appraisal"


SHARES: Final = (Part.CONNECT_RATE, Part.SUCCESS_RATE, Part.SATISFACTION)


class Appraiser(StrEnum):
    """Who appraises: the agent, the superior, and by import the customers."""

    SELF = "self"
    SUPERIOR = "superior"
    CUSTOMER = "customer"


class Tier(StrEnum):
    """EE over 100, CM from 80 to 100, MM from 60 to under 80, DM under 60."""

    EE = "EE"
    CM = "CM"
    MM = "MM"
    DM = "DM"


FLOORS: Final[Mapping[Tier, float]] = {Tier.EE: FULL, Tier.CM: 80.0, Tier.MM: 60.0, Tier.DM: -math.inf}
"""From where on a tier is; EE only above it."""


class KpiStanding(StrEnum):
    """``uncertain``: the month has a tier that chance may have made. ``undetermined``: too much is missing."""

    RATED = "rated"
    UNCERTAIN = "uncertain"
    TOO_FEW_CALLS = "too_few_calls"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class KpiPolicy:
    """
    Args:
        weights: of parts; they need not add up to one.
        targets: what earns 100 points: of volume calls a day at work, of shares a share.
        appraisers: weights of who appraises.
        min_calls: scored calls under which an agent is not ranked.
        min_coverage: the share of the weights that has to be there.
        certainty: how probable a tier has to be to be called certain.
        distribution: the shares of tiers that the house aims at.
        bonuses: from the lower to the upper end of a tier.
    """

    weights: Mapping[Part, float]
    targets: Mapping[Part, float]
    appraisers: Mapping[Appraiser, float]
    min_calls: int
    min_coverage: float
    certainty: float
    distribution: Mapping[Tier, float]
    bonuses: Mapping[Tier, tuple[float, float]]


DEFAULT: Final = KpiPolicy(
    weights={
        Part.QA: 0.4,
        Part.VOLUME: 0.15,
        Part.CONNECT_RATE: 0.1,
        Part.SUCCESS_RATE: 0.1,
        Part.SATISFACTION: 0.1,
        Part.ATTITUDE: 0.05,
        Part.APPRAISAL: 0.1,
    },
    targets={Part.VOLUME: 70.0, Part.CONNECT_RATE: 0.9, Part.SUCCESS_RATE: 0.9, Part.SATISFACTION: 0.95},
    appraisers={Appraiser.SELF: 0.1, Appraiser.SUPERIOR: 0.6, Appraiser.CUSTOMER: 0.3},
    min_calls=30,
    min_coverage=0.6,
    certainty=0.95,
    distribution={Tier.EE: 0.05, Tier.CM: 0.2, Tier.MM: 0.7, Tier.DM: 0.05},
    bonuses={Tier.EE: (2000, 2000), Tier.CM: (1000, 1800), Tier.MM: (100, 1000), Tier.DM: (0, 0)},
)


@dataclass(frozen=True, slots=True)
class Given:
    """A figure of a month; ``size``: of how many calls or ratings; None: nobody told."""

    value: float
    size: int | None = None


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """What is known of an agent's month. ``days``: at work."""

    scores: ScoreTotals
    imported: Mapping[Part, Given]
    appraisals: Mapping[Appraiser, float]
    days: int


@dataclass(frozen=True, slots=True)
class KpiPart:
    """``points``: 100 for what is aimed at, None where nobody told; ``weight``: its share of what is there.
    ``error``: standard error in points; None: not known, and it counts as none."""

    part: Part
    value: float | None
    points: float | None
    weight: float
    error: float | None


@dataclass(frozen=True, slots=True)
class TierChance:
    tier: Tier
    chance: float


@dataclass(frozen=True, slots=True)
class Kpi:
    """The KPI of a month. ``chances``: of tiers, by errors that are known. ``bonus_range``: over the interval."""

    standing: KpiStanding
    value: float | None
    interval: Interval | None
    tier: Tier | None
    chances: tuple[TierChance, ...]
    bonus: float | None
    bonus_range: Interval | None
    coverage: float
    scored: int
    parts: tuple[KpiPart, ...]

    @property
    def error(self) -> float | None:
        """The standard error, from the interval."""
        if self.value is None or self.interval is None:
            return None
        return (self.interval.high - self.interval.low) / 2 / _Z95


def tier_of(value: float) -> Tier:
    if value > FLOORS[Tier.EE]:
        return Tier.EE
    return next(tier for tier in (Tier.CM, Tier.MM, Tier.DM) if value >= FLOORS[tier])


def kpi(known: MonthFigures, policy: KpiPolicy) -> Kpi:
    """The KPI of what is known."""
    points = {part: _points(part, known, policy) for part, weight in policy.weights.items() if weight > 0}
    whole = math.fsum(policy.weights[part] for part in points)
    there = math.fsum(policy.weights[part] for part, found in points.items() if found is not None)
    coverage = there / whole if whole else 0.0
    parts = tuple(
        KpiPart(part, None, None, 0.0, None)
        if found is None
        else KpiPart(part, found.value, found.points, policy.weights[part] / there, found.error)
        for part, found in points.items()
    )
    scored = known.scores.scored
    standing = None
    if Part.QA in points and scored < policy.min_calls:
        standing = KpiStanding.TOO_FEW_CALLS
    elif coverage < policy.min_coverage or not there:
        standing = KpiStanding.UNDETERMINED
    if standing is not None:
        return Kpi(standing, None, None, None, (), None, None, coverage, scored, parts)

    value = min(MOST, math.fsum(part.weight * part.points for part in parts if part.points is not None))
    error = math.sqrt(math.fsum((part.weight * part.error) ** 2 for part in parts if part.error is not None))
    # Of few days the error is itself unsure: Student's t for all of it, which is wider than needed.
    days = known.scores.by_day.days
    half = error * (student_t(days - 1) if days > 1 else _Z95)
    interval = Interval(value - half, value + half)
    chances = tier_chances(value, half / _Z95)
    tier = tier_of(value)
    likely = next(each.chance for each in chances if each.tier is tier)
    return Kpi(
        KpiStanding.RATED if likely >= policy.certainty else KpiStanding.UNCERTAIN,
        value,
        interval,
        tier,
        chances,
        bonus_of(value, policy),
        Interval(bonus_of(interval.low, policy), bonus_of(interval.high, policy)),
        coverage,
        scored,
        parts,
    )


@dataclass(frozen=True, slots=True)
class _Points:
    value: float
    points: float
    error: float | None


def _points(part: Part, known: MonthFigures, policy: KpiPolicy) -> _Points | None:
    if part is Part.QA:
        mean = known.scores.mean
        return None if mean is None else _Points(mean, mean, _error_of_mean(known.scores))
    if part is Part.APPRAISAL:
        blended = appraisal(known.appraisals, policy)
        return None if blended is None else _Points(blended, blended, None)
    given = known.imported.get(part)
    if given is None:
        return None
    if part is Part.ATTITUDE:
        return _Points(given.value, given.value, None)
    target = policy.targets[part] * (known.days if part is Part.VOLUME else 1)
    if target <= 0:
        return None
    points = min(MOST, FULL * given.value / target)
    if part is Part.VOLUME:  # counted, all of it
        return _Points(given.value, points, 0.0)
    if not given.size:
        return _Points(given.value, points, None)
    known_to = wilson(given.value, given.size)
    return _Points(given.value, points, FULL / target * (known_to.high - known_to.low) / 2 / _Z95)


def _error_of_mean(scores: ScoreTotals) -> float | None:
    interval, mean = mean_interval(scores), scores.mean
    if interval is None or mean is None:
        return None
    # The interval ends at 0 and 100: the longer side is the whole one.
    degrees = (scores.by_day.days if scores.by_day.days >= 2 else scores.scored) - 1
    return max(interval.high - mean, mean - interval.low) / student_t(degrees)


def appraisal(given: Mapping[Appraiser, float], policy: KpiPolicy) -> float | None:
    """What appraisers said, blended; None without the superior: nobody is appraised by themselves alone."""
    weights = {who: policy.appraisers.get(who, 0.0) for who in given}
    whole = math.fsum(weights.values())
    if Appraiser.SUPERIOR not in given or whole <= 0:
        return None
    return math.fsum(weights[who] * points for who, points in given.items()) / whole


def tier_chances(value: float, error: float) -> tuple[TierChance, ...]:
    """How probable each tier is, the error normally distributed; the best first."""
    if error <= 0:
        return tuple(TierChance(tier, float(tier is tier_of(value))) for tier in Tier)
    normal = NormalDist(value, error)
    below = {tier: 0.0 if floor == -math.inf else normal.cdf(floor) for tier, floor in FLOORS.items()}
    uppers = [1.0, *(below[tier] for tier in Tier)]
    return tuple(TierChance(tier, upper - below[tier]) for tier, upper in zip(Tier, uppers, strict=False))


def bonus_of(value: float, policy: KpiPolicy) -> float:
    """In proportion to where in its tier a KPI lies."""
    tier = tier_of(value)
    low, high = policy.bonuses[tier]
    ends = {Tier.EE: (FULL, MOST), Tier.CM: (80.0, FULL), Tier.MM: (60.0, 80.0), Tier.DM: (0.0, 60.0)}[tier]
    place = min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0])))
    return low + (high - low) * place


@dataclass(frozen=True, slots=True)
class TierShare:
    """How many of those who are ranked are in a tier, beside what the house aims at."""

    tier: Tier
    share: Share
    target: float


def distribution(kpis: Iterable[Kpi], aims: Mapping[Tier, float]) -> tuple[TierShare, ...]:
    """Of all who have a tier, beside the shares ``aims``. What the house aims at changes nobody's tier."""
    tiers = [each.tier for each in kpis if each.tier is not None]
    return tuple(TierShare(tier, share(tiers.count(tier), len(tiers)), aims.get(tier, 0.0)) for tier in Tier)


@dataclass(frozen=True, slots=True)
class YearKpi:
    """The mean of a year's months that have a KPI; None with too few of them. A year has no tier."""

    months: int
    value: float | None
    interval: Interval | None


def year(months: Sequence[Kpi], *, least: int) -> YearKpi:
    """Of so many months at least."""
    rated = [each for each in months if each.value is not None]
    if len(rated) < max(1, least):
        return YearKpi(len(rated), None, None)
    value = math.fsum(each.value for each in rated if each.value is not None) / len(rated)
    half = _Z95 * math.sqrt(math.fsum((each.error or 0.0) ** 2 for each in rated)) / len(rated)
    return YearKpi(len(rated), value, Interval(value - half, value + half))
