"""Control charts: what a figure did day by day, and which of it was more than chance.

Guarantee: pure; what is drawn is what was tested: limits of each point, the centre, and the points of each alarm.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from qa_service.domain.causes import Cause
from qa_service.domain.proportions import Interval


class ChartKind(StrEnum):
    """INDIVIDUALS: single figures (XmR). PROPORTIONS: shares (p). RATES: events by exposure (u)."""

    INDIVIDUALS = "individuals"
    PROPORTIONS = "proportions"
    RATES = "rates"


class RunTest(StrEnum):
    """What looks for a special cause.

    Sources: Western Electric Company (1956), "Statistical Quality Control Handbook"; Nelson (1984), "The Shewhart
    control chart: tests for special causes", Journal of Quality Technology 16(4):237-239; runs of 6, 9 and 12
    points on one side as floor control asks for them.
    """

    BEYOND_LIMITS = "beyond_limits"
    TWO_OF_THREE = "two_of_three"
    FOUR_OF_FIVE = "four_of_five"
    RUN_OF_6 = "run_of_6"
    RUN_OF_8 = "run_of_8"
    RUN_OF_9 = "run_of_9"
    RUN_OF_12 = "run_of_12"
    TREND_OF_6 = "trend_of_6"
    FOURTEEN_ALTERNATING = "fourteen_alternating"
    FIFTEEN_WITHIN = "fifteen_within"
    EIGHT_BEYOND = "eight_beyond"
    OFF_TARGET = "off_target"


# A run is told once, by the longest of the lengths that it reaches.
FLOOR_RUNS: Final = (RunTest.RUN_OF_6, RunTest.RUN_OF_9, RunTest.RUN_OF_12)
WESTERN_ELECTRIC: Final = (
    RunTest.BEYOND_LIMITS,
    RunTest.TWO_OF_THREE,
    RunTest.FOUR_OF_FIVE,
    RunTest.RUN_OF_8,
)
NELSON: Final = (
    RunTest.BEYOND_LIMITS,
    RunTest.RUN_OF_9,
    RunTest.TREND_OF_6,
    RunTest.FOURTEEN_ALTERNATING,
    RunTest.TWO_OF_THREE,
    RunTest.FOUR_OF_FIVE,
    RunTest.FIFTEEN_WITHIN,
    RunTest.EIGHT_BEYOND,
)
STANDARD: Final = (RunTest.BEYOND_LIMITS, RunTest.TWO_OF_THREE, RunTest.FOUR_OF_FIVE, *FLOOR_RUNS)


class Advice(StrEnum):
    """What to do about an alarm.

    FIND_CAUSE: something happened then and there. WATCH: a run that chance makes often: wait for more points
    before anybody is asked. FIND_SHIFT: the level has moved; look for what changed when the run began.
    CHECK_LIMITS: points are more alike than the limits say: another process, or figures made up of several.
    STOP_ADJUSTING: it goes up and down by turns, as when every figure is answered at once. CHANGE_SYSTEM: steady,
    and not where it should be: change how the work is set up, not who does it.
    """

    FIND_CAUSE = "find_cause"
    WATCH = "watch"
    FIND_SHIFT = "find_shift"
    CHECK_LIMITS = "check_limits"
    STOP_ADJUSTING = "stop_adjusting"
    CHANGE_SYSTEM = "change_system"


@dataclass(frozen=True, slots=True)
class ChartPolicy:
    """How charts are made.

    Args:
        tests: that are run; see ``docs/figures/statistics.md`` for how often each is wrong.
        min_points: that limits are reckoned from; with fewer there are none, and no alarms.
        baseline: how many points limits are reckoned from, the first ones; None: all.
        min_expected: of shares and rates, the mean count of faults a point below which the points are too small.
        target: where the centre should be.
    """

    tests: tuple[RunTest, ...] = STANDARD
    min_points: int = 20
    baseline: int | None = None
    min_expected: float = 3.0
    target: Interval | None = None


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """``value`` with the limits it was judged by; ``z``: how many standard deviations it is from the centre. None:
    nothing was measured, or no limits can be told."""

    value: float | None
    limits: Interval | None
    z: float | None


@dataclass(frozen=True, slots=True)
class Alarm:
    """``points``: those that make up the pattern, by number; it was complete with the last one. ``above``: on
    which side, None for patterns without a side. ``cause``: COMMON for what is no single event."""

    test: RunTest
    points: tuple[int, ...]
    above: bool | None
    cause: Cause
    advice: Advice


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and what it says.

    Args:
        kind: of figures.
        points: in order.
        centre: None with too few points.
        spread: for INDIVIDUALS the standard deviation (from moving ranges); else Laney's factor by which points
            vary more than counts of their size do (1.0: they do not).
        alarms: in the order in which they were complete.
        cause: SPECIAL if any alarm is that says more than WATCH; COMMON: all of it is how the work is set up;
            TOO_FEW: no limits.
    """

    kind: ChartKind
    points: tuple[ChartPoint, ...]
    centre: float | None
    spread: float | None
    alarms: tuple[Alarm, ...] = field(default=())
    cause: Cause = Cause.TOO_FEW
