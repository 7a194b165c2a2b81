"""The job queue on SQLAlchemy.

Guarantee: at most one owner holds a job. Every change of state is one conditional statement, so that it either
applies to the state it was meant for or changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, text, update
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_missing, insert_or_get, storable
from qa_service.db.rows import ERROR_MESSAGE_CHARACTERS, LEASED_JOBS, OPEN_JOBS, SUSPECTED_JOBS, JobRow
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import ENDED, MAX_LOSSES, NO_COST, Clock, Cost, Job, JobRequest, JobState

_ENDED = tuple(state.value for state in ENDED)


class SqlJobQueue:
    """Jobs with leases. Times come from the clock: workers on several machines need synchronised clocks."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def enqueue(
        self, kind: str, key: str, recording_id: int, payload: Mapping[str, str], *, priority: int = 0
    ) -> Job:
        """See ``JobQueue.enqueue``. Work queued again starts with no attempts, due at once.

        Raises:
            NotFoundError: the recording does not exist.
        """
        now = self._clock.now()
        request = JobRequest(kind, key, recording_id, payload)
        row, is_new = insert_or_get(
            self._session, lambda: self._by_key(key), lambda: JobRow(**self._queued(request, priority, now))
        )
        while not is_new:
            again = self._update(
                JobRow.key == key, JobRow.state.in_(_ENDED), **self._afresh(now), **_told(request, priority)
            )
            if again is None and (row.rank > -priority or row.losses):
                again = self._update(
                    JobRow.key == key, JobRow.state.not_in(_ENDED), rank=_raised(priority), losses=0
                )
                if again is None:  # it came to its end in between, withdrawn perhaps
                    continue
            return job_of(again or row)
        return job_of(row)

    def enqueue_all(self, requests: Sequence[JobRequest], *, priority: int) -> Mapping[str, int]:
        """See ``JobQueue.enqueue_all``. Five statements, however many requests."""
        if not requests:
            return {}
        now = self._clock.now()
        by_key = {request.key: request for request in requests}
        # In one order, so that the oldest recording comes first, and two who queue the same wait for no other.
        keys = sorted(by_key, key=lambda key: (by_key[key].recording_id, key))
        insert_missing(self._session, JobRow, "key", [self._queued(by_key[key], priority, now) for key in keys])
        ended = self._session.execute(
            select(JobRow.id, JobRow.key).where(JobRow.key.in_(keys), JobRow.state.in_(_ENDED)).order_by(JobRow.id)
        ).all()
        for job_id, key in ended:
            self._update(
                JobRow.id == job_id,
                JobRow.state.in_(_ENDED),
                **self._afresh(now),
                **_told(by_key[key], priority),
            )
        self._session.execute(
            update(JobRow)
            .where(JobRow.key.in_(keys), JobRow.state == JobState.QUEUED.value, JobRow.rank > -priority)
            .values(rank=-priority, updated_at=now)
            .execution_options(synchronize_session=False)
        )
        found = self._session.execute(select(JobRow.key, JobRow.id).where(JobRow.key.in_(keys)))
        return {row.key: row.id for row in found}

    def _queued(self, request: JobRequest, priority: int, now: datetime) -> dict[str, Any]:
        return {"key": request.key, "created_at": now, "updated_at": now} | (
            self._afresh(now) | _told(request, priority)
        )

    def _afresh(self, now: datetime) -> dict[str, Any]:
        return {
            "state": JobState.QUEUED.value,
            "attempts": 0,
            "losses": 0,
            "available_at": now,
            "error_code": None,
            "error_message": None,
            "cpu_s": 0.0,
            "gpu_s": 0.0,
        }

    def waiting(self, limit: int) -> int:
        queued = select(JobRow.id).where(text(OPEN_JOBS), JobRow.state == JobState.QUEUED.value).limit(limit)
        return self._session.scalar(select(func.count()).select_from(queued.subquery())) or 0

    def any_of(self, recording_id: int) -> bool:
        one = select(JobRow.id).where(JobRow.recording_id == recording_id).limit(1)
        return self._session.scalar(one) is not None

    def get(self, job_id: int) -> Job:
        # Refreshed: other workers change jobs all the time.
        row = self._session.get(JobRow, job_id, populate_existing=True)
        if row is None:
            raise _unknown(job_id)
        return job_of(row)

    def claim(
        self, owner: str, *, lease_s: float, job_id: int | None = None, unsuspected: bool = False
    ) -> Job | None:
        """See ``JobQueue.claim``. ``owner`` must name one worker: two threads need two names."""
        now = self._clock.now()
        row = self._update(
            JobRow.id == self._claimable(job_id, unsuspected=unsuspected).scalar_subquery(),
            state=JobState.LEASED.value,
            attempts=JobRow.attempts + 1,
            losses=JobRow.losses + _expired_lease(),
            lease_owner=owner,
            lease_expires_at=now + timedelta(seconds=lease_s),
        )
        return None if row is None else job_of(row)

    def heartbeat(self, job_id: int, owner: str, *, lease_s: float) -> None:
        """See ``JobQueue.heartbeat``. An expired lease that nobody took is simply extended."""
        self._change_held(job_id, owner, lease_expires_at=self._clock.now() + timedelta(seconds=lease_s))

    def complete(self, job_id: int, owner: str, *, cost: Cost = NO_COST) -> None:
        self._change_held(
            job_id,
            owner,
            cost,
            state=JobState.DONE.value,
            lease_owner=None,
            lease_expires_at=None,
            error_code=None,
            error_message=None,
        )

    def fail(self, job_id: int, owner: str, *, code: str, message: str, cost: Cost = NO_COST) -> None:
        """Raises ConflictError when ``owner`` lost the lease."""
        self._change_held(
            job_id,
            owner,
            cost,
            state=JobState.FAILED.value,
            lease_owner=None,
            lease_expires_at=None,
            error_code=code,
            error_message=storable(message)[:ERROR_MESSAGE_CHARACTERS],
        )

    def retry_later(
        self, job_id: int, owner: str, *, delay_s: float, code: str, message: str, cost: Cost = NO_COST
    ) -> None:
        """See ``JobQueue.retry_later``. Raises ConflictError when ``owner`` lost the lease."""
        self._change_held(
            job_id,
            owner,
            cost,
            state=JobState.QUEUED.value,
            lease_owner=None,
            lease_expires_at=None,
            available_at=self._clock.now() + timedelta(seconds=delay_s),
            error_code=code,
            error_message=storable(message)[:ERROR_MESSAGE_CHARACTERS],
        )

    def free_dead(self, is_dead: Callable[[str], bool]) -> int:
        leased = select(JobRow.id, JobRow.lease_owner).where(text(LEASED_JOBS)).order_by(JobRow.id)
        dead_owners: dict[str, bool] = {}
        freed = 0
        for job_id, owner in self._session.execute(leased).all():
            if owner is None:
                continue
            if owner not in dead_owners:
                dead_owners[owner] = is_dead(owner)
            if dead_owners[owner]:
                # Conditional on the owner: meanwhile another worker may have taken the expired lease.
                row = self._update(
                    JobRow.id == job_id,
                    JobRow.state == JobState.LEASED.value,
                    JobRow.lease_owner == owner,
                    state=JobState.QUEUED.value,
                    losses=JobRow.losses + 1,
                    lease_owner=None,
                    lease_expires_at=None,
                    available_at=self._clock.now(),
                )
                freed += row is not None
        return freed

    def due(self, limit: int) -> Sequence[int]:
        return self._session.scalars(self._due().limit(limit)).all()

    def release(self, owner: str) -> int:
        """See ``JobQueue.release``."""
        statement = (
            update(JobRow)
            .where(text(LEASED_JOBS), JobRow.lease_owner == owner)
            .values(
                state=JobState.QUEUED.value,
                lease_owner=None,
                lease_expires_at=None,
                updated_at=self._clock.now(),
            )
            .returning(JobRow.id)
            .execution_options(synchronize_session=False)
        )
        return len(self._session.scalars(statement).all())

    def set_aside(self, *, code: str, message: str) -> Sequence[int]:
        """See ``JobQueue.set_aside``."""
        now = self._clock.now()
        statement = (
            update(JobRow)
            .where(
                or_(
                    and_(text(SUSPECTED_JOBS), JobRow.losses >= MAX_LOSSES, JobRow.state == JobState.QUEUED.value),
                    and_(text(LEASED_JOBS), JobRow.losses >= MAX_LOSSES - 1, JobRow.lease_expires_at <= now),
                ),
            )
            .values(
                state=JobState.FAILED.value,
                losses=JobRow.losses + _expired_lease(),
                lease_owner=None,
                lease_expires_at=None,
                error_code=code,
                error_message=storable(message)[:ERROR_MESSAGE_CHARACTERS],
                updated_at=now,
            )
            .returning(JobRow.id)
            .execution_options(synchronize_session=False)
        )
        return sorted(self._session.scalars(statement))

    def _claimable(self, job_id: int | None, *, unsuspected: bool) -> Select[int]:
        """The next claimable job, locked on PostgreSQL; others pass over it instead of waiting for it.

        SQLite knows no row locks: there the whole statement runs alone.
        """
        query = self._due()
        if job_id is not None:
            query = query.where(JobRow.id == job_id)
        if unsuspected:
            query = query.where(JobRow.losses == 0, JobRow.state == JobState.QUEUED.value)
        # Uncorrelated: inside an UPDATE of the same table it would otherwise lose its own FROM.
        return query.limit(1).with_for_update(skip_locked=True).correlate(None)

    def _due(self) -> Select[int]:
        """Ids of the jobs that anybody may claim, in their order."""
        now = self._clock.now()
        due = and_(JobRow.state == JobState.QUEUED.value, JobRow.available_at <= now)
        expired = and_(JobRow.state == JobState.LEASED.value, JobRow.lease_expires_at <= now)
        query = select(JobRow.id).where(
            text(OPEN_JOBS), or_(due, expired), JobRow.losses + _expired_lease() < MAX_LOSSES
        )
        return query.order_by(JobRow.rank, JobRow.id)

    def _by_key(self, key: str) -> JobRow | None:
        return self._session.scalar(
            select(JobRow).where(JobRow.key == key).execution_options(populate_existing=True)
        )

    def _change_held(self, job_id: int, owner: str, cost: Cost = NO_COST, **values: Any) -> None:
        if cost != NO_COST:
            values |= {"cpu_s": JobRow.cpu_s + cost.cpu_s, "gpu_s": JobRow.gpu_s + cost.gpu_s}
        row = self._update(
            JobRow.id == job_id,
            JobRow.state == JobState.LEASED.value,
            JobRow.lease_owner == owner,
            **values,
        )
        if row is not None:
            return
        if self._session.get(JobRow, job_id) is None:
            raise _unknown(job_id)
        raise ConflictError(
            "lease_lost",
            f"job {job_id} is no longer held by {owner}: drop the work, whoever holds it now will finish it",
            job_id=job_id,
            owner=owner,
        )

    def _update(self, *where: ColumnElement[bool], **values: Any) -> JobRow | None:
        statement = (
            update(JobRow)
            .where(*where)
            .values(updated_at=self._clock.now(), **values)
            .returning(JobRow)
            .execution_options(synchronize_session=False, populate_existing=True)
        )
        return self._session.scalars(statement).one_or_none()


def _told(request: JobRequest, priority: int) -> dict[str, Any]:
    return {
        "kind": request.kind,
        "recording_id": request.recording_id,
        "payload": dict(request.payload),
        "rank": -priority,
    }


def _raised(priority: int) -> ColumnElement[int]:
    return case((JobRow.rank > -priority, -priority), else_=JobRow.rank)


def _expired_lease() -> ColumnElement[int]:
    """1 for a job whose last owner was lost: it is claimed, or given up, although it is leased."""
    return case((JobRow.state == JobState.LEASED.value, 1), else_=0)


def _unknown(job_id: int) -> NotFoundError:
    return NotFoundError(
        "job_not_found", f"no job has the number {job_id}: score its recording again", job_id=job_id
    )


def job_of(row: JobRow) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        key=row.key,
        recording_id=row.recording_id,
        payload=dict(row.payload),
        state=JobState(row.state),
        attempts=row.attempts,
        priority=-row.rank,
        losses=row.losses,
        lease_owner=row.lease_owner,
        lease_expires_at=row.lease_expires_at,
        error_code=row.error_code,
        error_message=row.error_message,
    )
