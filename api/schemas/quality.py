"""How good the machine is: figures of rules, and proposals to shadow them."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import ConfigDict, Field

from api.schemas.base import PRINTABLE, Note, Sent, Shown, ShownTime
from api.schemas.figures import IntervalModel, ShareModel
from qa_service.domain.quality import Drift, RuleAt, RuleFigures, ShadowProposal
from qa_service.domain.recall import Missed, Recall

PathName = Annotated[str, Path(min_length=1, max_length=200, pattern=PRINTABLE)]

_SHARE: dict[str, Any] = {"count": 54, "total": 60, "value": 0.9, "interval": {"low": 0.799, "high": 0.953}}
_VERSION: dict[str, Any] = {"pack": "service-zh", "rule": "closing", "digest": "sha256:3f1c"}


class RuleVersionModel(Shown):
    """`digest`: of the rule's version; of the whole rule set for calls from before versions were kept."""

    pack: str
    rule: str
    digest: str

    @staticmethod
    def of(version: RuleAt) -> "RuleVersionModel":
        return RuleVersionModel.model_validate(version)


class RecallModel(Shown):
    """Of the faults that there are, the share that the machine brought before a person."""

    value: float
    interval: IntervalModel

    @staticmethod
    def of(recall: Recall) -> "RecallModel":
        return RecallModel.model_validate(recall)


class MissedModel(Shown):
    """About how many calls hold a fault that was missed; `found` in the `heard` ones."""

    calls: float
    interval: IntervalModel
    heard: int
    found: int

    @staticmethod
    def of(missed: Missed) -> "MissedModel":
        return MissedModel.model_validate(missed)


class DriftModel(Shown):
    """The last weeks against those before; `p`: how probable such a fall is by chance, over all rules."""

    recent: ShareModel
    before: ShareModel
    p: float
    fallen: bool

    @staticmethod
    def of(drift: Drift) -> "DriftModel":
        return DriftModel(
            recent=ShareModel.of(drift.recent), before=ShareModel.of(drift.before), p=drift.p, fallen=drift.fallen
        )


class WeekModel(Shown):
    """Verdicts of one week on what the machine said was a fault."""

    judged: int
    right: int


class RuleFiguresModel(Shown):
    """How good a version of a rule is. What nobody can tell is null."""

    version: RuleVersionModel
    precision: ShareModel = Field(description="Of what it said was a fault, what was one")
    doubts: ShareModel = Field(description="Of what it left open, what was a fault")
    overturned: ShareModel = Field(description="Of what was disputed to the end, what turned out to be no fault")
    recall: RecallModel | None
    missed: MissedModel | None
    drift: DriftModel | None
    weeks: list[WeekModel] = Field(description="The oldest first")
    target: float
    short: bool = Field(description="Enough verdicts, and the lower bound of precision is under the target")
    in_force: bool = Field(description="It found something in the last week")

    @staticmethod
    def of(figures: RuleFigures) -> "RuleFiguresModel":
        return RuleFiguresModel(
            version=RuleVersionModel.of(figures.of),
            precision=ShareModel.of(figures.precision),
            doubts=ShareModel.of(figures.doubts),
            overturned=ShareModel.of(figures.overturned),
            recall=None if figures.recall is None else RecallModel.of(figures.recall),
            missed=None if figures.missed is None else MissedModel.of(figures.missed),
            drift=None if figures.drift is None else DriftModel.of(figures.drift),
            weeks=[WeekModel(judged=judged, right=right) for judged, right in figures.weeks],
            target=figures.target,
            short=figures.short,
            in_force=figures.in_force,
        )


class MeasurementModel(Shown):
    """The last measurement: verdicts from `since` to `until`; both are null before the first one."""

    since: ShownTime | None
    until: ShownTime | None
    rules: list[RuleFiguresModel]


class MeasuredThen(Shown):
    """What one measurement said of one version of a rule."""

    until: ShownTime
    figures: RuleFiguresModel


class RuleHistoryModel(Shown):
    """The newest first."""

    measurements: list[MeasuredThen]


class ShadowProposalModel(Shown):
    """A rule that falls short is to be tried without being scored. `accepted` is null until somebody decides."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": 3,
                "version": _VERSION,
                "precision": _SHARE,
                "target": 0.8,
                "created_at": "2026-11-22T02:00:00Z",
                "accepted": None,
                "decided_by": None,
                "decided_at": None,
                "note": "",
            }
        }
    )

    id: int
    version: RuleVersionModel
    precision: ShareModel
    target: float
    created_at: ShownTime
    accepted: bool | None
    decided_by: int | None
    decided_at: ShownTime | None
    note: str

    @staticmethod
    def of(proposal: ShadowProposal) -> "ShadowProposalModel":
        return ShadowProposalModel(
            id=proposal.id,
            version=RuleVersionModel.of(proposal.of),
            precision=ShareModel.of(proposal.precision),
            target=proposal.target,
            created_at=proposal.created_at,
            accepted=proposal.accepted,
            decided_by=proposal.decided_by,
            decided_at=proposal.decided_at,
            note=proposal.note,
        )


class ShadowDecision(Sent):
    """Accepting takes the version out of scoring: it is evaluated and recorded, and accuses nobody."""

    model_config = ConfigDict(json_schema_extra={"example": {"accept": True, "note": "误判太多，先观察"}})

    accept: Annotated[bool, Field(strict=True)]
    note: Note = ""
