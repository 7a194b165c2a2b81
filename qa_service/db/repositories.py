"""Repositories on SQLAlchemy: domain objects in and out.

Guarantee: they flush and never commit; the unit of work does. Rows do not leave this package.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePath

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session, selectinload

from qa_service.db import call_texts, documents
from qa_service.db.calls import catch_up, mark_changed, place_call
from qa_service.db.inserting import insert_missing, insert_or_get, storable
from qa_service.db.rows import (
    CallMetadataRow,
    CallRow,
    EvaluationRow,
    FindingRow,
    LatestEvaluationRow,
    RecordingRow,
    RuleResultRow,
    ScorecardRow,
)
from qa_service.domain.call import CallMetadata, Recording, pair_digest
from qa_service.domain.metrics import ConversationMetrics
from qa_service.domain.results import Outcome, RuleResult, Severity
from qa_service.domain.scoring import Evaluation, Scorecard
from qa_service.errors import NotFoundError
from qa_service.ports import Clock, StoredBlob, StoredConversation, StoredEvaluation

_DIGEST_PREFIX = re.compile(r"[0-9a-f]{1,64}")


class SqlRecordingRepository:
    """Recordings by their bytes."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(
        self, blob: StoredBlob, *, path: str, second: tuple[StoredBlob, str] | None = None
    ) -> tuple[Recording, bool]:
        """See ``RecordingRepository.add``. A known recording keeps its id and remembers the new paths."""
        second_blob, second_path = second or (None, None)
        sha256 = blob.sha256 if second_blob is None else pair_digest(blob.sha256, second_blob.sha256)
        row, is_new = insert_or_get(
            self._session,
            lambda: self._session.scalar(select(RecordingRow).where(RecordingRow.sha256 == sha256)),
            lambda: RecordingRow(
                sha256=sha256,
                **_names(path, second_path),
                blob_uri=blob.uri,
                second_blob_uri=second_blob and second_blob.uri,
                size_bytes=blob.size_bytes + (second_blob.size_bytes if second_blob else 0),
                created_at=self._clock.now(),
            ),
        )
        for column, name in _names(path, second_path).items():
            if getattr(row, column) != name:
                setattr(row, column, name)
        self._session.flush()
        if is_new:  # of which nothing is known yet: as ``place_call`` would write it, for a tenth of the price
            self._session.add(CallRow(recording_id=row.id, at=row.created_at))
            self._session.flush()
            mark_changed(self._session, [("", row.created_at)])
        return recording_of(row), is_new

    def get(self, recording_id: int) -> Recording:
        return recording_of(self._row(recording_id))

    def lock(self, recording_id: int) -> None:
        """See ``RecordingRepository.lock``. SQLite has one writer at a time anyway."""
        row = select(RecordingRow.id).where(RecordingRow.id == recording_id)
        self._session.execute(row.with_for_update(key_share=True))

    def find(self, reference: str) -> tuple[Recording, ...]:
        """See ``RecordingRepository.find``; oldest first. The digest may be written in either case."""
        wanted = storable(reference)
        if not wanted:
            return ()
        name = PurePath(wanted).name
        conditions: list[ColumnElement[bool]] = [
            RecordingRow.file_name == wanted,
            RecordingRow.second_file_name == wanted,
            and_(RecordingRow.file_name == name, RecordingRow.path == wanted),
            and_(RecordingRow.second_file_name == name, RecordingRow.second_path == wanted),
        ]
        prefix = reference.lower()
        if _DIGEST_PREFIX.fullmatch(prefix):
            # A range, not LIKE: both databases serve it from the unique index. "g" follows every hex digit.
            conditions.append(and_(RecordingRow.sha256 >= prefix, RecordingRow.sha256 < prefix + "g"))
        rows = self._session.scalars(select(RecordingRow).where(or_(*conditions)).order_by(RecordingRow.id))
        return tuple(recording_of(row) for row in rows)

    def newest(self, count: int) -> tuple[Recording, ...]:
        rows = self._session.scalars(select(RecordingRow).order_by(RecordingRow.id.desc()).limit(count))
        return tuple(recording_of(row) for row in rows)

    def set_audio(self, recording_id: int, *, duration_s: float, channels: int) -> None:
        """Raises NotFoundError."""
        row = self._row(recording_id)
        row.duration_s, row.channels = duration_s, channels
        place_call(self._session, recording_id)

    def catch_up(self, *, since: datetime, limit: int) -> Sequence[int]:
        return catch_up(self._session, since=since, limit=limit)

    def _row(self, recording_id: int) -> RecordingRow:
        row = self._session.get(RecordingRow, recording_id)
        if row is None:
            raise NotFoundError(
                "recording_not_found",
                f"no recording has the number {recording_id}: list the recordings to see which exist",
                recording_id=recording_id,
            )
        return row


