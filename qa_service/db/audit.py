"""The audit trail. The database itself refuses to change or delete what is in it (migration 0010)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from qa_service.db.inserting import storable
from qa_service.db.rows import AuditEventRow
from qa_service.domain.access import Principal
from qa_service.ports.people import AuditEvent, Origin
from qa_service.ports.store import Clock


class SqlAuditTrail:
    """Implements ``AuditTrail``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def record(
        self,
        who: Principal | str,
        action: str,
        thing: str,
        thing_id: int | str,
        detail: Mapping[str, Any] | None = None,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> None:
        known = who if isinstance(who, Principal) else None
        self._session.add(
            AuditEventRow(
                at=self._clock.now(),
                user_id=known and known.user_id,
                name=storable(who.name if isinstance(who, Principal) else who),
                via=known.via if known else "",
                action=action,
                thing=thing,
                thing_id=storable(str(thing_id)),
                detail=dict(detail or {}),
                address=origin.address,
                request_id=origin.request_id,
            )
        )
        self._session.flush()

    def page(
        self,
        *,
        before: int | None,
        limit: int,
        user_id: int | None = None,
        action: str | None = None,
        thing: str | None = None,
        thing_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[AuditEvent]:
        conditions: list[ColumnElement[bool]] = []
        for column, value in (
            (AuditEventRow.user_id, user_id),
            (AuditEventRow.action, action),
            (AuditEventRow.thing, thing),
            (AuditEventRow.thing_id, thing_id),
        ):
            if value is not None:
                conditions.append(column == value)
        if before is not None:
            conditions.append(AuditEventRow.id < before)
        if since is not None:
            conditions.append(AuditEventRow.at >= since)
        if until is not None:
            conditions.append(AuditEventRow.at < until)
        rows = self._session.scalars(
            select(AuditEventRow).where(*conditions).order_by(AuditEventRow.id.desc()).limit(limit)
        )
        return [
            AuditEvent(
                *(row.id, row.at, row.user_id, row.name, row.via, row.action, row.thing, row.thing_id),
                *(row.detail, row.address, row.request_id),
            )
            for row in rows
        ]
