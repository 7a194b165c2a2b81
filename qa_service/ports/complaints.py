"""Complaints, as they are stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.complaints import Clocks, ComplaintState, ComplaintStep
from qa_service.domain.results import Evidence


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint as it stands.

    ``recording_id``: None where it came without a recording, or the recording was deleted. ``raised_by``: None for
    the machine. ``cause``: the norm that was broken. ``proposed_level``: what a later evaluation found; 0 no
    complaint. ``touched``: somebody has worked on it. ``dropped_by_machine``: a reviewer's word took it back.
    """

    id: int
    recording_id: int | None
    rule: str
    level: int
    state: ComplaintState
    what: str
    customer_ref: str | None
    of: CallOwner
    agent_name: str | None
    queue: str | None
    raised_at: datetime
    raised_by: int | None
    owner_id: int | None
    owner_name: str | None
    respond_by: datetime
    due_at: datetime
    responded_at: datetime | None
    handled_at: datetime | None
    ended_at: datetime | None
    valid: bool | None
    cause: str
    proposed_level: int | None
    touched: bool
    dropped_by_machine: bool
    version: int

    def is_overdue(self, now: datetime) -> bool:
        """Whether a clock has run out that still counts."""
        if not self.state.is_open:
            return False
        return (self.responded_at is None and now >= self.respond_by) or (
            self.handled_at is None and now >= self.due_at
        )


@dataclass(frozen=True, slots=True)
class NewComplaint:
    """What a complaint begins with. ``raised_by``: None for the machine."""

    level: int
    of: CallOwner
    raised_by: int | None
    owner_id: int | None
    respond_by: datetime
    due_at: datetime
    recording_id: int | None = None
    rule: str = ""
    what: str = ""
    customer_ref: str | None = None
    agent_name: str | None = None
    queue: str | None = None


@dataclass(frozen=True, slots=True)
class StepTaken:
    """``user_id``: None for the machine. ``recording_id``: of the call in which it was done, where told."""

    number: int
    step: ComplaintStep
    from_state: ComplaintState
    to_state: ComplaintState
    user_id: int | None
    user_name: str | None
    note: str
    level: int | None
    recording_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class GradedCall:
    """What a call's evaluation in force says of complaints. ``grade`` None: it finds none. ``denied``: a person
    said that there was none. ``evidence``: where it is said."""

    recording_id: int
    at: datetime
    of: CallOwner
    agent_name: str | None
    queue: str | None
    customer_ref: str | None
    rule: str
    grade: int | None
    denied: bool
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class ComplaintFilter:
    """All that is set holds. ``overdue_at``: only those of which a clock has run out then."""

    states: Collection[ComplaintState]
    level: int | None = None
    team: str | None = None
    owner_id: int | None = None
    overdue_at: datetime | None = None


class ComplaintRepository(Protocol):
    def graded(self, recording_ids: Collection[int]) -> Mapping[int, GradedCall]:
        """What the evaluations in force say; one without an evaluation has no grade."""
        ...

    def of_recordings(self, recording_ids: Collection[int]) -> Mapping[int, Complaint]: ...

    def follow_calls(self, recording_ids: Collection[int]) -> None:
        """Let complaints of these recordings say whose calls they are now."""
        ...

    def add(self, new: NewComplaint) -> Complaint | None:
        """None: the recording has a complaint already."""
        ...

    def get(self, complaint_id: int, scope: Scope) -> Complaint:
        """Raises NotFoundError ``complaint_not_found``."""
        ...

    def hold(self, complaint_id: int, scope: Scope) -> Complaint:
        """As ``get``; nobody else changes it until the transaction ends."""
        ...

    def page(
        self,
        scope: Scope,
        wanted: ComplaintFilter,
        *,
        hidden_from: int,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> tuple[Complaint, ...]:
        """What is due first first. ``hidden_from``: who asks; of calls that this user is to score blind only those
        complaints are told that are theirs to answer."""
        ...

    def take(
        self,
        complaint: Complaint,
        step: ComplaintStep,
        to: ComplaintState,
        *,
        user_id: int | None,
        note: str = "",
        level: int | None = None,
        valid: bool | None = None,
        cause: str | None = None,
        owner_id: int | None = None,
        proposed_level: int | None = None,
        recording_id: int | None = None,
    ) -> None:
        """Record the step and what it changes: ``level``, ``valid`` and ``cause`` where they are given;
        ``owner_id`` and ``proposed_level`` where the step is about them."""
        ...

    def steps(self, complaint_id: int) -> tuple[StepTaken, ...]:
        """Oldest first."""
        ...

    def overdue(self, clock: Clocks, now: datetime, limit: int, *, hold: bool = False) -> tuple[Complaint, ...]:
        """Of those of which this clock has run out and that nobody was told of. ``hold``: nobody else changes them
        until the transaction ends; what others hold is passed over."""
        ...

    def raised_between(self, scope: Scope, since: datetime, until: datetime) -> tuple[Complaint, ...]:
        """All of them but those that were taken back."""
        ...
