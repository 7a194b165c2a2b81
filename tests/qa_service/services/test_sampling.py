"""Sampling on a real store: a period is drawn once, its calls join the queue, what is due is drawn by itself."""

import threading
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from qa_service.db.rows import ReviewItemRow, SampledCallRow, SamplingDrawRow
from qa_service.db.session import Database
from qa_service.domain.access import Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.queueing import ReviewPolicy
from qa_service.domain.results import Outcome
from qa_service.domain.sampling import Period, PlanTerms, Stratum
from qa_service.errors import ConflictError, InputError, NotFoundError
from qa_service.services.review import Review
from qa_service.services.sampling import Sampling, check_plan
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site, results

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # nine in the morning in the database's clock
DAY = date(2026, 3, 2)
TERMS = PlanTerms("每天", per_agent=3, new_agent_days=0)


def calls(site: Site, count: int, *, day: int = 0, **told: Any) -> list[int]:
    """Calls in which nothing was found, of one agent unless told otherwise."""
    numbers = []
    for number in range(count):
        at = MONDAY + timedelta(days=day, minutes=number)
        metadata = CallMetadata(**{"agent_id": "7", "team": "A", "vendor": "V", "started_at": at} | told)
        numbers.append(site.call(f"{day} {told} {number}", results(), metadata=metadata))
    return numbers


@pytest.fixture
def site(database: Database) -> Site:
    return Site(database)


@pytest.fixture
def manager(site: Site) -> Principal:
    return site.person("manager", Role.MANAGER)


@pytest.fixture
def sampling(database: Database, clock: ManualClock) -> Sampling:
    units = database.unit_of_work
    return Sampling(
        units=units, units_to_read=units, clock=clock, zone=UTC, at=time(7), policy=ReviewPolicy(random_share=0.0)
    )


def tomorrow(clock: ManualClock, days: int = 1) -> None:
    clock.advance(timedelta(days=days).total_seconds())


def test_a_drawn_call_is_in_the_queue_for_its_inspector(
    site: Site, sampling: Sampling, manager: Principal, clock: ManualClock, database: Database
) -> None:
    mine, other = (
        site.person("mine", Role.INSPECTOR),
        site.person("other", Role.INSPECTOR, scope=Scope(vendor="W")),
    )
    calls(site, 6)
    flagged = site.call("flagged", metadata=CallMetadata(agent_id="8", team="A", vendor="V", started_at=MONDAY))
    plan = sampling.create(manager, TERMS)
    tomorrow(clock)
    drawn = sampling.draw(manager, plan.id, DAY)
    assert (drawn.candidates, drawn.drawn) == (7, 4)
    sampled = sampling.calls(manager, drawn.id, after=0, limit=10)
    assert [each.assigned_to for each in sampled] == [mine.user_id] * 4
    assert {each.inclusion_probability for each in sampled} == {0.5, 1.0}
    assert {each.recording_id: each.stratum for each in sampled}[flagged] is Stratum.RISK
    review = Review(units=database.unit_of_work, units_to_read=database.unit_of_work, clock=clock, claim_s=60.0)
    assert review.claim_next(other) is None
    kinds = {line.item.recording_id: line.item.kind for line in review.queue(mine).calls}
    assert kinds[flagged] == "flagged"  # it stays what it was, and is somebody's now
    assert sorted(kinds.values()) == ["flagged", "sampled", "sampled", "sampled"]
    for each in sampled:
        if each.recording_id != flagged:
            review.claim(mine, each.recording_id)
            review.finish(mine, each.recording_id)
    assert [c.done for c in sampling.calls(manager, drawn.id, after=0, limit=10)] == [True, True, True, False]


def test_a_period_is_drawn_once(site: Site, sampling: Sampling, manager: Principal, clock: ManualClock) -> None:
    calls(site, 6)
    plan = sampling.create(manager, TERMS)
    with pytest.raises(InputError, match="period_not_over"):
        sampling.draw(manager, plan.id, DAY)
    tomorrow(clock)
    sampling.draw(manager, plan.id, DAY)
    with pytest.raises(ConflictError, match="period_drawn"):
        sampling.draw(manager, plan.id, DAY)
    assert sampling.look_after() == 0
    assert (site.count(SamplingDrawRow), site.count(SampledCallRow)) == (1, 3)


