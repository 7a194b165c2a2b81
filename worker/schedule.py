"""Which jobs are begun next, by whom, and what became of them.

Guarantee: a job is in one place at a time and each comes to an end: done, failed, out of retries, or given up
after it took two workers with it.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from qa_service.errors import QAError, TransientError
from qa_service.ports import Job, JobState

POLL_S = 0.5
STRIKES = 2
_LARGE_SHARE = 16


class Schedule:
    """The jobs of one run. Its methods may be called from several threads."""

    def __init__(
        self,
        jobs: Sequence[Job],
        *,
        workers: int,
        most: int,
        retries: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            jobs: in the order of work.
            workers: how many work at a time.
            most: jobs that a worker is given at once.
            retries: how often a job is begun again after passing trouble.
            now: seconds of a clock.
        """
        self._workers = workers
        self._most = most
        self._retries = retries
        self._now = now
        self._lock = threading.Lock()
        self._attempts = {job.id: job.attempts for job in jobs}
        self._ready = deque(self._attempts)
        self._suspects: deque[int] = deque()
        self._later: dict[int, float] = {}
        self._open = set(self._attempts)
        self._troubles: Counter[int] = Counter()
        self._strikes: Counter[int] = Counter()

    @property
    def left(self) -> int:
        """How many have not come to an end."""
        return len(self._open)

    @property
    def waiting(self) -> bool:
        """Whether jobs wait for their time, so that there is more to take later."""
        return bool(self._later)

    def take(self) -> list[int]:
        """The jobs for a worker that has none; empty when there are none at the moment.

        Fewer towards the end, so that all workers end at about the same time.
        """
        with self._lock:
            for job_id in [job_id for job_id, due in self._later.items() if due <= self._now()]:
                del self._later[job_id]
                self._ready.append(job_id)
            if self._suspects:
                return [self._suspects.popleft()]
            fair = -(-len(self._ready) // (2 * self._workers)) if self._workers > 1 else self._most
            return [self._ready.popleft() for _ in range(min(self._most, fair, len(self._ready)))]

    def saw(self, job_id: int, seen: Job | QAError) -> Job | QAError | None:
        """What became of a job that was taken: its end, or None when it is to be tried again."""
        with self._lock:
            if isinstance(seen, Job):
                put_back = seen.state is JobState.QUEUED and seen.attempts > self._attempts[job_id]
                self._attempts[job_id] = seen.attempts
                ended = seen.ended
            else:
                put_back = isinstance(seen, TransientError)
                ended = not put_back
            self._troubles[job_id] += put_back
            if ended or self._troubles[job_id] > self._retries:
                self._open.discard(job_id)
                return seen
            self._later[job_id] = self._now() + POLL_S  # not due yet, or somebody else holds it
            return None

    def lost(self, jobs: Iterable[Job]) -> list[int]:
        """The worker that was given these died. Those it had begun are tried again, each alone; returned are those
        that another worker died over before."""
        with self._lock:
            begun = []
            for job in jobs:
                if job.attempts > self._attempts[job.id]:
                    begun.append(job.id)
                    self._attempts[job.id] = job.attempts
                else:
                    self._ready.appendleft(job.id)
            self._strikes.update(begun)
            self._suspects.extend(job_id for job_id in begun if self._strikes[job_id] < STRIKES)
            return [job_id for job_id in begun if self._strikes[job_id] >= STRIKES]


def work_order(jobs: Sequence[Job], sizes: Mapping[int, int], *, workers: int) -> list[Job]:
    """What is large first, largest at the front; the rest as it came, so that answers come early too.

    Large is what would keep one worker busy at the end while the others have nothing left: more than a sixteenth
    of a worker's share, going by bytes.
    """
    if workers < 2:
        return list(jobs)
    large_bytes = sum(sizes[job.id] for job in jobs) / workers / _LARGE_SHARE
    large = [job for job in jobs if sizes[job.id] > large_bytes]
    return sorted(large, key=lambda job: -sizes[job.id]) + [job for job in jobs if sizes[job.id] <= large_bytes]