class SqlMetadataRepository:
    """Call metadata, one document a recording."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def put(self, recording_id: int, metadata: CallMetadata) -> None:
        """See ``MetadataRepository.put``. Raises NotFoundError for an unknown recording."""
        document, digest = documents.dump_metadata(metadata)
        now = self._clock.now()
        _, is_new = insert_or_get(
            self._session,
            lambda: self._session.get(CallMetadataRow, recording_id),
            lambda: CallMetadataRow(
                recording_id=recording_id, document=document, digest=digest, version=1, updated_at=now
            ),
        )
        if is_new:
            place_call(self._session, recording_id)
            return
        # One statement, so that two writers cannot both read version n and both write n + 1.
        self._session.execute(
            update(CallMetadataRow)
            .where(CallMetadataRow.recording_id == recording_id, CallMetadataRow.digest != digest)
            .values(document=document, digest=digest, version=CallMetadataRow.version + 1, updated_at=now)
            .execution_options(synchronize_session=False)
        )
        place_call(self._session, recording_id)

    def get(self, recording_id: int) -> CallMetadata:
        # Refreshed: ``put`` updates in SQL, past the session's copy.
        row = self._session.get(CallMetadataRow, recording_id, populate_existing=True)
        return CallMetadata() if row is None else documents.load_metadata(row.document)


class SqlEvaluationRepository:
    """Evaluations with their rule results; opens the findings."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def by_key(self, key: str) -> StoredEvaluation | None:
        row = self._row_by_key(key)
        return None if row is None else evaluation_of(row)

    def latest(self, recording_id: int) -> StoredEvaluation | None:
        row = self._session.scalar(
            select(EvaluationRow)
            .join(LatestEvaluationRow, LatestEvaluationRow.evaluation_id == EvaluationRow.id)
            .where(LatestEvaluationRow.recording_id == recording_id)
            .options(selectinload(EvaluationRow.results))
        )
        return None if row is None else evaluation_of(row)

    def ask_for(self, evaluation: StoredEvaluation, *, scorecard: Scorecard | None = None) -> None:
        """See ``EvaluationRepository.ask_for``. The last of two who ask at once wins."""
        if scorecard is not None:
            digest = self._keep(scorecard)
            self._session.execute(
                update(EvaluationRow)
                .where(EvaluationRow.id == evaluation.id, EvaluationRow.scorecard_digest.is_(None))
                .values(scorecard_digest=digest)
                .execution_options(synchronize_session=False)
            )
        self._make_latest(evaluation.recording_id, evaluation.id)

    def add(
        self,
        key: str,
        *,
        conversation: StoredConversation,
        pack: str,
        ruleset_digest: str,
        evaluation: Evaluation,
        results: Sequence[RuleResult],
        metrics: ConversationMetrics,
        scorecard: Scorecard | None = None,
    ) -> StoredEvaluation:
        """See ``EvaluationRepository.add``. Raises NotFoundError for an unknown conversation."""
        scorecard_digest = None if scorecard is None else self._keep(scorecard)
        row, _ = insert_or_get(
            self._session,
            lambda: self._row_by_key(key),
            lambda: _new_evaluation(
                EvaluationRow(
                    key=key,
                    recording_id=conversation.recording_id,
                    conversation_id=conversation.id,
                    pack=pack,
                    ruleset_digest=ruleset_digest,
                    scorecard=evaluation.scorecard,
                    scorecard_digest=scorecard_digest,
                    score=evaluation.score,
                    raw_score=evaluation.raw_score,
                    bonus=evaluation.bonus,
                    coverage=evaluation.coverage,
                    fatal=evaluation.fatal,
                    sections=documents.dump_sections(evaluation.sections),
                    metrics=documents.dump_metrics(metrics),
                    created_at=self._clock.now(),
                ),
                results,
            ),
        )
        self._session.flush()
        self._make_latest(row.recording_id, row.id)
        return evaluation_of(row)

    def _keep(self, scorecard: Scorecard) -> str:
        document, digest = documents.dump_scorecard(scorecard)
        row = {"digest": digest, "document": document, "created_at": self._clock.now()}
        if self._session.get(ScorecardRow, digest) is None:
            insert_missing(self._session, ScorecardRow, "digest", [row])
        return digest

    def _make_latest(self, recording_id: int, evaluation_id: int) -> None:
        _, is_new = insert_or_get(
            self._session,
            lambda: self._session.get(LatestEvaluationRow, recording_id, populate_existing=True),
            lambda: LatestEvaluationRow(recording_id=recording_id, evaluation_id=evaluation_id),
        )
        if not is_new:
            self._session.execute(
                update(LatestEvaluationRow)
                .where(
                    LatestEvaluationRow.recording_id == recording_id,
                    LatestEvaluationRow.evaluation_id != evaluation_id,
                )
                .values(evaluation_id=evaluation_id)
                .execution_options(synchronize_session=False)
            )
        place_call(self._session, recording_id)
        conversation = select(EvaluationRow.conversation_id).where(EvaluationRow.id == evaluation_id)
        call_texts.keep_in_step(self._session, recording_id, self._session.scalars(conversation).one())

    def _row_by_key(self, key: str) -> EvaluationRow | None:
        return self._session.scalar(
            select(EvaluationRow).where(EvaluationRow.key == key).options(selectinload(EvaluationRow.results))
        )


