"""The review queue, QA sheets, verdicts."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.hiding import Hiding
from api.schemas.base import MAX_ID, Name, Note, Sent, Shown, ShownTime
from api.schemas.evaluations import EvidenceModel, SectionModel
from qa_service.domain.queueing import QueueKind
from qa_service.domain.results import Outcome, RuleResult, Severity
from qa_service.domain.review import Cause, Decision, FindingState, Origin, Reason, Verdict, apply
from qa_service.domain.scoring import Evaluation
from qa_service.ports.review import ItemState, QueuedCall, ReviewItem, Sheet, StoredFinding

Seconds = Annotated[float, Field(ge=0.0, le=1e6, description="From the start of the recording")]
_TIME = "2026-11-22T08:00:00Z"
_ITEM: dict[str, Any] = {
    "recording_id": 101,
    "evaluation_id": 203,
    "kind": "flagged",
    "state": "waiting",
    "due_at": _TIME,
    "grade": None,
    "value": 0.75,
    "inclusion_probability": 1.0,
    "team": "A",
    "vendor": "V",
    "agent_id": "1024",
    "assigned_to": None,
    "claimed_by": None,
    "claim_expires_at": None,
    "done_by": None,
    "done_at": None,
    "note": "",
}


class ReviewItemModel(Shown):
    """A call that a person looks at. `value`: severity times uncertainty; `grade`: of its gravest complaint."""

    model_config = ConfigDict(json_schema_extra={"example": _ITEM})

    recording_id: int
    evaluation_id: int
    kind: QueueKind
    state: ItemState
    due_at: ShownTime
    grade: int | None
    value: float
    inclusion_probability: float
    team: str | None
    vendor: str | None
    agent_id: str | None
    assigned_to: int | None
    claimed_by: int | None
    claim_expires_at: ShownTime | None
    done_by: int | None
    done_at: ShownTime | None
    note: str

    @staticmethod
    def of(item: ReviewItem) -> "ReviewItemModel":
        return ReviewItemModel(
            recording_id=item.recording_id,
            evaluation_id=item.evaluation_id,
            kind=item.kind,
            state=item.state,
            due_at=item.due_at,
            grade=item.grade,
            value=item.value,
            inclusion_probability=item.inclusion_probability,
            team=item.owner.team,
            vendor=item.owner.vendor,
            agent_id=item.owner.agent_id,
            assigned_to=item.assigned_to,
            claimed_by=item.claimed_by,
            claim_expires_at=item.claim_expires_at,
            done_by=item.done_by,
            done_at=item.done_at,
            note=item.note,
        )


class QueuedCallModel(Shown):
    """A line of the queue. `worst`: 3 critical, 2 major, 1 minor, 0 none."""

    item: ReviewItemModel
    at: ShownTime
    call_id: str | None
    agent_name: str | None
    language: str | None
    duration_s: float | None
    score: float | None = Field(description="The machine's")
    final_score: float | None = Field(description="After people's decisions")
    to_review: int = Field(description="Open findings")
    worst: int
    claimed_by_name: str | None

    @staticmethod
    def of(call: QueuedCall) -> "QueuedCallModel":
        return QueuedCallModel(
            item=ReviewItemModel.of(call.item),
            at=call.at,
            call_id=call.call_id,
            agent_name=call.agent_name,
            language=call.language,
            duration_s=call.duration_s,
            score=call.score,
            final_score=call.final_score,
            to_review=call.to_review,
            worst=call.worst,
            claimed_by_name=call.claimed_by_name,
        )


class Assignee(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"user_id": 3}})

    user_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = Field(description="null: nobody in particular")


class Completion(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"note": "语气很好"}})

    note: Note = ""


class SentVerdict(Sent):
    """`reject` needs a `reason`, `correct` a `start` and an `end`."""

    model_config = ConfigDict(json_schema_extra={"example": {"decision": "reject", "reason": "misheard"}})

    decision: Decision
    reason: Reason | None = None
    note: Note = ""
    start: Seconds | None = None
    end: Seconds | None = None


class MissedFault(Sent):
    """A fault that the machine did not report, on a rule of the call's evaluation."""

    model_config = ConfigDict(json_schema_extra={"example": {"rule": "closing", "start": 61.5, "end": 64.0}})

    rule: Name
    start: Seconds
    end: Seconds
    note: Note = ""


class SheetResultModel(Shown):
    """A rule's answer: `outcome` is the machine's, `final_outcome` after people's decisions."""

    rule: str
    title: str
    outcome: Outcome
    final_outcome: Outcome
    severity: Severity
    reason: str
    scored: bool
    unscored: str
    same_event_as: str | None
    grade: int | None
    evidence: list[EvidenceModel]

    @staticmethod
    def of(result: RuleResult, final: Outcome, hiding: Hiding) -> "SheetResultModel":
        return SheetResultModel(
            rule=result.rule,
            title=result.title,
            outcome=result.outcome,
            final_outcome=final,
            severity=result.severity,
            reason=result.reason,
            scored=result.scored,
            unscored=result.unscored,
            same_event_as=result.same_event_as,
            grade=result.grade,
            evidence=hiding.evidence(result.evidence),
        )


