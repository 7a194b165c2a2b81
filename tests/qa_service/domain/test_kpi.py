"""The KPI of a month: what is missing is not zero, and a tier says how sure it is."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.figures import DaySums, ScoreTotals
from qa_service.domain.kpi import (
    DEFAULT,
    Appraiser,
    Given,
    Kpi,
    KpiStanding,
    MonthFigures,
    Part,
    Tier,
    appraisal,
    bonus_of,
    distribution,
    kpi,
    tier_chances,
    tier_of,
    year,
)
from qa_service.domain.proportions import Interval

ONLY_QA = replace(DEFAULT, weights={Part.QA: 1.0})


def scores(days: list[list[float]]) -> ScoreTotals:
    """Of days of single calls' scores."""
    calls = [score for day in days for score in day]
    sums = DaySums(
        len(days),
        sum(sum(day) ** 2 for day in days),
        sum(sum(day) * len(day) for day in days),
        sum(len(day) ** 2 for day in days),
    )
    points, squares = sum(calls), sum(score**2 for score in calls)
    return ScoreTotals(len(calls), len(calls), points, squares, by_day=sums)


def month(mean: float = 85.0, *, imported: dict[Part, Given] | None = None, **more: object) -> MonthFigures:
    """Twenty days of four calls around a mean."""
    days = [[mean - 2, mean + 2, mean - 1, mean + 1] for _ in range(20)]
    known = MonthFigures(scores(days), imported or {}, {}, days=20)
    return replace(known, **more)  # type: ignore[arg-type]


ALL = {
    Part.VOLUME: Given(1400),
    Part.CONNECT_RATE: Given(0.9, 1500),
    Part.SUCCESS_RATE: Given(0.81, 1400),
    Part.SATISFACTION: Given(0.95, 300),
    Part.ATTITUDE: Given(90),
}


def test_what_a_kpi_is_made_of() -> None:
    found = kpi(month(80, imported=ALL, appraisals={Appraiser.SUPERIOR: 90, Appraiser.CUSTOMER: 60}), DEFAULT)
    points = {part.part: part.points for part in found.parts}
    assert points == {
        Part.QA: pytest.approx(80),
        Part.VOLUME: pytest.approx(100),
        Part.CONNECT_RATE: pytest.approx(100),
        Part.SUCCESS_RATE: pytest.approx(90),
        Part.SATISFACTION: pytest.approx(100),
        Part.ATTITUDE: 90,
        Part.APPRAISAL: pytest.approx(80),
    }
    assert found.value == pytest.approx(0.4 * 80 + 0.15 * 100 + 10 + 9 + 10 + 4.5 + 8)
    assert (found.coverage, found.tier) == (pytest.approx(1), Tier.CM)
    assert sum(part.weight for part in found.parts) == pytest.approx(1)
    errors = {part.part: part.error for part in found.parts}
    assert errors[Part.VOLUME] == 0.0
    assert errors[Part.ATTITUDE] is errors[Part.APPRAISAL] is None
    assert errors[Part.CONNECT_RATE] == pytest.approx(100 / 0.9 * (0.9 * 0.1 / 1500) ** 0.5, rel=0.01)


def test_what_is_missing_is_not_zero() -> None:
    whole = kpi(month(imported={part: Given(85) for part in (Part.ATTITUDE,)}), DEFAULT)
    assert (whole.standing, whole.value, whole.tier) == (KpiStanding.UNDETERMINED, None, None)
    assert whole.coverage == pytest.approx(0.45)
    enough = kpi(month(imported={Part.VOLUME: Given(0.85 * 1400), Part.ATTITUDE: Given(85)}), DEFAULT)
    assert enough.coverage == pytest.approx(0.6)
    assert enough.value == pytest.approx(85)


def test_too_few_calls_are_not_ranked() -> None:
    few = MonthFigures(scores([[85.0] * 29]), ALL, {Appraiser.SUPERIOR: 90}, 20)
    found = kpi(few, DEFAULT)
    assert (found.standing, found.tier, found.bonus, found.scored) == (KpiStanding.TOO_FEW_CALLS, None, None, 29)
    without_qa = replace(DEFAULT, weights={Part.VOLUME: 1.0})
    assert kpi(few, without_qa).tier is Tier.CM


def test_nobody_is_appraised_by_themselves_alone() -> None:
    assert appraisal({Appraiser.SELF: 100}, DEFAULT) is None
    assert appraisal({Appraiser.SELF: 100, Appraiser.CUSTOMER: 100}, DEFAULT) is None
    assert appraisal({Appraiser.SELF: 100, Appraiser.SUPERIOR: 60}, DEFAULT) == pytest.approx(
        (0.1 * 100 + 0.6 * 60) / 0.7
    )


