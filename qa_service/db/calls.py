"""Calls as lists show them: kept in step with what they follow from, in the same transaction.

Guarantee: a call's row is a function of other rows, so that it can be written again at any time; but team and
vendor, where only the directory tells them, are those of when the call came.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import case, func, insert, or_, select, update
from sqlalchemy.orm import Session

from qa_service.db import documents
from qa_service.db.inserting import insert_missing
from qa_service.db.rows import (
    AgentRow,
    CallMarkRow,
    CallMetadataRow,
    CallRow,
    ChangedCallRow,
    ConversationRow,
    EvaluationRow,
    FinalScoreRow,
    FindingRow,
    LatestEvaluationRow,
    RecordingRow,
    ReviewItemRow,
    RuleResultRow,
    TeamRow,
)
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Severity
from qa_service.domain.review import CLEARED, FindingState

WORST = {Severity.CRITICAL: 3, Severity.MAJOR: 2, Severity.MINOR: 1}


def place_call(session: Session, recording_id: int) -> None:
    """Write the call's row anew; nothing when there is no such recording."""
    recording = session.get(RecordingRow, recording_id)
    if recording is None:
        return
    session.flush()
    told = session.get(CallMetadataRow, recording_id, populate_existing=True)
    metadata = CallMetadata() if told is None else documents.load_metadata(told.document)
    at = metadata.started_at or recording.created_at
    agent = _agent(session, metadata, at)
    # Held: what is decided at the same moment is seen, not written over.
    row = session.get(CallRow, recording_id, with_for_update=True, populate_existing=True) or CallRow(
        recording_id=recording_id
    )
    was = {} if row.at is None else {(row.agent_id or "", row.at)}
    # What the directory said when the call came stays: whoever changes teams takes no calls along.
    before = row if row.at is not None and row.agent_id == metadata.agent_id else CallRow()
    team = metadata.team or before.team or (agent.team if agent else None)
    vendor = metadata.vendor or (before.vendor if team == before.team else None)
    row.vendor = vendor or (agent.vendor if agent else None) or _vendor_of(session, team)
    row.team, row.at = team, at
    row.call_id, row.agent_id, row.agent_name = metadata.call_id, metadata.agent_id, metadata.agent_name
    row.queue, row.customer_ref = metadata.queue, metadata.customer_ref
    row.direction = metadata.direction and metadata.direction.value
    row.duration_s = recording.duration_s
    _place_evaluation(session, row)
    session.add_all([row, CallMarkRow(recording_id=recording_id)])
    session.flush()
    mark_changed(session, {*was, (row.agent_id or "", at)})
    session.execute(
        update(ReviewItemRow)
        .where(ReviewItemRow.recording_id == recording_id)
        .values(team=row.team, vendor=row.vendor, agent_id=row.agent_id)
        .execution_options(synchronize_session=False)
    )


def mark_changed(session: Session, calls: Collection[tuple[str, datetime]]) -> None:
    """Have the days of these agents counted again: see ``ChangedCallRow``."""
    session.execute(insert(ChangedCallRow), [{"agent_id": agent_id, "at": at} for agent_id, at in calls])


def catch_up(session: Session, *, since: datetime, limit: int) -> Sequence[int]:
    """Write at most ``limit`` rows that workers of an earlier version left out or behind since then; their
    recordings."""
    behind: set[int] = set()
    for came in (
        # Two queries, each along an index by time.
        select(RecordingRow.id).where(RecordingRow.created_at >= since),
        select(RecordingRow.id)
        .join(EvaluationRow, EvaluationRow.recording_id == RecordingRow.id)
        .where(EvaluationRow.created_at >= since),
    ):
        lagging = (
            came.outerjoin(CallRow, CallRow.recording_id == RecordingRow.id)
            .outerjoin(LatestEvaluationRow, LatestEvaluationRow.recording_id == RecordingRow.id)
            .where(
                or_(
                    CallRow.recording_id.is_(None),
                    func.coalesce(CallRow.evaluation_id, 0) != func.coalesce(LatestEvaluationRow.evaluation_id, 0),
                )
            )
            .limit(limit)
            # Another worker at the same is passed over.
            .with_for_update(of=RecordingRow, skip_locked=True)
        )
        behind.update(session.scalars(lagging))
    for recording_id in sorted(behind):
        place_call(session, recording_id)
    return sorted(behind)


def _place_evaluation(session: Session, row: CallRow) -> None:
    evaluated = session.execute(
        select(EvaluationRow, ConversationRow.language)
        .join(LatestEvaluationRow, LatestEvaluationRow.evaluation_id == EvaluationRow.id)
        .join(ConversationRow, ConversationRow.id == EvaluationRow.conversation_id)
        .where(LatestEvaluationRow.recording_id == row.recording_id)
    ).one_or_none()
    if evaluated is None:
        row.to_review = row.worst = 0
        return
    evaluation, row.language = evaluated
    row.evaluation_id, row.scorecard = evaluation.id, evaluation.scorecard
    row.score = row.final_score = evaluation.score
    row.coverage, row.fatal = evaluation.coverage, evaluation.fatal
    decided = session.scalar(
        select(FinalScoreRow)
        .where(FinalScoreRow.recording_id == row.recording_id)
        .order_by(FinalScoreRow.number.desc())
        .limit(1)
    )
    if decided is not None and decided.evaluation_id == evaluation.id:
        row.final_score, row.coverage, row.fatal = decided.score, decided.coverage, decided.fatal
    grave = case({severity.value: rank for severity, rank in WORST.items()}, value=RuleResultRow.severity)
    is_open = case((FindingRow.state == FindingState.OPEN.value, 1), else_=0)
    row.to_review, row.worst = session.execute(
        select(func.coalesce(func.sum(is_open), 0), func.coalesce(func.max(grave), 0))
        .select_from(FindingRow)
        .join(RuleResultRow, RuleResultRow.id == FindingRow.rule_result_id)
        .where(
            FindingRow.evaluation_id == evaluation.id,
            FindingRow.state.not_in([state.value for state in CLEARED]),
        )
    ).one()


def _agent(session: Session, metadata: CallMetadata, at: datetime) -> AgentRow | None:
    """The call's agent and team are in the directory from their first call on."""
    if metadata.team and session.get(TeamRow, metadata.team) is None:
        team = {"name": metadata.team, "vendor": metadata.vendor, "version": 1}
        insert_missing(session, TeamRow, "name", [team])
    if not metadata.agent_id:
        return None
    named = {"name": metadata.agent_name, "team": metadata.team, "vendor": metadata.vendor}
    if session.get(AgentRow, metadata.agent_id) is None:
        new = {"agent_id": metadata.agent_id, **named, "first_call_at": at, "version": 1}
        insert_missing(session, AgentRow, "agent_id", [new])
    agent = session.get_one(AgentRow, metadata.agent_id)
    for column, value in named.items():  # what people wrote stays
        if getattr(agent, column) is None and value is not None:
            setattr(agent, column, value)
    if agent.first_call_at is None or at < agent.first_call_at:
        agent.first_call_at = at
    return agent


def _vendor_of(session: Session, team: str | None) -> str | None:
    return None if team is None else session.scalar(select(TeamRow.vendor).where(TeamRow.name == team))
