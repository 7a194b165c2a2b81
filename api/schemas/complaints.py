"""Complaints: as they stand, their steps, and what a month of them says."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict, Field, StringConstraints

from api.hiding import Hiding
from api.masks import Eyes
from api.schemas.base import MAX_ID, Name, Note, Sent, Shown, ShownTime
from api.schemas.evaluations import EvidenceModel
from api.schemas.figures import ShareModel
from qa_service.domain.access import CallOwner
from qa_service.domain.complaint_analysis import ComplaintAnalysis, Group, Median
from qa_service.domain.complaints import ComplaintState, ComplaintStep
from qa_service.ports.complaints import Complaint
from qa_service.services.complaints import REPORT_CHARACTERS, ComplaintInFull, Raised, StepAsked

Month = Annotated[
    str, Query(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="As in 2026-11, in the site's zone")
]
Level = Annotated[int, Field(ge=1, le=3)]
What = Annotated[
    str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
]
Report = Annotated[
    str, StringConstraints(max_length=REPORT_CHARACTERS, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
]
RecordingNumber = Annotated[int, Field(ge=1, le=MAX_ID)]

ByHand = Literal[
    ComplaintStep.ACCEPT,
    ComplaintStep.VERIFY,
    ComplaintStep.HANDLE,
    ComplaintStep.CORRECT,
    ComplaintStep.CLOSE,
    ComplaintStep.DROP,
    ComplaintStep.REINSTATE,
    ComplaintStep.AUTHORITY,
    ComplaintStep.APOLOGISE,
    ComplaintStep.FOLLOW_UP,
    ComplaintStep.REPORT,
    ComplaintStep.REGRADE,
]


class NewComplaint(Sent):
    """About a recording; or, without one, about whatever is known of the call."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"level": 2, "what": "客户扬言投诉到总部：三天没有回电", "recording_id": 101}
        }
    )

    level: Level
    what: What
    recording_id: RecordingNumber | None = None
    customer_ref: Name | None = None
    agent_id: Name | None = None
    team: Name | None = None
    vendor: Name | None = None

    def raised(self) -> Raised:
        return Raised(
            level=self.level,
            what=self.what,
            recording_id=self.recording_id,
            customer_ref=self.customer_ref,
            of=CallOwner(self.vendor, self.team, self.agent_id),
        )


