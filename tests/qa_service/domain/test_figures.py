"""Totals are sums: who adds days or agents up gets what counting all of them at once gives."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.figures import NO_FAULTS, NO_SCORES, FaultTotals, ScoreTotals

SCORES = st.lists(st.floats(0, 120), max_size=30)


def totals(scores: list[float]) -> ScoreTotals:
    return ScoreTotals(len(scores), len(scores), sum(scores), sum(s * s for s in scores), 0, 60.0 * len(scores))


@given(SCORES, SCORES)
def test_the_totals_of_two_are_those_of_both(some: list[float], others: list[float]) -> None:
    both, at_once = totals(some) + totals(others), totals(some + others)
    assert (both.calls, both.scored) == (at_once.calls, at_once.scored)
    if at_once.mean is not None:
        assert both.mean == pytest.approx(at_once.mean)
    assert (both.variance is None) == (len(some + others) < 2)
    if both.variance is not None:
        assert both.variance == pytest.approx(statistics.variance(some + others), abs=1e-6)


def test_where_nothing_was_scored_there_is_no_mean() -> None:
    assert NO_SCORES.mean is None
    assert ScoreTotals(calls=3).mean is None
    assert NO_FAULTS.rate.value is None


def test_faults_that_nobody_decided_are_told_apart() -> None:
    month = FaultTotals(10, 3, 1) + FaultTotals(5, 2, 2)
    assert (month.calls, month.faults, month.confirmed, month.unreviewed) == (15, 5, 3, 2)
    assert month.rate.value == pytest.approx(1 / 3)
