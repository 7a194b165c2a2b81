"""Coaching actions, what they are judged by, and where to listen."""

from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from api.hiding import Hiding
from api.schemas.base import MAX_ID, Name, Note, Sent, Shown, ShownTime
from api.schemas.evaluations import EvidenceModel
from api.schemas.figures import ShareModel
from qa_service.domain.access import Principal
from qa_service.domain.causes import Cause, Trend
from qa_service.domain.coaching import ActionState, ActionStep, RuleNeed
from qa_service.domain.figures import FaultTotals
from qa_service.domain.masking.agents import without_agent
from qa_service.domain.results import Severity
from qa_service.ports.coaching import Clip, ClipKind, CoachingAction, TakenStep
from qa_service.services.coaching import MAX_DUE_DAYS, CoachingDetails
from qa_service.services.coaching_lists import subject_kind
from qa_service.services.coaching_rounds import RoundDone

MIN_PEERS: Final = 3
"""With fewer others an agent would see what a single colleague does."""

HandStep = Literal["hold", "assess", "fail", "close", "dismiss", "note"]


class NewAction(Sent):
    """A module for an agent, by hand."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"agent_id": "1024", "module": "script-wording", "note": "新人"}}
    )

    agent_id: Name
    module: Name
    note: Note = ""


class Assignment(Sent):
    """`assigned_to`: an account that may coach this agent; `due_days`: working days, the site's where null."""

    model_config = ConfigDict(json_schema_extra={"example": {"assigned_to": 7, "due_days": 5, "note": ""}})

    assigned_to: Annotated[int, Field(ge=1, le=MAX_ID)]
    due_days: Annotated[int, Field(ge=1, le=MAX_DUE_DAYS)] | None = None
    note: Note = ""


class StepTaken(Sent):
    """`dismiss`, `fail` and `note` need a `note`."""

    model_config = ConfigDict(json_schema_extra={"example": {"step": "hold", "note": "一对一，听了三段录音"}})

    step: HandStep
    note: Note = ""


class Acknowledgement(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"note": "明白了"}})

    note: Note = ""


class RoundModel(Shown):
    """What a round did."""

    proposed: int
    extended: int = Field(description="Open actions for which there was more evidence")
    withdrawn: int = Field(description="Proposals that nothing shows any more")

    @staticmethod
    def of(done: RoundDone) -> "RoundModel":
        return RoundModel(proposed=done.proposed, extended=done.extended, withdrawn=done.withdrawn)


class FaultsModel(Shown):
    """Calls in which a rule had an answer, and those of them with a fault."""

    calls: int
    faults: int
    confirmed: int = Field(description="Faults that a person decided")
    unreviewed: int = Field(description="Faults that nobody has looked at")
    rate: ShareModel

    @staticmethod
    def of(totals: FaultTotals) -> "FaultsModel":
        return FaultsModel(
            calls=totals.calls,
            faults=totals.faults,
            confirmed=totals.confirmed,
            unreviewed=totals.unreviewed,
            rate=ShareModel.of(totals.rate),
        )


class RuleNeedModel(Shown):
    """A rule of a need. `before`: the own past; `peers`: the team's others in the same days; an agent is shown
    them where they are so many that nobody can be made out."""

    rule: str
    title: str
    severity: Severity
    cause: Cause
    trend: Trend
    now: FaultsModel
    before: FaultsModel
    peers: FaultsModel | None

    @staticmethod
    def of(need: RuleNeed, *, to_agent: bool = False) -> "RuleNeedModel":
        told = not to_agent or need.others >= MIN_PEERS
        return RuleNeedModel(
            rule=need.rule,
            title=need.title,
            severity=need.severity,
            cause=need.cause,
            trend=need.trend,
            now=FaultsModel.of(need.now),
            before=FaultsModel.of(need.before),
            peers=FaultsModel.of(need.peers) if told else None,
        )


