"""Lists of calls: what a scope leaves out never comes out, pages follow each other, and an index serves them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

import psycopg
import pytest
from sqlalchemy import make_url

from qa_service.db import call_lists, call_texts
from qa_service.db.rows import CallRow
from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING, Scope
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.results import Outcome
from qa_service.errors import NotFoundError
from qa_service.ports.calls import CallFilter, CallOrder, Key, ListedCall
from tests.clocks import ManualClock
from tests.qa_service.db import builders

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TEAMS, VENDORS, QUEUES = ("A", "B", "C"), ("V", "W"), ("billing", "orders")


@pytest.fixture
def calls(database: Database) -> Database:
    """Twenty calls; some at one moment, of every fourth only the time is told, every fifth is not scored."""
    with database.unit_of_work() as unit:
        for number in range(20):
            recording, _ = unit.recordings.add(builders.blob(b"call %d" % number), path=f"{number}.wav")
            told = CallMetadata(
                call_id=f"c-{number}",
                agent_id=f"10{number % 5}",
                team=TEAMS[number % 3],
                vendor=VENDORS[number % 2],
                queue=QUEUES[number % 2],
                direction=Direction.INBOUND if number % 2 else Direction.OUTBOUND,
                customer_ref=f"k-{number % 4}",
                started_at=NOON + timedelta(minutes=number - number % 3),
            )
            nothing = CallMetadata(started_at=told.started_at)
            unit.metadata.put(recording.id, told if number % 4 else nothing)
            if number % 5:
                stored = unit.conversations.add(f"k{number}", recording.id, builders.conversation(), elapsed_s=1.0)
                builders.add_evaluation(unit, f"e{number}", stored)
                unit.session.get_one(CallRow, recording.id).final_score = float(number % 7)
        unit.commit()
    return database


def every(
    database: Database,
    wanted: CallFilter = CallFilter(),  # noqa: B008 - frozen
    scope: Scope = EVERYTHING,
    order: CallOrder = CallOrder.NEWEST,
    *,
    at_once: int = 3,
) -> list[ListedCall]:
    """The whole list, page by page."""
    found: list[ListedCall] = []
    after: Key | None = None
    with database.unit_of_work(read_only=True) as unit:
        while page := unit.calls.page(wanted, scope, order=order, after=after, limit=at_once):
            found += page
            last = page[-1]
            value = last.final_score if order.by_score else last.at
            assert value is not None
            after = (value, last.recording_id)
    return found


def test_pages_follow_each_other_in_order(calls: Database) -> None:
    for order, scope in product(CallOrder, (EVERYTHING, Scope(teams=frozenset("AB")), Scope(vendor="V"))):
        whole = every(calls, scope=scope, order=order, at_once=100)
        assert len(whole) > 3, scope
        assert every(calls, scope=scope, order=order) == whole
        keys = [((c.final_score if order.by_score else c.at), c.recording_id) for c in whole]
        assert keys == sorted(keys, reverse=order.descending)  # type: ignore[type-var]
        assert len({c.recording_id for c in whole}) == len(whole)


def test_a_scope_holds_in_every_list(calls: Database) -> None:
    whole = every(calls)
    for scope in (
        Scope(vendor="V"),
        Scope(teams=frozenset("A")),
        Scope(teams=frozenset("AC")),
        Scope(teams=frozenset("ABCDEFGHIJKLMNOPQRST")),  # more than are merged
        Scope(teams=frozenset()),
        Scope(agent_id="102"),
        Scope(vendor="W", teams=frozenset("AB")),
        Scope(vendor="none"),
    ):
        covered = [call for call in whole if scope.covers(call.owner)]
        assert every(calls, scope=scope) == covered
        for wanted in (CallFilter(team="A"), CallFilter(vendor="W"), CallFilter(agent_id="103")):
            assert set(every(calls, wanted, scope)) == set(every(calls, wanted)) & set(covered)
        with calls.unit_of_work(read_only=True) as unit:
            for call in whole:
                if call in covered:
                    assert unit.calls.get(call.recording_id, scope) == call
                else:
                    with pytest.raises(NotFoundError, match="recording_not_found"):
                        unit.calls.get(call.recording_id, scope)


def test_each_filter_holds(calls: Database) -> None:
    whole = every(calls)
    some = NOON + timedelta(minutes=6)
    judged = [c for c in whole if c.evaluation_id is not None]
    for wanted, expected in (
        (CallFilter(agent_id="101"), [c for c in whole if c.agent_id == "101"]),
        (CallFilter(team="B", vendor="W"), [c for c in whole if (c.team, c.vendor) == ("B", "W")]),
        (CallFilter(queue="orders"), [c for c in whole if c.queue == "orders"]),
        (CallFilter(direction="outbound"), [c for c in whole if c.direction == "outbound"]),
        (CallFilter(call_id="c-7"), [c for c in whole if c.call_id == "c-7"]),
        (CallFilter(customer_ref="k-2"), [c for c in whole if c.customer_ref == "k-2"]),
        (CallFilter(since=some), [c for c in whole if c.at >= some]),
        (CallFilter(until=some), [c for c in whole if c.at < some]),
        (CallFilter(min_score=2, max_score=4), [c for c in whole if c.final_score and 2 <= c.final_score <= 4]),
        (CallFilter(rule="z.greeting", outcome=Outcome.NOT_MET), judged),
        (CallFilter(rule="z.greeting"), judged),
        (CallFilter(outcome=Outcome.UNDETERMINED), judged),
        (CallFilter(to_review=True), judged),
        (CallFilter(to_review=False), [c for c in whole if not c.to_review]),
        (CallFilter(fatal=True), judged),
    ):
        assert every(calls, wanted) == expected, wanted
        assert expected, wanted
        assert len(expected) < len(whole), wanted
    assert every(calls, CallFilter(rule="z.greeting", outcome=Outcome.MET)) == []
    assert every(calls, CallFilter(fatal=False)) == []
    by_score = every(calls, order=CallOrder.LOWEST)
    assert by_score
    assert all(c.final_score is not None for c in by_score)


# --- at 50,000 calls on PostgreSQL -------------------------------------------------------------------------------

MANY = 50_000
RARE = "我保证收益翻倍"
_FILL = (
    """INSERT INTO recordings (sha256, path, file_name, blob_uri, size_bytes, created_at)
    SELECT md5(i::text), i || '.wav', i || '.wav', 'blob:' || i, 1,
        timestamptz '2026-01-01' + i * interval '1 min'
    FROM generate_series(1, 50000) i""",
    """INSERT INTO conversations (stage_key, recording_id, language, duration_s, elapsed_s, document, created_at)
    SELECT id::text, id, 'zh', 60, 1, '', created_at FROM recordings""",
    """INSERT INTO evaluations (key, recording_id, conversation_id, pack, ruleset_digest, scorecard, score,
        coverage, fatal, sections, metrics, created_at)
    SELECT id::text, recording_id, id, 'p', 'd', 's', id % 101, 1, id % 500 = 0, '[]', '', created_at
    FROM conversations""",
    """INSERT INTO rule_results (evaluation_id, position, rule, title, outcome, severity, reason, scored, evidence)
    SELECT e.id, r, 'rule' || r, '', CASE WHEN (e.id + r) % 50 = 0 THEN 'not_met' ELSE 'met' END, 'minor', '',
        true, '[]'
    FROM evaluations e, generate_series(1, 3) r""",
    """INSERT INTO calls (recording_id, at, call_id, agent_id, team, vendor, queue, direction, customer_ref,
        evaluation_id, score, final_score, coverage, fatal, to_review, worst)
    SELECT recording_id, created_at, 'c' || id, 'a' || id % 700, 't' || id % 40, 'v' || id % 4, 'q' || id % 12,
        CASE WHEN id % 3 = 0 THEN 'outbound' ELSE 'inbound' END, 'k' || id % 20000, id, score, score, 1, fatal,
        CASE WHEN id % 60 = 0 THEN 1 ELSE 0 END, 0
    FROM evaluations""",
)


@pytest.fixture(scope="module")
def many(postgresql_server: str) -> Iterator[Database]:
    name = "many_calls"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    target = make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
    database = Database(target, clock=ManualClock())
    database.upgrade()
    with psycopg.connect(target, autocommit=True) as connection:
        for statement in _FILL:
            connection.execute(statement)
        with connection.cursor().copy("COPY call_texts FROM STDIN") as copy:
            for number in range(1, MANY + 1):
                text = f"你好很高兴为你服务\n{RARE if number % 997 == 0 else '请稍等一下'}\n再见"
                copy.write_row((number, number, text, call_texts.grams(text)))
        connection.execute("ANALYZE")
    yield database
    database.dispose()


LEADER, VENDOR = Scope(teams=frozenset({"t3", "t7"})), Scope(vendor="v1")
SCREENS = {
    "all": (CallFilter(), EVERYTHING, CallOrder.NEWEST),
    "oldest": (CallFilter(), EVERYTHING, CallOrder.OLDEST),
    "lowest": (CallFilter(), EVERYTHING, CallOrder.LOWEST),
    "highest": (CallFilter(), EVERYTHING, CallOrder.HIGHEST),
    "own team": (CallFilter(), Scope(teams=frozenset({"t3"})), CallOrder.NEWEST),
    "own teams": (CallFilter(), LEADER, CallOrder.NEWEST),
    "own teams, lowest": (CallFilter(), LEADER, CallOrder.LOWEST),
    "own teams, to review": (CallFilter(to_review=True), LEADER, CallOrder.NEWEST),
    "own vendor": (CallFilter(), VENDOR, CallOrder.NEWEST),
    "own vendor, agent": (CallFilter(agent_id="a5"), VENDOR, CallOrder.NEWEST),
    "agent": (CallFilter(agent_id="a5"), EVERYTHING, CallOrder.NEWEST),
    "agent, lowest": (CallFilter(agent_id="a5"), EVERYTHING, CallOrder.LOWEST),
    "queue": (CallFilter(queue="q5"), EVERYTHING, CallOrder.NEWEST),
    "direction": (CallFilter(direction="outbound"), EVERYTHING, CallOrder.NEWEST),
    "to review": (CallFilter(to_review=True), EVERYTHING, CallOrder.NEWEST),
    "fatal": (CallFilter(fatal=True), EVERYTHING, CallOrder.NEWEST),
    "call": (CallFilter(call_id="c77"), EVERYTHING, CallOrder.NEWEST),
    "customer": (CallFilter(customer_ref="k77"), EVERYTHING, CallOrder.NEWEST),
    "rule": (CallFilter(rule="rule2", outcome=Outcome.NOT_MET), EVERYTHING, CallOrder.NEWEST),
    "own teams, rule": (CallFilter(rule="rule2", outcome=Outcome.NOT_MET), LEADER, CallOrder.NEWEST),
    "a day": (
        CallFilter(since=datetime(2026, 1, 10, tzinfo=UTC), until=datetime(2026, 1, 11, tzinfo=UTC)),
        EVERYTHING,
        CallOrder.NEWEST,
    ),
    "rare words": (CallFilter(text="保证收益"), EVERYTHING, CallOrder.NEWEST),
    "own teams, rare words": (CallFilter(text="保证收益"), LEADER, CallOrder.NEWEST),
    "common words": (CallFilter(text="请稍等"), EVERYTHING, CallOrder.NEWEST),
    "words that nobody says": (CallFilter(text="收益保证"), EVERYTHING, CallOrder.NEWEST),
    "low scores": (CallFilter(max_score=3), EVERYTHING, CallOrder.LOWEST),
}


def plan_of(many: Database, screen: str, *, after: Key | None = None) -> dict[str, object]:
    wanted, scope, order = SCREENS[screen]
    with many.unit_of_work(read_only=True) as unit:
        statement = call_lists.page_statement(unit.session, wanted, scope, order=order, after=after, limit=51)
        assert statement is not None
        compiled = statement.compile(unit.session.get_bind(), compile_kwargs={"render_postcompile": True})
        (rows,) = (
            unit.session.connection()
            .exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {compiled}", compiled.params)
            .one()
        )
    return rows[0]["Plan"]  # type: ignore[no-any-return]


def nodes(plan: dict[str, object]) -> Iterator[dict[str, object]]:
    yield plan
    for inner in plan.get("Plans", []):  # type: ignore[attr-defined]
        yield from nodes(inner)


def pages_read(plan: dict[str, object]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])  # type: ignore[call-overload]


@pytest.mark.parametrize("screen", SCREENS)
def test_no_list_walks_the_whole_table(many: Database, screen: str) -> None:
    """Neither by a sequential scan nor by an index that leaves most of what it reads out."""
    plan = plan_of(many, screen)
    assert not [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"], json.dumps(plan, indent=1)
    read = sum(int(node.get("Rows Removed by Filter", 0)) for node in nodes(plan))  # type: ignore[call-overload]
    assert read < MANY / 10, json.dumps(plan, indent=1)


@pytest.mark.parametrize("screen", ["all", "own team", "own teams", "own vendor", "lowest"])
def test_a_late_page_costs_what_the_first_does(many: Database, screen: str) -> None:
    wanted, scope, order = SCREENS[screen]
    first = pages_read(plan_of(many, screen))
    with many.unit_of_work(read_only=True) as unit:
        whole = unit.calls.page(wanted, scope, order=order, after=None, limit=MANY)
    late = whole[int(len(whole) * 0.9)]
    value = late.final_score if order.by_score else late.at
    assert value is not None
    assert pages_read(plan_of(many, screen, after=(value, late.recording_id))) <= 2 * first + 20
