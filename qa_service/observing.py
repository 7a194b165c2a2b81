"""What happens to jobs, told to whoever watches: logs, metrics, traces.

Guarantee: who watches sees numbers, codes and names of stages and rules, never a word that was said or a name; an
observer that breaks costs no job.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import structlog

from qa_service.ports import Job

STAGES = ("decode", "channels", "vad", "diarize", "asr", "align", "rules", "store")
"""What a job's time is spent on, in order."""

DIGEST_CHARACTERS = 12
"""Of a recording's digest, in logs and traces: enough to find it, and its file name stays out of them."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lap:
    """Time spent on a stage. ``started_at``: seconds since the epoch."""

    stage: str
    started_at: float
    seconds: float


class Laps:
    """The laps of one job, in the order in which they ended."""

    def __init__(self) -> None:
        self._laps: list[Lap] = []

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Time what happens inside, whether it succeeds or not."""
        started_at, started = time.time(), time.monotonic()
        try:
            yield
        finally:
            self.add(stage, started_at=started_at, seconds=time.monotonic() - started)

    def add(self, stage: str, *, started_at: float, seconds: float) -> None:
        self._laps.append(Lap(stage, started_at, seconds))

    def all(self) -> tuple[Lap, ...]:
        return tuple(self._laps)


class Ending(StrEnum):
    """How one attempt at a job ended: ``put_back`` to be tried again, ``lost`` to another owner."""

    DONE = "done"
    FAILED = "failed"
    PUT_BACK = "put_back"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class JobReport:
    """One attempt at a job.

    ``digest``: the start of the recording's digest. ``audio_s``: seconds of audio that were heard for it, 0 where
    the conversation was stored. ``verdict``: ``scored``, ``withheld`` or ``fatal``. ``results``: rules with their
    outcomes.
    """

    job_id: int
    recording_id: int
    digest: str
    attempt: int
    trace_id: str
    ending: Ending
    code: str | None
    started_at: float
    ended_at: float
    audio_s: float = 0.0
    laps: tuple[Lap, ...] = ()
    pack: str | None = None
    verdict: str | None = None
    results: tuple[tuple[str, str], ...] = ()

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Of each stage, in the order of ``STAGES``; a stage that came twice counts together."""
        spent = {stage: sum(lap.seconds for lap in self.laps if lap.stage == stage) for stage in STAGES}
        return {stage: seconds for stage, seconds in spent.items() if seconds}


def trace_id(job: Job) -> str:
    """32 hexadecimal digits, the same wherever this attempt is looked at: nothing needs to be handed over."""
    return hashlib.sha256(f"{job.key}:{job.attempts}".encode()).hexdigest()[:32]


class Observer(Protocol):
    def started(self, job: Job) -> None: ...

    def settled(self, report: JobReport) -> None: ...

    def swept(self, *, freed: int, set_aside: int) -> None:
        """Jobs were taken from dead workers, or given up."""
        ...

    def close(self) -> None:
        """The process ends: pass on what is still kept."""
        ...


class Observers:
    """Several observers as one, or none."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = list(observers)

    def started(self, job: Job) -> None:
        for observer in self._observers:
            with _harmless(observer):
                observer.started(job)

    def settled(self, report: JobReport) -> None:
        for observer in self._observers:
            with _harmless(observer):
                observer.settled(report)

    def swept(self, *, freed: int, set_aside: int) -> None:
        for observer in self._observers:
            with _harmless(observer):
                observer.swept(freed=freed, set_aside=set_aside)

    def close(self) -> None:
        for observer in self._observers:
            with _harmless(observer):
                observer.close()


@contextmanager
def _harmless(observer: Observer) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - nobody's call fails because it could not be counted
        log.warning("an observer failed", observer=type(observer).__name__, error=type(error).__name__)


@dataclass(frozen=True, slots=True)
class RunsUnderWay:
    """Batch runs of one kind that have not ended. ``oldest_age_s``: since the oldest was asked for."""

    kind: str
    count: int
    oldest_age_s: float


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The open jobs, and the batch runs they belong to, at one moment.

    ``due`` may be claimed now, ``later`` wait after passing trouble, ``held`` are worked on by ``workers``
    processes, ``expired`` were left by one that is gone, ``suspected`` (of all these) had a worker die over them.
    ``oldest_due_age_s``: since the oldest due job could have been claimed; 0 without any. ``night_age_s``: since
    the last nightly run began; None: there was none.
    """

    due: int
    later: int
    held: int
    expired: int
    suspected: int
    workers: int
    oldest_due_age_s: float
    runs: tuple[RunsUnderWay, ...] = ()
    night_age_s: float | None = None
