"""Did it help: small worked cases, laws, and what cannot be told."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_service.domain.effects import DayFaults, EffectPolicy, EffectWarning, Verdict
from qa_service.statistics.effects import coaching_effect, module_effect

HELD = date(2026, 4, 6)
DAYS = range(-112, 84)
POLICY = EffectPolicy()


def history(
    agent: str,
    before: float = 0.2,
    after: float = 0.2,
    *,
    selection: float | None = None,
    calls: int = 20,
    seed: int = 0,
    days: range = DAYS,
    held: date = HELD,
) -> list[DayFaults]:
    """Days of an agent whose faults have these rates; the weeks before the session, when they were picked,
    another."""
    random = np.random.default_rng([seed, *agent.encode()])
    picked = before if selection is None else selection
    rates = [before if day < -28 else picked if day < 0 else after for day in days]
    faults = random.binomial(calls, rates)
    return [
        DayFaults(agent, held + timedelta(day), calls, int(count)) for day, count in zip(days, faults, strict=True)
    ]


def peers(count: int = 20, *, before: float = 0.2, after: float = 0.2, seed: int = 0) -> list[DayFaults]:
    return [one for number in range(count) for one in history(f"p{number}", before, after, seed=seed)]


def test_what_halves_faults_helped() -> None:
    days = [*peers(), *(one for agent in "abcdef" for one in history(agent, 0.3, 0.15))]
    effect = module_effect(days, dict.fromkeys("abcdef", HELD))
    assert effect.verdict is Verdict.HELPED
    assert effect.points == pytest.approx(-0.15, abs=0.02)
    assert effect.relative == pytest.approx(-0.5, abs=0.06)
    assert effect.points_interval is not None
    assert effect.relative_interval is not None
    assert effect.points in effect.points_interval
    assert effect.relative in effect.relative_interval
    assert (effect.treated, effect.peers, effect.warnings) == (6, 20, ())
    assert effect.baseline.total == 6 * 84 * 20
    assert effect.selection.total == 6 * 28 * 20
    assert effect.after.total == 6 * 83 * 20  # the day of the session is not counted


def test_one_agent() -> None:
    days = [*peers(), *history("a", 0.3, 0.1)]
    effect = coaching_effect(days, "a", HELD)
    assert effect.verdict is Verdict.HELPED
    assert effect.warnings == (EffectWarning.FEW_TREATED,)


def test_what_happened_to_everybody_is_no_effect() -> None:
    days = [*peers(after=0.1), *(one for agent in "abcdef" for one in history(agent, 0.2, 0.1))]
    effect = module_effect(days, dict.fromkeys("abcdef", HELD))
    assert effect.verdict is Verdict.NO_EFFECT
    assert effect.naive == pytest.approx(-0.5, abs=0.06)


def test_what_changes_faults_by_a_factor_for_all_is_no_effect_on_those_with_many() -> None:
    """Log odds of everybody fall by as much; in shares, those with twice the faults lose twice as many."""
    days = [
        *peers(before=0.1, after=0.0526),
        *(one for agent in "abcdef" for one in history(agent, 0.4, 0.25, calls=40)),
    ]
    assert module_effect(days, dict.fromkeys("abcdef", HELD)).verdict is Verdict.NO_EFFECT


def test_bad_weeks_that_pass_are_no_effect() -> None:
    """The worst six of forty who are all alike, by four weeks of little traffic: a fifth of their faults is gone
    afterwards, and none by the session's doing."""
    days = [
        one
        for number in range(40)
        for one in (
            *history(f"p{number}", days=range(-112, -28)),
            *history(f"p{number}", days=range(-28, 0), calls=5, seed=2),
            *history(f"p{number}", days=range(84), seed=1),
        )
    ]
    bad = dict.fromkeys(sorted({one.agent for one in days}), 0)
    for one in days:
        bad[one.agent] += one.faults if -28 <= (one.day - HELD).days < 0 else 0
    worst = sorted(bad, key=lambda agent: -bad[agent])[:6]
    effect = module_effect(days, dict.fromkeys(worst, HELD))
    assert effect.naive is not None
    assert effect.naive < -0.15
    assert effect.verdict is Verdict.NO_EFFECT
    assert EffectWarning.REGRESSION_TO_MEAN in effect.warnings


