"""One call and its evaluations, for reading: few queries each, however many rows they find."""

import json
import zlib
from collections.abc import Mapping, Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, defer

from qa_service.db import call_lists, call_texts, documents
from qa_service.db.conversations import conversation_in_force
from qa_service.db.jobs import job_of
from qa_service.db.repositories import recording_of, result_of
from qa_service.db.rows import (
    CallMetadataRow,
    CallRow,
    ConversationRow,
    EngineRunRow,
    EvaluationRow,
    FindingRow,
    JobRow,
    LatestEvaluationRow,
    RecordingRow,
    RuleResultRow,
)
from qa_service.db.scopes import within
from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, EngineRun
from qa_service.errors import NotFoundError
from qa_service.ports.calls import (
    CallConversation,
    CallDetails,
    CallFilter,
    CallOrder,
    EvaluationDetails,
    EvaluationHead,
    FindingState,
    JudgedRule,
    Key,
    ListedCall,
)
from qa_service.ports.jobs import Job


class SqlCallLists:
    """Implements ``CallLists``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(
        self, wanted: CallFilter, scope: Scope, *, order: CallOrder, after: Key | None, limit: int
    ) -> Sequence[ListedCall]:
        return call_lists.page(self._session, wanted, scope, order=order, after=after, limit=limit)

    def count(self, wanted: CallFilter, scope: Scope, *, order: CallOrder, most: int) -> int:
        return call_lists.count(self._session, wanted, scope, order=order, most=most)

    def get(self, recording_id: int, scope: Scope) -> ListedCall:
        return call_lists.get(self._session, recording_id, scope)

    def details(self, recording_id: int, scope: Scope) -> CallDetails:
        call = self.get(recording_id, scope)
        recording, told = self._session.execute(
            select(RecordingRow, CallMetadataRow)
            .outerjoin(CallMetadataRow, CallMetadataRow.recording_id == RecordingRow.id)
            .where(RecordingRow.id == recording_id)
            .execution_options(populate_existing=True)
        ).one()
        return CallDetails(
            call,
            recording_of(recording),
            recording.created_at,
            CallMetadata() if told is None else documents.load_metadata(told.document),
            0 if told is None else told.version,
        )

    def owner(self, recording_id: int) -> CallOwner:
        row = self._session.execute(
            select(CallRow.vendor, CallRow.team, CallRow.agent_id).where(CallRow.recording_id == recording_id)
        ).one_or_none()
        return CallOwner() if row is None else CallOwner(*row)

    def job(self, recording_id: int) -> Job | None:
        row = self._session.scalar(
            select(JobRow)
            .where(JobRow.recording_id == recording_id)
            .order_by(JobRow.updated_at.desc(), JobRow.id.desc())
            .limit(1)
            .execution_options(populate_existing=True)
        )
        return None if row is None else job_of(row)

    def conversation(self, recording_id: int) -> CallConversation:
        row = self._session.scalar(conversation_in_force(recording_id))
        if row is None:
            raise NotFoundError(
                "conversation_missing",
                f"recording {recording_id} was not heard yet: see its job for when, or for why not",
                recording_id=recording_id,
            )
        return CallConversation(row.id, row.created_at, documents.load_conversation(row.document))

    def conversations(self, recording_ids: Sequence[int]) -> Mapping[int, Conversation]:
        return call_texts.conversations_of(self._session, recording_ids)

    def catch_up_texts(self, after: int) -> int | None:
        return call_texts.catch_up(self._session, after)

    def conversation_of(self, evaluation: EvaluationHead) -> Conversation:
        document = self._session.scalars(
            select(ConversationRow.document).where(ConversationRow.id == evaluation.conversation_id)
        ).one()
        return documents.load_conversation(document)

    def evaluations(self, recording_id: int, *, before: int | None, limit: int) -> Sequence[EvaluationHead]:
        wanted = _heads().where(EvaluationRow.recording_id == recording_id)
        if before is not None:
            wanted = wanted.where(EvaluationRow.id < before)
        heads = wanted.options(defer(EvaluationRow.metrics), defer(EvaluationRow.sections))
        rows = self._session.execute(heads.order_by(EvaluationRow.id.desc()).limit(limit)).all()
        engines = self._engines({row.EvaluationRow.conversation_id for row in rows})
        return [_head(row.EvaluationRow, row.evaluation_id, engines) for row in rows]

    def evaluation(self, evaluation_id: int, scope: Scope) -> EvaluationDetails:
        found = self._session.execute(
            _heads()
            .join(CallRow, CallRow.recording_id == EvaluationRow.recording_id)
            .where(EvaluationRow.id == evaluation_id, *within(CallRow, scope))
        ).one_or_none()
        if found is None:
            raise NotFoundError(
                "evaluation_not_found",
                f"no evaluation has the number {evaluation_id}: list those of its recording",
                evaluation_id=evaluation_id,
            )
        row = found.EvaluationRow
        results = self._session.execute(
            select(RuleResultRow, FindingRow.id, FindingRow.state, FindingRow.version)
            .outerjoin(FindingRow, FindingRow.rule_result_id == RuleResultRow.id)
            .where(RuleResultRow.evaluation_id == evaluation_id)
            .order_by(RuleResultRow.position)
        )
        return EvaluationDetails(
            _head(row, found.evaluation_id, self._engines({row.conversation_id})),
            documents.load_sections(row.sections),
            tuple(
                JudgedRule(
                    result.id, result_of(result), None if number is None else FindingState(number, state, version)
                )
                for result, number, state, version in results
            ),
            json.loads(zlib.decompress(row.metrics))[0],
        )

    def _engines(self, conversations: set[int]) -> dict[int, list[EngineRun]]:
        found: dict[int, list[EngineRun]] = {}
        if not conversations:
            return found
        rows = self._session.scalars(
            select(EngineRunRow).where(EngineRunRow.conversation_id.in_(conversations)).order_by(EngineRunRow.id)
        )
        for row in rows:
            run = EngineRun(
                *(row.stage, row.engine, row.model, row.revision, row.device),
                options=tuple((name, value) for name, value in row.options),
            )
            found.setdefault(row.conversation_id, []).append(run)
        return found


def _heads() -> Select[EvaluationRow, int]:
    return select(EvaluationRow, LatestEvaluationRow.evaluation_id).outerjoin(
        LatestEvaluationRow, LatestEvaluationRow.recording_id == EvaluationRow.recording_id
    )


def _head(row: EvaluationRow, latest: int | None, engines: dict[int, list[EngineRun]]) -> EvaluationHead:
    return EvaluationHead(
        id=row.id,
        recording_id=row.recording_id,
        conversation_id=row.conversation_id,
        pack=row.pack,
        ruleset_digest=row.ruleset_digest,
        scorecard=row.scorecard,
        score=row.score,
        raw_score=row.raw_score,
        bonus=row.bonus,
        coverage=row.coverage,
        fatal=row.fatal,
        in_force=latest == row.id,
        created_at=row.created_at,
        engines=tuple(engines.get(row.conversation_id, ())),
    )
