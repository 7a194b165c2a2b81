"""Figures of shifts: where they stand, and how sure that is."""

import random
from datetime import time
from math import isclose

import pytest
from scipy.stats import chi2

from qa_service.domain.floor import (
    FloorMeasure,
    FloorPolicy,
    Standing,
    chi_square,
    cv_interval,
    figure,
    peaks_of,
    spread,
    target_of,
    value_of,
)
from qa_service.domain.proportions import Interval
from qa_service.domain.state_times import NO_TIMES, StateTimes

POLICY = FloorPolicy()
HOUR = 3600.0


def day(
    talk: float = 5.7, breaks: float = 0.68, *, after_call: float = 0.6, calls: int = 70, shift: float = 8
) -> StateTimes:
    """Hours of a shift; what is left is idle."""
    idle = shift - talk - breaks - after_call
    return StateTimes(
        talk_s=talk * HOUR,
        break_s=breaks * HOUR,
        after_call_s=after_call * HOUR,
        idle_s=idle * HOUR,
        shift_s=shift * HOUR,
        calls=calls,
    )


def test_figures_of_a_shift() -> None:
    times = StateTimes(
        talk_s=5.6 * HOUR,
        after_call_s=0.4 * HOUR,
        idle_s=HOUR,
        break_s=0.64 * HOUR,
        training_s=0.2 * HOUR,
        meeting_s=0.16 * HOUR,
        shift_s=8 * HOUR,
        calls=72,
    )
    expected = {
        FloorMeasure.UTILISATION: 0.7,
        FloorMeasure.BREAK_RATE: 0.08,
        FloorMeasure.OFF_CALLS: 0.25,
        FloorMeasure.AHT: 300.0,
        FloorMeasure.CALLS_PER_HOUR: 9.0,
    }
    for measure, value in expected.items():
        assert value_of(measure, times) == pytest.approx(value)
        assert value_of(measure, NO_TIMES) is None


def test_a_figure_is_off_its_target_only_where_its_interval_says_so() -> None:
    def standing(*days: StateTimes) -> Standing:
        return figure(FloorMeasure.UTILISATION, days, POLICY).standing

    steady = [day(talk) for talk in (5.6, 5.7, 5.8, 5.7, 5.65, 5.75)]
    assert standing(*steady) is Standing.WITHIN
    assert standing(*[day(talk - 1) for talk in (5.6, 5.7, 5.8, 5.7, 5.65)]) is Standing.BELOW
    assert standing(*[day(talk + 0.9) for talk in (5.6, 5.7, 5.8, 5.7, 5.65)]) is Standing.ABOVE
    assert standing(*[day(talk) for talk in (4.0, 6.4, 5.5, 4.4, 6.5)]) is Standing.UNCERTAIN
    assert standing(*steady[:4]) is Standing.TOO_FEW
    assert figure(FloorMeasure.AHT, steady, POLICY).standing is Standing.UNJUDGED
    few = figure(FloorMeasure.UTILISATION, [*steady[:4], day(0.1, 0.0, after_call=0.0, shift=0.2)], POLICY)
    assert (few.value, few.interval, few.days) == (None, None, 4)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Days of agents that differ, 400 rounds of a fixed seed: 95 % within three standard errors."""
    chance = random.Random(11)
    held = 0
    for _ in range(400):
        days = [day(shift * chance.gauss(0.71, 0.04), shift=shift) for shift in chance.choices((4, 8, 10), k=20)]
        interval = figure(FloorMeasure.UTILISATION, days, POLICY).interval
        assert interval is not None
        held += 0.71 in interval
    assert abs(held / 400 - 0.95) < 3 * (0.95 * 0.05 / 400) ** 0.5


def test_no_team_is_told_off_by_chance() -> None:
    """A steady team in the middle of its target is off it in fewer than 1 of 100 rounds."""
    chance = random.Random(12)
    off = 0
    for _ in range(400):
        days = [day(8 * chance.gauss(0.715, 0.05)) for _ in range(10)]
        off += figure(FloorMeasure.UTILISATION, days, POLICY).standing in (Standing.BELOW, Standing.ABOVE)
    assert off <= 4


def test_how_agents_differ() -> None:
    def of(*hours: float) -> Standing:
        return spread(FloorMeasure.BREAK_RATE, [[day(breaks=each)] * 5 for each in hours], POLICY).standing

    assert of(0.66, 0.68, 0.70, 0.68, 0.67, 0.69) is Standing.WITHIN
    assert of(0.2, 1.4, 0.3, 1.5, 0.25, 1.3, 0.2, 1.2) is Standing.ABOVE
    assert of(0.55, 0.8, 0.6, 0.75, 0.85) is Standing.UNCERTAIN
    assert of(0.66, 0.68, 0.70, 0.68) is Standing.TOO_FEW
    found = spread(FloorMeasure.AHT, [[day(after_call=each)] for each in (0.5, 0.6, 0.7, 0.6, 0.6)], POLICY)
    assert found.standing is Standing.UNJUDGED
    assert found.mean == pytest.approx((5.7 + 0.6) * HOUR / 70)


def test_the_interval_of_a_coefficient_of_variation() -> None:
    for degrees in (1, 2, 4, 9, 30, 199, 200, 201, 500):
        for probability in (0.025, 0.5, 0.975):
            assert isclose(chi_square(degrees, probability), chi2.ppf(probability, degrees), rel_tol=1e-4)
    chance = random.Random(13)
    held = 0
    for _ in range(600):
        values = [chance.gauss(0.085, 0.085 * 0.16) for _ in range(10)]
        mean = sum(values) / 10
        sd = (sum((value - mean) ** 2 for value in values) / 9) ** 0.5
        held += 0.16 in cv_interval(sd / mean, 10)
    assert abs(held / 600 - 0.95) < 0.03


def test_settings() -> None:
    assert peaks_of("09:30-11:30, 14:00-17:00") == ((time(9, 30), time(11, 30)), (time(14), time(17)))
    assert POLICY.peak_half_hours() == {19, 20, 21, 22, 28, 29, 30, 31, 32, 33}
    assert target_of("0.69-0.74") == Interval(0.69, 0.74)
    for wrong in ("9-11", "11:00-09:00", "09:15-10:00", "x"):
        with pytest.raises(ValueError, match=r"peak|half hours"):
            peaks_of(wrong)
    for wrong in ("0.74-0.69", "69-74", "x", "0.7"):
        with pytest.raises(ValueError, match=r"target|shares"):
            target_of(wrong)