@pytest.mark.parametrize(
    ("value", "tier", "bonus"),
    [
        (120, Tier.EE, 2000),
        (100.01, Tier.EE, 2000),
        (100, Tier.CM, 1800),
        (90, Tier.CM, 1400),
        (80, Tier.CM, 1000),
        (79.99, Tier.MM, 999.55),
        (60, Tier.MM, 100),
        (59.99, Tier.DM, 0),
        (0, Tier.DM, 0),
    ],
)
def test_tiers_and_bonuses(value: float, tier: Tier, bonus: float) -> None:
    assert tier_of(value) is tier
    assert bonus_of(value, DEFAULT) == pytest.approx(bonus)


def test_a_tier_says_how_sure_it_is() -> None:
    assert kpi(month(85), ONLY_QA).standing is KpiStanding.RATED
    chance = random.Random(31)
    at_the_edge = MonthFigures(scores([[chance.gauss(60, 12) for _ in range(4)] for _ in range(20)]), {}, {}, 20)
    found = kpi(at_the_edge, ONLY_QA)
    assert found.standing is KpiStanding.UNCERTAIN
    assert {each.tier for each in found.chances if each.chance > 0.05} == {Tier.MM, Tier.DM}
    assert found.interval is not None
    assert 60 in found.interval
    assert found.bonus_range is not None
    assert found.bonus_range.low == 0
    assert found.error == pytest.approx((found.interval.high - found.interval.low) / 2 / 1.959964)


def test_intervals_hold_the_truth_and_certain_tiers_are_right() -> None:
    """Months with luck of days and of calls, 400 of a fixed seed; the truth is one standard error over a boundary:
    a lower tier is then called certain in 0.5 % of months by theory, on the boundary itself in 5 %."""
    chance = random.Random(32)
    held = wrong = certain = 0
    for _ in range(400):
        days = []
        for _ in range(20):
            luck = chance.gauss(0, 3)
            days.append([chance.gauss(61 + luck, 10) for _ in range(8)])
        found = kpi(MonthFigures(scores(days), {}, {}, 20), ONLY_QA)
        assert found.interval is not None
        held += 61 in found.interval
        if found.standing is KpiStanding.RATED:
            certain += 1
            wrong += found.tier is not Tier.MM
    assert abs(held / 400 - 0.95) < 3 * (0.95 * 0.05 / 400) ** 0.5
    assert wrong <= 8
    assert certain < 400


@given(st.floats(0, 120), st.floats(0, 40))
def test_chances_add_up(value: float, error: float) -> None:
    chances = tier_chances(value, error)
    assert [each.tier for each in chances] == list(Tier)
    assert sum(each.chance for each in chances) == pytest.approx(1)
    assert all(-1e-12 <= each.chance <= 1 for each in chances)


@given(st.dictionaries(st.sampled_from(Part), st.floats(0, 10), min_size=1), st.floats(0, 100))
def test_weights_need_not_add_up_to_one(weights: dict[Part, float], mean: float) -> None:
    """Of parts with the same points any weights give those points; with none there is no KPI."""
    same = {part: Given(mean) for part in (Part.ATTITUDE,)}
    policy = replace(DEFAULT, weights=weights, min_coverage=0.01)
    known = MonthFigures(scores([[mean] * 4] * 20), same, {Appraiser.SUPERIOR: mean}, 20)
    found = kpi(known, policy)
    there = sum(weights.get(part, 0) for part in (Part.QA, Part.ATTITUDE, Part.APPRAISAL))
    if found.value is None:
        assert there <= 0.01 * sum(weights.values()) or there == 0
    else:
        assert found.value == pytest.approx(mean)


def test_the_distribution_of_tiers_beside_the_aim() -> None:
    kpis = [kpi(month(mean), ONLY_QA) for mean in (55, 65, 70, 75, 85)]
    few = kpi(MonthFigures(ScoreTotals(), {}, {}, 20), DEFAULT)
    shares = {each.tier: each for each in distribution([*kpis, few], DEFAULT.distribution)}
    assert {tier: each.share.count for tier, each in shares.items()} == {
        Tier.EE: 0,
        Tier.CM: 1,
        Tier.MM: 3,
        Tier.DM: 1,
    }
    assert {each.share.total for each in shares.values()} == {5}
    assert shares[Tier.MM].target == 0.7


def test_a_year_needs_months_and_has_no_tier() -> None:
    uneven = [[2.0] * 4, [-2.0] * 4] * 10
    months = [
        kpi(MonthFigures(scores([[mean + off for off in day] for day in uneven]), {}, {}, 20), ONLY_QA)
        for mean in (70, 80, 90)
    ]
    none = kpi(MonthFigures(ScoreTotals(), {}, {}, 20), ONLY_QA)
    assert year([*months, none], least=4).value is None
    found = year([*months, none], least=3)
    assert (found.months, found.value) == (3, pytest.approx(80))
    errors = [each.error for each in months if each.error]
    assert len(errors) == 3
    assert found.interval is not None
    half = 1.959964 * sum(error**2 for error in errors) ** 0.5 / 3
    assert (found.interval.low, found.interval.high) == pytest.approx((80 - half, 80 + half))
    sure = Kpi(KpiStanding.RATED, 90.0, Interval(90, 90), Tier.CM, (), 0, None, 1, 50, ())
    assert year([sure] * 6, least=6).interval == Interval(90, 90)
