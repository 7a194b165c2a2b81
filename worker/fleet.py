"""Several worker processes on one machine, each with engines of its own.

Guarantee: a worker that dies costs nobody but itself. Its leases are freed at once, another takes its place, and
what it had is tried again, each job alone: one that takes two workers with it fails with ``worker_died``. Leaving
the context ends all workers.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

import structlog

from qa_service.errors import EngineError, QAError, TransientError
from qa_service.ports import Job
from qa_service.services.jobs import ScoreRecordings
from qa_service.settings import Settings
from worker.schedule import POLL_S, Schedule
from worker.spawning import how_it_ended, spawn

_STILLBORN = 3  # workers in a row that ended before they were ready
_GOODBYE_S = 5.0

log = structlog.get_logger(__name__)

End = tuple[int, Job | QAError]


@dataclass(slots=True)
class _Member:
    process: subprocess.Popen[bytes]
    pipe: "Connection[Any, Any]"
    ready: bool = False
    was_ready: bool = False
    jobs: list[int] = field(default_factory=list)


class Fleet:
    """Runs jobs in ``size`` processes, started when there is work."""

    def __init__(
        self,
        settings: Settings,
        *,
        size: int,
        jobs: ScoreRecordings,
        free_dead: Callable[[], None],
        member: str,
        verbose: bool = False,
    ) -> None:
        """
        Args:
            settings: of each worker.
            size: how many.
            jobs: to read what became of a job, and to give one up.
            free_dead: frees the leases of dead workers.
            member: the module whose ``main`` a worker runs, with the descriptor of its pipe.
            verbose: whether workers log what happens.
        """
        self._settings = settings
        self._size = size
        self._jobs = jobs
        self._free_dead = free_dead
        self._member = member
        self._verbose = verbose
        self._members: list[_Member] = []
        self._stillborn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self._members:
            member.pipe.close()
            if kind is not None or member.jobs or not member.was_ready:
                member.process.kill()  # what it was doing is left to the next run
        for member in self._members:
            try:
                member.process.wait(_GOODBYE_S)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()
        self._members.clear()

    def run(self, schedule: Schedule) -> Iterator[End]:
        """Run the jobs to their ends, which are yielded as they come.

        Raises:
            EngineError: ``worker_unavailable``.
        """
        while schedule.left:
            while len(self._members) < min(self._size, schedule.left):
                self._members.append(self._start())
            if schedule.waiting:
                self._free_dead()  # what they wait for may be held by somebody who died
            for member in self._members:
                if member.ready and (jobs := schedule.take()):
                    self._give(member, jobs)
            by_pipe = {member.pipe: member for member in self._members}
            for pipe in wait(list(by_pipe), POLL_S if schedule.waiting else None):
                assert isinstance(pipe, Connection)
                yield from self._hear(by_pipe[pipe], schedule)

    def _start(self) -> _Member:
        try:
            process, pipe = spawn(self._member, self._settings, verbose=self._verbose)
        except OSError as error:
            raise _unavailable(error.strerror or str(error)) from error
        return _Member(process, pipe)

    def _give(self, member: _Member, jobs: list[int]) -> None:
        member.jobs, member.ready = jobs, False
        with contextlib.suppress(OSError):
            member.pipe.send(jobs)

    def _hear(self, member: _Member, schedule: Schedule) -> Iterator[End]:
        try:
            message = member.pipe.recv()
        except (EOFError, OSError):
            yield from self._bury(member, schedule)
            return
        if message[0] == "ready":
            member.ready = member.was_ready = True
            self._stillborn = 0
            return
        job_id = message[1]
        member.jobs.remove(job_id)
        if message[0] == "trouble":
            kind = TransientError if message[2] else EngineError
            yield from _ended(schedule, job_id, kind(*message[3:]))
        else:
            yield from _ended(schedule, job_id, self._state(job_id))

    def _bury(self, member: _Member, schedule: Schedule) -> Iterator[End]:
        """A worker is gone: free what it held and see to its jobs."""
        self._members.remove(member)
        member.pipe.close()
        member.process.kill()  # the pipe can be closed by a process that is still there
        how = how_it_ended(member.process.wait())
        log.warning("worker died", how=how, jobs=member.jobs)
        self._free_dead()
        if not member.was_ready:
            self._stillborn += 1
            if self._stillborn >= _STILLBORN:
                raise _unavailable(how)
        lost = []
        for job_id in member.jobs:
            seen = self._state(job_id)
            if isinstance(seen, Job) and not seen.ended:
                lost.append(seen)
            else:  # it came to its end, but not to saying so; or the store cannot tell
                yield from _ended(schedule, job_id, seen)
        for job_id in schedule.lost(lost):
            yield from _ended(schedule, job_id, self._give_up(job_id, how))

    def _state(self, job_id: int) -> Job | QAError:
        try:
            return self._jobs.state(job_id)
        except QAError as error:
            return error

    def _give_up(self, job_id: int, how: str) -> Job | QAError:
        reason = EngineError(
            "worker_died",
            f"two workers died over this recording (the last by {how}): give them more memory, "
            "set QA_PROCESSES lower, or leave the recording out",
        )
        try:
            return self._jobs.give_up(job_id, reason)
        except QAError as error:
            return error


def _ended(schedule: Schedule, job_id: int, seen: Job | QAError) -> Sequence[End]:
    end = schedule.saw(job_id, seen)
    return [] if end is None else [(job_id, end)]


def _unavailable(reason: str) -> EngineError:
    return EngineError(
        "worker_unavailable",
        f"worker processes do not start ({reason}): free memory or process ids, or set QA_PROCESSES=1",
    )
