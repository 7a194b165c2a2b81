"""Shifts, and KPIs of agents' months."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from qa_service.domain.agent_states import AgentState
from qa_service.domain.floor import FloorPolicy, Peak, peaks_of, target_of
from qa_service.domain.kpi import DEFAULT as DEFAULT_KPI
from qa_service.domain.kpi import SHARES, Appraiser, KpiPolicy, Part, Tier
from qa_service.domain.proportions import Interval
from qa_service.settings.coaching import CoachingSettings
from qa_service.settings.parsing import NonNegative, pairs

_Target = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class FloorSettings(CoachingSettings):
    """Shifts, and KPIs of agents' months."""

    max_import_bytes: PositiveInt = 64 * 1024**2
    agent_states: Annotated[Mapping[str, AgentState], NoDecode] = Field(default_factory=dict)
    floor_utilisation: Annotated[Interval, NoDecode] = Interval(0.69, 0.74)
    floor_break_rate: Annotated[Interval, NoDecode] = Interval(0.08, 0.09)
    floor_off_calls: Annotated[Interval, NoDecode] = Interval(0.22, 0.28)
    floor_break_cv: PositiveFloat = 0.16
    floor_min_days: Annotated[int, Field(ge=2)] = 5
    floor_min_agents: Annotated[int, Field(ge=2)] = 5
    peak_hours: Annotated[tuple[Peak, ...], NoDecode] = FloorPolicy().peaks
    kpi_weights: Annotated[Mapping[Part, NonNegative], NoDecode] = Field(
        default_factory=lambda: DEFAULT_KPI.weights
    )
    kpi_targets: Annotated[Mapping[Part, _Target], NoDecode] = Field(default_factory=dict)
    kpi_appraisers: Annotated[Mapping[Appraiser, NonNegative], NoDecode] = Field(
        default_factory=lambda: DEFAULT_KPI.appraisers
    )
    kpi_min_calls: PositiveInt = 30
    kpi_min_coverage: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    kpi_certainty: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    kpi_distribution: Annotated[Mapping[Tier, NonNegative], NoDecode] = Field(
        default_factory=lambda: DEFAULT_KPI.distribution
    )
    kpi_bonuses: Annotated[Mapping[Tier, tuple[NonNegative, NonNegative]], NoDecode] = Field(
        default_factory=lambda: DEFAULT_KPI.bonuses
    )

    @field_validator("agent_states", mode="before")
    @classmethod
    def _names_of_states(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in re.split("[,，、]", value) if part.strip()]
        return {name.strip().lower(): state.strip().lower() for name, _, state in pairs}

    @field_validator("floor_utilisation", "floor_break_rate", "floor_off_calls", mode="before")
    @classmethod
    def _targets(cls, value: object) -> object:
        return target_of(value) if isinstance(value, str) else value

    @field_validator("peak_hours", mode="before")
    @classmethod
    def _peaks(cls, value: object) -> object:
        return peaks_of(value) if isinstance(value, str) else value

    @field_validator(
        "kpi_weights", "kpi_targets", "kpi_appraisers", "kpi_distribution", "kpi_bonuses", mode="before"
    )
    @classmethod
    def _by_name(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        named = pairs(value, "a name occurs twice: keep one of them")
        if info.field_name != "kpi_bonuses":
            return named
        ends = {name: told.partition("-") for name, told in named.items()}
        return {name: (low, high or low) for name, (low, _, high) in ends.items()}

    @field_validator("kpi_targets")
    @classmethod
    def _reachable(cls, value: Mapping[Part, float]) -> Mapping[Part, float]:
        for part, target in value.items():
            if part not in DEFAULT_KPI.targets:
                named = ", ".join(DEFAULT_KPI.targets)
                raise ValueError(f"{part} has no target, its points count as they are: name only {named}")
            if part in SHARES and target > 1:
                raise ValueError(f"the target of {part} is a share of at most 1: write {part}=0.95 for 95 %")
        return value

    @field_validator("kpi_weights", "kpi_appraisers")
    @classmethod
    def _weighted(cls, value: Mapping[object, float]) -> Mapping[object, float]:
        if not any(value.values()):
            raise ValueError("no weight is above 0: give one")
        return value

    @field_validator("kpi_distribution", "kpi_bonuses")
    @classmethod
    def _all_tiers(cls, value: Mapping[Tier, object]) -> Mapping[Tier, object]:
        missing = [tier.value for tier in Tier if tier not in value]
        if missing:
            raise ValueError(f"{missing[0]} is missing: name EE, CM, MM and DM")
        return value

    @property
    def floor_policy(self) -> FloorPolicy:
        return FloorPolicy(
            utilisation=self.floor_utilisation,
            break_rate=self.floor_break_rate,
            off_calls=self.floor_off_calls,
            break_cv=self.floor_break_cv,
            peaks=self.peak_hours,
            min_days=self.floor_min_days,
            min_agents=self.floor_min_agents,
        )

    @property
    def kpi_policy(self) -> KpiPolicy:
        return KpiPolicy(
            weights=self.kpi_weights,
            targets={**DEFAULT_KPI.targets, Part.VOLUME: float(self.workload_calls), **self.kpi_targets},
            appraisers=self.kpi_appraisers,
            min_calls=self.kpi_min_calls,
            min_coverage=self.kpi_min_coverage,
            certainty=self.kpi_certainty,
            distribution=self.kpi_distribution,
            bonuses=self.kpi_bonuses,
        )
