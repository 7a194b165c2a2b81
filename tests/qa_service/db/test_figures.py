"""Days of agents in the store are what counting calls one by one gives, whatever happened to them meanwhile."""

import random
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select, update

from qa_service.db.rows import AgentDayRow, BehaviourDayRow, CallRow, ChangedCallRow, FindingRow
from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.figures import (
    DaySums,
    FaultLine,
    FaultTotals,
    FigureFilter,
    Grouping,
    Period,
    ScoreLine,
    ScoreTotals,
)
from qa_service.domain.results import Outcome, RuleResult, Severity
from qa_service.domain.review import Cause, Decision, FindingState, Reason, Ruling, Step, apply, follow, may_follow
from tests.clocks import ManualClock
from tests.qa_service.db import builders
from tests.qa_service.reviewing import Site

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
"""A Monday, half an hour before midnight in Shanghai."""
EVER = FigureFilter(date(2026, 1, 1), date(2027, 1, 1))
ALL = (Grouping.AGENT, Grouping.TEAM, Grouping.VENDOR, Grouping.QUEUE)
RULES = ("opening", "closing", "argue", "greeting", "tone")
Key = tuple[str | None, ...]


@pytest.fixture
def database(database_url: str, clock: ManualClock) -> object:
    database = Database(database_url, clock=clock, zone=ZONE)
    database.upgrade()
    yield database
    database.dispose()


def recounted(database: Database, *, limit: int = 3) -> int:
    """Count all that waits, a few days at a time; how many days were counted."""
    total = 0
    while True:
        with database.unit_of_work() as unit:
            counted = unit.figures.recount(limit=limit)
            unit.commit()
        if not counted:
            return total
        total += counted


def scores(
    database: Database, wanted: FigureFilter = EVER, scope: Scope = EVERYTHING, *by: Grouping, period: Period
) -> Sequence[ScoreLine]:
    with database.unit_of_work(read_only=True) as unit:
        return unit.figures.scores(wanted, scope, by=by, period=period)


def faults(
    database: Database, wanted: FigureFilter = EVER, scope: Scope = EVERYTHING, *by: Grouping, period: Period
) -> Sequence[FaultLine]:
    with database.unit_of_work(read_only=True) as unit:
        return unit.figures.faults(wanted, scope, by=by, period=period)


def answers(chance: random.Random) -> tuple[RuleResult, ...]:
    results = [
        RuleResult(
            rule,
            rule,
            chance.choice(list(Outcome)),
            Severity.MAJOR,
            scored=chance.random() > 0.15,
            unscored="shadow",
        )
        for rule in RULES
    ]
    if chance.random() < 0.4:
        results[3] = replace(results[3], outcome=Outcome.NOT_MET, same_event_as="opening", scored=True)
    return tuple(results)


def told(chance: random.Random) -> CallMetadata:
    return CallMetadata(
        agent_id=chance.choice(["1", "2", "3", None]),
        team=chance.choice(["A", "B", None]),
        vendor=chance.choice(["V", None]),
        queue=chance.choice(["q", None]),
        started_at=FIRST + timedelta(minutes=20 * chance.randrange(400)),
    )


def decide(site: Site, recording_id: int, chance: random.Random, user_id: int) -> None:
    """Something that people may do about a call's findings, or none of it."""
    with site.database.unit_of_work() as unit:
        sheet = unit.verdicts.sheet(recording_id)
        unit.verdicts.hold_call(recording_id)
        rule = chance.choice(RULES)
        known = [finding for finding in sheet.findings if finding.result.rule == rule]
        if known:
            finding = known[0]
        elif chance.random() < 0.3:
            finding = unit.verdicts.finding(unit.verdicts.open_finding(sheet.evaluation.id, rule))
        else:
            return
        step = chance.choice(may_follow(finding.state) or (Step.CONFIRM,))
        state = follow(finding.state, step, outcome=finding.result.outcome)
        if state is None or (not known and step is not Step.CONFIRM):
            return
        unit.verdicts.move(finding, state)
        if step in (Step.CONFIRM, Step.UPHOLD):
            ruling = Ruling(rule, Decision.CONFIRM if known else Decision.ADD, "", 1.0, 2.0)
        elif step in (Step.REJECT, Step.OVERTURN):
            ruling = Ruling(rule, Decision.REJECT, chance.choice(list(Reason)))
        else:
            unit.verdicts.refresh(recording_id)
            unit.commit()
            return
        unit.verdicts.add(finding, ruling, user_id=user_id, cause=Cause.REVIEW, note="")
        unit.commit()


