"""Work that survives its worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

MAX_LOSSES = 5
"""A job that so many workers were lost over is handed to no other.

Of a thousand jobs in a night of a hundred killed workers one was hit three times by chance.
"""


PRIORITY, COLLECT_PRIORITY, BATCH_PRIORITY = 0, -5, -10
"""Of what a person asked for, of what was collected from sources, and of what a batch run queues, and takes back
when it is cancelled."""


class JobState(StrEnum):
    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


ENDED = (JobState.DONE, JobState.FAILED, JobState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Cost:
    """What work took: seconds of processors, and seconds for which a GPU was held."""

    cpu_s: float = 0.0
    gpu_s: float = 0.0


NO_COST = Cost()


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Work to be queued under a unique key."""

    kind: str
    key: str
    recording_id: int
    payload: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work that survives its worker.

    ``attempts`` counts leases handed out, ``losses`` those that ended with their owner's death. Of the jobs that
    are due the one with the highest ``priority`` is next, then the oldest.
    """

    id: int
    kind: str
    key: str
    recording_id: int
    payload: Mapping[str, str]
    state: JobState
    attempts: int
    lease_owner: str | None
    lease_expires_at: datetime | None
    error_code: str | None
    error_message: str | None
    priority: int = 0
    losses: int = 0

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class JobQueue(Protocol):
    def enqueue(
        self, kind: str, key: str, recording_id: int, payload: Mapping[str, str], *, priority: int = 0
    ) -> Job:
        """Queue work under a unique key. A finished or failed job of that key is queued again; a queued or
        leased one is returned as it is, but for a higher priority and no memory of losses."""
        ...

    def enqueue_all(self, requests: Sequence[JobRequest], *, priority: int) -> Mapping[str, int]:
        """Queue many as ``enqueue`` does, but for the memory of losses; the number of each key's job."""
        ...

    def waiting(self, limit: int) -> int:
        """How many jobs are queued, counted up to ``limit``."""
        ...

    def any_of(self, recording_id: int) -> bool:
        """Whether there is a job about the recording, in whatever state."""
        ...

    def get(self, job_id: int) -> Job:
        """Raises NotFoundError."""
        ...

    def claim(
        self, owner: str, *, lease_s: float, job_id: int | None = None, unsuspected: bool = False
    ) -> Job | None:
        """Lease the next job that is queued and due, or whose lease has expired (or just ``job_id``).

        At most one owner ever holds a job. ``unsuspected``: only one that no worker was lost over.
        """
        ...

    def heartbeat(self, job_id: int, owner: str, *, lease_s: float) -> None:
        """Extend the lease. Raises ConflictError when somebody else holds the job by now."""
        ...

    def complete(self, job_id: int, owner: str, *, cost: Cost = NO_COST) -> None:
        """Raises ConflictError when ``owner`` lost the lease. Costs of several attempts add up, here and below."""
        ...

    def fail(self, job_id: int, owner: str, *, code: str, message: str, cost: Cost = NO_COST) -> None: ...

    def retry_later(
        self, job_id: int, owner: str, *, delay_s: float, code: str, message: str, cost: Cost = NO_COST
    ) -> None:
        """Back to the queue, due after ``delay_s``."""
        ...

    def free_dead(self, is_dead: Callable[[str], bool]) -> int:
        """Queue again every leased job whose owner ``is_dead``; returns how many."""
        ...

    def due(self, limit: int) -> Sequence[int]:
        """Ids of jobs that could be claimed now, the next ones first."""
        ...

    def release(self, owner: str) -> int:
        """Queue again, as no loss, every job that ``owner`` holds; returns how many."""
        ...

    def set_aside(self, *, code: str, message: str) -> Sequence[int]:
        """Fail the jobs that nobody holds any more and that ``MAX_LOSSES`` workers were lost over; their ids."""
        ...
