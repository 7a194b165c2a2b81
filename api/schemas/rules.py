"""Rule packs, their scorecards, and what is tried with them."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from api.schemas.base import Moment, Note, Sent, Shown, ShownTime
from qa_service.domain.lifecycle import RuleState, RuleTransition
from qa_service.domain.results import Outcome, Severity
from qa_service.domain.scoring import Fatal, Scorecard

RuleId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9-]+$")]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Files = Annotated[dict[FileName, str], Field(min_length=1, max_length=500)]

_PACK: JsonDict = {
    "pack.yaml": "pack: ours\ntitle: Ours\nlanguage: en\nscorecard: service-en\nextends: service-en\n",
}


class PackSummary(Shown):
    """``in_use_for``: languages that calls are scored in by it. ``fault``: why it cannot be used."""

    pack: str
    shipped: bool
    in_use_for: list[str]
    language: str | None
    digest: str | None
    rules: int
    fault: str | None


class RuleModel(Shown):
    """``state``: of this version; null for rules that are recorded and never scored."""

    rule: str
    title: str
    severity: Severity
    digest: str
    scored: bool
    state: RuleState | None


class ScorecardItemModel(Shown):
    rule: str
    points: float
    fatal: Fatal
    bonus: bool


class ScorecardSectionModel(Shown):
    name: str
    title: str
    items: list[ScorecardItemModel]


class ScorecardModel(Shown):
    """The form of a pack: without what the pack disables."""

    pack: str
    name: str
    coverage_floor: float
    sections: list[ScorecardSectionModel]

    @staticmethod
    def of(pack: str, card: Scorecard) -> "ScorecardModel":
        return ScorecardModel(
            pack=pack,
            name=card.name,
            coverage_floor=card.coverage_floor,
            sections=[ScorecardSectionModel.model_validate(section) for section in card.sections],
        )


class ScorecardList(Shown):
    items: list[ScorecardModel]


class PackList(Shown):
    items: list[PackSummary]


class PackInFull(Shown):
    pack: str
    language: str
    digest: str
    rules: list[RuleModel]
    scorecard: ScorecardModel


class TransitionModel(Shown):
    rule: str
    digest: str
    from_state: RuleState
    to_state: RuleState
    by: str
    at: ShownTime
    note: str


class TransitionList(Shown):
    items: list[TransitionModel]

    @staticmethod
    def of(steps: tuple[RuleTransition, ...]) -> "TransitionList":
        return TransitionList(items=[TransitionModel.model_validate(step) for step in steps])


class StepRequest(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"rules": ["closing"], "note": "as agreed on Monday"}})

    rules: Annotated[list[RuleId] | None, Field(min_length=1, max_length=500)] = Field(
        default=None, description="Only these; null: all that can take the step"
    )
    note: Note = ""


class PublishRequest(StepRequest):
    """`override`: why rules go live although a change of theirs is not assessed."""

    override: Note = ""


class RetireRequest(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"rules": ["jargon"], "note": "too many errors"}})

    rules: Annotated[list[RuleId], Field(min_length=1, max_length=500)]
    note: Note = ""


class StepsModel(Shown):
    """``already``: rules that were there; ``left``: rules that are as they were."""

    taken: list[TransitionModel]
    already: list[str]
    left: list[str]


class SentPack(Sent):
    """The text of each file, by its path in the pack's folder."""

    model_config = ConfigDict(json_schema_extra={"example": {"files": _PACK}})

    files: Files


class WarningModel(Shown):
    file: str
    line: int
    column: int
    code: str
    what: str
    fix: str


class ValidPack(Shown):
    """What can be loaded; ``warnings``: what was probably not meant."""

    pack: str
    language: str
    digest: str
    rules: int
    warnings: list[WarningModel]


class TestRequest(Sent):
    """Either ``pack``, of those that are there, or ``files``."""

    __test__ = False

    model_config = ConfigDict(json_schema_extra={"example": {"pack": "service-en", "rules": ["closing"]}})

    pack: RuleId | None = None
    files: Files | None = None
    rules: Annotated[list[RuleId], Field(max_length=500)] = Field(
        default=[], description="Only these rules' cases; none: all"
    )


class FailedCase(Shown):
    rule: str
    case: str
    place: str
    expected: Outcome
    outcome: Outcome
    reason: str
    known_miss: bool


class TestResult(Shown):
    """``failures``: the first 200."""

    __test__ = False

    passed: int
    failed: int
    failures: list[FailedCase]


class BacktestRequest(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"since": "2026-11-01T00:00:00+08:00", "sample": 200}})

    against: RuleId | None = Field(default=None, description="Another pack; null: each call's stored evaluation")
    since: Moment | None = None
    until: Moment | None = None
    sample: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=200, description="So many calls, drawn by lot; the same ones each time"
    )


class EvidenceModel(Shown):
    start: float
    end: float
    role: str | None
    quote: str


class SampleModel(Shown):
    recording: int
    path: str
    evidence: list[EvidenceModel]


class FlipModel(Shown):
    """``before`` and ``after``: null where the pack has no such rule."""

    rule: str
    before: Outcome | None
    after: Outcome | None
    calls: int
    samples: list[SampleModel]


class BaselineModel(Shown):
    pack: str
    ruleset: str
    calls: int
    in_force: bool


class ScoreChangeModel(Shown):
    calls: int
    mean_before: float | None
    mean_after: float | None
    up: int
    down: int
    appeared: int
    disappeared: int
    quantiles: dict[str, int]


class FatalModel(Shown):
    newly: int
    no_longer: int
    samples: list[SampleModel]


class GroupModel(Shown):
    name: str | None
    calls: int
    mean_change: float


class BacktestModel(Shown):
    """What would change. Quotes are left out for those who may not see numbers."""

    pack: str
    ruleset: str
    language: str
    against: str | None
    calls: int
    changed_calls: int
    without_baseline: int
    baselines: list[BaselineModel]
    skipped_languages: dict[str, int]
    unread_calls: int
    flips: list[FlipModel]
    scores: ScoreChangeModel
    fatal: FatalModel
    agents: list[GroupModel]
    teams: list[GroupModel]
