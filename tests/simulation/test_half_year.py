"""The simulated half-year: the same each time, its calls add up to its days, and what is planted is in it."""

import time
from collections import Counter

import numpy as np

from tests.simulation.half_year import MET, NOT_MET, UNDETERMINED, DayTotals, simulate, simulate_days


def odds(totals: DayTotals, agent: str, rule: str, days: slice) -> float:
    who, at = totals.index[agent], totals.rule(rule)
    faults, calls = totals.faults[who, days, at].sum(), totals.answered[who, days, at].sum()
    return float((faults + 0.5) / (calls - faults + 0.5))


def test_the_same_seed_is_the_same_half_year() -> None:
    one, again, other = (simulate_days(seed, agents=20, days=40) for seed in (7, 7, 8))
    assert (one.faults == again.faults).all()
    assert one.planted == again.planted
    assert (one.faults != other.faults).any()


def test_calls_add_up_to_the_days() -> None:
    year = simulate(3, agents=16, teams=4, days=28, calls_a_day=6)
    counted: Counter[tuple[str, int, str, str]] = Counter()
    calls = list(year.calls())
    for call in calls:
        day = (call.at.date() - year.totals.starts).days
        counted.update((call.agent_id, day, rule, outcome) for rule, outcome in call.outcomes.items())
    assert len(calls) == len(year) == len({call.number for call in calls})
    for at, rule in enumerate(year.totals.rules):
        for who, agent in enumerate(year.agents):
            for day in range(28):
                key = (agent.agent_id, day, rule.name)
                assert counted[*key, NOT_MET] == year.totals.faults[who, day, at]
                assert counted[*key, NOT_MET] + counted[*key, MET] == year.totals.answered[who, day, at]
                assert counted[*key, UNDETERMINED] == year.totals.undetermined[who, day, at]
    assert list(year.calls()) == calls


def test_scores_are_between_nothing_and_full_marks_and_some_are_missing() -> None:
    scores = [call.score for call in simulate(1, agents=16, days=60).calls()]
    told = [score for score in scores if score is not None]
    assert min(told) >= 0
    assert max(told) == 100
    assert 70 < float(np.mean(told)) < 95
    assert 0 <= scores.count(None) < 0.01 * len(scores)


def test_what_is_planted_is_there() -> None:
    """Over many half-years, so that chance is out of it; what is not planted is not there either."""
    special: list[float] = []
    helped: list[float] = []
    idle: list[float] = []
    drifted: list[float] = []
    regressed: list[float] = []
    for seed in range(20):
        totals = simulate_days(seed)
        planted, middle = totals.planted, totals.days // 2
        before, after = slice(0, middle), slice(middle + 10, None)
        others = [a.agent_id for a in totals.agents if a.agent_id not in planted.gone | planted.new | planted.few]
        for cause in planted.special:
            if cause.since > totals.starts:
                ratio = odds(totals, cause.agent, cause.rule, after) / odds(
                    totals, cause.agent, cause.rule, before
                )
                special.append(np.log(ratio / cause.odds))
        picked = slice(middle - 28, middle)
        for training, was, changes in (
            (planted.helps, before, helped),
            (planted.idles, before, idle),
            (planted.regression, picked, regressed),
        ):
            for agent in training.sessions:
                rule = training.rules[0]
                changes.append(np.log(odds(totals, agent, rule, after) / odds(totals, agent, rule, was)))
        team = [a.agent_id for a in totals.agents if a.team == planted.drift.team and a.agent_id in others]
        late, early = slice(-30, None), slice(0, totals.days // 4)
        drifted += [
            np.log(odds(totals, a, "identity-check", late) / odds(totals, a, "identity-check", early))
            for a in team
        ]
    assert abs(np.mean(special)) < 0.25
    assert abs(np.mean(helped) - np.log(0.55)) < 0.05
    assert abs(np.mean(idle)) < 0.05
    assert 0.6 < np.mean(drifted) < np.log(2.5) + 0.1
    # Who is picked for looking bad looks better afterwards, though nothing was done.
    assert np.mean(regressed) < -0.15


def test_a_day_table_takes_milliseconds() -> None:
    simulate_days(0)
    taken = []
    for seed in range(5):
        began = time.perf_counter()
        simulate_days(seed)
        taken.append(time.perf_counter() - began)
    assert min(taken) < 0.25  # 40 ms where nothing else runs; the limit only catches a loop in Python