def test_far_worse_before_and_well_again_cannot_be_told_from_passing_by_itself() -> None:
    days = [*peers(), *(one for agent in "abcdef" for one in history(agent, 0.2, 0.2, selection=0.5))]
    effect = module_effect(days, dict.fromkeys("abcdef", HELD))
    assert effect.verdict is Verdict.CANNOT_TELL
    assert EffectWarning.WORSENED_BEFORE in effect.warnings


def test_what_stays_as_bad_as_it_had_become_was_not_harmed() -> None:
    days = [*peers(), *(one for agent in "abcdef" for one in history(agent, 0.2, 0.4, selection=0.4))]
    effect = module_effect(days, dict.fromkeys("abcdef", HELD))
    assert effect.verdict is Verdict.CANNOT_TELL
    assert effect.points == pytest.approx(0.2, abs=0.03)


def test_worse_than_ever_afterwards_is_harm() -> None:
    days = [*peers(), *(one for agent in "abcdef" for one in history(agent, 0.2, 0.4))]
    assert module_effect(days, dict.fromkeys("abcdef", HELD)).verdict is Verdict.HARMED


def test_who_went_another_way_before_cannot_be_compared() -> None:
    first, second = range(-112, -70), range(-70, 84)
    days = [*peers()]
    for agent in "abcdef":
        days += history(agent, 0.4, 0.2, days=first) + history(agent, 0.2, 0.2, days=second)
    effect = module_effect(days, dict.fromkeys("abcdef", HELD))
    assert effect.verdict is Verdict.CANNOT_TELL
    assert EffectWarning.TRENDS_DIFFER in effect.warnings


@pytest.mark.parametrize(
    ("days", "warnings"),
    [
        ([], {EffectWarning.NO_HISTORY, EffectWarning.FEW_PEERS}),
        (peers(), {EffectWarning.NO_HISTORY}),
        ([*peers(), *history("a", days=range(-20, 84))], {EffectWarning.NO_HISTORY}),
        ([*peers(), *history("a", days=range(-112, 1))], {EffectWarning.FEW_CALLS}),
        ([*peers(), *history("a", 0.0, 0.0)], {EffectWarning.FEW_FAULTS}),
        ([*peers(7), *history("a")], {EffectWarning.FEW_PEERS}),
    ],
)
def test_what_is_missing_is_named(days: Sequence[DayFaults], warnings: set[EffectWarning]) -> None:
    effect = coaching_effect(days, "a", HELD)
    assert effect.verdict is Verdict.CANNOT_TELL
    assert set(effect.warnings) == warnings
    assert (effect.points, effect.points_interval, effect.relative) == (None, None, None)


def test_faults_that_vanish_have_an_effect_with_bounds() -> None:
    days = [*peers(), *(one for agent in "abcdef" for one in history(agent, 0.3, 0.0))]
    effect = module_effect(days, dict.fromkeys("abcdef", HELD))
    assert effect.verdict is Verdict.HELPED
    assert effect.relative_interval is not None
    assert -1 <= effect.relative_interval.low <= effect.relative_interval.high < -0.9


def test_order_and_split_of_days_change_nothing() -> None:
    days = [*peers(), *history("a", 0.3, 0.1)]
    split = [
        part
        for one in days
        for part in (
            DayFaults(one.agent, one.day, one.calls - one.faults, 0),
            DayFaults(one.agent, one.day, one.faults, one.faults),
        )
    ]
    assert coaching_effect(list(reversed(split)), "a", HELD) == coaching_effect(days, "a", HELD)


