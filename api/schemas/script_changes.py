"""Changes of script and rules."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.base import Name, Note, Sent, Shown, ShownTime
from api.schemas.figures import ShareModel
from qa_service.domain.access import Scope
from qa_service.domain.proportions import share
from qa_service.domain.training import ChangeState, ChangeStep
from qa_service.ports.script_changes import ChangedRule, ChangeStepTaken, ChangeTerms, ScriptChange
from qa_service.services.script_changes import ChangeDetails

HandStep = Literal["approve", "train", "assess", "go_live", "override", "withdraw"]
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{8,64}$")]

_CHANGE: dict[str, Any] = {
    "title": "开头语加上部门",
    "text": "您好，这里是商城客服部，工号1024，为您服务",
    "pack": "service-zh",
    "rules": [{"rule": "opening", "digest": None}],
    "vendor": None,
    "teams": ["A"],
}


class ChangedRuleModel(Sent):
    """`digest` null: whichever version is published next."""

    rule: RuleName
    digest: Digest | None = None


class NewChange(Sent):
    """What changes, and whom it concerns: agents of `teams` (null: all) who had calls lately."""

    model_config = ConfigDict(json_schema_extra={"example": _CHANGE})

    title: Name
    text: Note = ""
    pack: RuleName | None = None
    rules: Annotated[list[ChangedRuleModel], Field(max_length=200)] = Field(default_factory=list)
    vendor: Name | None = None
    teams: Annotated[list[Name], Field(min_length=1, max_length=200)] | None = None

    def terms(self) -> ChangeTerms:
        return ChangeTerms(
            title=self.title,
            text=self.text,
            pack=self.pack,
            rules=tuple(ChangedRule(each.rule, each.digest) for each in self.rules),
            scope=Scope(self.vendor, None if self.teams is None else frozenset(self.teams)),
        )


class SentChangeStep(Sent):
    """`override` and `withdraw` need a `note`."""

    model_config = ConfigDict(json_schema_extra={"example": {"step": "approve", "note": ""}})

    step: HandStep
    note: Note = ""


class ChangeModel(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_CHANGE,
                "id": 4,
                "state": "trained",
                "created_by": 2,
                "created_at": "2026-11-20T01:00:00Z",
                "version": 3,
            }
        }
    )

    id: int
    title: str
    text: str
    pack: str | None
    rules: list[ChangedRuleModel]
    vendor: str | None
    teams: list[str] | None
    state: ChangeState
    created_by: int
    created_at: ShownTime
    version: int

    @staticmethod
    def of(change: ScriptChange) -> "ChangeModel":
        terms = change.terms
        return ChangeModel(
            id=change.id,
            title=terms.title,
            text=terms.text,
            pack=terms.pack,
            rules=[ChangedRuleModel.model_construct(rule=each.rule, digest=each.digest) for each in terms.rules],
            vendor=terms.scope.vendor,
            teams=None if terms.scope.teams is None else sorted(terms.scope.teams),
            state=change.state,
            created_by=change.created_by,
            created_at=change.created_at,
            version=change.version,
        )


class ChangeStepModel(Shown):
    number: int
    step: ChangeStep
    from_state: ChangeState
    to_state: ChangeState
    name: str
    note: str
    at: ShownTime

    @staticmethod
    def of(step: ChangeStepTaken) -> "ChangeStepModel":
        return ChangeStepModel.model_validate(step)


class ChangeInFull(Shown):
    """With its steps and how far it is. `needed`: the share of agents concerned that have to have passed."""

    change: ChangeModel
    steps: list[ChangeStepModel]
    sessions: int = Field(description="That took place")
    passed: ShareModel
    needed: float
    waits_for: str

    @staticmethod
    def of(details: ChangeDetails) -> "ChangeInFull":
        return ChangeInFull(
            change=ChangeModel.of(details.change),
            steps=[ChangeStepModel.of(step) for step in details.steps],
            sessions=details.sessions,
            passed=ShareModel.of(share(details.passed.passed, details.passed.concerned)),
            needed=details.share,
            waits_for=details.waits_for,
        )
