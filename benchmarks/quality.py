"""What measuring all rules costs, on PostgreSQL with a million recordings and ten million rule results.

    python -m benchmarks.quality [--recordings 1000000] [--data FOLDER]

A quarter of the calls is flagged, of the others one in fifty drawn; people decided six of ten. Prints the time of
each round of counting (13 weeks), what the statements read, and which tables they read as a whole.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text

from benchmarks.api import database
from benchmarks.api_rows import RULES
from qa_service.adapters.clock import SystemClock
from qa_service.db.session import Database
from qa_service.domain.lifecycle import RuleVersion
from qa_service.domain.quality import QualityPolicy, measure

ROUNDS = 5
_START = datetime(2026, 1, 1, tzinfo=UTC)
_STATEMENTS = (
    """INSERT INTO users (login, name, display_name, roles, active, failures, version, created_at, updated_at)
       VALUES ('inspector', 'inspector', '', '[]', true, 0, 1, now(), now())""",
    """INSERT INTO review_items (recording_id, evaluation_id, kind, state, rank, value, due_at,
                                 inclusion_probability, version, ranked_at, created_at, done_at)
       SELECT recording_id, evaluation_id, kind, CASE WHEN recording_id % 10 < 6 THEN 'done' ELSE 'waiting' END,
              recording_id, 1, at, CASE kind WHEN 'random' THEN 0.02 ELSE 1 END, 1, at, at, at
       FROM (SELECT recording_id, evaluation_id, at,
                    CASE WHEN to_review > 0 THEN 'flagged' WHEN recording_id * 7 % 50 = 0 THEN 'random' END AS kind
             FROM calls) AS c
       WHERE kind IS NOT NULL""",
    # A person adds a fault in one of a hundred drawn calls.
    """INSERT INTO findings (evaluation_id, rule_result_id, state, origin, version)
       SELECT i.evaluation_id, x.id, 'confirmed', 'human', 1
       FROM review_items i
       JOIN rule_results x ON x.evaluation_id = i.evaluation_id AND x.position = i.recording_id % 10
       WHERE i.kind = 'random' AND i.state = 'done' AND i.recording_id / 50 % 100 = 1 AND x.outcome = 'met'""",
    """INSERT INTO verdicts (finding_id, recording_id, user_id, decision, cause, reason, note, at)
       SELECT f.id, i.recording_id, (SELECT min(id) FROM users),
              CASE WHEN f.origin = 'human' THEN 'add' WHEN f.id % 10 = 0 THEN 'reject' ELSE 'confirm' END,
              'review', '', '', i.created_at + interval '2 days'
       FROM review_items i JOIN findings f ON f.evaluation_id = i.evaluation_id WHERE i.state = 'done'""",
)


def fill_reviews(store: Database) -> None:
    """Calls that came to be looked at, and what people decided, once."""
    with store.unit_of_work() as unit:
        if unit.session.scalar(text("SELECT count(*) FROM users WHERE login = 'inspector'")):
            return
        for statement in _STATEMENTS:
            unit.session.execute(text(statement))
        versions = [RuleVersion("service-zh", f"rule-{n}", f"sha256:{n}", "{}") for n in range(RULES)]
        unit.rule_versions.note("d", versions)
        unit.commit()
        unit.session.connection().execute(text("ANALYZE"))
        unit.commit()


@contextmanager
def explained(connection: Connection) -> Iterator[list[str]]:
    """Plans of what is asked meanwhile, a line each."""
    lines: list[str] = []

    def explain(_: Connection, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
            lines.extend(line for (line,) in cursor.fetchall())

    event.listen(connection, "before_cursor_execute", explain)
    try:
        yield lines
    finally:
        event.remove(connection, "before_cursor_execute", explain)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(told.data or Path(folder), told.recordings) as url:
        store = Database(url, clock=SystemClock())
        fill_reviews(store)
        policy = QualityPolicy()
        until = _START + told.recordings * timedelta(seconds=20)
        edges = policy.edges(until)
        for number in range(ROUNDS):
            with store.unit_of_work(read_only=True) as unit:
                began = time.perf_counter()
                records = unit.quality.records(edges=edges, until=until)
                counted = time.perf_counter()
                figures = measure(records, policy)
                ended = time.perf_counter()
            judged = sum(each.precision.total for each in figures)
            print(
                f"round {number + 1}: {counted - began:.2f} s counting, {1000 * (ended - counted):.1f} ms figures"
            )
        print(f"{len(figures)} rule versions, {judged} verdicts on faults in {policy.weeks} weeks")
        with store.unit_of_work(read_only=True) as unit, explained(unit.session.connection()) as plans:
            unit.quality.records(edges=edges, until=until)
        whole = [line.strip() for line in plans if "Seq Scan" in line]
        times = [line.strip() for line in plans if line.startswith("Execution Time")]
        print("statements:", "; ".join(times))
        print("read as a whole:", *(whole or ["nothing"]), sep="\n  ")
        store.dispose()


if __name__ == "__main__":
    main()
