"""How many jobs wait, and since when: one pass over the open jobs, by the index that holds no others."""

from datetime import datetime

from sqlalchemy import and_, case, distinct, func, select, text
from sqlalchemy.orm import Session

from qa_service.db.rows import OPEN_JOBS, UNENDED_RUNS, BatchRunRow, JobRow
from qa_service.domain.batch_runs import BatchKind
from qa_service.observing import QueueDepth, RunsUnderWay
from qa_service.ports import JobState


def queue_depth(session: Session, now: datetime) -> QueueDepth:
    """The queue as it is at ``now``. Its time grows with the open jobs, not with those that ended."""
    queued, leased = (JobRow.state == state.value for state in (JobState.QUEUED, JobState.LEASED))
    due = and_(queued, JobRow.available_at <= now)
    held = and_(leased, JobRow.lease_expires_at > now)
    counted = [
        func.count(case((condition, 1)))
        for condition in (due, and_(queued, JobRow.available_at > now), held, JobRow.losses > 0)
    ]
    row = session.execute(
        select(
            *counted,
            func.count(),
            func.count(distinct(case((held, JobRow.lease_owner)))),
            func.min(case((due, JobRow.available_at))),
        ).where(text(OPEN_JOBS))
    ).one()
    n_due, later, n_held, suspected, open_jobs, workers, oldest = tuple(row)
    return QueueDepth(
        due=n_due,
        later=later,
        held=n_held,
        expired=open_jobs - n_due - later - n_held,
        suspected=suspected,
        workers=workers,
        oldest_due_age_s=(now - oldest).total_seconds() if oldest else 0.0,
        runs=_runs(session, now),
        night_age_s=_night_age_s(session, now),
    )


def _runs(session: Session, now: datetime) -> tuple[RunsUnderWay, ...]:
    rows = session.execute(
        select(BatchRunRow.kind, func.count(), func.min(BatchRunRow.created_at))
        .where(text(UNENDED_RUNS))
        .group_by(BatchRunRow.kind)
        .order_by(BatchRunRow.kind)
    )
    return tuple(RunsUnderWay(kind, count, (now - oldest).total_seconds()) for kind, count, oldest in rows)


def _night_age_s(session: Session, now: datetime) -> float | None:
    """One run a night: a table of years is small."""
    last = session.scalar(
        select(func.max(BatchRunRow.created_at)).where(BatchRunRow.kind == BatchKind.NIGHTLY.value)
    )
    return (now - last).total_seconds() if last else None
