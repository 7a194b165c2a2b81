"""Draws: the sizes that were asked for, known probabilities, spread over the day, shared out evenly."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.access import CallOwner, Role, Scope
from qa_service.domain.sampling import (
    Candidate,
    Drawn,
    Inspector,
    Period,
    PlanTerms,
    Stratum,
    assign,
    draw,
    period_start,
    shares,
    span_of,
)

DAY = date(2026, 3, 3)
NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=365)
TERMS = PlanTerms("p")


def call(
    number: int, *, agent: str = "7", worst: int = 0, hour: int = 12, queue: str = "q", **told: object
) -> Candidate:
    at = NOON.replace(hour=hour, minute=number % 60)
    return replace(Candidate(number, CallOwner("V", "A", agent), at, queue, worst, LONG_AGO), **told)  # type: ignore[arg-type]


def strata(drawn: tuple[Drawn, ...]) -> Counter[Stratum]:
    return Counter(each.stratum for each in drawn)


def test_so_many_calls_of_each_agent() -> None:
    calls = [call(n, agent=str(n % 3)) for n in range(210)] + [call(300 + n, agent="few") for n in range(4)]
    drawn = draw(1, TERMS, DAY, calls, UTC)
    assert Counter(each.call.agent_id for each in drawn) == {"0": 10, "1": 10, "2": 10, "few": 4}
    assert {each.inclusion_probability for each in drawn if each.call.agent_id == "few"} == {1.0}
    assert {each.inclusion_probability for each in drawn if each.call.agent_id == "0"} == {10 / 70}


def test_grave_calls_and_new_agents_are_drawn_more_often() -> None:
    calls = [call(n, worst=3 if n < 20 else 0) for n in range(70)]
    drawn = draw(1, TERMS, DAY, calls, UTC)
    assert strata(drawn) == {Stratum.RISK: 3, Stratum.RANDOM: 7}
    assert {each.inclusion_probability for each in drawn} == {3 / 20, 7 / 50}
    new = [replace(one, since=NOON - timedelta(days=29)) for one in calls]
    assert strata(draw(1, TERMS, DAY, new, UTC)) == {Stratum.RISK: 6, Stratum.NEW: 14}


def test_one_call_is_drawn_from_all() -> None:
    calls = [call(n, worst=3 if n < 5 else 0) for n in range(20)]
    (one,) = draw(1, replace(TERMS, per_agent=1), DAY, calls, UTC)
    assert (one.stratum, one.inclusion_probability) == (Stratum.RANDOM, 1 / 20)


def test_a_draw_is_spread_over_the_hours_and_their_queues() -> None:
    calls = [call(n, hour=8 + n % 10, queue="ab"[n // 50]) for n in range(100)]
    drawn = draw(1, TERMS, DAY, calls, UTC)
    assert sorted(each.call.at.hour for each in drawn) == list(range(8, 18))
    twice = draw(1, replace(TERMS, per_agent=20), DAY, calls, UTC)
    assert Counter((each.call.at.hour, each.call.queue) for each in twice) == dict.fromkeys(
        ((hour, queue) for hour in range(8, 18) for queue in "ab"), 1
    )


def test_a_draw_is_the_same_every_time_and_another_for_another_plan_or_day() -> None:
    calls = [call(n) for n in range(60)]
    first = draw(1, TERMS, DAY, calls, UTC)
    assert draw(1, TERMS, DAY, reversed(calls), UTC) == first
    others = {
        draw(plan, TERMS, DAY + timedelta(days=days), calls, UTC) for plan in (1, 2, 3) for days in (0, 1, 2)
    }
    assert len(others) > 1


def test_every_call_is_drawn_as_often_as_its_probability_says() -> None:
    calls = [call(n, worst=2 * (n % 4 == 0)) for n in range(23)]
    seen: Counter[int] = Counter()
    told: dict[int, float] = {}
    plans = 4_000
    for plan in range(plans):
        for each in draw(plan, TERMS, DAY, calls, UTC):
            seen[each.call.recording_id] += 1
            told[each.call.recording_id] = each.inclusion_probability
    assert set(told) == {one.recording_id for one in calls}
    for number, probability in told.items():
        assert abs(seen[number] / plans - probability) < 5 * (probability * (1 - probability) / plans) ** 0.5


@given(st.integers(1, 60), st.integers(0, 100), st.integers(0, 100), st.floats(0, 1))
def test_shares_give_what_there_is_and_leave_no_stratum_out(
    wanted: int, risk: int, rest: int, share: float
) -> None:
    of_risk, of_rest = shares(wanted, risk, rest, share)
    assert of_risk + of_rest == min(wanted, risk + rest)
    assert 0 <= of_risk <= risk
    assert 0 <= of_rest <= rest
    if wanted >= 2:
        assert bool(of_risk) == bool(risk)
        assert bool(of_rest) == bool(rest)


@given(st.integers(1, 40), st.integers(1, 120), st.integers(0, 50))
def test_no_call_is_drawn_twice(per_agent: int, count: int, plan: int) -> None:
    calls = [call(n, worst=n % 4) for n in range(count)]
    drawn = draw(plan, replace(TERMS, per_agent=per_agent), DAY, calls, UTC)
    assert len({each.call.recording_id for each in drawn}) == len(drawn) == min(per_agent, count)
    assert all(0.0 < each.inclusion_probability <= 1.0 for each in drawn)
    # Probabilities add up to what is drawn: an estimate of the number of calls is exact.
    assert sum(1 / each.inclusion_probability for each in drawn) == pytest.approx(count)


def inspector(number: int, scope: Scope | None = None, *roles: Role) -> Inspector:
    return Inspector(number, frozenset({Role.INSPECTOR, *roles}), scope or Scope())


def test_calls_are_shared_out_evenly_and_within_scopes() -> None:
    drawn = [Drawn(call(n, owner=CallOwner("V", "AB"[n % 2], "7")), Stratum.RANDOM, 1.0) for n in range(30)]
    everywhere, only_a = inspector(1), inspector(2, Scope(teams=frozenset({"A"})))
    leads_b = inspector(3, Scope(teams=frozenset({"B"})), Role.LEADER)
    given = assign(drawn, [everywhere, only_a, leads_b])
    assert Counter(given.values()) == {1: 15, 2: 15}
    assert all(each.call.owner.team == "A" for each in drawn if given[each.call.recording_id] == 2)
    assert Counter(assign(drawn, [inspector(n) for n in range(4)]).values()).most_common()[0][1] == 8
    assert assign(drawn, [leads_b]) == {}


def test_periods_are_those_of_the_sites_clock() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert period_start(date(2026, 3, 8), Period.WEEK) == date(2026, 3, 2)
    assert period_start(date(2026, 3, 8), Period.DAY) == date(2026, 3, 8)
    begins, ends = span_of(date(2026, 3, 2), Period.WEEK, zone)
    assert begins == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
    assert ends - begins == timedelta(days=7)
