"""Webhooks, and what is on its way to them.

Guarantee: what is told is written by the transaction in which it happens, or not at all; of several who would send
the same one does, and one who was too late writes nothing.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Update, delete, exists, select, text, update
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_missing
from qa_service.db.rows import EvaluationRow, FindingRow, RuleResultRow, WebhookDeliveryRow, WebhookRow
from qa_service.db.rows.webhooks import WAITING_DELIVERIES
from qa_service.domain.results import Outcome, Severity
from qa_service.domain.review import FindingState
from qa_service.domain.webhooks import Told, WebhookEvent
from qa_service.errors import NotFoundError
from qa_service.ports import Clock
from qa_service.ports.webhooks import Delivery, DeliveryState, SentTo, Webhook

_WAITING = text(f"webhook_deliveries.{WAITING_DELIVERIES}")


class SqlWebhookRepository:
    """Implements ``WebhookRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def add(
        self, name: str, url: str, events: Collection[WebhookEvent], *, salt: str, key_id: str, by: int
    ) -> Webhook:
        now = self._clock.now()
        row = WebhookRow(
            name=name,
            url=url,
            events=sorted(events),
            active=True,
            salt=salt,
            key_id=key_id,
            failures=0,
            created_by=by,
            created_at=now,
            updated_at=now,
        )
        self._session.add(row)
        self._session.flush()
        return _webhook(row)

    def get(self, webhook_id: int, *, alone: bool = False) -> Webhook:
        return _webhook(self._row(webhook_id, alone=alone))

    def page(self, *, after: int, limit: int) -> Sequence[Webhook]:
        wanted = select(WebhookRow).where(WebhookRow.id > after).order_by(WebhookRow.id).limit(limit)
        return [_webhook(row) for row in self._session.scalars(wanted)]

    def save(
        self, webhook_id: int, *, name: str, url: str, events: Collection[WebhookEvent], active: bool
    ) -> Webhook:
        row = self._row(webhook_id)
        row.name, row.url, row.events, row.active = name, url, sorted(events), active
        row.failures, row.paused_until, row.updated_at = 0, None, self._clock.now()
        self._session.flush()
        return _webhook(row)

    def replace_secret(self, webhook_id: int, *, salt: str, key_id: str, old_until: datetime) -> Webhook:
        row = self._row(webhook_id)
        same_key = row.key_id == key_id
        row.old_salt, row.old_until = (row.salt, old_until) if same_key else (None, None)
        row.salt, row.key_id, row.updated_at = salt, key_id, self._clock.now()
        self._session.flush()
        return _webhook(row)

    def wanted(self) -> frozenset[WebhookEvent]:
        return frozenset().union(*(events for _, events in self._active()))

    def tell(self, told: Sequence[Told]) -> None:
        values = [
            self._values(webhook_id, one)
            for webhook_id, events in (self._active() if told else ())
            for one in told
            if one.event in events
        ]
        insert_missing(self._session, WebhookDeliveryRow, "webhook_id,key", values)

    def tell_one(self, webhook_id: int, told: Told) -> Delivery:
        row = WebhookDeliveryRow(**self._values(webhook_id, told))
        self._session.add(row)
        self._session.flush()
        return _delivery(row)

    def critical_findings(self, evaluation_id: int) -> Sequence[tuple[int, str]]:
        return [
            (finding_id, rule)
            for finding_id, rule in self._session.execute(
                select(FindingRow.id, RuleResultRow.rule)
                .join(RuleResultRow, RuleResultRow.id == FindingRow.rule_result_id)
                .where(
                    FindingRow.evaluation_id == evaluation_id,
                    FindingRow.state == FindingState.OPEN.value,
                    RuleResultRow.severity == Severity.CRITICAL.value,
                    RuleResultRow.outcome == Outcome.NOT_MET.value,
                )
                .order_by(FindingRow.id)
            )
        ]

    def appeals_due(self, before: datetime, limit: int) -> Sequence[tuple[int, int, datetime]]:
        return [
            (recording_id, finding_id, due_at)
            for recording_id, finding_id, due_at in self._session.execute(
                select(EvaluationRow.recording_id, FindingRow.id, FindingRow.due_at)
                .join(EvaluationRow, EvaluationRow.id == FindingRow.evaluation_id)
                .where(
                    text("findings.due_at IS NOT NULL"),
                    FindingRow.due_at <= before,
                    FindingRow.state == FindingState.APPEALED.value,
                )
                .order_by(FindingRow.due_at.desc(), FindingRow.id)
                .limit(limit)
            )
            if due_at is not None
        ]

    def sendable(self, key_id: str) -> Sequence[Webhook]:
        now = self._clock.now()
        due = exists().where(
            WebhookDeliveryRow.webhook_id == WebhookRow.id, _WAITING, WebhookDeliveryRow.next_at <= now
        )
        rows = self._session.scalars(
            select(WebhookRow)
            .where(
                WebhookRow.active,
                WebhookRow.key_id == key_id,
                WebhookRow.paused_until.is_(None) | (WebhookRow.paused_until <= now),
                due,
            )
            .order_by(WebhookRow.id)
        )
        return [_webhook(row) for row in rows]

    def claim(self, webhook_id: int, limit: int, *, until: datetime) -> Sequence[Delivery]:
        rows = self._session.scalars(
            select(WebhookDeliveryRow)
            .where(
                WebhookDeliveryRow.webhook_id == webhook_id,
                _WAITING,
                WebhookDeliveryRow.next_at <= self._clock.now(),
            )
            .order_by(WebhookDeliveryRow.next_at, WebhookDeliveryRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        ).all()
        for row in rows:
            row.attempts, row.next_at = row.attempts + 1, until
        self._session.flush()
        return [_delivery(row) for row in rows]

    def settle(self, delivery: Delivery, sent: SentTo, *, state: DeliveryState, next_at: datetime | None) -> bool:
        changed = self._session.execute(
            self._fenced(delivery).values(
                state=state.value,
                status=sent.status,
                error=sent.error,
                ended_at=None if state is DeliveryState.WAITING else self._clock.now(),
                **({} if next_at is None else {"next_at": next_at}),
            )
        )
        return bool(changed.rowcount)  # type: ignore[attr-defined]

    def put_back(self, claimed: Sequence[Delivery]) -> None:
        now = self._clock.now()
        for delivery in claimed:
            self._session.execute(self._fenced(delivery).values(attempts=delivery.attempts - 1, next_at=now))

    def succeeded(self, webhook_id: int) -> None:
        self._session.execute(
            update(WebhookRow)
            .where(WebhookRow.id == webhook_id, WebhookRow.failures > 0)
            .values(failures=0, paused_until=None)
            .execution_options(synchronize_session=False)
        )

    def failed(self, webhook_id: int, *, paused_until: datetime) -> None:
        self._session.execute(
            update(WebhookRow)
            .where(WebhookRow.id == webhook_id)
            .values(failures=WebhookRow.failures + 1, paused_until=paused_until)
            .execution_options(synchronize_session=False)
        )

    def give_up(self, *, asked_before: datetime) -> int:
        failing = select(WebhookRow.id).where(WebhookRow.failures > 0)
        given_up = self._session.execute(
            update(WebhookDeliveryRow)
            .where(
                _WAITING, WebhookDeliveryRow.webhook_id.in_(failing), WebhookDeliveryRow.asked_at < asked_before
            )
            .values(state=DeliveryState.DEAD.value, ended_at=self._clock.now())
            .execution_options(synchronize_session=False)
        )
        return int(given_up.rowcount)  # type: ignore[attr-defined]

    def forget(self, *, ended_before: datetime, limit: int) -> int:
        old = select(WebhookDeliveryRow.id).where(WebhookDeliveryRow.ended_at < ended_before).limit(limit)
        gone = self._session.execute(
            delete(WebhookDeliveryRow)
            .where(WebhookDeliveryRow.id.in_(old))
            .execution_options(synchronize_session=False)
        )
        return int(gone.rowcount)  # type: ignore[attr-defined]

    def deliveries(
        self, webhook_id: int, *, before: int | None, limit: int, state: DeliveryState | None = None
    ) -> Sequence[Delivery]:
        wanted = (
            select(WebhookDeliveryRow)
            .where(WebhookDeliveryRow.webhook_id == webhook_id)
            .order_by(WebhookDeliveryRow.id.desc())
            .limit(limit)
        )
        if before is not None:
            wanted = wanted.where(WebhookDeliveryRow.id < before)
        if state is not None:
            wanted = wanted.where(WebhookDeliveryRow.state == state.value)
        return [_delivery(row) for row in self._session.scalars(wanted)]

    def again(self, webhook_id: int, delivery_id: int) -> Delivery:
        row = self._session.get(WebhookDeliveryRow, delivery_id, with_for_update=True, populate_existing=True)
        if row is None or row.webhook_id != webhook_id:
            raise NotFoundError(
                "delivery_not_found", f"this webhook has no delivery {delivery_id}: list its deliveries"
            )
        now = self._clock.now()
        row.state, row.attempts, row.next_at, row.asked_at = DeliveryState.WAITING.value, 0, now, now
        row.ended_at = row.status = row.error = None
        self._session.flush()
        return _delivery(row)

    def _active(self) -> list[tuple[int, frozenset[WebhookEvent]]]:
        rows = self._session.execute(select(WebhookRow.id, WebhookRow.events).where(WebhookRow.active))
        return [(id_, _events(names)) for id_, names in rows]

    def _values(self, webhook_id: int, told: Told) -> dict[str, Any]:
        now = self._clock.now()
        return {
            "webhook_id": webhook_id,
            "key": told.key,
            "event": told.event.value,
            "data": dict(told.data),
            "state": DeliveryState.WAITING.value,
            "attempts": 0,
            "next_at": now,
            "asked_at": now,
            "created_at": now,
        }

    def _fenced(self, delivery: Delivery) -> Update:
        return (
            update(WebhookDeliveryRow)
            .where(
                WebhookDeliveryRow.id == delivery.id,
                WebhookDeliveryRow.state == DeliveryState.WAITING.value,
                WebhookDeliveryRow.attempts == delivery.attempts,
            )
            .execution_options(synchronize_session=False)
        )

    def _row(self, webhook_id: int, *, alone: bool = False) -> WebhookRow:
        row = self._session.get(WebhookRow, webhook_id, with_for_update=alone or None, populate_existing=True)
        if row is None:
            raise NotFoundError("webhook_not_found", f"there is no webhook {webhook_id}: list the webhooks")
        return row


def _events(names: Collection[str]) -> frozenset[WebhookEvent]:
    known = {event.value for event in WebhookEvent}
    return frozenset(WebhookEvent(name) for name in names if name in known)


def _webhook(row: WebhookRow) -> Webhook:
    return Webhook(
        id=row.id,
        name=row.name,
        url=row.url,
        events=_events(row.events),
        active=row.active,
        salt=row.salt,
        old_salt=row.old_salt,
        old_until=row.old_until,
        key_id=row.key_id,
        failures=row.failures,
        paused_until=row.paused_until,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _delivery(row: WebhookDeliveryRow) -> Delivery:
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        event=WebhookEvent(row.event),
        data=row.data,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        next_at=row.next_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
        status=row.status,
        error=row.error,
    )
