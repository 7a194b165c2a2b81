"""Webhooks and what is on its way to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from qa_service.domain.webhooks import Told, WebhookEvent


@dataclass(frozen=True, slots=True)
class Webhook:
    """``failures``: in a row, just now; nothing is sent before ``paused_until``. ``salt``: what its secret is made
    of, with the site's key; the one before counts until ``old_until``."""

    id: int
    name: str
    url: str
    events: frozenset[WebhookEvent]
    active: bool
    salt: str
    old_salt: str | None
    old_until: datetime | None
    key_id: str
    failures: int
    paused_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class DeliveryState(StrEnum):
    """``dead``: given up, until a person asks for it again."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that is told one webhook. ``status``, ``error``: what came of the last attempt."""

    id: int
    webhook_id: int
    event: WebhookEvent
    data: Mapping[str, Any]
    state: DeliveryState
    attempts: int
    next_at: datetime
    created_at: datetime
    ended_at: datetime | None
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class SentTo:
    """What an attempt came to. ``error``: a code; None: it was taken."""

    status: int | None
    error: str | None


class WebhookClient(Protocol):
    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> SentTo:
        """Send; never raises for what the other side does."""
        ...


class WebhookRepository(Protocol):
    def add(
        self, name: str, url: str, events: Collection[WebhookEvent], *, salt: str, key_id: str, by: int
    ) -> Webhook: ...

    def get(self, webhook_id: int, *, alone: bool = False) -> Webhook:
        """``alone``: nobody else changes it until the transaction ends.

        Raises NotFoundError ``webhook_not_found``.
        """
        ...

    def page(self, *, after: int, limit: int) -> Sequence[Webhook]:
        """By number."""
        ...

    def save(
        self, webhook_id: int, *, name: str, url: str, events: Collection[WebhookEvent], active: bool
    ) -> Webhook:
        """It may be tried at once."""
        ...

    def replace_secret(self, webhook_id: int, *, salt: str, key_id: str, old_until: datetime) -> Webhook: ...

    def wanted(self) -> frozenset[WebhookEvent]:
        """What any active webhook wants to be told."""
        ...

    def tell(self, told: Sequence[Told]) -> None:
        """Every active webhook that wants it, in this transaction; what it was told before is no news."""
        ...

    def tell_one(self, webhook_id: int, told: Told) -> Delivery: ...

    def critical_findings(self, evaluation_id: int) -> Sequence[tuple[int, str]]:
        """Open findings of rules that were broken and are critical: number and rule."""
        ...

    def appeals_due(self, before: datetime, limit: int) -> Sequence[tuple[int, int, datetime]]:
        """Appeals nobody has decided that are due by then: recording, finding and when."""
        ...

    def sendable(self, key_id: str) -> Sequence[Webhook]:
        """Active webhooks of this key that are not paused and have something due."""
        ...

    def claim(self, webhook_id: int, limit: int, *, until: datetime) -> Sequence[Delivery]:
        """Take what is due; who does not settle it by ``until`` has died, and others take it."""
        ...

    def settle(self, delivery: Delivery, sent: SentTo, *, state: DeliveryState, next_at: datetime | None) -> bool:
        """Write what came of an attempt; False: somebody else has taken it since."""
        ...

    def put_back(self, claimed: Sequence[Delivery]) -> None:
        """They were not tried."""
        ...

    def succeeded(self, webhook_id: int) -> None: ...

    def failed(self, webhook_id: int, *, paused_until: datetime) -> None: ...

    def give_up(self, *, asked_before: datetime) -> int:
        """What waits for a webhook that fails, and was asked for before then, is dead."""
        ...

    def forget(self, *, ended_before: datetime, limit: int) -> int: ...

    def deliveries(
        self, webhook_id: int, *, before: int | None, limit: int, state: DeliveryState | None = None
    ) -> Sequence[Delivery]:
        """The newest first."""
        ...

    def again(self, webhook_id: int, delivery_id: int) -> Delivery:
        """Send it once more, from the start. Raises NotFoundError ``delivery_not_found``."""
        ...