def test_sessions_on_different_days_are_held_against_their_own_weeks() -> None:
    """All get worse in May. Who was there in April or in May is compared with the same weeks of others."""
    random = np.random.default_rng(9)
    later = HELD + timedelta(35)
    days: list[DayFaults] = []
    treated = {f"t{number}": (HELD, later)[number % 2] for number in range(8)}
    for agent in [*treated, *(f"p{number}" for number in range(24))]:
        for day in DAYS:
            rate = 0.2 if day < 20 else 0.35
            days.append(DayFaults(agent, HELD + timedelta(day), 20, int(random.binomial(20, rate))))
    effect = module_effect(days, treated)
    assert effect.verdict is Verdict.NO_EFFECT
    assert effect.relative == pytest.approx(0, abs=0.06)


def test_it_agrees_with_a_model_of_the_same_counts() -> None:
    """Against statsmodels: binomial regression on groups, periods and their product, agents as clusters. Ours is
    on the safe side by what leaving out one of few clusters does to it."""
    from statsmodels.api import GLM, families

    days = [
        *(one for n in range(20) for one in history(f"p{n}", 0.15 + 0.01 * n, 0.14 + 0.01 * n)),
        *(one for n in range(8) for one in history(f"t{n}", 0.2 + 0.02 * n, 0.1 + 0.02 * n)),
    ]
    effect = module_effect(days, {f"t{n}": HELD for n in range(8)})
    rows, clusters = [], []
    for number, agent in enumerate(sorted({one.agent for one in days})):
        for late in (False, True):
            own = [
                one
                for one in days
                if one.agent == agent and ((one.day > HELD) if late else (one.day - HELD).days < -28)
            ]
            faults, calls = sum(one.faults for one in own), sum(one.calls for one in own)
            coached = agent.startswith("t")
            rows.append((faults, calls - faults, 1, coached, late, coached and late))
            clusters.append(number)
    table = np.array(rows, dtype=float)
    model = GLM(table[:, :2], table[:, 2:], family=families.Binomial())
    fitted = model.fit(cov_type="cluster", cov_kwds={"groups": np.array(clusters)})
    assert effect.points is not None
    assert effect.relative is not None
    assert effect.relative_interval is not None
    without = effect.points / effect.relative

    def beta(relative: float) -> float:
        rate = without * (1 + relative)
        return float(np.log(rate / (1 - rate)) - np.log(without / (1 - without)))

    assert beta(effect.relative) == pytest.approx(fitted.params[3], abs=0.002)
    width = beta(effect.relative_interval.high) - beta(effect.relative_interval.low)
    assert 1.0 < width / (2 * 1.96 * fitted.bse[3]) < 1.3


windows = st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=4, max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(windows, min_size=9, max_size=14), st.integers(1, 4))
def test_any_counts_have_an_answer_in_bounds(agents: list[list[tuple[int, float]]], treated: int) -> None:
    """Nothing but faults, none at all, one call a week: an answer, or that none can be given."""
    days = [
        DayFaults(f"a{number}", HELD + timedelta(at), calls, round(share * calls))
        for number, own in enumerate(agents)
        for at, (calls, share) in zip((-100, -40, -10, 10), own, strict=True)
    ]
    policy = EffectPolicy(min_calls=1, min_peers=2, min_faults=1)
    effect = module_effect(days, {f"a{number}": HELD for number in range(treated)}, policy=policy)
    if effect.points is None:
        assert effect.verdict is Verdict.CANNOT_TELL
        return
    assert effect.points_interval is not None
    assert effect.relative_interval is not None
    assert -1 <= effect.points_interval.low <= effect.points <= effect.points_interval.high <= 1
    assert effect.relative_interval.low >= -1
    bounds = effect.relative_interval
    assert all(np.isfinite([effect.points, effect.relative or 0.0, bounds.low, bounds.high]))
