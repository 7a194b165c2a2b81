"""Complaints, promises, and what was agreed with vendors."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import Field, PositiveInt, field_validator
from pydantic_settings import NoDecode

from qa_service.domain.complaints import ComplaintPolicy
from qa_service.domain.promises import PromisePolicy
from qa_service.domain.vendors import Measure, VendorPolicy
from qa_service.settings.figures import FigureSettings
from qa_service.settings.parsing import names, pairs
from qa_service.settings.review import ReviewSettings


class AftercareSettings(ReviewSettings, FigureSettings):
    """Complaints, promises, and what was agreed with vendors."""

    complaint_response_minutes: PositiveInt = 30
    complaint_owners: Annotated[Mapping[str, str], NoDecode] = Field(default_factory=dict)
    complaint_raised_days: PositiveInt = 30
    vendor_targets: Annotated[Mapping[str, float], NoDecode] = Field(default_factory=dict)
    repeat_contact_days: PositiveInt = 7
    answer_rings: PositiveInt = 3
    promise_days: PositiveInt | None = None
    promise_items: Annotated[frozenset[str], NoDecode] = frozenset({"promise"})
    promise_reply_rules: Annotated[frozenset[str], NoDecode] = frozenset({"call-back"})

    @field_validator("vendor_targets", mode="before")
    @classmethod
    def _agreed(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return pairs(value, "a measure occurs twice for the same vendor: keep one of them")

    @field_validator("vendor_targets")
    @classmethod
    def _measures(cls, value: Mapping[str, float]) -> Mapping[str, float]:
        for of, target in value.items():
            name = of.rpartition("/")[2]
            if name not in {*Measure}:
                raise ValueError(f"{name!r} is no measure: use one of {', '.join(Measure)}")
            if not 0.0 <= target <= Measure(name).highest:
                raise ValueError(f"the target of {of} cannot be: shares are written as {of}=0.9")
        return value

    @field_validator("promise_items", "promise_reply_rules", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return names(value)

    @field_validator("complaint_owners", mode="before")
    @classmethod
    def _owners(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return pairs(value, "a level occurs twice for the same team: keep one of them")

    @field_validator("complaint_owners")
    @classmethod
    def _levels(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for of, owner in value.items():
            level, _, _ = of.partition("/")
            if level not in ("1", "2", "3") or not owner:
                raise ValueError(f"{of!r} is no level with its owner: write 1=wang.fang or 1/TEAM=wang.fang")
        return value

    @property
    def complaint_policy(self) -> ComplaintPolicy:
        owners = [(of.partition("/"), owner) for of, owner in self.complaint_owners.items()]
        return ComplaintPolicy(
            calendar=self.calendar,
            due_days=self.complaint_due_days,
            response=timedelta(minutes=self.complaint_response_minutes),
            owners={(int(level), team): owner for (level, _, team), owner in owners},
            raised_within=timedelta(days=self.complaint_raised_days),
        )

    @property
    def vendor_policy(self) -> VendorPolicy:
        named = [(of.rpartition("/"), target) for of, target in self.vendor_targets.items()]
        return VendorPolicy(
            targets={(vendor, Measure(measure)): target for (vendor, _, measure), target in named},
            repeat_days=self.repeat_contact_days,
            rings=self.answer_rings,
            least=self.figures_min_calls,
        )

    @property
    def promise_policy(self) -> PromisePolicy:
        return PromisePolicy(
            zone=self.zone,
            days=self.promise_days,
            replies=self.promise_items,
            reply_rules=self.promise_reply_rules,
        )