def counted_one_by_one(
    database: Database,
) -> tuple[dict[tuple[Key, date], ScoreTotals], dict[tuple[Key, date, str], FaultTotals]]:
    """From the domain's objects, call by call."""
    score_of: dict[tuple[Key, date], ScoreTotals] = defaultdict(ScoreTotals)
    faults_of: dict[tuple[Key, date, str], FaultTotals] = defaultdict(FaultTotals)
    with database.unit_of_work(read_only=True) as unit:
        for call in unit.session.scalars(select(CallRow)).all():
            key = (call.agent_id, call.team, call.vendor, call.queue)
            day = call.at.astimezone(ZONE).date()
            one = ScoreTotals(1, duration_s=call.duration_s or 0.0)
            if call.final_score is not None:
                one += ScoreTotals(0, 1, call.final_score, call.final_score**2)
            score_of[key, day] += one + ScoreTotals(fatal=int(bool(call.fatal)))
            if call.evaluation_id is None:
                continue
            sheet = unit.verdicts.sheet(call.recording_id)
            by_agent = (FindingState.ACKNOWLEDGED, FindingState.WITHDRAWN)
            decided = {f.result.rule for f in sheet.findings if f.ruling is not None or f.state in by_agent}
            for result in apply(sheet.evaluation.results, sheet.rulings):
                if result.scored and not result.same_event_as and result.outcome in (Outcome.MET, Outcome.NOT_MET):
                    fault = result.outcome is Outcome.NOT_MET
                    faults_of[key, day, result.rule] += FaultTotals(1, fault, fault and result.rule in decided)
    return score_of, faults_of


def check(database: Database) -> None:
    score_of, faults_of = counted_one_by_one(database)
    found = scores(database, EVER, EVERYTHING, *ALL, period=Period.DAY)
    assert {(line.keys, line.starts) for line in found} == score_of.keys()
    for line in found:
        expected, totals = score_of[line.keys, line.starts], replace(line.totals, by_day=DaySums())
        assert (totals.calls, totals.scored, totals.fatal) == (expected.calls, expected.scored, expected.fatal)
        assert (totals.points, totals.squares) == pytest.approx((expected.points, expected.squares))
        assert totals.duration_s == pytest.approx(expected.duration_s)
    lines = faults(database, EVER, EVERYTHING, *ALL, period=Period.DAY)
    assert {(line.keys, line.starts, line.rule): line.totals for line in lines} == faults_of