class FindingOfCallModel(Shown):
    """A result that needs a person. `in_force`: false once the call was scored again."""

    id: int
    recording_id: int
    evaluation_id: int
    in_force: bool
    rule: str
    title: str
    outcome: Outcome
    severity: Severity
    state: FindingState
    origin: Origin
    decision: Decision | None = Field(description="The one in force")
    start: float | None
    end: float | None
    due_at: ShownTime | None = Field(description="Until when the next step of its dispute may be taken")
    evidence: list[EvidenceModel]
    version: int

    @staticmethod
    def of(finding: StoredFinding, hiding: Hiding) -> "FindingOfCallModel":
        ruling = finding.ruling
        return FindingOfCallModel(
            id=finding.id,
            recording_id=finding.recording_id,
            evaluation_id=finding.evaluation_id,
            in_force=finding.in_force,
            rule=finding.result.rule,
            title=finding.result.title,
            outcome=finding.result.outcome,
            severity=finding.result.severity,
            state=finding.state,
            origin=finding.origin,
            decision=None if ruling is None else ruling.decision,
            start=None if ruling is None else ruling.start,
            end=None if ruling is None else ruling.end,
            due_at=finding.due_at,
            evidence=hiding.evidence(finding.result.evidence),
            version=finding.version,
        )


class VerdictModel(Shown):
    """A decision as it was made. `carried_from`: the one on the same finding of an earlier evaluation."""

    id: int
    finding_id: int
    rule: str
    user_id: int
    user_name: str
    decision: Decision
    cause: Cause
    reason: str
    note: str
    start: float | None
    end: float | None
    carried_from: int | None
    at: ShownTime

    @staticmethod
    def of(verdict: Verdict, hiding: Hiding) -> "VerdictModel":
        return VerdictModel(
            id=verdict.id,
            finding_id=verdict.finding_id,
            rule=verdict.rule,
            user_id=verdict.user_id,
            user_name=verdict.user_name,
            decision=verdict.decision,
            cause=verdict.cause,
            reason=verdict.reason,
            note=hiding.text(verdict.note),
            start=verdict.start,
            end=verdict.end,
            carried_from=verdict.carried_from,
            at=verdict.at,
        )


class ScoreModel(Shown):
    """A filled scorecard. `score` null: too little of it was determined."""

    scorecard: str
    score: float | None
    raw_score: float | None
    bonus: float
    coverage: float
    fatal: bool
    sections: list[SectionModel]

    @staticmethod
    def of(evaluation: Evaluation) -> "ScoreModel":
        return ScoreModel(
            scorecard=evaluation.scorecard,
            score=evaluation.score,
            raw_score=evaluation.raw_score,
            bonus=evaluation.bonus,
            coverage=evaluation.coverage,
            fatal=evaluation.fatal,
            sections=[SectionModel.model_validate(section) for section in evaluation.sections],
        )


class FinalScoreModel(Shown):
    """A final score and what made it. `user_id` null: the call was scored again under decisions."""

    number: int
    evaluation_id: int
    score: ScoreModel
    cause: Cause
    user_id: int | None
    user_name: str | None
    at: ShownTime


class SheetModel(Shown):
    """A call's QA sheet: the machine's draft, what people decided, and every score that it had."""

    recording_id: int
    evaluation_id: int
    evaluated_at: ShownTime
    pack: str
    machine: ScoreModel
    final: ScoreModel
    results: list[SheetResultModel]
    findings: list[FindingOfCallModel]
    verdicts: list[VerdictModel]
    scores: list[FinalScoreModel] = Field(description="Final scores, the oldest first")

    @staticmethod
    def of(sheet: Sheet, hiding: Hiding) -> "SheetModel":
        stored = sheet.evaluation
        machine = ScoreModel.of(stored.evaluation)
        current = [score for score in sheet.scores[-1:] if score.evaluation_id == stored.id]
        outcomes = [result.outcome for result in apply(stored.results, sheet.rulings)]
        return SheetModel(
            recording_id=stored.recording_id,
            evaluation_id=stored.id,
            evaluated_at=stored.created_at,
            pack=stored.pack,
            machine=machine,
            final=ScoreModel.of(current[0].evaluation) if current else machine,
            results=[
                SheetResultModel.of(result, outcome, hiding)
                for result, outcome in zip(stored.results, outcomes, strict=True)
            ],
            findings=[FindingOfCallModel.of(finding, hiding) for finding in sheet.findings],
            verdicts=[VerdictModel.of(verdict, hiding) for verdict in sheet.verdicts],
            scores=[
                FinalScoreModel(
                    number=score.number,
                    evaluation_id=score.evaluation_id,
                    score=ScoreModel.of(score.evaluation),
                    cause=score.cause,
                    user_id=score.user_id,
                    user_name=score.user_name,
                    at=score.at,
                )
                for score in sheet.scores
            ],
        )