class ActionModel(Shown):
    """A coaching action. Of a team or the site: what everybody has in common, the script or all training."""

    id: int
    subject: Literal["agent", "team", "site"]
    agent_id: str | None
    agent_name: str | None
    team: str | None
    vendor: str | None
    module: str
    state: ActionState
    priority: float
    rules: list[RuleNeedModel]
    since: date
    until: date = Field(description="The day after the last one that the figures are of")
    by_hand: bool
    assigned_to: int | None
    assigned_name: str | None
    due_at: ShownTime | None
    proposed_at: ShownTime
    held_at: ShownTime | None
    version: int

    @staticmethod
    def of(action: CoachingAction, *, to_agent: bool = False) -> "ActionModel":
        return ActionModel(**_told(action, to_agent=to_agent))


class ClipModel(Shown):
    """Where to listen. An agent is not told whose call a clip of somebody else is."""

    kind: ClipKind
    rule: str
    finding_id: int | None
    recording_id: int
    call_at: ShownTime
    agent_id: str | None
    agent_name: str | None
    score: float | None
    confirmed: bool = Field(description="A person decided it; of a best one, reviewed the call")
    evidence: EvidenceModel | None

    @staticmethod
    def of(clip: Clip, who: Principal, hiding: Hiding) -> "ClipModel":
        told = None if clip.evidence is None else hiding.evidence([clip.evidence])[0]
        somebody_elses = who.scope.agent_id is not None and clip.owner.agent_id != who.scope.agent_id
        if somebody_elses and told is not None:
            quote = without_agent(told.quote, clip.agent_name, clip.owner.agent_id)
            told = told.model_copy(update={"quote": quote})
        return ClipModel(
            kind=clip.kind,
            rule=clip.rule,
            finding_id=None if somebody_elses else clip.finding_id,
            recording_id=clip.recording_id,
            call_at=clip.at,
            agent_id=None if somebody_elses else clip.owner.agent_id,
            agent_name=None if somebody_elses else clip.agent_name,
            score=clip.score,
            confirmed=clip.confirmed,
            evidence=told,
        )


class ActionStepModel(Shown):
    """`user_id` null: the service itself."""

    number: int
    step: ActionStep
    from_state: ActionState
    to_state: ActionState
    user_id: int | None
    user_name: str | None
    note: str
    at: ShownTime

    @staticmethod
    def of(step: TakenStep) -> "ActionStepModel":
        return ActionStepModel(
            number=step.number,
            step=step.step,
            from_state=step.from_state,
            to_state=step.to_state,
            user_id=step.user_id,
            user_name=step.user_name,
            note=step.note,
            at=step.at,
        )


class ActionInFull(ActionModel):
    """With what may be listened to, and every step."""

    clips: list[ClipModel]
    steps: list[ActionStepModel]

    @staticmethod
    def of_details(
        details: CoachingDetails, clips: list[ClipModel], hiding: Hiding, *, to_agent: bool
    ) -> "ActionInFull":
        steps = [ActionStepModel.of(step) for step in details.steps]
        shown = [step.model_copy(update={"note": hiding.text(step.note)}) for step in steps]
        return ActionInFull(**_told(details.action, to_agent=to_agent), clips=clips, steps=shown)


def _told(action: CoachingAction, *, to_agent: bool) -> dict[str, Any]:
    return {
        "id": action.id,
        "subject": subject_kind(action),
        "agent_id": action.owner.agent_id,
        "agent_name": action.agent_name,
        "team": action.owner.team,
        "vendor": action.owner.vendor,
        "module": action.module,
        "state": action.state,
        "priority": action.priority,
        "rules": [RuleNeedModel.of(rule, to_agent=to_agent) for rule in action.rules],
        "since": action.since,
        "until": action.until,
        "by_hand": action.by_hand,
        "assigned_to": action.assigned_to,
        "assigned_name": action.assigned_name,
        "due_at": action.due_at,
        "proposed_at": action.proposed_at,
        "held_at": action.held_at,
        "version": action.version,
    }