def _names(path: str, second_path: str | None) -> dict[str, str | None]:
    """The columns that hold a recording's paths."""
    first, second = storable(path), None if second_path is None else storable(second_path)
    return {
        "path": first,
        "file_name": PurePath(first).name,
        "second_path": second,
        "second_file_name": second and PurePath(second).name,
    }


def recording_of(row: RecordingRow) -> Recording:
    return Recording(
        id=row.id,
        sha256=row.sha256,
        path=row.path,
        blob_uri=row.blob_uri,
        size_bytes=row.size_bytes,
        duration_s=row.duration_s,
        channels=row.channels,
        second_path=row.second_path,
        second_blob_uri=row.second_blob_uri,
    )


def _new_evaluation(row: EvaluationRow, results: Sequence[RuleResult]) -> EvaluationRow:
    """``row`` with its rule results and, for each that needs a person, an open finding."""
    row.results = [
        RuleResultRow(
            position=position,
            rule=result.rule,
            title=result.title,
            outcome=result.outcome.value,
            severity=result.severity.value,
            reason=result.reason,
            scored=result.scored,
            same_event_as=result.same_event_as,
            evidence=documents.dump_evidence(result.evidence),
            style=[[name, heard] for name, heard in result.style],
            grade=result.grade,
            review=result.review,
            opens=documents.dump_opens(result.opens),
            unscored=result.unscored,
            finding=FindingRow(evaluation=row, state="open") if result.needs_a_person else None,
        )
        for position, result in enumerate(results)
    ]
    return row


def evaluation_of(row: EvaluationRow) -> StoredEvaluation:
    return StoredEvaluation(
        id=row.id,
        key=row.key,
        recording_id=row.recording_id,
        conversation_id=row.conversation_id,
        pack=row.pack,
        ruleset_digest=row.ruleset_digest,
        evaluation=Evaluation(
            scorecard=row.scorecard,
            score=row.score,
            raw_score=row.raw_score,
            bonus=row.bonus,
            coverage=row.coverage,
            fatal=row.fatal,
            sections=documents.load_sections(row.sections),
        ),
        results=tuple(result_of(result) for result in row.results),
        metrics=documents.load_metrics(row.metrics),
        created_at=row.created_at,
    )


def result_of(row: RuleResultRow) -> RuleResult:
    return RuleResult(
        rule=row.rule,
        title=row.title,
        outcome=Outcome(row.outcome),
        severity=Severity(row.severity),
        evidence=documents.load_evidence(row.evidence),
        reason=row.reason,
        scored=row.scored,
        same_event_as=row.same_event_as,
        style=tuple((name, heard) for name, heard in row.style),
        grade=row.grade,
        review=row.review,
        opens=documents.load_opens(row.opens),
        unscored=row.unscored,
    )
