"""Floor control: how shifts are spent, against where they should be.

Guarantee: pure. A figure is off its target only where its interval says so; of too few days of agents nothing is
said. Targets and peaks are a site's own; the defaults are those of call-centre practice: talk 69-74 % of the
shift, breaks 8-9 % with a coefficient of variation under 0.16 in a team, idle, breaks, training and meetings about
25 %.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from statistics import NormalDist, fmean, stdev
from typing import Final

from qa_service.domain.means import student_t
from qa_service.domain.proportions import LEVEL, Interval
from qa_service.domain.state_times import NO_TIMES, StateTimes


class FloorMeasure(StrEnum):
    """What of a shift is looked at.

    ``utilisation``: talk ÷ shift. ``break_rate``: breaks ÷ shift. ``off_calls``: idle, breaks, training and
    meetings ÷ shift. ``aht_s``: talk and after-call work ÷ calls. ``calls_per_hour``: calls ÷ hours of shift.
    """

    UTILISATION = "utilisation"
    BREAK_RATE = "break_rate"
    OFF_CALLS = "off_calls"
    AHT = "aht_s"
    CALLS_PER_HOUR = "calls_per_hour"


class Standing(StrEnum):
    """``uncertain``: it is off its target, and chance may have done it. ``unjudged``: it has no target."""

    WITHIN = "within"
    BELOW = "below"
    ABOVE = "above"
    UNCERTAIN = "uncertain"
    UNJUDGED = "unjudged"
    TOO_FEW = "too_few"


Peak = tuple[time, time]
"""From, until; both on the full or half hour."""


@dataclass(frozen=True, slots=True)
class FloorPolicy:
    """
    Args:
        utilisation: where it should be.
        break_rate: where it should be.
        off_calls: where it should be.
        break_cv: the coefficient of variation of agents' break rates that a team should stay under.
        peaks: when most calls come.
        min_days: days of agents under which nothing is said.
        min_agents: agents of a team under which nothing is said of their spread.
        min_shift_s: a day of an agent with less on the clock counts nowhere: a log that broke off, an hour's help.
    """

    utilisation: Interval = Interval(0.69, 0.74)  # noqa: RUF009 - frozen
    break_rate: Interval = Interval(0.08, 0.09)  # noqa: RUF009
    off_calls: Interval = Interval(0.22, 0.28)  # noqa: RUF009
    break_cv: float = 0.16
    peaks: tuple[Peak, ...] = ((time(9, 30), time(11, 30)), (time(14), time(17)))
    min_days: int = 5
    min_agents: int = 5
    min_shift_s: float = 1800.0

    def target(self, measure: FloorMeasure) -> Interval | None:
        return {
            FloorMeasure.UTILISATION: self.utilisation,
            FloorMeasure.BREAK_RATE: self.break_rate,
            FloorMeasure.OFF_CALLS: self.off_calls,
        }.get(measure)

    def peak_half_hours(self) -> frozenset[int]:
        return frozenset(
            number
            for begins, ends in self.peaks
            for number in range(begins.hour * 2 + begins.minute // 30, ends.hour * 2 + ends.minute // 30)
        )


@dataclass(frozen=True, slots=True)
class FloorFigure:
    """A ratio of sums over days of agents; ``value`` is None where nothing was measured or too little."""

    measure: FloorMeasure
    value: float | None
    interval: Interval | None
    days: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class Spread:
    """How agents of a team differ; ``cv``: standard deviation ÷ mean. None: too few agents."""

    agents: int
    mean: float | None
    sd: float | None
    cv: float | None
    interval: Interval | None
    standing: Standing


def parts(measure: FloorMeasure, times: StateTimes) -> tuple[float, float]:
    """What a figure is the ratio of."""
    if measure is FloorMeasure.UTILISATION:
        return times.talk_s, times.shift_s
    if measure is FloorMeasure.BREAK_RATE:
        return times.break_s, times.shift_s
    if measure is FloorMeasure.OFF_CALLS:
        return times.idle_s + times.break_s + times.training_s + times.meeting_s, times.shift_s
    if measure is FloorMeasure.AHT:
        return times.talk_s + times.after_call_s, float(times.calls)
    return float(times.calls), times.shift_s / 3600


def value_of(measure: FloorMeasure, times: StateTimes) -> float | None:
    above, below = parts(measure, times)
    return above / below if below > 0 else None


def figure(measure: FloorMeasure, days: Iterable[StateTimes], policy: FloorPolicy) -> FloorFigure:
    """A figure over days of agents, and whether it is where it should be.

    A ratio of sums with its linearised variance over days of agents (Cochran 1977, "Sampling Techniques", §6.3):
    what an agent does within a day hangs together, so that minutes are no sample.
    """
    target = policy.target(measure)
    pairs = [parts(measure, times) for times in days if times.shift_s >= policy.min_shift_s]
    pairs = [(above, below) for above, below in pairs if below > 0]
    count, total = len(pairs), math.fsum(below for _, below in pairs)
    if count < max(2, policy.min_days):
        return FloorFigure(measure, None, None, count, Standing.TOO_FEW)
    value = math.fsum(above for above, _ in pairs) / total
    squares = math.fsum((above - value * below) ** 2 for above, below in pairs)
    half = student_t(count - 1) * math.sqrt(count / (count - 1) * squares) / total
    most = math.inf if measure in (FloorMeasure.AHT, FloorMeasure.CALLS_PER_HOUR) else 1.0
    interval = Interval(max(0.0, value - half), min(most, value + half))
    return FloorFigure(measure, value, interval, count, _standing(value, interval, target))


def _standing(value: float, interval: Interval, target: Interval | None) -> Standing:
    if target is None:
        return Standing.UNJUDGED
    if interval.high < target.low:
        return Standing.BELOW
    if interval.low > target.high:
        return Standing.ABOVE
    return Standing.WITHIN if value in target else Standing.UNCERTAIN


def spread(measure: FloorMeasure, agents: Sequence[Sequence[StateTimes]], policy: FloorPolicy) -> Spread:
    """How the agents of a team differ, each with all of the days; judged where it is breaks.

    The interval of the coefficient of variation is Vangel's (1996, "Confidence intervals for a normal coefficient
    of variation", The American Statistician 50(1):21-26). It holds the differences between agents as they were in
    these days, chance of days included.
    """
    values = []
    for days in agents:
        times = sum((day for day in days if day.shift_s >= policy.min_shift_s), NO_TIMES)
        value = value_of(measure, times)
        if value is not None:
            values.append(value)
    if len(values) < max(2, policy.min_agents):
        return Spread(len(values), None, None, None, None, Standing.TOO_FEW)
    mean, sd = fmean(values), stdev(values)
    if mean <= 0:
        return Spread(len(values), mean, sd, None, None, Standing.TOO_FEW)
    cv = sd / mean
    interval = cv_interval(cv, len(values))
    standing = Standing.UNJUDGED
    if measure is FloorMeasure.BREAK_RATE:
        if interval.low >= policy.break_cv:
            standing = Standing.ABOVE
        else:
            standing = Standing.WITHIN if cv < policy.break_cv else Standing.UNCERTAIN
    return Spread(len(values), mean, sd, cv, interval, standing)


def cv_interval(cv: float, size: int, *, level: float = LEVEL) -> Interval:
    """Of a coefficient of variation seen among ``size``, two or more."""
    degrees = size - 1

    def bound(chi: float) -> float:
        under = ((chi + 2) / size - 1) * cv**2 + chi / degrees
        return cv / math.sqrt(under) if under > 0 else math.inf

    return Interval(bound(chi_square(degrees, (1 + level) / 2)), bound(chi_square(degrees, (1 - level) / 2)))


def chi_square(degrees: int, probability: float) -> float:
    """A quantile of the χ² distribution, from the finite series of its tail (Abramowitz and Stegun 1964, 26.4.4,
    26.4.5); for many degrees by the cube root (26.4.17), there right to 1 in 10,000."""
    if degrees > _MANY_DEGREES:
        part = 2 / (9 * degrees)
        return degrees * (1 - part + NormalDist().inv_cdf(probability) * math.sqrt(part)) ** 3
    low, high = 0.0, 20.0 * degrees + 60
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if 1 - _beyond(middle / 2, degrees) < probability else (low, middle)
    return low


_MANY_DEGREES: Final = 200


def _beyond(half: float, degrees: int) -> float:
    """How probable more than twice ``half`` is, which is more than nothing."""
    odd = degrees % 2
    total = math.erfc(math.sqrt(half)) if odd else 0.0
    for step in range(degrees // 2):
        power = step + odd / 2
        total += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
    return total


def peaks_of(text: str) -> tuple[Peak, ...]:
    """Peaks as a setting tells them: ``09:30-11:30,14:00-17:00``.

    Raises:
        ValueError: for anything else.
    """
    found = []
    for part in (part.strip() for part in text.split(",") if part.strip()):
        begins, _, ends = part.partition("-")
        try:
            peak = time.fromisoformat(begins.strip()), time.fromisoformat(ends.strip())
        except ValueError as error:
            raise ValueError(f"{part!r} is no peak: write 09:30-11:30") from error
        if peak[0] >= peak[1] or any(each.minute % 30 or each.second for each in peak):
            raise ValueError(f"{part!r} does not begin and end on half hours of one day: correct it")
        found.append(peak)
    return tuple(found)


def target_of(text: str) -> Interval:
    """A target as a setting tells it: ``0.69-0.74``.

    Raises:
        ValueError: for anything but two shares.
    """
    low, _, high = text.partition("-")
    try:
        target = Interval(float(low), float(high))
    except ValueError as error:
        raise ValueError(f"{text!r} is no target: write 0.69-0.74") from error
    if not 0 <= target.low <= target.high <= 1:
        raise ValueError(f"{text!r} are no two shares from 0 to 1: correct them")
    return target


MEASURES: Final = tuple(FloorMeasure)
