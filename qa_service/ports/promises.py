"""Promises made in calls, as they are stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.promises import (
    CallFact,
    Followed,
    PromiseDecision,
    PromiseState,
    Standing,
    state_of,
)
from qa_service.domain.results import Evidence


@dataclass(frozen=True, slots=True)
class Opened:
    """What a call's evaluation in force leaves to be done. ``days``: by the rule."""

    recording_id: int
    rule: str
    item: str
    days: int
    at: datetime
    of: CallOwner
    agent_name: str | None
    queue: str | None
    customer_ref: str | None


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise as it stands. ``standing``: by calls alone; ``followed_by``, ``followed_at``: the call that kept
    it or may have. ``in_force``: the call's evaluation in force still finds it. ``decided``: by people."""

    id: int
    recording_id: int
    rule: str
    item: str
    of: CallOwner
    agent_name: str | None
    queue: str | None
    customer_ref: str | None
    promised_at: datetime
    due_at: datetime
    standing: Standing
    followed_by: int | None
    followed_at: datetime | None
    in_force: bool
    decided: PromiseDecision | None
    version: int

    def state(self, now: datetime) -> PromiseState:
        return state_of(self.standing, self.decided, due_at=self.due_at, now=now)

    @property
    def kept_late(self) -> bool:
        """Whether the call that kept it came after its time."""
        return self.standing is Standing.KEPT and self.followed_at is not None and self.followed_at >= self.due_at


@dataclass(frozen=True, slots=True)
class DecisionTaken:
    """What somebody said of a promise."""

    decision: PromiseDecision
    user_id: int
    user_name: str | None
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PromiseFilter:
    """All that is set holds."""

    states: Collection[PromiseState]
    team: str | None = None
    agent_id: str | None = None


class PromiseRepository(Protocol):
    def opened(self, recording_ids: Collection[int]) -> Sequence[Opened]:
        """What these calls leave to be done; an item once for each call, however often it is promised in it."""
        ...

    def of_recordings(self, recording_ids: Collection[int]) -> Sequence[Promise]:
        """Also those that are not in force."""
        ...

    def customers_of(self, recording_ids: Collection[int]) -> frozenset[str]:
        """Whose calls these are, and whose promises they keep or may have kept."""
        ...

    def put(self, opened: Opened, *, due_at: datetime, standing: Standing) -> None:
        """Store it, or bring what is stored into step; ``standing`` is that of a new one, and of one that nobody
        can follow."""
        ...

    def let_go(self, promise_id: int) -> None:
        """The call's evaluation in force does not find it any more."""
        ...

    def of_customers(self, customer_refs: Collection[str]) -> Sequence[Promise]:
        """Those in force."""
        ...

    def calls_of(
        self, customer_refs: Collection[str], *, reply_rules: Collection[str], connected_s: float
    ) -> Mapping[str, Sequence[CallFact]]: ...

    def stand(self, promise_id: int, followed: Followed) -> None: ...

    def get(self, promise_id: int, scope: Scope) -> Promise:
        """Raises NotFoundError ``promise_not_found``."""
        ...

    def hold(self, promise_id: int, scope: Scope) -> Promise:
        """As ``get``; nobody else changes it until the transaction ends."""
        ...

    def page(
        self,
        scope: Scope,
        wanted: PromiseFilter,
        *,
        now: datetime,
        hidden_from: int,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> tuple[Promise, ...]:
        """What is due first first. ``hidden_from``: who asks; promises in calls that this user is to score blind
        are left out."""
        ...

    def decide(self, promise: Promise, decision: PromiseDecision, *, user_id: int, note: str) -> None:
        """Raises ConflictError ``stale_version``."""
        ...

    def decisions(self, promise_id: int) -> tuple[DecisionTaken, ...]:
        """Oldest first."""
        ...

    def evidence(self, promise: Promise) -> tuple[Evidence, ...]:
        """Where it is said, by the evaluation in force."""
        ...

    def overdue(self, now: datetime, limit: int, *, hold: bool = False) -> tuple[Promise, ...]:
        """Those of which the time is over, that no call kept, and that nobody was told of. ``hold``: nobody else
        changes them until the transaction ends; what others hold is passed over."""
        ...

    def told(self, promise_id: int) -> None:
        """Somebody was told that its time is over."""
        ...
