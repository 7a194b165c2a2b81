"""Vendors: nobody is accused by chance, and what nobody told is unknown."""

import random
from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from qa_service.domain.figures import DaySums, ScoreTotals
from qa_service.domain.imported_figures import ImportedFigure
from qa_service.domain.proportions import Interval, share
from qa_service.domain.vendors import (
    Contacts,
    JudgedFigure,
    Measure,
    Source,
    Trend,
    VendorCounts,
    VendorFigure,
    VendorMonth,
    VendorPolicy,
    Verdict,
    days_of_month,
    figures_of,
    judge,
    mann,
    trends,
)

NOVEMBER = date(2026, 11, 1)
M = Measure


def measured(counts: VendorCounts) -> dict[Measure, VendorFigure]:
    return {figure.measure: figure for figure in figures_of(counts, days=30)}


def told(
    measure: Measure | str, value: float, size: int | None = None, *, day: int | None = None
) -> ImportedFigure:
    return ImportedFigure("V", date(2026, 11, day or 1), day is None, str(measure), value, size)


def test_nothing_told_is_nothing_known() -> None:
    found = measured(VendorCounts())
    assert set(found) == set(Measure)
    assert {figure.value for figure in found.values()} == {None}


def test_what_the_own_calls_say() -> None:
    scores = ScoreTotals(40, 40, 3200.0, 256_100.0, by_day=DaySums(10, 1_024_100.0, 12_800.0, 160))
    found = measured(
        VendorCounts(
            Contacts(100, 80, 7, 3), 50, 45, share(4, 5), share(3, 5), scores, (told(M.FIRST_CONTACT, 0.99),)
        )
    )
    assert (found[M.FIRST_CONTACT].value, found[M.FIRST_CONTACT].source) == (0.8, Source.CALLS)
    assert found[M.ANSWERED_IN_TIME].value == 0.9
    assert (found[M.COMPLAINTS_ANSWERED].value, found[M.COMPLAINTS_HANDLED].size) == (0.8, 5)
    assert found[M.QA_SCORE].value == 80.0
    assert found[M.QA_SCORE].interval is not None


def test_what_was_imported_of_the_month() -> None:
    found = measured(
        VendorCounts(
            imported=(
                *(told(M.SATISFACTION, 0.9, 400), told(M.ABANDONMENT, 0.04), told("calls", 1000)),
                *(told(M.RESPONSE, 12.5), told(M.PEAK, 0.97), told(M.FIRST_CONTACT, 0.7)),
            )
        )
    )
    assert found[M.SATISFACTION].size == 400
    assert (found[M.ABANDONMENT].size, found[M.ABANDONMENT].value) == (1000, 0.04)
    assert found[M.RESPONSE].interval == Interval(12.5, 12.5)
    assert found[M.PEAK].value == 0.97
    assert (found[M.FIRST_CONTACT].value, found[M.FIRST_CONTACT].interval) == (0.7, None)
    assert found[M.AVAILABILITY].value is None


def test_days_are_weighed_and_a_month_goes_first() -> None:
    days = (
        *(told("calls", 100, day=1), told("calls", 300, day=2)),
        *(told(M.RESPONSE, 10, day=1), told(M.RESPONSE, 20, day=2)),
        *(told(M.SATISFACTION, 1.0, 10, day=1), told(M.SATISFACTION, 0.5, 30, day=2)),
        *(told(M.FIRST_CONTACT, 0.5, day=1), told(M.SECURITY, 1, day=1), told(M.SECURITY, 2, day=2)),
    )
    found = measured(VendorCounts(imported=days))
    assert (found[M.RESPONSE].value, found[M.RESPONSE].whole) == (17.5, False)
    assert (found[M.SATISFACTION].value, found[M.SATISFACTION].size) == (0.625, 40)
    assert found[M.FIRST_CONTACT].value is None  # nobody knows what the day is worth
    assert found[M.SECURITY].value == 3
    assert measured(VendorCounts(imported=(*days, told(M.RESPONSE, 9))))[M.RESPONSE].value == 9


