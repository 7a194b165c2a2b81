"""Batch runs on SQLAlchemy.

Guarantee: a look at a run costs what it waits for, never what it has counted; a job is counted once a run, in the
transaction that stores the count.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.orm import Session, aliased

from qa_service.db import documents
from qa_service.db.inserting import insert_missing, insert_or_get, storable
from qa_service.db.jobs import job_of
from qa_service.db.repositories import recording_of
from qa_service.db.rows import (
    COUNTED_FAILED,
    ERROR_MESSAGE_CHARACTERS,
    UNENDED_RUNS,
    BatchRunJobRow,
    BatchRunRow,
    CallMetadataRow,
    ConversationRow,
    EvaluationRow,
    FindingRow,
    JobRow,
    LatestEvaluationRow,
    RecordingRow,
)
from qa_service.domain.batch_runs import (
    BatchKind,
    BatchRun,
    BatchState,
    Cursor,
    JobEnd,
    JobOutcome,
    Selection,
    Tally,
    Waiting,
)
from qa_service.domain.call import CallMetadata, Recording
from qa_service.errors import NotFoundError
from qa_service.ports import ENDED, Clock, Job, JobState
from qa_service.ports.batches import Candidate, HeardAs

_ENDED = tuple(state.value for state in ENDED)
_UNCOUNTED = BatchRunJobRow.outcome.is_(None)
_SOME = 500  # parameters of one statement
_TALLY = ("up_to_date", "not_heard", "queued", "scored", "withdrawn", "flagged", "undetermined")
_SECONDS = ("audio_s", "cpu_s", "gpu_s")


class SqlBatchRunRepository:
    """Implements ``BatchRunRepository``. Its jobs have ``rank``: for those of a lower one a person asked."""

    def __init__(self, session: Session, clock: Clock, *, rank: int) -> None:
        self._session = session
        self._clock = clock
        self._rank = rank

    def add(self, key: str, kind: BatchKind, selection: Selection) -> tuple[BatchRun, bool]:
        now = self._clock.now()
        row, is_new = insert_or_get(
            self._session,
            lambda: self._session.scalar(select(BatchRunRow).where(BatchRunRow.key == key)),
            lambda: BatchRunRow(
                key=key,
                kind=kind.value,
                state=BatchState.FILLING.value,
                since=selection.since,
                until=selection.until,
                team=selection.team,
                pack=selection.pack,
                force=selection.force,
                expected=self._count(selection),
                failures={},
                active_s=0.0,
                created_at=now,
                seen_at=now,
                **dict.fromkeys(_TALLY, 0),
                **dict.fromkeys(_SECONDS, 0.0),
            ),
        )
        return _run(row), is_new

    def get(self, run_id: int) -> BatchRun:
        row = self._session.get(BatchRunRow, run_id, populate_existing=True)
        if row is None:
            raise NotFoundError(
                "batch_run_not_found", f"no batch run has the number {run_id}: see `qa batch list`", run_id=run_id
            )
        return _run(row)

    def page(self, *, before: int | None, limit: int, teams: Collection[str] | None) -> Sequence[BatchRun]:
        wanted = select(BatchRunRow).order_by(BatchRunRow.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(BatchRunRow.id < before)
        if teams is not None:
            wanted = wanted.where(BatchRunRow.team.in_(sorted(teams)))
        return [_run(row) for row in self._session.scalars(wanted)]

    def unended(self) -> Sequence[BatchRun]:
        rows = self._session.scalars(select(BatchRunRow).where(text(UNENDED_RUNS)).order_by(BatchRunRow.id))
        return [_run(row) for row in rows]

    def last(self, key_prefix: str) -> BatchRun | None:
        row = self._session.scalar(
            select(BatchRunRow)
            .where(BatchRunRow.key.startswith(key_prefix, autoescape=True))
            .order_by(BatchRunRow.until.desc(), BatchRunRow.id.desc())
            .limit(1)
        )
        return None if row is None else _run(row)

    def hold(self, run_id: int) -> BatchRun | None:
        """See ``BatchRunRepository.hold``. On SQLite the whole transaction writes alone anyway."""
        row = self._session.scalar(
            select(BatchRunRow)
            .where(BatchRunRow.id == run_id)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        return None if row is None else _run(row)

    def candidates(
        self, selection: Selection, *, after: Cursor | None, before: datetime, limit: int
    ) -> Sequence[Candidate]:
        newest = (
            select(func.max(ConversationRow.id))
            .where(ConversationRow.recording_id == RecordingRow.id)
            .correlate(RecordingRow)
            .scalar_subquery()
        )
        page = (
            self._selected(select(RecordingRow, CallMetadataRow.document), selection, after, before)
            .add_columns(EvaluationRow.key, ConversationRow.stage_key, ConversationRow.language)
            .outerjoin(LatestEvaluationRow, LatestEvaluationRow.recording_id == RecordingRow.id)
            .outerjoin(EvaluationRow, EvaluationRow.id == LatestEvaluationRow.evaluation_id)
            .outerjoin(ConversationRow, ConversationRow.id == func.coalesce(EvaluationRow.conversation_id, newest))
            .order_by(RecordingRow.created_at, RecordingRow.id)
            .limit(limit)
        )
        return [_candidate(*row) for row in self._session.execute(page)]

    def link(self, run_id: int, job_ids: Sequence[int]) -> int:
        linked = select(BatchRunJobRow.job_id).where(
            BatchRunJobRow.batch_run_id == run_id, BatchRunJobRow.job_id.in_(job_ids)
        )
        new = sorted(set(job_ids) - set(self._session.scalars(linked)))
        rows = [{"batch_run_id": run_id, "job_id": job_id, "outcome": None, "code": None} for job_id in new]
        insert_missing(self._session, BatchRunJobRow, "batch_run_id,job_id", rows)
        return len(new)

    def ended(self, run_id: int, limit: int) -> Sequence[JobEnd]:
        flagged = exists().where(FindingRow.evaluation_id == EvaluationRow.id, FindingRow.state == "open")
        rows = self._session.execute(
            select(JobRow.id, JobRow.state, JobRow.error_code, JobRow.cpu_s, JobRow.gpu_s)
            .add_columns(RecordingRow.duration_s, EvaluationRow.score, flagged)
            .select_from(BatchRunJobRow)
            .join(JobRow, JobRow.id == BatchRunJobRow.job_id)
            .join(RecordingRow, RecordingRow.id == JobRow.recording_id)
            .outerjoin(LatestEvaluationRow, LatestEvaluationRow.recording_id == RecordingRow.id)
            .outerjoin(EvaluationRow, EvaluationRow.id == LatestEvaluationRow.evaluation_id)
            .where(BatchRunJobRow.batch_run_id == run_id, _UNCOUNTED, JobRow.state.in_(_ENDED))
            .limit(limit)
        )
        return [
            JobEnd(
                job_id=job_id,
                outcome=JobOutcome(state),
                code=(code or "internal_error") if state == JobOutcome.FAILED else None,
                audio_s=duration_s or 0.0,
                has_score=score is not None,
                flagged=has_findings,
                cpu_s=cpu_s,
                gpu_s=gpu_s,
            )
            for job_id, state, code, cpu_s, gpu_s, duration_s, score, has_findings in rows.all()
        ]

    def mark(self, run_id: int, ends: Sequence[JobEnd]) -> None:
        if not ends:
            return
        links = BatchRunJobRow.__table__
        statement = (
            update(BatchRunJobRow.__table__)  # type: ignore[arg-type]
            .where(links.c.batch_run_id == bindparam("run"), links.c.job_id == bindparam("job"))
            .values(outcome=bindparam("ended_as"), code=bindparam("failure"))
        )
        self._session.connection().execute(
            statement,
            [{"run": run_id, "job": e.job_id, "ended_as": e.outcome.value, "failure": e.code} for e in ends],
        )

    def waits(self, run_id: int) -> bool:
        one = select(BatchRunJobRow.job_id).where(BatchRunJobRow.batch_run_id == run_id, _UNCOUNTED).limit(1)
        return self._session.scalar(one) is not None

    def work(self, run_id: int, limit: int) -> Sequence[tuple[Job, Recording, CallMetadata]]:
        rows = self._session.execute(
            select(JobRow, RecordingRow, CallMetadataRow.document)
            .select_from(BatchRunJobRow)
            .join(JobRow, JobRow.id == BatchRunJobRow.job_id)
            .join(RecordingRow, RecordingRow.id == JobRow.recording_id)
            .outerjoin(CallMetadataRow, CallMetadataRow.recording_id == RecordingRow.id)
            .where(BatchRunJobRow.batch_run_id == run_id, _UNCOUNTED, JobRow.state.not_in(_ENDED))
            .order_by(JobRow.id)
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        return [(job_of(job), recording_of(recording), _told(document)) for job, recording, document in rows]

    def save(self, run: BatchRun) -> None:
        cursor = run.cursor
        self._session.execute(
            update(BatchRunRow)
            .where(BatchRunRow.id == run.id)
            .values(
                state=run.state.value,
                waiting=run.waiting and run.waiting.value,
                cursor_at=cursor and cursor.received_at,
                cursor_id=cursor and cursor.recording_id,
                failures=dict(run.tally.failures),
                active_s=run.active_s,
                seen_at=run.seen_at,
                ended_at=run.ended_at,
                **{name: getattr(run.tally, name) for name in (*_TALLY, *_SECONDS)},
            )
            .execution_options(synchronize_session=False)
        )

    def withdraw(self, run_id: int, *, code: str, message: str) -> int:
        """See ``BatchRunRepository.withdraw``. What it shares with another run stays queued there."""
        mine = select(BatchRunJobRow.job_id).where(BatchRunJobRow.batch_run_id == run_id, _UNCOUNTED)
        other = aliased(BatchRunJobRow)
        wanted = exists().where(other.job_id == JobRow.id, other.batch_run_id != run_id, other.outcome.is_(None))
        self._session.execute(
            update(JobRow)
            # A higher priority than a batch run's: a person asked for it too.
            .where(JobRow.id.in_(mine), JobRow.state == JobState.QUEUED.value, JobRow.rank >= self._rank, ~wanted)
            .values(
                state=JobState.WITHDRAWN.value,
                error_code=code,
                error_message=storable(message)[:ERROR_MESSAGE_CHARACTERS],
                updated_at=self._clock.now(),
            )
            .execution_options(synchronize_session=False)
        )
        not_begun = (JobState.QUEUED.value, JobState.WITHDRAWN.value)
        begun = exists().where(JobRow.id == BatchRunJobRow.job_id, JobRow.state.not_in(not_begun))
        let_go = (
            update(BatchRunJobRow)
            .where(BatchRunJobRow.batch_run_id == run_id, _UNCOUNTED, ~begun)
            .values(outcome=JobOutcome.WITHDRAWN.value)
            .returning(BatchRunJobRow.job_id)
            .execution_options(synchronize_session=False)
        )
        return len(self._session.scalars(let_go).all())

    def failed(self, run_id: int, code: str | None) -> Mapping[int, str]:
        query = select(BatchRunJobRow.job_id, BatchRunJobRow.code).where(
            BatchRunJobRow.batch_run_id == run_id, text(COUNTED_FAILED)
        )
        if code is not None:
            query = query.where(BatchRunJobRow.code == code)
        return {job_id: failure or "internal_error" for job_id, failure in self._session.execute(query).all()}

    def queue_again(self, run_id: int, job_ids: Sequence[int]) -> None:
        now = self._clock.now()
        failed = JobRow.state == JobState.FAILED.value
        for start in range(0, len(job_ids), _SOME):
            some = job_ids[start : start + _SOME]
            self._session.execute(
                update(JobRow)
                .where(JobRow.id.in_(some), JobRow.state.in_((JobState.FAILED.value, JobState.WITHDRAWN.value)))
                .values(
                    state=JobState.QUEUED.value,
                    attempts=0,
                    losses=0,
                    # What a failure cost is counted; what was taken back never was.
                    cpu_s=case((failed, 0.0), else_=JobRow.cpu_s),
                    gpu_s=case((failed, 0.0), else_=JobRow.gpu_s),
                    rank=self._rank,
                    available_at=now,
                    updated_at=now,
                    error_code=None,
                    error_message=None,
                )
                .execution_options(synchronize_session=False)
            )
            self._session.execute(
                update(BatchRunJobRow)
                .where(BatchRunJobRow.batch_run_id == run_id, BatchRunJobRow.job_id.in_(some))
                .values(outcome=None, code=None)
                .execution_options(synchronize_session=False)
            )

    def failures(self, run_id: int, limit: int) -> Sequence[tuple[int, str, str]]:
        rows = self._session.execute(
            select(RecordingRow.id, RecordingRow.path, BatchRunJobRow.code)
            .select_from(BatchRunJobRow)
            .join(JobRow, JobRow.id == BatchRunJobRow.job_id)
            .join(RecordingRow, RecordingRow.id == JobRow.recording_id)
            .where(BatchRunJobRow.batch_run_id == run_id, text(COUNTED_FAILED))
            .order_by(BatchRunJobRow.code, RecordingRow.id)
            .limit(limit)
        )
        return [(number, path, code or "internal_error") for number, path, code in rows]

    def _count(self, selection: Selection) -> int:
        """Once a run: what is counted later is counted as it ends."""
        return (
            self._session.scalar(
                self._selected(select(func.count(RecordingRow.id)), selection, None, selection.until)
            )
            or 0
        )

    def _selected(
        self, query: Select[Any], selection: Selection, after: Cursor | None, before: datetime
    ) -> Select[Any]:
        conditions: list[ColumnElement[bool]] = [RecordingRow.created_at < min(before, selection.until)]
        if selection.since is not None:
            conditions.append(RecordingRow.created_at >= selection.since)
        if after is not None:
            received = literal(after.received_at, RecordingRow.created_at.type)
            position = tuple_(RecordingRow.created_at, RecordingRow.id)
            conditions.append(position > tuple_(received, literal(after.recording_id)))
        if selection.team is not None:
            conditions.append(CallMetadataRow.document["team"].as_string() == selection.team)
        return (
            query.select_from(RecordingRow)
            .outerjoin(CallMetadataRow, CallMetadataRow.recording_id == RecordingRow.id)
            .where(and_(*conditions))
        )


def _told(document: dict[str, Any] | None) -> CallMetadata:
    return CallMetadata() if document is None else documents.load_metadata(document)


def _candidate(
    row: RecordingRow,
    document: dict[str, Any] | None,
    evaluation_key: str | None,
    stage_key: str | None,
    language: str,
) -> Candidate:
    return Candidate(
        recording=recording_of(row),
        metadata=_told(document),
        received_at=row.created_at,
        heard=None if stage_key is None else HeardAs(stage_key, language, evaluation_key),
    )


def _run(row: BatchRunRow) -> BatchRun:
    tally = Tally(
        **{name: getattr(row, name) for name in (*_TALLY, *_SECONDS)},
        failures={str(code): int(count) for code, count in row.failures.items()},
    )
    at_start = row.cursor_at is None or row.cursor_id is None
    return BatchRun(
        id=row.id,
        key=row.key,
        kind=BatchKind(row.kind),
        state=BatchState(row.state),
        selection=Selection(row.until, row.since, row.team, row.pack, row.force),
        cursor=None if at_start else Cursor(row.cursor_at, row.cursor_id),  # type: ignore[arg-type]
        expected=row.expected,
        tally=tally,
        waiting=None if row.waiting is None else Waiting(row.waiting),
        created_at=row.created_at,
        seen_at=row.seen_at,
        ended_at=row.ended_at,
        active_s=row.active_s,
    )
