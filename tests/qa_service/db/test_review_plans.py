"""A queue of 100,000 calls on PostgreSQL: first page, thousandth page and claim each walk an index in order."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, make_url

from qa_service.db.rows import ReviewItemRow
from qa_service.db.session import Database, SqlUnitOfWork
from qa_service.domain.access import EVERYTHING, Role, Scope
from qa_service.domain.queueing import QueueKind, ReviewPolicy
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site

CALLS = 100_000
_FILL = (
    f"""INSERT INTO recordings (id, sha256, path, file_name, blob_uri, size_bytes, created_at)
    SELECT n, lpad(n::text, 64, '0'), n::text, n::text, n::text, 1, '2026-01-01' FROM generate_series(2, {CALLS})
    n""",
    f"""INSERT INTO calls (recording_id, at, team, vendor, agent_id, to_review, worst)
    SELECT n, '2026-01-01'::timestamptz + n * interval '1 minute', 't' || n % 40, 'v' || n % 4, 'a' || n % 400, 1,
    1
    FROM generate_series(2, {CALLS}) n""",
    # Two in three are done, as they pile up; of the others a few are held.
    f"""INSERT INTO review_items (recording_id, evaluation_id, kind, state, rank, value, due_at,
        inclusion_probability, team, vendor, agent_id, claimed_by, claim_expires_at, version, ranked_at,
        created_at)
    SELECT n, 1, CASE n % 5 WHEN 0 THEN 'random' ELSE 'flagged' END,
        CASE WHEN n % 3 > 0 THEN 'done' WHEN n % 100 = 0 THEN 'claimed' ELSE 'waiting' END, (n * 7919 %
        {CALLS})::float / 100, 1, '2026-01-10', 1, 't' || n % 40, 'v' || n % 4, 'a' || n % 400, CASE WHEN n % 3 = 0
        AND n % 100 = 0 THEN 1 END, CASE WHEN n % 3 = 0 AND n % 100 = 0 THEN '2030-01-01'::timestamptz END,
        1, '2026-01-01', '2026-01-01' FROM generate_series(2, {CALLS}) n""",
    "ANALYZE",
)


@pytest.fixture(scope="module")
def many(postgresql_server: str) -> Iterator[Database]:
    name = "many_items"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    target = make_url(postgresql_server).set(database=name).render_as_string(hide_password=False)
    database = Database(target, clock=ManualClock(datetime(2026, 1, 5, tzinfo=UTC)))
    database.upgrade()
    site = Site(database)
    site.call("one")
    site.person("inspector", Role.INSPECTOR)
    with psycopg.connect(target, autocommit=True) as connection:
        for statement in _FILL:
            connection.execute(statement)
    yield database
    database.dispose()


def plans(many: Database, act: Callable[[SqlUnitOfWork], object]) -> dict[str, Any]:
    """The plan of the one statement that ``act`` sends about the queue, with what it read; it is undone."""
    sent: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _x: object, _many: bool) -> None:
        if "review_items" in statement:
            sent.append((statement, parameters))

    with many.unit_of_work() as unit:
        engine = unit.session.get_bind()
        event.listen(engine, "before_cursor_execute", note)
        try:
            act(unit)
        finally:
            event.remove(engine, "before_cursor_execute", note)
    ((statement, parameters),) = sent
    with many.unit_of_work() as unit:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        (found,) = unit.session.connection().exec_driver_sql(explain, parameters).one()
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def assert_in_order(plan: dict[str, Any], index: str) -> None:
    """It walks ``index``, sorts nothing, and reads neither table as a whole."""
    used = {node.get("Index Name") for node in nodes(plan)}
    assert index in used
    sorts = [node for node in nodes(plan) if node["Node Type"] == "Sort"]
    assert sorts == []
    whole = [node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
    assert not {"review_items", "calls", "recordings"} & set(whole)


def pages_read(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


SCOPES = {
    "everything": (EVERYTHING, "ix_review_items_open_rank"),
    "team": (Scope(teams=frozenset({"t3"})), "ix_review_items_open_team"),
    "vendor": (Scope(vendor="v1"), "ix_review_items_open_vendor"),
}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_page_of_the_queue_walks_the_index(many: Database, scope: str) -> None:
    wanted, index = SCOPES[scope]
    plan = plans(many, lambda unit: unit.review.page(wanted, hidden_from=1, after=None, limit=51))
    assert_in_order(plan, index)
    assert plan["Actual Rows"] == 51


def test_the_thousandth_page_costs_what_the_first_does(many: Database) -> None:
    def read(after: tuple[float, int] | None) -> dict[str, Any]:
        return plans(many, lambda unit: unit.review.page(EVERYTHING, hidden_from=1, after=after, limit=31))

    first, late = read(None), read((990.0, 0))
    assert_in_order(late, "ix_review_items_open_rank")
    assert late["Actual Rows"] == 31
    assert pages_read(late) < 2 * pages_read(first)


def test_filters_walk_the_index(many: Database) -> None:
    random = plans(
        many,
        lambda unit: unit.review.page(EVERYTHING, hidden_from=1, after=None, limit=51, kind=QueueKind.RANDOM),
    )
    assert_in_order(random, "ix_review_items_open_rank")
    mine = plans(
        many, lambda unit: unit.review.page(EVERYTHING, hidden_from=1, after=None, limit=51, claimed_by=1)
    )
    assert_in_order(mine, "ix_review_items_open_claimed_by")


@pytest.mark.parametrize("scope", SCOPES)
def test_a_claim_walks_the_index(many: Database, scope: str) -> None:
    wanted, index = SCOPES[scope]
    until = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=1)
    plan = plans(many, lambda unit: unit.review.claim(1, wanted, until=until))
    assert_in_order(plan, index)
    assert plan["Actual Rows"] == 1
    assert pages_read(plan) < 200


def test_nothing_is_ordered_anew_where_no_rule_was_learned_about(many: Database) -> None:
    with many.unit_of_work() as unit:
        assert unit.review.rerank(ReviewPolicy(), limit=100) == 0


def test_every_open_index_holds_open_calls_only() -> None:
    for index in ReviewItemRow.__table__.indexes:  # type: ignore[attr-defined]
        predicate = index.dialect_options["postgresql"]["where"]
        assert (predicate is not None) == bool(re.search("_open_", str(index.name)))
