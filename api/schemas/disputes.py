"""Disputes and appeals."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from api.hiding import Hiding
from api.schemas.base import Note, Sent, Shown, ShownTime
from api.schemas.review import FindingOfCallModel
from qa_service.domain.results import Outcome, Severity
from qa_service.domain.review import FindingState, Reason
from qa_service.ports.disputes import DisputeLine
from qa_service.services.disputes import Dispute

Why = Annotated[
    str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
]


class Objection(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"reason": "我在结尾说了再见"}})

    reason: Why


class Withdrawal(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"reason": ""}})

    reason: Note = ""


class Advice(Sent):
    """Advice against the agent needs a `reason`."""

    model_config = ConfigDict(json_schema_extra={"example": {"supports": False, "reason": "录音里没有"}})

    supports: bool
    reason: Note = ""


class DisputeDecision(Sent):
    """`code`: why a finding that does not stand is none."""

    model_config = ConfigDict(json_schema_extra={"example": {"uphold": True, "reason": "结尾确实没有道别"}})

    uphold: bool = Field(description="The finding stands")
    reason: Why
    code: Reason = Reason.OTHER


class DisputeStepModel(Shown):
    """`user_id` null: time took it, or it was carried over from the same finding of an earlier evaluation."""

    finding_id: int
    number: int
    step: str
    from_state: FindingState
    to_state: FindingState
    user_id: int | None
    user_name: str | None
    reason: str
    due_at: ShownTime | None
    carried_from: int | None
    at: ShownTime


class DisputeModel(Shown):
    """A finding with the steps of its dispute."""

    finding: FindingOfCallModel
    steps: list[DisputeStepModel]
    disputable_until: ShownTime

    @staticmethod
    def of(dispute: Dispute, hiding: Hiding) -> "DisputeModel":
        return DisputeModel(
            finding=FindingOfCallModel.of(dispute.finding, hiding),
            steps=[
                DisputeStepModel(
                    finding_id=step.finding_id,
                    number=step.number,
                    step=step.step,
                    from_state=step.from_state,
                    to_state=step.to_state,
                    user_id=step.user_id,
                    user_name=step.user_name,
                    reason=hiding.text(step.reason),
                    due_at=step.due_at,
                    carried_from=step.carried_from,
                    at=step.at,
                )
                for step in dispute.steps
            ],
            disputable_until=dispute.disputable_until,
        )


class DisputeLineModel(Shown):
    """A finding that waits for somebody, until `due_at`."""

    finding_id: int
    recording_id: int
    rule: str
    title: str
    outcome: Outcome
    severity: Severity
    state: FindingState
    due_at: ShownTime
    version: int
    agent_id: str | None
    agent_name: str | None
    team: str | None
    vendor: str | None
    call_at: ShownTime

    @staticmethod
    def of(line: DisputeLine) -> "DisputeLineModel":
        return DisputeLineModel(
            finding_id=line.finding_id,
            recording_id=line.recording_id,
            rule=line.rule,
            title=line.title,
            outcome=line.outcome,
            severity=line.severity,
            state=line.state,
            due_at=line.due_at,
            version=line.version,
            agent_id=line.owner.agent_id,
            agent_name=line.agent_name,
            team=line.owner.team,
            vendor=line.owner.vendor,
            call_at=line.call_at,
        )
