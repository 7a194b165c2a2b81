"""Results of which people said that their situation did not arise in the call."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from qa_service.db.rows import FindingRow, VerdictRow
from qa_service.domain.review import CLEARED, Decision, Reason

_CLEARED = sorted(state.value for state in CLEARED)


def denied_results(session: Session, recording_ids: Collection[int]) -> frozenset[int]:
    """Numbers of rule results of these recordings whose finding was cleared, at last as not applicable."""
    rows = session.execute(
        select(FindingRow.rule_result_id, VerdictRow.decision, VerdictRow.reason)
        .join(FindingRow, FindingRow.id == VerdictRow.finding_id)
        .where(VerdictRow.recording_id.in_(recording_ids), FindingRow.state.in_(_CLEARED))
        .order_by(VerdictRow.id)
    )
    last = {result_id: (decision, reason) for result_id, decision, reason in rows}
    never = (Decision.REJECT.value, Reason.NOT_APPLICABLE.value)
    return frozenset(result_id for result_id, verdict in last.items() if verdict == never)
