"""Webhooks: what happens is told other systems, at least once, by whichever worker has a moment.

Guarantee: what is told is written with what it is about, in one transaction; no transaction is open while
something is sent. A system that is down costs one try in each pause, whatever waits for it, and holds up no other.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from qa_service.domain.access import Principal
from qa_service.domain.webhooks import (
    GIVEN_UP_AFTER,
    MOST_ATTEMPTS,
    Told,
    WebhookEvent,
    appeal_due,
    critical,
    finished,
    key_id,
    pause_after,
    secret_of,
    signature,
    wait_after,
)
from qa_service.errors import ConflictError, QAError
from qa_service.ports.people import Origin
from qa_service.ports.store import Clock, StoredEvaluation, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.webhooks import Delivery, DeliveryState, Webhook, WebhookClient

OLD_SECRET_LASTS: Final = timedelta(hours=24)
APPEAL_TOLD_BEFORE: Final = timedelta(hours=24)
KEPT_FOR: Final = timedelta(days=30)
_AT_ONCE: Final = 20
_LEASE: Final = timedelta(minutes=10)
_BUDGET_S: Final = 30.0
_LOOK_AT_APPEALS_EVERY_S: Final = 300.0
_CLEAR_UP_EVERY_S: Final = 300.0
_APPEALS: Final = 500
_FORGOTTEN_AT_ONCE: Final = 1000

log = structlog.get_logger(__name__)


def tell_of_evaluation(unit: UnitOfWork, evaluation: StoredEvaluation) -> None:
    """Tell of a new evaluation and of what is critical in it, in its transaction."""
    wanted = unit.webhooks.wanted()
    told: list[Told] = []
    if WebhookEvent.EVALUATION_FINISHED in wanted:
        told.append(finished(evaluation.recording_id, evaluation.id, evaluation.pack))
    if WebhookEvent.FINDING_CRITICAL in wanted:
        told += [
            critical(evaluation.recording_id, evaluation.id, finding_id, rule)
            for finding_id, rule in unit.webhooks.critical_findings(evaluation.id)
        ]
    unit.webhooks.tell(told)


class Webhooks:
    """For who manages them.

    Args:
        units: where they are stored.
        site_key: the key of their secrets, made where there is none yet.
        check: raises InputError for an address that nothing may be sent to.
        clock: the time.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        site_key: Callable[[], bytes],
        check: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._units = units
        self._site_key = site_key
        self._check = check
        self._clock = clock

    def create(
        self, who: Principal, name: str, url: str, events: Collection[WebhookEvent], *, origin: Origin
    ) -> tuple[str, Webhook]:
        """The webhook and its secret, which is told this once.

        Raises:
            InputError: ``webhook_url_refused``.
        """
        self._check(url)
        key, salt = self._site_key(), secrets.token_hex(16)
        with self._units() as unit:
            webhook = unit.webhooks.add(name, url, events, salt=salt, key_id=key_id(key), by=who.user_id)
            detail = {"name": name, "url": url, "events": sorted(events)}
            unit.audit.record(who, "webhook.create", "webhook", webhook.id, detail, origin=origin)
            unit.commit()
        return secret_of(key, salt), webhook

    def change(
        self,
        who: Principal,
        webhook_id: int,
        *,
        version: int | None,
        name: str | None = None,
        url: str | None = None,
        events: Collection[WebhookEvent] | None = None,
        active: bool | None = None,
        origin: Origin,
    ) -> Webhook:
        """Change what is given; what waits is sent by what holds then, and tried at once.

        Raises:
            ConflictError: ``stale_version``.
            InputError: ``webhook_url_refused``.
            NotFoundError: ``webhook_not_found``.
        """
        if url is not None:
            self._check(url)
        with self._units() as unit:
            old = unit.webhooks.get(webhook_id, alone=True)
            if version is not None and version != old.version:
                raise ConflictError(
                    "stale_version",
                    f"webhook {webhook_id} was changed by somebody else (version {old.version}): read it again",
                    version=old.version,
                )
            webhook = unit.webhooks.save(
                webhook_id,
                name=old.name if name is None else name,
                url=old.url if url is None else url,
                events=old.events if events is None else events,
                active=old.active if active is None else active,
            )
            detail = {
                "name": webhook.name,
                "url": webhook.url,
                "events": sorted(webhook.events),
                "active": webhook.active,
            }
            unit.audit.record(who, "webhook.change", "webhook", webhook_id, detail, origin=origin)
            unit.commit()
        return webhook

    def replace_secret(self, who: Principal, webhook_id: int, *, origin: Origin) -> tuple[str, Webhook]:
        """A new secret; for another day what is sent is signed with the old one too.

        Raises NotFoundError ``webhook_not_found``.
        """
        key, salt = self._site_key(), secrets.token_hex(16)
        with self._units() as unit:
            unit.webhooks.get(webhook_id, alone=True)
            old_until = self._clock.now() + OLD_SECRET_LASTS
            webhook = unit.webhooks.replace_secret(webhook_id, salt=salt, key_id=key_id(key), old_until=old_until)
            unit.audit.record(who, "webhook.secret", "webhook", webhook_id, origin=origin)
            unit.commit()
        return secret_of(key, salt), webhook

    def test(self, who: Principal, webhook_id: int, *, origin: Origin) -> Delivery:
        """Send it something that means nothing. Raises NotFoundError ``webhook_not_found``."""
        with self._units() as unit:
            unit.webhooks.get(webhook_id)
            told = Told(WebhookEvent.TEST, f"{WebhookEvent.TEST}:{secrets.token_hex(8)}", {})
            delivery = unit.webhooks.tell_one(webhook_id, told)
            unit.audit.record(who, "webhook.test", "webhook", webhook_id, origin=origin)
            unit.commit()
        return delivery

    def again(self, who: Principal, webhook_id: int, delivery_id: int, *, origin: Origin) -> Delivery:
        """Send something once more. Raises NotFoundError ``webhook_not_found``, ``delivery_not_found``."""
        with self._units() as unit:
            unit.webhooks.get(webhook_id)
            delivery = unit.webhooks.again(webhook_id, delivery_id)
            detail = {"delivery": delivery_id}
            unit.audit.record(who, "webhook.redeliver", "webhook", webhook_id, detail, origin=origin)
            unit.commit()
        return delivery


