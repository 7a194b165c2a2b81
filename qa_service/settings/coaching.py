"""Who stands out, who is coached and trained, and what reports hold it against."""

from datetime import time
from typing import Annotated

from pydantic import Field, PositiveInt, field_validator
from pydantic_settings import NoDecode

from qa_service.domain.causes import CausePolicy
from qa_service.domain.coaching import NeedPolicy, RoundPolicy
from qa_service.domain.effects import EffectPolicy
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.domain.training import TrainingPolicy
from qa_service.settings.figures import FigureSettings
from qa_service.settings.parsing import TimeOfDay, words


class CoachingSettings(FigureSettings):
    """Who stands out, who is coached and trained, and what reports hold it against."""

    coaching_at: TimeOfDay = time(5)
    coaching_window_days: Annotated[int, Field(ge=7, le=366)] = 28
    coaching_past_days: Annotated[int, Field(ge=7, le=732)] = 84
    coaching_min_confirmed: PositiveInt = 2
    coaching_best_score: Annotated[float, Field(ge=0.0, le=100.0)] = 90.0
    coaching_due_days: Annotated[int, Field(ge=1, le=90)] = 5
    causes_alarm: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    causes_min_calls: PositiveInt = 30
    causes_high_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    worthwhile_change: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    pass_mark: Annotated[float, Field(ge=0.0, le=100.0)] = 80.0
    certificate_days: Annotated[int, Field(ge=1, le=3660)] = 365
    change_pass_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    sales_queues: Annotated[frozenset[str], NoDecode] = frozenset()
    mail_from: Annotated[str, Field(pattern=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$")] = "qa-service@localhost"
    site_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] | None = None

    @field_validator("sales_queues", mode="before")
    @classmethod
    def _queues(cls, value: object) -> object:
        return [name.strip() for name in words(value) if name.strip()] if isinstance(value, str) else value

    @property
    def coaching_policy(self) -> RoundPolicy:
        return RoundPolicy(
            window_days=self.coaching_window_days,
            past_days=self.coaching_past_days,
            needs=NeedPolicy(min_confirmed=self.coaching_min_confirmed),
            best_score=self.coaching_best_score,
        )

    @property
    def cause_policy(self) -> CausePolicy:
        return CausePolicy(
            alarm=self.causes_alarm,
            min_calls=self.causes_min_calls,
            high_rate=self.causes_high_rate,
            worthwhile=self.worthwhile_change,
        )

    @property
    def effect_policy(self) -> EffectPolicy:
        return EffectPolicy(
            before_days=self.coaching_past_days,
            selection_days=self.coaching_window_days,
            after_days=self.coaching_past_days,
            worthwhile=self.worthwhile_change,
        )

    @property
    def training_policy(self) -> TrainingPolicy:
        return TrainingPolicy(self.pass_mark, self.certificate_days, self.change_pass_share)

    @property
    def report_policy(self) -> ReportPolicy:
        return ReportPolicy(
            least_calls=self.figures_min_calls,
            least_peers=self.figures_min_peers,
            workload=self.workload_calls,
            sales_queues=self.sales_queues,
            causes=self.cause_policy,
        )
