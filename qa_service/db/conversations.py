"""Conversations by the key of the stages that made them.

Guarantee: what was heard is never overwritten: heard anew, the earlier conversation stays with its evaluations.
"""

from datetime import datetime

from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.orm import Session

from qa_service.db import call_texts, documents
from qa_service.db.inserting import insert_or_get
from qa_service.db.rows import ConversationRow, EngineRunRow, EvaluationRow, LatestEvaluationRow
from qa_service.domain.conversation import Conversation
from qa_service.errors import NotFoundError
from qa_service.ports import Clock, StoredConversation


class SqlConversationRepository:
    """Conversations by the key of the stages that made them."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def has(self, stage_key: str) -> bool:
        found = self._session.scalar(select(ConversationRow.id).where(ConversationRow.stage_key == stage_key))
        return found is not None

    def by_key(self, stage_key: str, *, not_before: datetime | None = None) -> StoredConversation | None:
        row = self._row_by_key(stage_key)
        return None if row is None or _is_older(row, not_before) else _conversation(row)

    def in_force(self, recording_id: int) -> StoredConversation | None:
        """See ``ConversationRepository.in_force``."""
        row = self._session.scalar(conversation_in_force(recording_id))
        return None if row is None else _conversation(row)

    def get(self, conversation_id: int) -> StoredConversation:
        row = self._session.get(ConversationRow, conversation_id)
        if row is None:
            raise NotFoundError(
                "conversation_not_found",
                f"no conversation has the number {conversation_id}: process its recording again",
                conversation_id=conversation_id,
            )
        return _conversation(row)

    def add(
        self,
        stage_key: str,
        recording_id: int,
        conversation: Conversation,
        *,
        elapsed_s: float,
        not_before: datetime | None = None,
    ) -> StoredConversation:
        """See ``ConversationRepository.add``. Raises NotFoundError for an unknown recording."""
        if not_before is not None:
            self._supersede(stage_key, not_before)
        row, is_new = insert_or_get(
            self._session,
            lambda: self._row_by_key(stage_key),
            lambda: ConversationRow(
                stage_key=stage_key,
                recording_id=recording_id,
                language=conversation.language,
                duration_s=conversation.duration_s,
                elapsed_s=elapsed_s,
                document=documents.dump_conversation(conversation),
                created_at=self._clock.now(),
                engine_runs=[
                    EngineRunRow(
                        stage=run.stage,
                        engine=run.engine,
                        model=run.model,
                        revision=run.revision,
                        device=run.device,
                        options=[list(option) for option in run.options],
                    )
                    for run in conversation.provenance
                ],
            ),
        )
        if is_new:
            call_texts.place_text(self._session, recording_id, row.id, conversation)
        return _conversation(row)

    def _supersede(self, stage_key: str, not_before: datetime) -> None:
        """What was heard earlier stays as the evidence that it is, under keys that nobody asks for."""
        row = self._row_by_key(stage_key)
        if row is None or not _is_older(row, not_before):
            return
        mark = f"superseded:{row.id}:"
        row.stage_key = mark + stage_key
        self._session.flush()
        self._session.execute(
            update(EvaluationRow)
            .where(EvaluationRow.conversation_id == row.id)
            .values(key=literal(mark) + EvaluationRow.key)
            .execution_options(synchronize_session=False)
        )

    def _row_by_key(self, stage_key: str) -> ConversationRow | None:
        return self._session.scalar(select(ConversationRow).where(ConversationRow.stage_key == stage_key))


def conversation_in_force(recording_id: int) -> Select[ConversationRow]:
    """What the recording's latest evaluation was made of, else its newest conversation."""
    of_latest = (
        select(EvaluationRow.conversation_id)
        .join(LatestEvaluationRow, LatestEvaluationRow.evaluation_id == EvaluationRow.id)
        .where(LatestEvaluationRow.recording_id == recording_id)
        .scalar_subquery()
    )
    newest = (
        select(func.max(ConversationRow.id)).where(ConversationRow.recording_id == recording_id).scalar_subquery()
    )
    return select(ConversationRow).where(ConversationRow.id == func.coalesce(of_latest, newest))


def _is_older(row: ConversationRow, not_before: datetime | None) -> bool:
    return not_before is not None and row.created_at < not_before


def _conversation(row: ConversationRow) -> StoredConversation:
    return StoredConversation(
        id=row.id,
        recording_id=row.recording_id,
        stage_key=row.stage_key,
        conversation=documents.load_conversation(row.document),
    )
