"""What the statistics find in 100 half-years of a smaller centre, and how often they are wrong.

Each bound is what theory promises plus three standard deviations of so many half-years, or a power that is stated
in ``docs/figures/statistics.md``.
"""

import pytest

from qa_service.domain.effects import Verdict
from tests.simulation.half_year import simulate_days
from tests.simulation.measure import Effects, Looks, Trends, margin

SEEDS = 100
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured() -> tuple[Looks, Effects, Trends]:
    looks, effects, trends = Looks(), Effects(), Trends()
    for seed in range(SEEDS):
        totals = simulate_days(seed, agents=40, teams=4)
        looks.add(totals)
        effects.add(totals)
        if seed < 30:
            trends.add(totals)
    return looks, effects, trends


def test_agents_with_a_cause_of_their_own_are_found(measured: tuple[Looks, Effects, Trends]) -> None:
    looks, _, _ = measured
    assert sum(looks.planted.values()) == 5 * SEEDS
    power = {rule: looks.found[rule] / looks.planted[rule] for rule in looks.planted}
    assert min(power[rule] for rule in ("talk-duration", "closing", "refusal", "overpromise")) > 0.6, power
    # Of complaints an agent has about thirty in these weeks: few enough that most go unnamed.
    assert power["complaint"] < 0.6


def test_hardly_anybody_is_named_by_chance(measured: tuple[Looks, Effects, Trends]) -> None:
    looks, _, _ = measured
    assert looks.with_wrong_names / SEEDS < 0.05 + margin(0.05, SEEDS)


def test_what_a_team_drifts_to_is_the_teams(measured: tuple[Looks, Effects, Trends]) -> None:
    looks, _, _ = measured
    assert looks.drifts_found / SEEDS > 0.4
    assert looks.teams_wrong / SEEDS < 0.05 + margin(0.05, SEEDS)
    assert looks.named_for_their_team / SEEDS < 0.05 + margin(0.05, SEEDS)


def test_a_team_that_slowly_got_worse_is_told(measured: tuple[Looks, Effects, Trends]) -> None:
    looks, _, _ = measured
    assert looks.drifts_told / SEEDS > 0.9
    assert looks.changes_wrong / SEEDS < 0.05 + margin(0.05, SEEDS)


def test_training_that_works_is_found_and_intervals_hold_the_truth(
    measured: tuple[Looks, Effects, Trends],
) -> None:
    _, effects, _ = measured
    assert effects.verdicts["helps"][Verdict.HELPED] / SEEDS > 0.9
    for name, of in effects.intervals.items():
        assert of > 0.9 * SEEDS
        assert effects.held[name] / of > 0.95 - margin(0.95, of), name


@pytest.mark.parametrize("name", ["idles", "chance"])
def test_training_that_does_nothing_is_seldom_praised(name: str, measured: tuple[Looks, Effects, Trends]) -> None:
    """Of intervals of 95 %, one in forty lies below nothing by chance."""
    _, effects, _ = measured
    for kind in (name, f"{name}, one agent"):
        verdicts = effects.verdicts[kind]
        assert verdicts[Verdict.HELPED] / SEEDS < 0.025 + margin(0.025, SEEDS), kind
        assert verdicts[Verdict.HARMED] / SEEDS < 0.025 + margin(0.025, SEEDS), kind


def test_who_was_picked_for_bad_weeks_is_told_to_have_gained_nothing(
    measured: tuple[Looks, Effects, Trends],
) -> None:
    """Before and after alone would praise nearly all of those sessions."""
    _, effects, _ = measured
    assert effects.naive_says_helped["chance"] / SEEDS > 0.85
    verdicts = effects.verdicts["chance"]
    assert verdicts[Verdict.NO_EFFECT] > verdicts[Verdict.CANNOT_TELL] > 0
    assert effects.verdicts["idles"][Verdict.NO_EFFECT] / SEEDS > 0.6


def test_who_gets_worse_all_at_once_is_seen(measured: tuple[Looks, Effects, Trends]) -> None:
    _, _, trends = measured
    assert trends.found["closing"] == trends.changed["closing"] == trends.looks
    assert trends.with_wrong_names / trends.looks < 0.05 + margin(0.05, trends.looks)
