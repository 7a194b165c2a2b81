"""Intervals of mean scores: their quantiles are right, and they hold the truth as often as they promise."""

import numpy as np
import pytest
from scipy import stats

from qa_service.domain.figures import DaySums, ScoreTotals
from qa_service.domain.means import mean_interval, student_t


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 10, 29, 30, 31, 120, 199, 200, 201, 5_000])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_quantiles_are_those_of_another_library(degrees: int, level: float) -> None:
    assert student_t(degrees, level=level) == pytest.approx(stats.t.ppf((1 + level) / 2, degrees), rel=2e-9)


@pytest.mark.parametrize(("degrees", "level"), [(0, 0.95), (5, 0.0), (5, 1.0)])
def test_where_there_is_no_quantile(degrees: int, level: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        student_t(degrees, level=level)


def totals(days: list[list[float]]) -> ScoreTotals:
    """Of the scores of each day."""
    found = ScoreTotals()
    for scores in days:
        p, n = sum(scores), len(scores)
        sums = DaySums(1, p * p, p * n, n * n)
        found += ScoreTotals(n, n, p, sum(score**2 for score in scores), by_day=sums)
    return found


def test_too_little_was_scored_to_tell() -> None:
    assert mean_interval(ScoreTotals(calls=4)) is None
    assert mean_interval(totals([[80.0]])) is None


def test_of_a_single_day_it_is_that_of_its_calls() -> None:
    scores = [70.0, 80.0, 90.0, 75.0]
    interval = mean_interval(totals([scores]))
    low, high = stats.t.interval(0.95, 3, np.mean(scores), stats.sem(scores))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_of_days_with_as_many_calls_each_it_is_that_of_the_days_means() -> None:
    days = [[70.0, 80.0], [90.0, 60.0], [88.0, 86.0]]
    means = [np.mean(day) for day in days]
    interval = mean_interval(totals(days))
    low, high = stats.t.interval(0.95, 2, np.mean(means), stats.sem(means))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, min(high, 100.0)))


def test_a_mean_without_any_spread_is_sure() -> None:
    interval = mean_interval(totals([[100.0] * 5] * 4))
    assert interval is not None
    assert (interval.low, interval.high) == (100.0, 100.0)


def test_it_holds_the_truth_as_often_as_it_promises_where_days_differ() -> None:
    """Twenty days of calls that share their day's luck: an interval by calls alone is far too narrow."""
    random = np.random.default_rng(5)
    held = naive = 0
    rounds = 1_000
    for _ in range(rounds):
        luck = random.normal(0, 4, 20)
        days = [list(70 + own + random.normal(0, 8, random.integers(5, 16))) for own in luck]
        found = totals(days)
        interval = mean_interval(found)
        assert interval is not None
        assert found.variance is not None
        assert found.mean is not None
        held += 70.0 in interval
        naive += abs(found.mean - 70) <= 1.96 * (found.variance / found.scored) ** 0.5
    assert 0.925 <= held / rounds <= 0.97  # measured: 0.941
    assert naive / rounds < 0.8
