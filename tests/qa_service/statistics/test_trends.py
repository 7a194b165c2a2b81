"""Who got better or worse."""

from collections.abc import Iterator

import numpy as np
import pytest

from qa_service.domain.causes import CausePolicy, TeamTrend, Trend
from qa_service.domain.figures import FaultLine
from qa_service.statistics.trends import find_team_trends, find_trends
from tests.qa_service.statistics.test_causes import line, site


def test_trends_are_against_the_own_past_and_what_happened_to_all() -> None:
    before = [*site(0.2), line("better", 60, 200), line("worse", 20, 200), line("new", 3, 10)]
    recent = [*site(0.1, seed=1), line("better", 10, 200), line("worse", 60, 200), line("new", 30, 200)]
    trends = {one.agent: one for one in find_trends(before, recent)}
    assert trends["better"].trend is Trend.BETTER
    assert trends["worse"].trend is Trend.WORSE
    assert (trends["new"].trend, trends["new"].change) == (Trend.CANNOT_TELL, None)
    # The others all halved their faults together: that is nobody's own doing.
    assert not [
        one for one in trends.values() if one.agent.startswith("p") and one.trend in (Trend.BETTER, Trend.WORSE)
    ]
    worse = trends["worse"]
    assert worse.interval is not None
    assert worse.change is not None
    assert worse.change in worse.interval
    assert worse.interval.low > 0


def test_no_change_is_said_where_a_change_that_matters_is_excluded() -> None:
    many = [line(f"p{number}", 8000, 40_000) for number in range(20)]
    trends = find_trends(many, many, policy=CausePolicy(worthwhile=0.2))
    assert {one.trend for one in trends} == {Trend.NO_CHANGE}
    few = [line(f"p{number}", 8, 40) for number in range(20)]
    assert {one.trend for one in find_trends(few, few)} == {Trend.CANNOT_TELL}


# --- teams --------------------------------------------------------------------------------------------------


def half_year(
    later: dict[str, float], *, calls: int = 300, teams: int = 4, agents: int = 8, seed: int = 0
) -> Iterator[FaultLine]:
    """One agent like the other, a fault in ten calls; from the middle on as many as ``later`` says of the team or
    the agent."""
    random = np.random.default_rng(seed)
    for week in (0, 1):
        for team in range(teams):
            for number in range(agents):
                name = f"a{team}{number}"
                rate = later.get(name, later.get(f"t{team}", 0.1)) if week else 0.1
                yield line(name, int(random.binomial(calls, rate)), calls, team=f"t{team}", week=week)


def told(lines: Iterator[FaultLine]) -> dict[str, TeamTrend]:
    return {one.team: one for one in find_team_trends(list(lines))}


@pytest.mark.parametrize(("rate", "trend"), [(0.2, Trend.WORSE), (0.04, Trend.BETTER)])
def test_a_team_that_changed_as_a_body(rate: float, trend: Trend) -> None:
    trends = told(half_year({"t1": rate}))
    assert trends["t1"].trend is trend
    assert trends["t1"].agents == 8
    assert trends["t1"].change is not None
    assert trends["t1"].interval is not None
    assert trends["t1"].change == pytest.approx(rate - 0.1, abs=0.03)
    assert rate - 0.1 in trends["t1"].interval
    assert {trends[team].trend for team in ("t0", "t2", "t3")} <= {Trend.NO_CHANGE, Trend.CANNOT_TELL}


def test_what_happened_to_all_teams_is_no_teams() -> None:
    """By chance some team is told in 5 of 100 centres; 12 of 100 would be three standard deviations more."""
    twice = {f"t{team}": 0.2 for team in range(4)}
    wrong = [
        seed
        for seed in range(100)
        if {one.trend for one in told(half_year(twice, seed=seed)).values()} & {Trend.BETTER, Trend.WORSE}
    ]
    assert len(wrong) < 12


def test_what_changed_for_one_agent_is_not_the_teams() -> None:
    trends = told(half_year({"a10": 0.7}))
    assert trends["t1"].recent.value == pytest.approx(0.175, abs=0.03)
    assert trends["t1"].trend in (Trend.NO_CHANGE, Trend.CANNOT_TELL)


def test_a_sure_change_that_is_too_small_to_matter() -> None:
    trends = told(half_year({"t1": 0.11}, calls=40_000))
    assert trends["t1"].p is not None
    assert trends["t1"].p < 0.05
    assert trends["t1"].trend is Trend.NO_CHANGE


def test_a_change_that_is_sure_and_perhaps_too_small_is_not_called_none() -> None:
    one = told(half_year({"t1": 0.117}, calls=3000, seed=1))["t1"]
    assert (one.p or 1) < 0.05
    assert one.change is not None
    assert one.interval is not None
    assert 0.2 * 0.1 in one.interval  # a change that matters is not excluded
    assert one.trend is Trend.CANNOT_TELL


def test_teams_that_are_too_small_or_too_few() -> None:
    assert {one.trend for one in told(half_year({"t1": 0.3}, agents=3)).values()} == {Trend.CANNOT_TELL}
    assert {one.p for one in told(half_year({"t1": 0.3}, teams=1)).values()} == {None}
    one_week = list(half_year({}))[:32]
    assert len({one.starts for one in one_week}) == 1
    assert find_team_trends([*one_week, *one_week]) == ()


def test_the_order_of_lines_changes_no_trend() -> None:
    lines = list(half_year({"t1": 0.2}))
    assert find_team_trends(lines[::-1]) == find_team_trends(lines)
