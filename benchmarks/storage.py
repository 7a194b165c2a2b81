"""What a call takes in the database, by table, on SQLite and PostgreSQL; and what a look at a long queue costs.

``python -m benchmarks.storage [--calls 1000] [--open-jobs 1000000]``. The calls are synthetic (60 utterances, 900
characters), stored and scored through the real store by the shipped pack; of each a job that was done. PostgreSQL
runs from its wheel, on a folder of its own.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean

import psycopg
from sqlalchemy import text

from benchmarks.backtest import STORED_AT_ONCE, _add, _score
from benchmarks.stored_calls import synthetic_calls
from qa_service.adapters.clock import SystemClock
from qa_service.db.queue_depth import queue_depth
from qa_service.settings import Settings
from tests.chaos.story import Postgres
from worker.container import Container

_SIZES = """
    SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables ORDER BY 2 DESC
"""
_OPEN_JOBS = """
    INSERT INTO jobs (kind, key, recording_id, payload, state, rank, attempts, losses,
                      available_at, created_at, updated_at)
    SELECT 'score-recording', 'open ' || n, (SELECT min(id) FROM recordings), '{"pack": ""}', 'queued', 0, 0, 0,
           now(), now(), now()
    FROM generate_series(1, %s) AS n
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--open-jobs", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qa-storage-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # run as root, the server changes to another account
        _sqlite(Path(folder), options.calls)
        postgres = Postgres(Path(folder) / "pg")
        try:
            _postgresql(postgres.url, Path(folder), options.calls, options.open_jobs)
        finally:
            postgres.stop()
    return 0


def _sqlite(folder: Path, calls: int) -> None:
    container = Container(Settings(data_dir=folder / "data", database_url=f"sqlite:///{folder / 'qa.db'}"))
    empty = _sqlite_bytes(container, folder / "qa.db")
    audio_s = _fill(container, calls)
    taken = _sqlite_bytes(container, folder / "qa.db") - empty
    container.database.dispose()
    print(f"\n{calls} calls of {audio_s / calls:.0f} s on average\n\n| | bytes a call |\n|---|---|")
    print(f"| SQLite, the whole file | {taken / calls:,.0f} |")


def _sqlite_bytes(container: Container, file: Path) -> int:
    with container.database.unit_of_work() as unit:
        unit.session.execute(text("SELECT 1"))
    container.database.dispose()  # the last connection writes the log back
    return file.stat().st_size


def _postgresql(url: str, folder: Path, calls: int, open_jobs: int) -> None:
    container = Container(Settings(data_dir=folder / "data", database_url=url))
    _ = container.database
    with psycopg.connect(url, autocommit=True) as connection:
        empty = _sizes(connection)
        _fill(container, calls)
        full = _sizes(connection)
        taken = {table: full[table] - empty[table] for table in full}
        print(f"| PostgreSQL, tables and indexes | {sum(taken.values()) / calls:,.0f} |")
        for table, size in taken.items():
            if size > 0.005 * sum(taken.values()):
                print(f"| – {table} | {size / calls:,.0f} |")
        print(f"\n| open jobs | a look at the queue |\n|---|---|\n| 0 | {_look_ms(container):.1f} ms |")
        connection.execute(_OPEN_JOBS, (open_jobs,))
        connection.execute("VACUUM ANALYZE jobs")
        print(f"| {open_jobs:,} | {_look_ms(container):.1f} ms |")
    container.database.dispose()


def _sizes(connection: "psycopg.Connection[tuple[str, int]]") -> dict[str, int]:
    return dict(connection.execute(_SIZES).fetchall())


def _fill(container: Container, count: int) -> float:
    """Store and score ``count`` calls, each with its job; seconds of audio that they are."""
    calls = tuple(synthetic_calls(count))
    for first in range(0, count, STORED_AT_ONCE):
        _add(container, calls[first : first + STORED_AT_ONCE])
        print(f"stored {first}/{count}", file=sys.stderr, end="\r")
    _score(container)
    with container.database.unit_of_work() as unit:
        for number in range(1, count + 1):
            unit.jobs.enqueue("score-recording", f"score-recording:{number:064}", number, {"pack": ""})
        while (job := unit.jobs.claim("host:4711:1:0123456789ab", lease_s=60)) is not None:
            unit.jobs.complete(job.id, "host:4711:1:0123456789ab")
        unit.commit()
    return sum(call.conversation.duration_s for call in calls)


def _look_ms(container: Container) -> float:
    taken = []
    for _ in range(5):
        started = time.monotonic()
        with container.database.unit_of_work(read_only=True) as unit:
            queue_depth(unit.session, SystemClock().now())
        taken.append(1000 * (time.monotonic() - started))
    return fmean(taken[1:])


if __name__ == "__main__":
    sys.exit(main())
