"""Shares and tests: published figures, laws, and what libraries say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qa_service.domain.proportions import Interval, fisher_less, holm, share, sign_test, wilson

counts = st.integers(0, 300).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(count: int, total: int, low: float, high: float) -> None:
    """Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3."""
    interval = share(count, total).interval
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


@given(counts, st.floats(0.5, 0.999))
def test_wilson_is_that_of_a_library(counted: tuple[int, int], level: float) -> None:
    count, total = counted
    ours = share(count, total, level=level)
    if not total:
        assert (ours.value, ours.interval) == (None, Interval(0.0, 1.0))
        return
    theirs = stats.binomtest(count, total).proportion_ci(level, method="wilson")
    assert (ours.interval.low, ours.interval.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert ours.value in ours.interval


@given(counts)
def test_who_is_right_and_who_is_wrong_are_one_interval(counted: tuple[int, int]) -> None:
    count, total = counted
    right, wrong = share(count, total).interval, share(total - count, total).interval
    assert (right.low, right.high) == pytest.approx((1 - wrong.high, 1 - wrong.low))


@given(st.floats(0, 1), st.floats(1, 1000), st.floats(1.01, 10))
def test_more_calls_say_more(value: float, size: float, times: float) -> None:
    few, many = wilson(value, size), wilson(value, size * times)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(("count", "total"), [(-1, 3), (4, 3)])
def test_what_is_no_share(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        share(count, total)
    with pytest.raises(ValueError, match="is no share"):
        fisher_less(count, total, 1, 2)


def test_fisher_as_published() -> None:
    """Fisher (1935), the lady tasting tea: three of four cups told right or better, 17 of 70 ways."""
    assert fisher_less(1, 4, 3, 4) == pytest.approx(17 / 70)


@given(counts, counts)
def test_fisher_is_that_of_a_library(one: tuple[int, int], other: tuple[int, int]) -> None:
    (count, total), (other_count, other_total) = one, other
    table = [[count, total - count], [other_count, other_total - other_count]]
    assert fisher_less(count, total, other_count, other_total) == pytest.approx(
        stats.fisher_exact(table, alternative="less").pvalue, abs=1e-9
    )


def test_fisher_of_many_verdicts() -> None:
    assert fisher_less(80_000, 100_000, 160_000, 200_000) == pytest.approx(0.5, abs=0.01)
    assert fisher_less(79_000, 100_000, 160_000, 200_000) < 1e-9


@given(st.integers(0, 60), st.integers(0, 60))
def test_sign_test_is_that_of_a_library(ups: int, downs: int) -> None:
    expected = stats.binomtest(ups, ups + downs).pvalue if ups + downs else 1.0
    assert sign_test(ups, downs) == pytest.approx(expected)
    assert sign_test(downs, ups) == sign_test(ups, downs)


def test_holm_by_hand() -> None:
    adjusted = holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02})
    assert adjusted == {key: pytest.approx(p) for key, p in {"b": 0.04, "d": 0.06, "c": 0.06, "a": 0.06}.items()}
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


@given(st.dictionaries(st.integers(), st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_accuses_no_more(p_values: dict[int, float]) -> None:
    adjusted = holm(p_values)
    assert adjusted.keys() == p_values.keys()
    assert all(p_values[key] <= p <= 1 for key, p in adjusted.items())
    by_p = sorted(p_values, key=p_values.__getitem__)
    assert [adjusted[key] for key in by_p] == sorted(adjusted.values())
