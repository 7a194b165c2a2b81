"""The jobs that one worker holds.

Guarantee: while it works, every held job's lease is kept alive, by one thread however many there are; a job's
outcome is written only by the owner that still holds it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog

from qa_service.errors import ConflictError, QAError
from qa_service.ports import NO_COST, Cost, Job, UnitOfWork, UnitOfWorkFactory

RETRY_DELAY_S, MOST_DOUBLINGS = 1.0, 9  # up to eight and a half minutes
MOST_ATTEMPTS = 200  # more than a day

log = structlog.get_logger(__name__)


class Leases:
    """A context. Leases still held when it is interrupted are left to whoever finds their owner dead."""

    def __init__(self, *, units: UnitOfWorkFactory, owner: str, lease_s: float) -> None:
        self._units = units
        self._owner = owner
        self._lease_s = lease_s
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{owner}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if isinstance(error, Exception):  # an interruption ends the process, and with it its leases
            self.release()

    def release(self) -> None:
        """Give back, as nobody's fault, every job that this owner still holds: it is working on none of them."""
        with self._lock:
            self._held.clear()
        try:
            with self._units() as unit:
                unit.jobs.release(self._owner)
                unit.commit()
        except QAError as error:
            log.warning("leases were not given back", code=error.code)

    def claim(self, job_id: int) -> Job | None:
        """The job, held from now on; None when it is finished, not due, or somebody else's."""
        return self._claim(job_id=job_id)

    def claim_next(self, *, unsuspected: bool = False) -> Job | None:
        """The next job that is due, held from now on; see ``JobQueue.claim``."""
        return self._claim(unsuspected=unsuspected)

    def _claim(self, *, job_id: int | None = None, unsuspected: bool = False) -> Job | None:
        with self._units() as unit:
            job = unit.jobs.claim(self._owner, lease_s=self._lease_s, job_id=job_id, unsuspected=unsuspected)
            unit.commit()
        if job is not None:
            with self._lock:
                self._held.add(job.id)
        return job

    def complete(self, job_id: int, *, cost: Cost = NO_COST) -> None:
        """Raises ConflictError when the lease was lost, here and below."""
        with self._settling(job_id) as unit:
            unit.jobs.complete(job_id, self._owner, cost=cost)

    def fail(self, job_id: int, *, code: str, message: str, cost: Cost = NO_COST) -> None:
        with self._settling(job_id) as unit:
            unit.jobs.fail(job_id, self._owner, code=code, message=message, cost=cost)

    def put_back(self, job: Job, error: QAError, *, cost: Cost = NO_COST) -> None:
        """To be tried again in a moment, a longer one each time; what has not passed in a day of tries fails."""
        if job.attempts >= MOST_ATTEMPTS:
            self.fail(job.id, code=error.code, message=error.message, cost=cost)
            return
        doublings = min(job.attempts - 1, MOST_DOUBLINGS)
        delay_s = RETRY_DELAY_S * 2**doublings
        with self._settling(job.id) as unit:
            unit.jobs.retry_later(
                job.id, self._owner, delay_s=delay_s, code=error.code, message=error.message, cost=cost
            )

    @contextmanager
    def _settling(self, job_id: int) -> Iterator[UnitOfWork]:
        """A transaction that settles the job: it is held until that is written, or somebody else's."""
        try:
            with self._units() as unit:
                yield unit
                unit.commit()
        except ConflictError:
            self._let_go(job_id)
            raise
        self._let_go(job_id)

    def _let_go(self, job_id: int) -> None:
        with self._lock:
            self._held.discard(job_id)

    def _keep(self) -> None:
        """Inference holds the other thread for minutes."""
        while not self._stop.wait(self._lease_s / 3):
            with self._lock:
                held = sorted(self._held)
            try:
                self._extend(held)
            except QAError as error:
                log.warning("heartbeat failed", jobs=held, code=error.code)
            except Exception:  # the next one may pass; without any the work would be somebody else's
                log.exception("heartbeat failed", jobs=held)

    def _extend(self, held: list[int]) -> None:
        if not held:
            return
        with self._units() as unit:
            for job_id in held:
                try:
                    unit.jobs.heartbeat(job_id, self._owner, lease_s=self._lease_s)
                except ConflictError:  # settled meanwhile, or lost: whoever settles it will be told
                    self._let_go(job_id)
            unit.commit()