@pytest.mark.parametrize("seed", [1, 2])
def test_days_are_what_counting_one_by_one_gives(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    site = Site(database)
    user = site.person("inspector").user_id
    calls = [site.call(f"call {n}", answers(chance), metadata=told(chance)) for n in range(20)]
    builders.add_recording(database, b"nothing is known of it")
    recounted(database)
    check(database)
    for _ in range(2):
        for _ in range(75):
            decide(site, chance.choice(calls), chance, user)
        moved, again = chance.sample(range(20), 2)
        with database.unit_of_work() as unit:
            unit.metadata.put(calls[moved], told(chance))
            unit.commit()
        site.call(f"call {again}", answers(chance), key=f"again {chance.random()}")
        assert recounted(database) > 0
        check(database)
    with database.unit_of_work(read_only=True) as unit:
        states = set(unit.session.scalars(select(FindingRow.state)))
        assert unit.session.scalar(select(func.count()).select_from(ChangedCallRow)) == 0
    assert len(states) > 5


def test_an_event_that_another_rule_counts_counts_where_that_one_was_rejected(database: Database) -> None:
    """And no longer, once somebody thinks again."""
    site = Site(database)
    user = site.person("inspector").user_id
    opening = RuleResult("opening", "opening", Outcome.NOT_MET, Severity.MAJOR)
    call = site.call(
        "a",
        (opening, replace(opening, rule="greeting", same_event_as="opening")),
        metadata=CallMetadata(started_at=FIRST),
    )

    def decided(rule: str, decision: Decision, state: FindingState) -> list[tuple[str, int]]:
        with database.unit_of_work() as unit:
            known = {finding.result.rule: finding for finding in unit.verdicts.sheet(call).findings}
            evaluation = unit.verdicts.sheet(call).evaluation.id
            finding = known.get(rule) or unit.verdicts.finding(unit.verdicts.open_finding(evaluation, rule))
            unit.verdicts.move(finding, state)
            reason = Reason.JUSTIFIED if decision is Decision.REJECT else ""
            unit.verdicts.add(finding, Ruling(rule, decision, reason), user_id=user, cause=Cause.REVIEW, note="")
            unit.commit()
        recounted(database)
        check(database)
        return [(line.rule, line.totals.faults) for line in faults(database, period=Period.WHOLE)]

    assert decided("opening", Decision.REJECT, FindingState.REJECTED) == [("opening", 0)]
    assert decided("greeting", Decision.ADD, FindingState.CONFIRMED) == [("greeting", 1), ("opening", 0)]
    assert decided("opening", Decision.CONFIRM, FindingState.CONFIRMED) == [("opening", 1)]


def test_a_day_is_one_in_the_sites_zone(database: Database) -> None:
    site = Site(database)
    for minutes in (0, 29, 30, 24 * 60 + 29, 24 * 60 + 30):
        told = CallMetadata(agent_id="1", started_at=FIRST + timedelta(minutes=minutes))
        site.call(f"{minutes}", metadata=told)
    recounted(database)
    days = scores(database, period=Period.DAY)
    assert [(line.starts.day, line.totals.calls) for line in days] == [(23, 2), (24, 2), (25, 1)]
    assert [line.totals.calls for line in scores(database, period=Period.WEEK)] == [5]


def test_weeks_begin_on_mondays_and_months_on_their_first(database: Database) -> None:
    site = Site(database)
    for day in (22, 23, 29, 30, 31):  # Sunday, Monday, Sunday, Monday; December the first
        told = CallMetadata(agent_id="1", started_at=datetime(2026, 11, 1, 4, tzinfo=UTC) + timedelta(day - 1))
        site.call(f"{day}", metadata=told)
    recounted(database)
    weeks = [(line.starts, line.totals.calls) for line in scores(database, period=Period.WEEK)]
    assert weeks == [(date(2026, 11, 16), 1), (date(2026, 11, 23), 2), (date(2026, 11, 30), 2)]
    months = [(line.starts, line.totals.calls) for line in scores(database, period=Period.MONTH)]
    assert months == [(date(2026, 11, 1), 4), (date(2026, 12, 1), 1)]
    whole = [(line.keys, line.starts, line.totals.calls) for line in scores(database, period=Period.WHOLE)]
    assert whole == [((), EVER.since, 5)]
    rules = [(line.starts, line.rule, line.totals.faults) for line in faults(database, period=Period.MONTH)]
    assert (date(2026, 11, 1), "opening", 4) in rules
    until = replace(EVER, since=date(2026, 11, 23), until=date(2026, 11, 30), rules=frozenset({"opening"}))
    assert [line.totals.calls for line in faults(database, until, period=Period.WHOLE)] == [2]
    assert scores(database, replace(EVER, since=date(2026, 12, 2)), period=Period.WHOLE) == []


def test_nothing_outside_the_scope_is_counted(database: Database) -> None:
    site = Site(database)
    for n, (agent, team, vendor) in enumerate(
        [("1", "A", "V"), ("2", "A", "V"), ("3", "B", "W"), (None, None, None)]
    ):
        site.call(
            f"{n}", metadata=CallMetadata(agent_id=agent, team=team, vendor=vendor, queue="q", started_at=FIRST)
        )
    recounted(database)

    def seen(scope: Scope, wanted: FigureFilter = EVER) -> int:
        lines = scores(database, wanted, scope, period=Period.WHOLE)
        (answered,) = {line.totals.calls for line in faults(database, wanted, scope, period=Period.WHOLE)} or {0}
        assert sum(line.totals.scored for line in lines) == answered
        return answered

    assert seen(EVERYTHING) == 4
    assert seen(Scope(teams=frozenset({"A", "C"}))) == 2
    assert seen(Scope(vendor="W")) == 1
    assert seen(Scope(agent_id="2")) == 1
    assert seen(Scope(teams=frozenset({"A"})), replace(EVER, teams=frozenset({"B"}))) == 0
    assert seen(EVERYTHING, replace(EVER, queues=frozenset({"q"}), agents=frozenset({"1", "3"}))) == 2
    by_team = scores(database, EVER, EVERYTHING, Grouping.TEAM, period=Period.WHOLE)
    assert [(line.keys, line.totals.calls) for line in by_team] == [((None,), 1), (("A",), 2), (("B",), 1)]


def test_days_are_summed_up_for_the_interval_of_a_mean(database: Database) -> None:
    site = Site(database)
    for n, (agent, queue, hours) in enumerate([("1", "p", 0), ("1", "q", 0), ("1", "q", 24), ("2", "q", 0)]):
        told = CallMetadata(agent_id=agent, queue=queue, started_at=FIRST + timedelta(hours=hours))
        site.call(f"{n}", metadata=told)
    recounted(database)
    (line,) = scores(database, period=Period.WHOLE)
    one = line.totals.points / 4
    # Two calls of an agent's day in two queues are one day's.
    assert line.totals.by_day == DaySums(3, 6 * one**2, 6 * one, 6)


def test_what_changes_while_days_are_counted_is_counted_later(postgresql_url: str, clock: ManualClock) -> None:
    """Not on SQLite: it has one writer at a time."""
    database = Database(postgresql_url, clock=clock, zone=ZONE)
    database.upgrade()
    site = Site(database)
    call = site.call("a", metadata=CallMetadata(agent_id="1", started_at=FIRST))
    with database.unit_of_work() as changing:
        changing.metadata.put(call, CallMetadata(agent_id="2", started_at=FIRST))
        changing.session.flush()
        assert recounted(database) == 2  # of nobody, when it came, and of agent 1
        assert [line.keys for line in scores(database, EVER, EVERYTHING, Grouping.AGENT, period=Period.WHOLE)] == [
            ("1",)
        ]
        changing.commit()
    with database.unit_of_work(read_only=True) as unit:
        assert unit.figures.waiting(date(2026, 11, 1), date(2026, 12, 1)) == 2
        assert unit.figures.waiting(date(2026, 12, 1), date(2027, 1, 1)) == 0
    assert recounted(database) == 2
    found = scores(database, EVER, EVERYTHING, Grouping.AGENT, period=Period.WHOLE)
    assert [line.keys for line in found] == [("2",)]
    database.dispose()


def test_of_many_workers_one_counts(database: Database) -> None:
    site = Site(database)
    chance = random.Random(3)
    for n in range(12):
        site.call(f"{n}", answers(chance), metadata=told(chance))
    errors: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(8):
                recounted(database, limit=1)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    recounted(database)
    check(database)


def test_an_upgrade_has_everything_counted(database: Database, database_url: str) -> None:
    site = Site(database)
    chance = random.Random(4)
    for n in range(8):
        site.call(f"{n}", answers(chance), metadata=told(chance))
    builders.downgrade(database_url, "0018")
    database.upgrade()
    assert scores(database, period=Period.WHOLE) == []
    recounted(database, limit=100)
    check(database)
    assert len(scores(database, period=Period.DAY)) > 2


def test_times_at_the_ends_of_the_calendar_stop_nobody(database: Database) -> None:
    site = Site(database)
    for year in (1, 9999):
        for month, day in ((1, 1), (12, 31)):
            site.call(
                f"{year} {month}", metadata=CallMetadata(started_at=datetime(year, month, day, 20, tzinfo=UTC))
            )
    recounted(database)
    (line,) = scores(database, FigureFilter(date.min, date.max), period=Period.WHOLE)
    assert line.totals.calls >= 3
    with database.unit_of_work(read_only=True) as unit:
        assert unit.figures.waiting(date.min, date.max) == 0


def test_everything_can_be_counted_again(database: Database) -> None:
    site = Site(database)
    chance = random.Random(5)
    calls = [site.call(f"{n}", answers(chance), metadata=told(chance)) for n in range(8)]
    recounted(database)
    with database.unit_of_work() as unit:
        unit.session.execute(update(AgentDayRow).values(points=0.0))
        unit.session.execute(delete(BehaviourDayRow))
        unit.session.execute(delete(CallRow).where(CallRow.recording_id == calls[0]))
        unit.commit()
    with database.unit_of_work() as unit:
        unit.figures.mark_all()
        unit.commit()
    recounted(database)
    check(database)


def test_who_changes_calls_without_a_mark_is_found_out(database: Database) -> None:
    """As workers of the version before do, while they are still at work."""
    site = Site(database)
    for n, agent in enumerate(["1", "1", "2", "3"]):
        site.call(f"{n}", metadata=CallMetadata(agent_id=agent, started_at=FIRST + timedelta(days=n)))

    def marked(since: date) -> int:
        with database.unit_of_work() as unit:
            wrong = unit.figures.mark_wrong(since)
            unit.commit()
        return wrong

    recounted(database)
    assert marked(date(2026, 1, 1)) == 0
    with database.unit_of_work() as unit:
        unit.session.execute(update(CallRow).where(CallRow.agent_id == "1").values(final_score=12.5))
        unit.session.execute(update(CallRow).where(CallRow.agent_id == "2").values(agent_id=None))
        unit.commit()
    assert marked(date(2026, 11, 26)) == 0
    assert marked(date(2026, 11, 20)) == 3  # agents 1, 2 and nobody
    assert recounted(database) == 4
    assert {line.keys[0] for line in scores(database, EVER, EVERYTHING, *ALL, period=Period.DAY)} == {
        None,
        "1",
        "3",
    }
    assert marked(date(2026, 11, 20)) == 0
