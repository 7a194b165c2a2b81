"""What people decided about a finding holds for the same finding of another evaluation of the call.

Guarantee: the same means the same rule with the same outcome and the same evidence. What is carried over is a new
row that says so, in the name of who decided; the newest decision wins, however evaluations took turns.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qa_service.db.rows import DisputeStepRow, EvaluationRow, FindingRow, RuleResultRow, VerdictRow
from qa_service.domain.review import Cause, FindingState, Origin

CARRY = "carry"
"""The step of a dispute that says so."""


def carry_over(session: Session, recording_id: int, evaluation_id: int, now: datetime) -> int:
    """Carry to ``evaluation_id`` what was decided elsewhere about the recording; returns how many findings."""
    decided = session.execute(
        select(FindingRow, RuleResultRow)
        .join(RuleResultRow, RuleResultRow.id == FindingRow.rule_result_id)
        .join(EvaluationRow, EvaluationRow.id == FindingRow.evaluation_id)
        .where(
            EvaluationRow.recording_id == recording_id,
            EvaluationRow.id != evaluation_id,
            FindingRow.state != FindingState.OPEN.value,
        )
        .order_by(FindingRow.decided_at, FindingRow.id)
    ).all()
    if not decided:
        return 0
    # The last of each is the newest.
    sources = {_signature(result): finding for finding, result in decided}
    targets = session.execute(
        select(RuleResultRow, FindingRow)
        .outerjoin(FindingRow, FindingRow.rule_result_id == RuleResultRow.id)
        .where(RuleResultRow.evaluation_id == evaluation_id)
        .order_by(RuleResultRow.position)
    ).all()
    pairs: list[tuple[FindingRow, FindingRow]] = []
    for result, finding in targets:
        source = sources.get(_signature(result))
        if source is None or (finding is None and source.origin != Origin.HUMAN.value):
            continue
        if finding is None:
            finding = FindingRow(
                evaluation_id=evaluation_id,
                rule_result_id=result.id,
                state=FindingState.OPEN.value,
                origin=source.origin,
            )
            session.add(finding)
            session.flush()
        if finding.decided_at is None or (source.decided_at and finding.decided_at < source.decided_at):
            pairs.append((source, finding))
    verdicts = _last_verdicts(session, [source.id for source, _ in pairs])
    steps = _last_numbers(session, [finding.id for pair in pairs for finding in pair])
    for source, finding in pairs:
        _carry(session, recording_id, source, finding, now, verdicts.get(source.id), steps)
    session.flush()
    return len(pairs)


def _carry(
    session: Session,
    recording_id: int,
    source: FindingRow,
    finding: FindingRow,
    now: datetime,
    verdict: VerdictRow | None,
    steps: Mapping[int, int],
) -> None:
    if verdict is not None:
        session.add(
            VerdictRow(
                finding_id=finding.id,
                recording_id=recording_id,
                user_id=verdict.user_id,
                decision=verdict.decision,
                cause=Cause.CARRIED.value,
                reason=verdict.reason,
                note=verdict.note,
                start_s=verdict.start_s,
                end_s=verdict.end_s,
                carried_from=verdict.id,
                at=now,
            )
        )
    if source.id in steps:
        session.add(
            DisputeStepRow(
                finding_id=finding.id,
                recording_id=recording_id,
                number=steps.get(finding.id, 0) + 1,
                step=CARRY,
                from_state=finding.state,
                to_state=source.state,
                user_id=None,
                reason="",
                due_at=source.due_at,
                carried_from=source.id,
                at=now,
            )
        )
    finding.state, finding.due_at, finding.decided_at = source.state, source.due_at, now


def _signature(result: RuleResultRow) -> tuple[str, str, str]:
    return result.rule, result.outcome, repr(result.evidence)


def _last_verdicts(session: Session, finding_ids: Sequence[int]) -> Mapping[int, VerdictRow]:
    rows = session.scalars(
        select(VerdictRow).where(VerdictRow.finding_id.in_(finding_ids)).order_by(VerdictRow.id)
    )
    return {row.finding_id: row for row in rows}


def _last_numbers(session: Session, finding_ids: Sequence[int]) -> Mapping[int, int]:
    rows = session.execute(
        select(DisputeStepRow.finding_id, func.max(DisputeStepRow.number).label("last"))
        .where(DisputeStepRow.finding_id.in_(finding_ids))
        .group_by(DisputeStepRow.finding_id)
    )
    return {row.finding_id: row.last for row in rows}