class SentStep(Sent):
    """`valid` and `cause` (the norm that was broken, best a rule's id): to verify; `level`: to regrade;
    `recording_id`: of the call in which it was done. A report may hold 20,000 characters, other notes 2,000."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "step": "verify",
                "valid": True,
                "cause": "cannot-answer-now",
                "note": "答应三天内回电，没有回",
            }
        }
    )

    step: ByHand
    note: Report = ""
    valid: bool | None = None
    cause: Annotated[Note, Field(max_length=200)] = ""
    level: Level | None = None
    recording_id: RecordingNumber | None = None

    def asked(self) -> StepAsked:
        return StepAsked(
            step=self.step,
            note=self.note,
            valid=self.valid,
            cause=self.cause,
            level=self.level,
            recording_id=self.recording_id,
        )


class NewOwner(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"user_id": 4}})

    user_id: RecordingNumber


_COMPLAINT: dict[str, Any] = {
    "id": 7,
    "recording_id": 101,
    "rule": "complaint",
    "level": 2,
    "proposed_level": None,
    "state": "accepted",
    "what": "",
    "customer_ref": "C-1",
    "agent_id": "1024",
    "agent_name": "王芳",
    "team": "A",
    "vendor": "V",
    "queue": "billing",
    "raised_at": "2026-11-20T04:30:00Z",
    "raised_by": None,
    "owner_id": 4,
    "owner_name": "赵敏",
    "respond_by": "2026-11-20T05:00:00Z",
    "due_at": "2026-11-24T16:00:00Z",
    "responded_at": "2026-11-20T04:41:00Z",
    "handled_at": None,
    "ended_at": None,
    "valid": None,
    "cause": "",
    "overdue": False,
    "version": 2,
}


class ComplaintModel(Shown):
    """`raised_by` null: the machine found it. `cause`: the norm that was broken. `proposed_level`: what a later
    evaluation found, 0 no complaint; a person decides. `overdue`: one of its clocks has run out."""

    model_config = ConfigDict(json_schema_extra={"example": _COMPLAINT})

    id: int
    recording_id: int | None
    rule: str
    level: int
    proposed_level: int | None
    state: ComplaintState
    what: str
    customer_ref: str | None
    agent_id: str | None
    agent_name: str | None
    team: str | None
    vendor: str | None
    queue: str | None
    raised_at: ShownTime
    raised_by: int | None
    owner_id: int | None
    owner_name: str | None
    respond_by: ShownTime
    due_at: ShownTime
    responded_at: ShownTime | None
    handled_at: ShownTime | None
    ended_at: ShownTime | None
    valid: bool | None
    cause: str
    overdue: bool
    version: int

    @staticmethod
    def of(complaint: Complaint, eyes: Eyes, *, overdue: bool) -> "ComplaintModel":
        return ComplaintModel(
            id=complaint.id,
            recording_id=complaint.recording_id,
            rule=complaint.rule,
            level=complaint.level,
            proposed_level=complaint.proposed_level,
            state=complaint.state,
            what=eyes.text(complaint.what),
            customer_ref=eyes.reference(complaint.customer_ref),
            agent_id=complaint.of.agent_id,
            agent_name=complaint.agent_name,
            team=complaint.of.team,
            vendor=complaint.of.vendor,
            queue=complaint.queue,
            raised_at=complaint.raised_at,
            raised_by=complaint.raised_by,
            owner_id=complaint.owner_id,
            owner_name=complaint.owner_name,
            respond_by=complaint.respond_by,
            due_at=complaint.due_at,
            responded_at=complaint.responded_at,
            handled_at=complaint.handled_at,
            ended_at=complaint.ended_at,
            valid=complaint.valid,
            cause=eyes.text(complaint.cause),
            overdue=overdue,
            version=complaint.version,
        )


class ComplaintStepModel(Shown):
    """`user_id` null: the machine. `level`: the new one, where it was regraded or that was proposed."""

    number: int
    step: ComplaintStep
    from_state: ComplaintState
    to_state: ComplaintState
    user_id: int | None
    user_name: str | None
    note: str
    level: int | None
    recording_id: int | None
    at: ShownTime


class ComplaintInFullModel(Shown):
    """A complaint with its steps; `evidence`: where it is said, by the evaluation in force."""

    complaint: ComplaintModel
    steps: list[ComplaintStepModel]
    evidence: list[EvidenceModel]

    @staticmethod
    def of(found: ComplaintInFull, eyes: Eyes, hiding: Hiding | None, *, overdue: bool) -> "ComplaintInFullModel":
        return ComplaintInFullModel(
            complaint=ComplaintModel.of(found.complaint, eyes, overdue=overdue),
            steps=[
                ComplaintStepModel(
                    number=step.number,
                    step=step.step,
                    from_state=step.from_state,
                    to_state=step.to_state,
                    user_id=step.user_id,
                    user_name=step.user_name,
                    note=eyes.text(step.note),
                    level=step.level,
                    recording_id=step.recording_id,
                    at=step.at,
                )
                for step in found.steps
            ],
            evidence=[] if hiding is None else hiding.evidence(found.evidence),
        )


class MedianModel(Shown):
    """Seconds. `value` null: what is still open decides it, or there is nothing; `low`, `high`: its 95 %
    interval, null where so few cannot bound it."""

    count: int
    value: float | None
    low: float | None
    high: float | None

    @staticmethod
    def of(median: Median) -> "MedianModel":
        return MedianModel.model_validate(median)


class ComplaintGroup(Shown):
    """Complaints that have something in common; shares are of those of which it is known."""

    of: str
    complaints: int
    valid: ShareModel
    unverified: int
    response_in_time: ShareModel
    handled_in_time: ShareModel

    @staticmethod
    def made(of: object, group: Group) -> "ComplaintGroup":
        return ComplaintGroup(
            of=str(of),
            complaints=group.complaints,
            valid=ShareModel.of(group.valid),
            unverified=group.unverified,
            response_in_time=ShareModel.of(group.response_in_time),
            handled_in_time=ShareModel.of(group.handled_in_time),
        )


class CauseCount(Shown):
    """`cause`: a norm; empty where whoever verified named none."""

    cause: str
    complaints: int


class ComplaintAnalysisModel(Shown):
    """Of complaints raised in `[since, until)`, as they stand. An empty `of` is nobody told."""

    since: ShownTime
    until: ShownTime
    as_of: ShownTime
    all: ComplaintGroup
    by_level: list[ComplaintGroup]
    by_team: list[ComplaintGroup]
    by_vendor: list[ComplaintGroup]
    by_cause: list[CauseCount]
    response_s: MedianModel
    closure_s: MedianModel

    @staticmethod
    def of(found: ComplaintAnalysis, eyes: Eyes) -> "ComplaintAnalysisModel":
        return ComplaintAnalysisModel(
            since=found.since,
            until=found.until,
            as_of=found.as_of,
            all=ComplaintGroup.made("", found.all),
            by_level=[ComplaintGroup.made(level, group) for level, group in found.by_level.items()],
            by_team=[ComplaintGroup.made(team, group) for team, group in found.by_team.items()],
            by_vendor=[ComplaintGroup.made(vendor, group) for vendor, group in found.by_vendor.items()],
            by_cause=[
                CauseCount(cause=eyes.text(cause), complaints=count) for cause, count in found.by_cause.items()
            ],
            response_s=MedianModel.of(found.response_s),
            closure_s=MedianModel.of(found.closure_s),
        )
