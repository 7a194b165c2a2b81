"""Batch runs: a selection of recordings that is scored as a whole, and what came of it.

Guarantee: pure. Every recording of the selection is counted in exactly one place: nothing to do, not heard, under
way, or by how it ended. An estimate that nothing supports is None.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

IDLE_S = 60.0
"""Of a longer time between two looks at a run only so much counts as worked: nobody was there."""


class BatchKind(StrEnum):
    """``nightly``: what came in since the last one. ``requested``: what somebody asked for. ``rescore``: the same,
    from stored conversations alone."""

    NIGHTLY = "nightly"
    REQUESTED = "requested"
    RESCORE = "rescore"


class BatchState(StrEnum):
    """``filling``: recordings are still being selected. ``running``: all that is left has been queued."""

    FILLING = "filling"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class Waiting(StrEnum):
    """Why nothing more is queued at the moment."""

    QUEUE_FULL = "queue_full"
    DISK_FULL = "disk_full"
    SETTLING = "settling"


@dataclass(frozen=True, slots=True)
class Selection:
    """Recordings that were received in ``[since, until)``.

    ``pack``: score with this one; None: by language. ``force``: what is stored does not count.
    """

    until: datetime
    since: datetime | None = None
    team: str | None = None
    pack: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last recording that was looked at, by when it was received and its number."""

    received_at: datetime
    recording_id: int


class JobOutcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class JobEnd:
    """A job that came to an end. ``code``: of its failure; ``flagged``: its recording has open findings."""

    job_id: int
    outcome: JobOutcome
    code: str | None = None
    audio_s: float = 0.0
    has_score: bool = True
    flagged: bool = False
    cpu_s: float = 0.0
    gpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of recordings.

    ``up_to_date``: scored already by the rules of today. ``not_heard``: nothing to score again. ``queued``: those
    that there is a job for; of these ``scored``, ``failures`` by code, and ``withdrawn`` have ended. ``flagged``:
    scored with open findings. ``undetermined``: scored without a score, as too little could be told.
    """

    up_to_date: int = 0
    not_heard: int = 0
    queued: int = 0
    scored: int = 0
    withdrawn: int = 0
    flagged: int = 0
    undetermined: int = 0
    audio_s: float = 0.0
    cpu_s: float = 0.0
    gpu_s: float = 0.0
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    @property
    def selected(self) -> int:
        return self.up_to_date + self.not_heard + self.queued

    @property
    def worked(self) -> int:
        """Jobs that came to an end."""
        return self.scored + self.failed + self.withdrawn

    @property
    def handled(self) -> int:
        return self.up_to_date + self.not_heard + self.worked

    def plus(self, end: JobEnd) -> Self:
        """With one more job counted."""
        done, withdrawn = end.outcome is JobOutcome.DONE, end.outcome is JobOutcome.WITHDRAWN
        failures = dict(self.failures)
        if end.outcome is JobOutcome.FAILED:
            code = end.code or "internal_error"
            failures[code] = failures.get(code, 0) + 1
        return replace(
            self,
            scored=self.scored + done,
            withdrawn=self.withdrawn + withdrawn,
            flagged=self.flagged + (done and end.flagged),
            undetermined=self.undetermined + (done and not end.has_score),
            audio_s=self.audio_s + (end.audio_s if done else 0.0),
            cpu_s=self.cpu_s + end.cpu_s,
            gpu_s=self.gpu_s + end.gpu_s,
            failures=failures,
        )

    def without(self, codes: Iterable[str]) -> Self:
        """With these failures uncounted, as they are to be tried again."""
        failures = dict(self.failures)
        for code in codes:
            failures[code] = failures.get(code, 0) - 1
        return replace(self, failures={code: count for code, count in failures.items() if count > 0})


@dataclass(frozen=True, slots=True)
class BatchRun:
    """A stored batch run.

    ``expected``: recordings in the selection when it was made. ``active_s``: seconds during which somebody
    saw to it. ``ended_at``: when the last of its jobs ended; of a cancelled run some may still be worked on.
    """

    id: int
    key: str
    kind: BatchKind
    state: BatchState
    selection: Selection
    cursor: Cursor | None
    expected: int
    tally: Tally
    waiting: Waiting | None
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    active_s: float

    @property
    def is_open(self) -> bool:
        return self.state in (BatchState.FILLING, BatchState.RUNNING)

    @property
    def total(self) -> int:
        """How many recordings it is about: known once it is filled, expected until then."""
        tally = self.tally
        return max(self.expected, tally.selected) if self.state is BatchState.FILLING else tally.selected

    @property
    def left(self) -> int:
        return max(0, self.total - self.tally.handled)

    @property
    def calls_per_hour(self) -> float | None:
        """Jobs that ended an hour; None before one did."""
        return self._per_hour(self.tally.worked)

    @property
    def audio_hours_per_hour(self) -> float | None:
        return self._per_hour(self.tally.audio_s / 3600)

    @property
    def eta_s(self) -> float | None:
        """Seconds to the end, if it goes on as it did; None where that cannot be told, and at the end."""
        if not self.is_open or self.waiting is Waiting.DISK_FULL or not self.tally.worked or self.active_s <= 0:
            return None
        return self.left * self.active_s / self.tally.handled

    def _per_hour(self, amount: float) -> float | None:
        return amount / self.active_s * 3600 if self.tally.worked and self.active_s > 0 else None


def active_s(run: BatchRun, now: datetime) -> float:
    """Seconds of work on ``run`` when it is looked at ``now``."""
    return run.active_s + min(max(0.0, (now - run.seen_at) / timedelta(seconds=1)), IDLE_S)
