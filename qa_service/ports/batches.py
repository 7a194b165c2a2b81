"""The port of batch runs: their rows, the recordings that they select, and the jobs that they wait for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from qa_service.domain.batch_runs import BatchKind, BatchRun, Cursor, JobEnd, Selection
from qa_service.domain.call import CallMetadata, Recording

if TYPE_CHECKING:
    from qa_service.ports.jobs import Job


@dataclass(frozen=True, slots=True)
class HeardAs:
    """The conversation that stands for a recording, and the key of its latest evaluation, if it has one."""

    stage_key: str
    language: str
    evaluation_key: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recording of a selection, with what decides whether there is anything to do. ``heard``: None: never."""

    recording: Recording
    metadata: CallMetadata
    received_at: datetime
    heard: HeardAs | None

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.received_at, self.recording.id)


class BatchRunRepository(Protocol):
    def add(self, key: str, kind: BatchKind, selection: Selection) -> tuple[BatchRun, bool]:
        """The run of this key, and whether it is new. Safe when several add it at once."""
        ...

    def get(self, run_id: int) -> BatchRun:
        """Raises NotFoundError."""
        ...

    def page(self, *, before: int | None, limit: int, teams: Collection[str] | None) -> Sequence[BatchRun]:
        """The newest first, of numbers under ``before``; None: runs of every team and of all."""
        ...

    def unended(self) -> Sequence[BatchRun]:
        """Those with recordings to select or jobs to wait for, oldest first."""
        ...

    def last(self, key_prefix: str) -> BatchRun | None:
        """The newest of those whose keys begin so."""
        ...

    def hold(self, run_id: int) -> BatchRun | None:
        """The run, nobody else's until the transaction ends; None when somebody holds it."""
        ...

    def candidates(
        self, selection: Selection, *, after: Cursor | None, before: datetime, limit: int
    ) -> Sequence[Candidate]:
        """The next recordings of a selection that were received before ``before``."""
        ...

    def link(self, run_id: int, job_ids: Sequence[int]) -> int:
        """Wait for these jobs; returns how many it did not wait for yet."""
        ...

    def ended(self, run_id: int, limit: int) -> Sequence[JobEnd]:
        """Jobs that have ended and are not counted yet."""
        ...

    def mark(self, run_id: int, ends: Sequence[JobEnd]) -> None:
        """These are counted."""
        ...

    def waits(self, run_id: int) -> bool:
        """Whether any of its jobs has not been counted."""
        ...

    def work(self, run_id: int, limit: int) -> Sequence[tuple[Job, Recording, CallMetadata]]:
        """Jobs that it waits for and that have not ended, the oldest first, with what they are about."""
        ...

    def save(self, run: BatchRun) -> None:
        """Everything that changes: state, cursor, tally, what it waits for, when it was seen and ended."""
        ...

    def withdraw(self, run_id: int, *, code: str, message: str) -> int:
        """Take back its jobs that nobody works on and nobody else wants, and wait no more for any that is queued;
        how many it let go."""
        ...

    def failed(self, run_id: int, code: str | None) -> Mapping[int, str]:
        """Codes of its failed jobs by number; only those of ``code``."""
        ...

    def queue_again(self, run_id: int, job_ids: Sequence[int]) -> None:
        """Start failed and withdrawn jobs afresh, and wait for these again."""
        ...

    def failures(self, run_id: int, limit: int) -> Sequence[tuple[int, str, str]]:
        """Failed jobs: the recording's number and path, and the code."""
        ...
