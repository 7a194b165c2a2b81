"""What people look at, how long each step of theirs may take, and what is asked of rules."""

from collections.abc import Mapping
from datetime import time
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator
from pydantic_settings import NoDecode

from qa_service.domain.disputes import Terms
from qa_service.domain.quality import QualityPolicy
from qa_service.domain.queueing import ReviewPolicy
from qa_service.settings.calendar import CalendarSettings
from qa_service.settings.parsing import TimeOfDay, pairs


class ReviewSettings(CalendarSettings):
    """What people look at, how long each step of theirs may take, and what is asked of rules."""

    review_random_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.02
    review_seed: str = ""
    review_due_days: PositiveInt = 10
    review_claim_s: PositiveFloat = 30 * 60.0
    complaint_due_days: PositiveInt = 2
    sampling_at: TimeOfDay = time(7)
    dispute_days: PositiveInt = 5
    advice_days: PositiveInt = 3
    decision_days: PositiveInt = 5
    appeal_days: PositiveInt = 5
    precision_target: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.8
    precision_targets: Annotated[Mapping[str, float], NoDecode] = Field(default_factory=dict)
    precision_verdicts: PositiveInt = 30

    @field_validator("precision_targets", mode="before")
    @classmethod
    def _shares(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return pairs(value, "a rule occurs twice: keep one of them")

    @field_validator("precision_targets")
    @classmethod
    def _between(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        wrong = [rule for rule, share in value.items() if not 0.0 < share < 1.0]
        if wrong:
            raise ValueError(f"the target of {wrong[0]} is no share: write it as {wrong[0]}=0.7")
        return value

    @property
    def dispute_terms(self) -> Terms:
        return Terms(
            calendar=self.calendar,
            dispute_days=self.dispute_days,
            advice_days=self.advice_days,
            decision_days=self.decision_days,
            appeal_days=self.appeal_days,
        )

    @property
    def quality_policy(self) -> QualityPolicy:
        return QualityPolicy(
            target=self.precision_target,
            targets=self.precision_targets,
            min_verdicts=self.precision_verdicts,
        )

    @property
    def review_policy(self) -> ReviewPolicy:
        return ReviewPolicy(
            calendar=self.calendar,
            random_share=self.review_random_share,
            seed=self.review_seed,
            due_days=self.review_due_days,
            complaint_due_days=self.complaint_due_days,
        )