def test_many_workers_draw_what_is_due_once(
    site: Site, sampling: Sampling, manager: Principal, clock: ManualClock
) -> None:
    calls(site, 6)
    sampling.create(manager, TERMS)
    sampling.create(manager, PlanTerms("another", per_agent=2, new_agent_days=0))
    tomorrow(clock)
    made: list[int] = []
    threads = [threading.Thread(target=lambda: made.append(sampling.look_after())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == 2
    assert site.count(SampledCallRow) == 5


def test_what_is_over_is_drawn_at_its_time(
    site: Site, sampling: Sampling, manager: Principal, clock: ManualClock
) -> None:
    calls(site, 4)
    calls(site, 4, day=1)
    daily = sampling.create(manager, TERMS)
    weekly = sampling.create(manager, PlanTerms("weekly", per_agent=5, period=Period.WEEK))
    sampling.create(manager, PlanTerms("off", active=False))
    assert sampling.look_after() == 0
    clock.advance(timedelta(hours=21).total_seconds())  # six in the morning
    assert sampling.look_after() == 0
    clock.advance(timedelta(hours=1).total_seconds())
    assert sampling.look_after() == 1
    tomorrow(clock, days=6)  # nobody ran for six days; Monday at seven
    assert sampling.look_after() == 7
    days = [draw.period_start for draw in sampling.draws(manager, daily.id, before=None, limit=10)]
    assert days == [DAY + timedelta(days=back) for back in range(6, -1, -1)]
    (week,) = sampling.draws(manager, weekly.id, before=None, limit=10)
    assert (week.period_start, week.candidates, week.drawn) == (DAY, 8, 8)  # new: twice as many
    assert sampling.draws(manager, daily.id, before=date(2026, 3, 4), limit=1)[0].period_start == date(2026, 3, 3)


def test_only_scored_calls_of_the_plans_teams(
    site: Site, sampling: Sampling, manager: Principal, clock: ManualClock
) -> None:
    calls(site, 2)
    calls(site, 2, team="B", agent_id="8")
    calls(site, 2, agent_id=None)
    site.call("old", results(), metadata=CallMetadata(agent_id="9", team="A", started_at=MONDAY), card=None)
    plan = sampling.create(manager, PlanTerms("A", scope=Scope(teams=frozenset({"A"}))))
    tomorrow(clock)
    assert sampling.draw(manager, plan.id, DAY).candidates == 2


def test_grave_calls_are_a_stratum(site: Site, sampling: Sampling, manager: Principal, clock: ManualClock) -> None:
    calls(site, 10)
    for number in range(4):
        at = MONDAY + timedelta(minutes=number)
        metadata = CallMetadata(agent_id="7", team="A", started_at=at)
        site.call(f"grave {number}", results(argue=Outcome.NOT_MET), metadata=metadata)
    plan = sampling.create(manager, PlanTerms("p", per_agent=4, risk_share=0.5, new_agent_days=0))
    tomorrow(clock)
    drawn = sampling.draw(manager, plan.id, DAY)
    told = {(c.stratum, c.inclusion_probability) for c in sampling.calls(manager, drawn.id, after=0, limit=10)}
    assert told == {(Stratum.RISK, 0.5), (Stratum.RANDOM, 0.2)}


def test_a_plan_is_changed_by_who_saw_it_and_within_the_scope(
    site: Site, sampling: Sampling, manager: Principal
) -> None:
    plan = sampling.create(manager, TERMS)
    changed = sampling.change(manager, plan.id, PlanTerms("每天", per_agent=5), version=plan.version)
    assert (changed.terms.per_agent, changed.version) == (5, plan.version + 1)
    with pytest.raises(ConflictError, match="stale_version"):
        sampling.change(manager, plan.id, TERMS, version=plan.version)
    with pytest.raises(ConflictError, match="sampling_plan_exists"):
        sampling.create(manager, TERMS)
    confined = site.person("confined", Role.MANAGER, scope=Scope(teams=frozenset({"A"})))
    for scope in (Scope(), Scope(teams=frozenset({"A", "B"})), Scope(vendor="V")):
        with pytest.raises(InputError, match="sampling_plan_invalid"):
            sampling.create(confined, PlanTerms("mine", scope=scope))
    own = sampling.create(confined, PlanTerms("mine", scope=Scope(teams=frozenset({"A"}))))
    assert sampling.plans(confined) == (own,)
    assert len(sampling.plans(manager)) == 2
    for act in (
        lambda: sampling.get(confined, plan.id),
        lambda: sampling.change(confined, plan.id, PlanTerms("x", scope=own.terms.scope), version=None),
        lambda: sampling.draw(confined, plan.id, DAY),
        lambda: sampling.draws(confined, plan.id, before=None, limit=1),
        lambda: sampling.get(manager, 999),
    ):
        with pytest.raises(NotFoundError, match="sampling_plan_not_found"):
            act()
    with pytest.raises(NotFoundError, match="sampling_draw_not_found"):
        sampling.calls(manager, 999, after=0, limit=1)


@pytest.mark.parametrize(
    "terms",
    [
        PlanTerms(" "),
        PlanTerms("p", per_agent=0),
        PlanTerms("p", per_agent=201),
        PlanTerms("p", new_agent_factor=0.5),
        PlanTerms("p", new_agent_factor=float("nan")),
        PlanTerms("p", new_agent_days=-1),
        PlanTerms("p", risk_share=1.5),
    ],
)
def test_a_plan_that_cannot_be_is_refused(terms: PlanTerms) -> None:
    who = Principal(1, "m", frozenset({Role.MANAGER}), Scope(), frozenset(), "session")
    with pytest.raises(InputError, match="sampling_plan_invalid"):
        check_plan(who, terms)


def test_a_call_that_is_done_is_not_put_into_the_queue_again(
    site: Site, sampling: Sampling, manager: Principal, clock: ManualClock, database: Database
) -> None:
    review = Review(units=database.unit_of_work, units_to_read=database.unit_of_work, clock=clock, claim_s=60.0)
    inspector = site.person("inspector", Role.INSPECTOR)
    (call,) = calls(site, 1)
    first, second = sampling.create(manager, TERMS), sampling.create(manager, PlanTerms("second"))
    tomorrow(clock)
    sampling.draw(manager, first.id, DAY)
    review.claim(inspector, call)
    review.finish(inspector, call)
    drawn = sampling.draw(manager, second.id, DAY)
    assert [each.done for each in sampling.calls(manager, drawn.id, after=0, limit=5)] == [True]
    assert review.queue(inspector).calls == ()
    assert site.count(ReviewItemRow) == 1