class Deliveries:
    """For workers. ``site_key``: None where this machine does not have it; others send then."""

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        client: WebhookClient,
        site_key: Callable[[], bytes | None],
        clock: Clock,
        sender: str,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._client = client
        self._site_key = site_key
        self._clock = clock
        self._sender = sender
        self._thread: threading.Thread | None = None
        self._cleared_up = -_CLEAR_UP_EVERY_S
        self._looked_at_appeals = -_LOOK_AT_APPEALS_EVERY_S

    def look_after(self) -> None:
        """Tell of appeals that are due, and see that what waits is being sent; waits for nobody else's system."""
        if time.monotonic() - self._looked_at_appeals >= _LOOK_AT_APPEALS_EVERY_S:
            self.tell_of_appeals()
            self._looked_at_appeals = time.monotonic()
        if self._thread is None or not self._thread.is_alive():
            # What it was sending when the process ends, somebody sends again: what is told is told at least once.
            self._thread = threading.Thread(target=self._send, name="webhooks", daemon=True)
            self._thread.start()

    def tell_of_appeals(self) -> None:
        """Those that nobody has decided and that are due within a day, once each."""
        with self._units_to_read() as unit:
            if WebhookEvent.APPEAL_DUE not in unit.webhooks.wanted():
                return
        with self._units() as unit:
            due = unit.webhooks.appeals_due(self._clock.now() + APPEAL_TOLD_BEFORE, _APPEALS)
            unit.webhooks.tell([appeal_due(*one) for one in due])
            unit.commit()

    def _send(self) -> None:
        try:
            self.send_due(until=time.monotonic() + _BUDGET_S)
        except QAError as error:
            log.warning("webhooks were not sent", code=error.code, message=error.message)
        except Exception:  # a thread's fault reaches nobody else
            log.exception("webhooks were not sent")

    def send_due(self, *, until: float) -> int:
        """Send what is due, until then on the monotonic clock; how many were tried."""
        key = self._site_key()
        if key is None:
            return 0
        if time.monotonic() - self._cleared_up >= _CLEAR_UP_EVERY_S:
            self._clear_up()
            self._cleared_up = time.monotonic()
        tried = 0
        while time.monotonic() < until:
            with self._units_to_read() as unit:  # mostly there is nothing, and nobody waits for the answer
                hooks = unit.webhooks.sendable(key_id(key))
            sent = sum(self._send_to(hook, key, until) for hook in hooks)
            if not sent:
                break
            tried += sent
        return tried

    def _clear_up(self) -> None:
        now = self._clock.now()
        with self._units() as unit:
            given_up = unit.webhooks.give_up(asked_before=now - GIVEN_UP_AFTER)
            gone = unit.webhooks.forget(ended_before=now - KEPT_FOR, limit=_FORGOTTEN_AT_ONCE)
            if given_up or gone:
                unit.commit()
        if given_up:
            log.warning("webhooks were given up", deliveries=given_up)

    def _send_to(self, hook: Webhook, key: bytes, until: float) -> int:
        with self._units() as unit:
            lease = self._clock.now() + _LEASE
            # Of who failed just now one try tells whether the rest may come.
            claimed = unit.webhooks.claim(hook.id, 1 if hook.failures else _AT_ONCE, until=lease)
            unit.commit()
        for number, delivery in enumerate(claimed):
            if time.monotonic() >= until:
                self._put_back(claimed[number:])
                return number
            if not self._send_one(hook, key, delivery):
                self._put_back(claimed[number + 1 :])
                return number + 1
        return len(claimed)

    def _put_back(self, claimed: Sequence[Delivery]) -> None:
        with self._units() as unit:
            unit.webhooks.put_back(claimed)
            unit.commit()

    def _send_one(self, hook: Webhook, key: bytes, delivery: Delivery) -> bool:
        """Whether it was taken."""
        now = self._clock.now()
        salts = [hook.salt]
        if hook.old_salt is not None and hook.old_until is not None and now < hook.old_until:
            salts.append(hook.old_salt)
        body = message(delivery)
        message_id, timestamp_s = f"delivery-{delivery.id}", int(now.timestamp())
        sent = self._client.post(
            hook.url,
            {
                "Content-Type": "application/json",
                "User-Agent": self._sender,
                "webhook-id": message_id,
                "webhook-timestamp": str(timestamp_s),
                "webhook-signature": signature(
                    [secret_of(key, salt) for salt in salts], message_id, timestamp_s, body
                ),
            },
            body,
        )
        taken, now = sent.error is None, self._clock.now()
        if taken:
            state, next_at = DeliveryState.DELIVERED, None
        elif delivery.attempts >= MOST_ATTEMPTS:
            state, next_at = DeliveryState.DEAD, None
        else:
            state, next_at = DeliveryState.WAITING, now + wait_after(delivery.attempts)
        with self._units() as unit:
            unit.webhooks.settle(delivery, sent, state=state, next_at=next_at)
            if taken:
                unit.webhooks.succeeded(hook.id)
            else:
                failures = unit.webhooks.get(hook.id).failures + 1
                unit.webhooks.failed(hook.id, paused_until=now + pause_after(failures))
            unit.commit()
        if state is DeliveryState.DEAD:
            log.warning("a webhook was given up", webhook=hook.id, delivery=delivery.id, error=sent.error)
        return taken


def message(delivery: Delivery) -> bytes:
    """What is sent: the same bytes in each attempt."""
    document = {
        "type": delivery.event.value,
        "timestamp": _text(delivery.created_at),
        "data": dict(delivery.data),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