@pytest.mark.parametrize(
    ("figure", "target", "expected"),
    [
        (VendorFigure(M.SATISFACTION), 0.9, Verdict.UNKNOWN),
        (VendorFigure(M.SATISFACTION, Source.IMPORT, 0.5, Interval(0.4, 0.6), 100), None, Verdict.NO_TARGET),
        (VendorFigure(M.SATISFACTION, Source.IMPORT, 0.5, Interval(0.4, 0.6), 100), 0.7, Verdict.BREACHED),
        (VendorFigure(M.SATISFACTION, Source.IMPORT, 0.5, Interval(0.4, 0.6), 100), 0.6, Verdict.NOT_CERTAIN),
        (VendorFigure(M.SATISFACTION, Source.IMPORT, 0.5, Interval(0.4, 0.6), 100), 0.4, Verdict.MET),
        (VendorFigure(M.SATISFACTION, Source.IMPORT, 0.5, Interval(0.4, 0.6), 29), 0.7, Verdict.NOT_CERTAIN),
        (VendorFigure(M.SATISFACTION, Source.IMPORT, 0.5, None, None), 0.7, Verdict.NOT_CERTAIN),
        (VendorFigure(M.ABANDONMENT, Source.IMPORT, 0.1, Interval(0.08, 0.12), 900), 0.05, Verdict.BREACHED),
        (VendorFigure(M.ABANDONMENT, Source.IMPORT, 0.1, Interval(0.08, 0.12), 900), 0.12, Verdict.MET),
        (VendorFigure(M.RESPONSE, Source.IMPORT, 21.0, Interval(21.0, 21.0)), 20.0, Verdict.BREACHED),
        (VendorFigure(M.RESPONSE, Source.IMPORT, 20.0, Interval(20.0, 20.0)), 20.0, Verdict.MET),
        (
            VendorFigure(M.RESPONSE, Source.IMPORT, 21.0, Interval(21.0, 21.0), whole=False),
            20.0,
            Verdict.NOT_CERTAIN,
        ),
        (VendorFigure(M.SECURITY, Source.IMPORT, 1.0, Interval(1.0, 1.0), whole=False), 0.0, Verdict.BREACHED),
        (VendorFigure(M.SECURITY, Source.IMPORT, 0.0, Interval(0.0, 0.0), whole=False), 0.0, Verdict.NOT_CERTAIN),
    ],
)
def test_beside_the_target(figure: VendorFigure, target: float | None, expected: Verdict) -> None:
    assert judge(figure, target, least=30).verdict is expected


def test_a_vendor_at_its_target_is_seldom_accused() -> None:
    """2,000 months of a vendor that is exactly as good as agreed: one-sided, 2.5 % by theory."""
    chance, accused = random.Random(3), 0
    for _ in range(2000):
        resolved = sum(chance.random() < 0.7 for _ in range(300))
        found = measured(VendorCounts(Contacts(300, resolved)))[M.FIRST_CONTACT]
        accused += judge(found, 0.7, least=30).verdict is Verdict.BREACHED
    assert 10 <= accused <= 80  # 50 ± 4 standard errors


def test_targets_of_one_vendor_go_before_those_of_all() -> None:
    policy = VendorPolicy(targets={("", M.PEAK): 0.99, ("V", M.PEAK): 0.95})
    assert (policy.target("V", M.PEAK), policy.target("W", M.PEAK), policy.target("V", M.RESPONSE)) == (
        *(0.95, 0.99),
        None,
    )


@pytest.mark.parametrize("count", [2, 5, 6])
def test_the_exact_test_is_that_of_all_orders(count: int) -> None:
    scores = [mann(order)[0] for order in permutations(range(count))]
    for score, p in {mann(order) for order in permutations(range(count))}:
        assert p == pytest.approx(sum(abs(other) >= abs(score) for other in scores) / len(scores))


@given(st.permutations(range(9)))
def test_it_agrees_with_scipy(series: list[int]) -> None:
    expected = kendalltau(range(9), series, method="exact").pvalue
    assert mann(series)[1] == pytest.approx(expected)


def month(number: int, value: float | None, *, over: bool = True, size: int = 100) -> VendorMonth:
    figure = VendorFigure(M.FIRST_CONTACT, Source.CALLS, value, Interval(0, 1), size)
    late = VendorFigure(M.ABANDONMENT, Source.IMPORT, value, Interval(0, 1), size)
    judged = tuple(JudgedFigure(each, None, Verdict.NO_TARGET) for each in (figure, late))
    return VendorMonth(date(2026, number, 1), over, judged)


def test_trends() -> None:
    falling = [month(number, 1.0 - number / 20) for number in range(1, 7)]
    found = trends(falling, least=30)
    assert (found[M.FIRST_CONTACT], found[M.ABANDONMENT]) == (Trend.WORSE, Trend.BETTER)
    assert found[M.SATISFACTION] is Trend.CANNOT_TELL
    assert trends(falling[:4], least=30)[M.FIRST_CONTACT] is Trend.CANNOT_TELL
    few = [replace_size(each, 5) for each in falling]
    assert trends(few, least=30)[M.FIRST_CONTACT] is Trend.CANNOT_TELL
    running = [*falling[:4], month(5, 0.1, over=False)]
    assert trends(running, least=30)[M.FIRST_CONTACT] is Trend.CANNOT_TELL
    to_and_fro = [month(number, 0.5 + (-1) ** number / 10) for number in range(1, 9)]
    assert trends(to_and_fro, least=30)[M.FIRST_CONTACT] is Trend.NO_CHANGE


def replace_size(of: VendorMonth, size: int) -> VendorMonth:
    figures = tuple(replace(each, figure=replace(each.figure, size=size)) for each in of.figures)
    return replace(of, figures=figures)


def test_days_of_months() -> None:
    assert [days_of_month(date(2026, number, 1)) for number in (2, 11, 12)] == [28, 30, 31]
    assert days_of_month(date(2028, 2, 1)) == 29
