"""What the machine does about complaints: it raises them, proposes, and says when a clock has run out.

Guarantee: a recording has one complaint, however often it is scored; no machine lowers one, or takes one back on
which somebody has worked.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from qa_service.domain.access import CallOwner, Permission, permissions_of
from qa_service.domain.complaints import (
    NO_COMPLAINT,
    Change,
    Clocks,
    ComplaintPolicy,
    ComplaintState,
    ComplaintStep,
    change_of,
)
from qa_service.domain.webhooks import complaint_overdue, complaint_raised
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.complaints import Complaint, GradedCall, NewComplaint

_ESCALATED_AT_ONCE: Final = 200


def owner_of(unit: UnitOfWork, policy: ComplaintPolicy, level: int, of: CallOwner) -> int | None:
    """Whose a complaint of this level is to answer; None where nobody is named, or who is may not."""
    name = policy.owner(level, of.team)
    known = None if name is None else unit.users.credentials(name)
    if known is None:
        return None
    user = known.user
    may = user.active and Permission.COMPLAINTS_HANDLE in permissions_of(user.roles) and user.scope.covers(of)
    return user.id if may else None


class ComplaintWatch:
    """Args:
    units: where they are stored.
    units_to_read: the same, for reading only.
    clock: the time.
    policy: whose complaints are to answer, and until when.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        policy: ComplaintPolicy,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._policy = policy

    def look_at(self, unit: UnitOfWork, recording_ids: Collection[int]) -> None:
        """Bring complaints into step with what is found in these calls now."""
        calls = unit.complaints.graded(recording_ids)
        unit.complaints.follow_calls(recording_ids)
        known = unit.complaints.of_recordings(recording_ids)
        now = self._clock.now()
        for recording_id, call in calls.items():
            complaint = known.get(recording_id)
            change = change_of(
                state=None if complaint is None else complaint.state,
                level=0 if complaint is None else complaint.level,
                proposed=None if complaint is None else complaint.proposed_level,
                grade=call.grade,
                denied=call.denied,
                by_hand=complaint is not None and complaint.raised_by is not None,
                touched=complaint is not None and complaint.touched,
                dropped_by_machine=complaint is not None and complaint.dropped_by_machine,
            )
            if complaint is not None and change is not None:
                self._change(unit, complaint, change, call)
            elif change is Change.RAISE and call.at > now - self._policy.raised_within:
                self._raise(unit, call, now)

    def _raise(self, unit: UnitOfWork, call: GradedCall, now: datetime) -> None:
        assert call.grade is not None
        made = unit.complaints.add(
            NewComplaint(
                level=call.grade,
                of=call.of,
                raised_by=None,
                owner_id=owner_of(unit, self._policy, call.grade, call.of),
                respond_by=self._policy.respond_by(now),
                due_at=self._policy.due(now),
                recording_id=call.recording_id,
                rule=call.rule,
                customer_ref=call.customer_ref,
                agent_name=call.agent_name,
                queue=call.queue,
            )
        )
        if made is not None:
            unit.webhooks.tell([complaint_raised(made.id, made.level, made.respond_by)])
            unit.audit.record("machine", "complaint.raise", "complaint", made.id, {"level": made.level})

    def _change(self, unit: UnitOfWork, complaint: Complaint, change: Change, call: GradedCall) -> None:
        grade = NO_COMPLAINT if call.grade is None or call.denied else call.grade
        match change:
            case Change.DROP:
                unit.complaints.take(
                    complaint, ComplaintStep.DROP, ComplaintState.NOT_RAISED, user_id=None, note="denied_by_review"
                )
            case Change.REINSTATE:
                unit.complaints.take(complaint, ComplaintStep.REINSTATE, ComplaintState.RAISED, user_id=None)
            case Change.REGRADE:
                owner = owner_of(unit, self._policy, grade, complaint.of)
                unit.complaints.take(
                    complaint,
                    ComplaintStep.REGRADE,
                    complaint.state,
                    user_id=None,
                    level=grade,
                    owner_id=complaint.owner_id if owner is None else owner,
                )
            case _:
                unit.complaints.take(
                    complaint,
                    ComplaintStep.PROPOSE,
                    complaint.state,
                    user_id=None,
                    proposed_level=None if grade == complaint.level else grade,
                )
        detail = {"level": complaint.level, "found": grade}
        unit.audit.record("machine", f"complaint.{change.value}", "complaint", complaint.id, detail)

    def look_after(self) -> None:
        """Escalate complaints of which a clock has run out, once for each clock."""
        now = self._clock.now()
        with self._units_to_read() as unit:
            if not any(unit.complaints.overdue(clock, now, 1) for clock in Clocks):
                return
        with self._units() as unit:
            for clock in Clocks:
                for complaint in unit.complaints.overdue(clock, now, _ESCALATED_AT_ONCE, hold=True):
                    unit.complaints.take(
                        complaint, ComplaintStep.ESCALATE, complaint.state, user_id=None, note=clock.value
                    )
                    unit.webhooks.tell([complaint_overdue(complaint.id, complaint.level, clock)])
                    detail = {"clock": clock.value}
                    unit.audit.record("machine", "complaint.escalate", "complaint", complaint.id, detail)
            unit.commit()
