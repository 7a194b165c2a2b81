"""Control charts: known answers, laws, and how often they are wrong when nothing has happened."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.causes import Cause
from qa_service.domain.control_charts import NELSON, Advice, ChartPolicy, RunTest
from qa_service.domain.proportions import Interval
from qa_service.statistics.control_charts import individuals, proportions, rates
from qa_service.statistics.run_tests import alarms
from tests.qa_service.statistics.charting import alarms_by_thousand

ALL = ChartPolicy(tests=tuple(RunTest))
STEADY = [10.0, 12.0] * 10


def found(test: RunTest, z: Sequence[float]) -> list[tuple[int, ...]]:
    outside = [(value > 3) - (value < -3) for value in z]
    return [alarm.points for alarm in alarms(z, outside, [test])]


def test_limits_of_individuals_come_from_neighbours() -> None:
    """Each range is 2, the centre 11: 11 ± 3 × 2 / 1.128."""
    chart = individuals(STEADY)
    assert chart.centre == 11
    assert chart.spread == pytest.approx(2 / 1.128, rel=1e-3)
    limits = chart.points[0].limits
    assert limits is not None
    assert limits.low == pytest.approx(11 - 3 * 2 / 1.128, rel=1e-3)
    assert chart.cause is Cause.COMMON
    assert chart.alarms == ()


def test_what_lies_outside_is_a_special_cause() -> None:
    chart = individuals([*STEADY, 30.0, *STEADY])
    (alarm,) = (alarm for alarm in chart.alarms if alarm.test is RunTest.BEYOND_LIMITS)
    assert (alarm.points, alarm.above, alarm.cause, alarm.advice) == (
        (20,),
        True,
        Cause.SPECIAL,
        Advice.FIND_CAUSE,
    )
    assert chart.cause is Cause.SPECIAL


@pytest.mark.parametrize(
    ("test", "z", "points"),
    [
        (RunTest.TWO_OF_THREE, [0, 2.5, 0, 2.5, 0, 0, 2.5], [(1, 3)]),
        (RunTest.TWO_OF_THREE, [2.5, -2.5, 0, 2.5, 0, -2.5], []),
        (RunTest.TWO_OF_THREE, [2.5, 2.5, 2.5, 0, 0, 0, -2.5, -2.5], [(0, 1, 2), (6, 7)]),
        (RunTest.FOUR_OF_FIVE, [1.5, 1.5, 0, 1.5, 1.5, 0, 0], [(0, 1, 3, 4)]),
        (RunTest.FOUR_OF_FIVE, [1.5, 1.5, 0, 0, 1.5, 1.5], []),
        (RunTest.RUN_OF_6, [1.0] * 6 + [-1.0] * 5, [tuple(range(6))]),
        (RunTest.RUN_OF_9, [1.0] * 8 + [-1.0] * 9, [tuple(range(8, 17))]),
        (RunTest.RUN_OF_12, [0.1] * 11, []),
        (RunTest.TREND_OF_6, [0, 1, 2, 3, 4, 5, 4, 3, 2, 1], [(0, 1, 2, 3, 4, 5)]),
        (RunTest.TREND_OF_6, [0, 1, 2, 2, 3, 4, 5], []),
        (RunTest.FOURTEEN_ALTERNATING, [0, 1] * 7, [tuple(range(14))]),
        (RunTest.FOURTEEN_ALTERNATING, [0, 1] * 6 + [0], []),
        (RunTest.FIFTEEN_WITHIN, [0.5, -0.5] * 7 + [0.5, 2.0], [tuple(range(15))]),
        (RunTest.EIGHT_BEYOND, [1.5, -1.5] * 4, [tuple(range(8))]),
        (RunTest.EIGHT_BEYOND, [1.5] * 8, []),
        (RunTest.OFF_TARGET, [9.0] * 20, []),
    ],
)
def test_patterns(test: RunTest, z: list[float], points: list[tuple[int, ...]]) -> None:
    assert found(test, z) == points
    # On the other side it is the same pattern.
    assert sorted(found(test, [-value for value in z])) == sorted(points)


def test_a_run_is_told_once_by_its_length() -> None:
    z = [-0.5, *[0.5] * 10, -0.5]
    runs = [RunTest.RUN_OF_6, RunTest.RUN_OF_9, RunTest.RUN_OF_12]
    (alarm,) = alarms(z, [0] * 12, runs)
    assert (alarm.test, alarm.points) == (RunTest.RUN_OF_9, tuple(range(1, 11)))
    (short,) = alarms(z[4:], [0] * 8, runs)
    assert (short.test, short.advice) == (RunTest.RUN_OF_6, Advice.WATCH)


@given(st.lists(st.floats(-4, 4), max_size=40), st.sampled_from(RunTest))
def test_a_pattern_is_in_order_and_does_not_overlap_the_next_on_its_side(z: list[float], test: RunTest) -> None:
    outside = [(value > 3) - (value < -3) for value in z]
    told = alarms(z, outside, [test])
    for above in (True, False, None):
        side = [alarm.points for alarm in told if alarm.above is above]
        assert all(list(points) == sorted(set(points)) for points in side)
        if test is not RunTest.FOURTEEN_ALTERNATING:
            assert len({point for points in side for point in points}) == sum(map(len, side))


@given(st.lists(st.one_of(st.none(), st.floats(-100, 100)), max_size=60))
def test_days_without_a_figure_change_nothing_but_numbers(values: list[float | None]) -> None:
    there = [number for number, value in enumerate(values) if value is not None]
    chart, dense = individuals(values), individuals([values[number] for number in there])
    assert (chart.centre, chart.spread, chart.cause) == (dense.centre, dense.spread, dense.cause)
    assert [alarm.points for alarm in chart.alarms] == [
        tuple(there[point] for point in alarm.points) for alarm in dense.alarms
    ]


def test_too_few_points_have_no_limits() -> None:
    for chart in (individuals(STEADY[:19]), proportions([5] * 19, [50] * 19), rates([5] * 19, [9.5] * 19)):
        assert (chart.cause, chart.centre, chart.alarms) == (Cause.TOO_FEW, None, ())
        assert all(point.limits is None for point in chart.points)


def test_points_too_small_or_all_alike_have_no_limits() -> None:
    assert proportions([0, 1] * 20, [10] * 40).cause is Cause.TOO_FEW
    assert proportions([50] * 40, [50] * 40).cause is Cause.TOO_FEW
    assert rates([0] * 40, [1.0] * 40).cause is Cause.TOO_FEW
    assert individuals([7.0] * 40).cause is Cause.TOO_FEW
    assert individuals([]).points == ()


def test_limits_are_of_exact_counts() -> None:
    """Ten of a hundred: of 0.135 % on each side, by the binomial distribution, 2 and 20."""
    counts = [9, 10, 11, 10] * 6
    chart = proportions(counts, [100] * 24)
    limits = chart.points[0].limits
    assert limits is not None
    assert (limits.low, limits.high) == (pytest.approx(0.02), pytest.approx(0.20))
    poisson = rates(counts, [100.0] * 24).points[0].limits
    assert poisson is not None
    assert (poisson.low, poisson.high) == (pytest.approx(0.02), pytest.approx(0.21))


def test_small_days_have_wider_limits_and_empty_days_none() -> None:
    sizes = [100, 400] * 12 + [0]
    chart = proportions([10, 40] * 12 + [0], sizes)
    small, large, empty = (chart.points[number].limits for number in (0, 1, 24))
    assert small is not None
    assert large is not None
    assert empty is None
    assert small.low < large.low < chart.points[1].value < large.high < small.high  # type: ignore[operator]


def test_where_days_differ_limits_are_wider() -> None:
    random = np.random.default_rng(5)
    odds = -2.2 + random.normal(0, 0.3, 200)
    counts = random.binomial(1000, 1 / (1 + np.exp(-odds)))
    chart = proportions(counts.tolist(), [1000] * 200)
    # Days vary by sqrt(1 + 1000 × 0.09 × 0.3²) = 3.0 times what a thousand calls vary by.
    assert chart.spread == pytest.approx(3.0, rel=0.15)
    narrow = sum(abs(k - 1000 * float(chart.centre or 0)) > 3 * math.sqrt(1000 * 0.1 * 0.9) for k in counts)
    beyond = sum(alarm.test is RunTest.BEYOND_LIMITS for alarm in chart.alarms)
    assert narrow > 30
    assert beyond <= 3


def test_bad_counts_are_refused() -> None:
    for make in (lambda: proportions([3], [2]), lambda: rates([1], [0.0]), lambda: rates([-1], [1.0])):
        with pytest.raises(ValueError, match=r"less than nothing|more than its size"):
            make()


def test_a_run_of_six_is_told_and_makes_no_chart_special() -> None:
    run = individuals([*STEADY, *[11.5, 11.4] * 3, 10.0])
    assert [(alarm.test, alarm.cause, alarm.advice) for alarm in run.alarms] == [
        (RunTest.RUN_OF_6, Cause.SPECIAL, Advice.WATCH)
    ]
    assert run.cause is Cause.COMMON


def test_steady_and_off_target_is_a_common_cause() -> None:
    (alarm,) = individuals(STEADY, policy=ChartPolicy(target=Interval(5, 10))).alarms
    assert (alarm.test, alarm.cause, alarm.advice, alarm.above) == (
        RunTest.OFF_TARGET,
        Cause.COMMON,
        Advice.CHANGE_SYSTEM,
        True,
    )
    assert individuals(STEADY, policy=ChartPolicy(target=Interval(10, 12))).alarms == ()
    # What is not steady has no level to be off target with.
    off = individuals([*STEADY, 40.0], policy=ChartPolicy(target=Interval(5, 10)))
    assert RunTest.OFF_TARGET not in {alarm.test for alarm in off.alarms}


def test_a_baseline_is_what_later_points_are_held_against() -> None:
    values = STEADY + [14.5] * 10
    assert individuals(values, policy=ChartPolicy(baseline=20)).centre == 11
    shifted = individuals(values, policy=ChartPolicy(tests=NELSON, baseline=20))
    assert (RunTest.RUN_OF_9, tuple(range(19, 30))) in [(alarm.test, alarm.points) for alarm in shifted.alarms]


# By thousand points of a process in which nothing happens: runs of k on one side begin at 2^-k of the points; six
# in a row rise or fall at 2 (1/6! − 1/7!); beyond three sigma lie 0.27 %.
THEORY = {
    RunTest.BEYOND_LIMITS: 2.70,
    RunTest.RUN_OF_6: 1000 * (2**-6 - 2**-8),
    RunTest.RUN_OF_8: 1000 * (2**-8 - 2**-9),
    RunTest.RUN_OF_9: 1000 * (2**-9 - 2**-12),
    RunTest.RUN_OF_12: 1000 * 2**-12,
    RunTest.TREND_OF_6: 2000 * (1 / 720 - 1 / 5040),
}


def test_false_alarms_of_individuals_are_as_theory_has_them() -> None:
    """120 charts of 1,000 points: counts of alarms within four standard deviations of theory."""
    random = np.random.default_rng(20)
    seen = alarms_by_thousand(individuals(random.normal(size=1000).tolist(), policy=ALL) for _ in range(120))
    for test, by_thousand in THEORY.items():
        assert seen[test] == pytest.approx(by_thousand, abs=4 * math.sqrt(by_thousand / 120) + 0.05), test


@pytest.mark.parametrize(("rate", "size"), [(0.1, 100), (0.05, 80), (0.3, 16)])
def test_false_alarms_of_counts_are_no_more(rate: float, size: int) -> None:
    """Counts are discrete: limits keep within their promise rather than to it. 120 charts of half a year."""
    random = np.random.default_rng(21)
    shares = alarms_by_thousand(
        proportions(random.binomial(size, rate, 182).tolist(), [size] * 182, policy=ALL) for _ in range(120)
    )
    events = alarms_by_thousand(
        rates(random.poisson(size * rate, 182).tolist(), [float(size)] * 182, policy=ALL) for _ in range(120)
    )
    for seen in (shares, events):
        assert seen[RunTest.BEYOND_LIMITS] < 2.70 + 1.2
        assert seen[RunTest.RUN_OF_6] == pytest.approx(THEORY[RunTest.RUN_OF_6], abs=3.5)
        assert seen[RunTest.RUN_OF_9] < THEORY[RunTest.RUN_OF_9] + 1.2


def test_a_shift_of_two_standard_deviations_is_seen_within_days() -> None:
    """From day 60 of 120 days on, in 100 half-years: when the first alarm after it is complete."""
    random = np.random.default_rng(22)
    delays = []
    for _ in range(100):
        values = random.normal(size=120) + 2.0 * (np.arange(120) >= 60)
        chart = individuals(values.tolist(), policy=ChartPolicy(baseline=60))
        after = [alarm.points[-1] - 59 for alarm in chart.alarms if alarm.points[-1] >= 60]
        delays.append(min(after, default=120))
    assert float(np.median(delays)) <= 5
    assert max(delays) <= 40
