"""Sampling plans and draws, as they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from qa_service.domain.queueing import ReviewPolicy
from qa_service.domain.sampling import Candidate, Drawn, Inspector, PlanTerms, Stratum


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    id: int
    terms: PlanTerms
    created_by: int
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class SamplingDraw:
    """What a plan drew of one period, of how many calls."""

    id: int
    plan_id: int
    period_start: date
    candidates: int
    drawn: int
    at: datetime


@dataclass(frozen=True, slots=True)
class SampledCall:
    """A drawn call. ``done``: whether somebody has looked at it."""

    id: int
    recording_id: int
    agent_id: str
    stratum: Stratum
    inclusion_probability: float
    assigned_to: int | None
    done: bool


class SamplingRepository(Protocol):
    def add(self, terms: PlanTerms, *, by: int) -> SamplingPlan:
        """Raises ConflictError ``sampling_plan_exists``."""
        ...

    def change(self, plan_id: int, terms: PlanTerms, *, version: int | None) -> SamplingPlan:
        """Raises NotFoundError ``sampling_plan_not_found``, ConflictError ``stale_version``,
        ``sampling_plan_exists``."""
        ...

    def get(self, plan_id: int) -> SamplingPlan:
        """Raises NotFoundError ``sampling_plan_not_found``."""
        ...

    def plans(self) -> tuple[SamplingPlan, ...]:
        """All of them, in the order in which they were made."""
        ...

    def is_drawn(self, plan_id: int, start: date) -> bool: ...

    def begin(self, plan_id: int, start: date) -> SamplingDraw | None:
        """Begin the draw of a period; None: it was drawn, or is being drawn, by somebody else."""
        ...

    def candidates(self, terms: PlanTerms, since: datetime, until: datetime) -> Sequence[Candidate]:
        """Scored calls of known agents."""
        ...

    def inspectors(self) -> Sequence[Inspector]:
        """Who may be given calls at all."""
        ...

    def finish(
        self,
        draw: SamplingDraw,
        drawn: Sequence[Drawn],
        assigned: Mapping[int, int],
        *,
        candidates: int,
        policy: ReviewPolicy,
    ) -> SamplingDraw:
        """Store the draw; its calls join the review queue."""
        ...

    def draws(self, plan_id: int, *, before: date | None, limit: int) -> tuple[SamplingDraw, ...]:
        """The last period first."""
        ...

    def draw(self, draw_id: int) -> SamplingDraw:
        """Raises NotFoundError ``sampling_draw_not_found``."""
        ...

    def calls(self, draw_id: int, *, after: int, limit: int) -> tuple[SampledCall, ...]: ...
