"""What was scored so far, for reading: recordings with the conversation and the evaluation that are in force.

Guarantee: nothing is written; pages follow the recordings' numbers, so that memory does not grow with the history.
A stored conversation that cannot be read is an answer about that one call.
"""

import zlib
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from qa_service.db import documents
from qa_service.db.rows import (
    CallMetadataRow,
    ConversationRow,
    EvaluationRow,
    LatestEvaluationRow,
    RecordingRow,
    RuleResultRow,
)
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.results import Evidence, Outcome
from qa_service.errors import InputError
from qa_service.ports import HeardCall, ScoredBefore


class SqlCallHistory:
    """Implements ``CallHistory``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def count(self) -> int:
        heard = select(ConversationRow.recording_id).distinct().subquery()
        return self._session.scalar(select(func.count()).select_from(heard)) or 0

    def page(self, *, after: int, limit: int) -> tuple[HeardCall, ...]:
        return self._calls(_heard_calls().where(RecordingRow.id > after).limit(limit))

    def among(self, recording_ids: Collection[int]) -> tuple[HeardCall, ...]:
        return self._calls(_heard_calls().where(RecordingRow.id.in_(recording_ids)))

    def conversations(self, ids: Collection[int]) -> Mapping[int, Conversation | InputError]:
        rows = self._session.execute(
            select(ConversationRow.id, ConversationRow.document).where(ConversationRow.id.in_(ids))
        )
        return {id_: _read(id_, document) for id_, document in rows}

    def outcomes(self, evaluation_ids: Collection[int]) -> Mapping[int, Mapping[str, Outcome]]:
        found: dict[int, dict[str, Outcome]] = {id_: {} for id_ in evaluation_ids}
        known = {outcome.value: outcome for outcome in Outcome}
        rows = self._session.execute(
            select(RuleResultRow.evaluation_id, RuleResultRow.rule, RuleResultRow.outcome).where(
                RuleResultRow.evaluation_id.in_(evaluation_ids)
            )
        )
        for evaluation_id, rule, outcome in rows:
            found[evaluation_id][rule] = known[outcome]
        return found

    def evidence(self, evaluation_id: int, rule: str) -> tuple[Evidence, ...]:
        document = self._session.scalar(
            select(RuleResultRow.evidence).where(
                RuleResultRow.evaluation_id == evaluation_id, RuleResultRow.rule == rule
            )
        )
        return documents.load_evidence(document or [])

    def _calls(self, wanted: Select[Any]) -> tuple[HeardCall, ...]:
        return tuple(_heard_call(*row) for row in self._session.execute(wanted))


def _heard_calls() -> Select[Any]:
    """By recording: the conversation that its latest evaluation was made of, else its newest."""
    newest = (
        select(func.max(ConversationRow.id))
        .where(ConversationRow.recording_id == RecordingRow.id)
        .correlate(RecordingRow)
        .scalar_subquery()
    )
    return (
        select(
            *(RecordingRow.id, RecordingRow.sha256, RecordingRow.path, RecordingRow.created_at),
            *(CallMetadataRow.document, ConversationRow.id, ConversationRow.language),
            *(EvaluationRow.id, EvaluationRow.pack, EvaluationRow.ruleset_digest),
            *(EvaluationRow.score, EvaluationRow.fatal),
        )
        .select_from(RecordingRow)
        .outerjoin(CallMetadataRow, CallMetadataRow.recording_id == RecordingRow.id)
        .outerjoin(LatestEvaluationRow, LatestEvaluationRow.recording_id == RecordingRow.id)
        .outerjoin(EvaluationRow, EvaluationRow.id == LatestEvaluationRow.evaluation_id)
        .join(ConversationRow, ConversationRow.id == func.coalesce(EvaluationRow.conversation_id, newest))
        .order_by(RecordingRow.id)
    )


def _heard_call(
    recording_id: int,
    sha256: str,
    path: str,
    received_at: datetime,
    metadata: dict[str, Any] | None,
    conversation_id: int,
    language: str,
    evaluation_id: int | None,
    pack: str,
    digest: str,
    score: float | None,
    fatal: bool,
) -> HeardCall:
    return HeardCall(
        recording_id,
        sha256,
        path,
        received_at,
        CallMetadata() if metadata is None else documents.load_metadata(metadata),
        conversation_id,
        language,
        None if evaluation_id is None else ScoredBefore(evaluation_id, pack, digest, score, fatal),
    )


def _read(conversation_id: int, document: bytes) -> Conversation | InputError:
    try:
        return documents.load_conversation(document)
    except (zlib.error, ValidationError) as error:
        return InputError(
            "conversation_unreadable",
            f"conversation {conversation_id} cannot be read ({type(error).__name__}): score its recording again",
            conversation_id=conversation_id,
        )
