"""The shape of a rule pack: rules, pack settings, scorecards. Edges are pydantic and forbid unknown keys."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SerializeAsAny, model_validator

from qa_service.domain.metrics import MetricOptions
from qa_service.domain.results import CriticalTo, Severity
from qa_service.domain.scoring import Fatal, Scorecard, ScorecardItem, ScorecardSection
from rules.checks import Check
from rules.context import Recognition

Identifier = Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)
TrainingModule = Field(default=None, pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RuleStatus(StrEnum):
    """``shadow``: evaluated and recorded beside the others, never scored and never a finding."""

    LIVE = "live"
    SHADOW = "shadow"


class Opens(_Model):
    """Each place that makes the rule's condition true leaves something to be done within so many days."""

    item: str = Identifier
    within_days: PositiveInt = 3


class Rule(_Model):
    """One rule.

    ``require``: must hold, else not met. ``forbid``: must not happen, else not met. ``applies_when``: otherwise
    not applicable. ``for_each``: the occurrences to judge one by one, filtered by ``only_when``; without any
    the rule is not applicable. ``unless``: the exception; where it holds, the occurrence (or the rule) does not
    apply. ``same_event_as``: rules that already count the same event.
    ``unknown``: whether a person looks when the rule is undetermined. ``grades``: the highest that holds grades
    the result. ``opens``: what the call leaves to be done.
    """

    rule: str = Identifier
    title: str
    severity: Severity
    critical_to: CriticalTo | None = None
    owner: str = ""
    training: str | None = TrainingModule
    status: RuleStatus = RuleStatus.LIVE
    rationale: str = ""
    references: tuple[str, ...] = ()
    scored: bool = True
    unknown: Literal["review", "ignore"] = "review"
    applies_when: SerializeAsAny[Check] | None = None
    for_each: SerializeAsAny[Check] | None = None
    only_when: SerializeAsAny[Check] | None = None
    unless: SerializeAsAny[Check] | None = None
    require: SerializeAsAny[Check] | None = None
    forbid: SerializeAsAny[Check] | None = None
    style: dict[str, SerializeAsAny[Check]] = {}
    grades: dict[PositiveInt, SerializeAsAny[Check]] = {}
    opens: Opens | None = None
    same_event_as: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_question(self) -> "Rule":
        if (self.require is None) == (self.forbid is None):
            raise ValueError("a rule has exactly one of `require` and `forbid`")
        if self.critical_to is not None and self.severity is not Severity.CRITICAL:
            raise ValueError("`critical_to` goes with severity critical")
        if self.only_when is not None and self.for_each is None:
            raise ValueError("`only_when` filters the occurrences of `for_each`, which is missing")
        if self.for_each is not None and not self.for_each.has_occurrences:
            raise ValueError("`for_each` needs a check that has occurrences")
        once = [self.applies_when, self.for_each, *self.style.values(), *self.grades.values()]
        judged = [] if self.for_each is not None else [self.unless, self.require, self.forbid]
        if any(check is not None and check.anchored() for check in (*once, *judged)):
            raise ValueError("`before` and `after` in a scope need an occurrence of `for_each` to count from")
        return self

    @property
    def counts(self) -> bool:
        """Whether its results are scored."""
        return not self.unscored

    @property
    def unscored(self) -> str:
        """Why its results are not scored, for ``RuleResult.unscored``; empty: they are."""
        if not self.scored:
            return "recorded_only"
        return "shadow" if self.status is RuleStatus.SHADOW else ""

    def checks(self) -> Iterable[Check]:
        named = (self.applies_when, self.for_each, self.only_when, self.unless, self.require, self.forbid)
        yield from (check for check in named if check is not None)
        yield from self.style.values()
        yield from self.grades.values()


class MetricSettings(_Model):
    """Overrides of the metric thresholds (``MetricOptions``); what is not given keeps its default."""

    floor_pause_s: PositiveFloat | None = None
    overlap_event_s: PositiveFloat | None = None
    interruption_overlap_s: PositiveFloat | None = None
    interruption_floor_s: PositiveFloat | None = None
    interruption_min_characters: int | None = None
    interruption_min_words: int | None = None
    interruption_success_s: PositiveFloat | None = None
    interruption_heard_s: PositiveFloat | None = None
    heard_confidence: float | None = None
    rate_min_heard: float | None = None
    silence_recorded_s: PositiveFloat | None = None
    silence_warned_s: PositiveFloat | None = None
    silence_notice_s: PositiveFloat | None = None
    rate_min_units: int | None = None
    backchannels: tuple[str, ...] | None = None

    def options(self) -> MetricOptions:
        return MetricOptions(**{k: v for k, v in self if v is not None})


class Pack(_Model):
    """``pack.yaml``: what holds for all rules of the pack."""

    pack: str = Identifier
    title: str
    language: Literal["zh", "en"]
    scorecard: str = Identifier
    recognition: Recognition = Recognition()
    metrics: MetricSettings = MetricSettings()


class ItemModel(_Model):
    rule: str = Identifier
    points: PositiveFloat | None = None
    bonus: PositiveFloat | None = None
    fatal: Fatal = Fatal.NONE

    @model_validator(mode="after")
    def _one_weight(self) -> "ItemModel":
        if (self.points is None) == (self.bonus is None):
            raise ValueError("an item has either `points` or `bonus`")
        if self.bonus is not None and self.fatal is not Fatal.NONE:
            raise ValueError("a `bonus` is never `fatal`")
        return self

    def item(self) -> ScorecardItem:
        return ScorecardItem(self.rule, self.points or self.bonus or 0.0, self.fatal, self.bonus is not None)


class SectionModel(_Model):
    name: str = Identifier
    title: str
    items: tuple[ItemModel, ...] = Field(min_length=1)


class ScorecardModel(_Model):
    scorecard: str = Identifier
    title: str
    coverage_floor: float = Field(default=0.6, ge=0.0, le=1.0)
    sections: tuple[SectionModel, ...] = Field(min_length=1)

    def scorecard_of(self) -> Scorecard:
        return Scorecard(
            self.scorecard,
            self.coverage_floor,
            tuple(
                ScorecardSection(
                    section.name,
                    section.title,
                    tuple(item.item() for item in section.items),
                )
                for section in self.sections
            ),
        )
