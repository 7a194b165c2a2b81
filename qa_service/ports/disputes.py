"""Disputes, as they are stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.results import Outcome, Severity
from qa_service.domain.review import FindingState, Step
from qa_service.ports.review import StoredFinding


@dataclass(frozen=True, slots=True)
class DisputeStep:
    """A step that was taken. ``user_id``: none where time took it, or where it was carried over from the same
    finding of an earlier evaluation (``carried_from``); ``step`` is then ``carry``."""

    finding_id: int
    number: int
    step: str
    from_state: FindingState
    to_state: FindingState
    user_id: int | None
    user_name: str | None
    reason: str
    due_at: datetime | None
    carried_from: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class DisputeLine:
    """A finding that waits for somebody. ``due_at``: until when."""

    finding_id: int
    recording_id: int
    rule: str
    title: str
    outcome: Outcome
    severity: Severity
    state: FindingState
    due_at: datetime
    version: int
    owner: CallOwner
    agent_name: str | None
    call_at: datetime


class DisputeRepository(Protocol):
    def add(
        self,
        finding: StoredFinding,
        step: Step,
        to: FindingState,
        *,
        user_id: int | None,
        reason: str,
        due_at: datetime | None,
    ) -> None:
        """Record the step and move the finding. Raises ConflictError ``stale_version``."""
        ...

    def history(self, finding: StoredFinding) -> tuple[DisputeStep, ...]:
        """All steps, also those in earlier evaluations that led to what was carried over; oldest first."""
        ...

    def page(
        self,
        scope: Scope,
        states: Collection[FindingState],
        *,
        hidden_from: int,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> tuple[DisputeLine, ...]:
        """Findings in these states, of evaluations in force, what is due first first."""
        ...
