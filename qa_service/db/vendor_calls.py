"""What calls say of vendors, counted in the database.

Guarantee: two statements a month, however many calls there are; no call outside the scope is counted for a vendor,
though whether a customer called again is looked for among all calls.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Float, and_, case, extract, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from qa_service.db.rows import CallMetadataRow, CallRow
from qa_service.db.scopes import within as in_scope
from qa_service.domain.access import Scope
from qa_service.domain.call import Direction
from qa_service.domain.vendors import Contacts

_DAY_S = 86_400.0
_Time = ColumnElement[datetime] | InstrumentedAttribute[datetime]
_INBOUND = CallRow.direction == Direction.INBOUND.value


class SqlVendorCalls:
    """Implements ``VendorCalls``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def contacts(
        self, scope: Scope, since: datetime, until: datetime, *, window: timedelta, now: datetime
    ) -> Mapping[str, Contacts]:
        order = (CallRow.at, CallRow.recording_id)
        around = (
            select(
                CallRow,
                func.lag(CallRow.at).over(partition_by=CallRow.customer_ref, order_by=order).label("before"),
                func.lead(CallRow.at).over(partition_by=CallRow.customer_ref, order_by=order).label("after"),
            )
            .where(
                _INBOUND,
                CallRow.customer_ref.is_not(None),
                CallRow.customer_ref != "",
                CallRow.at >= since - window,
                CallRow.at <= until + window,
            )
            .subquery()
        )
        call = aliased(CallRow, around)
        first = or_(around.c.before.is_(None), self._seconds(around.c.before, call.at) > window.total_seconds())
        again = and_(around.c.after.is_not(None), self._seconds(call.at, around.c.after) <= window.total_seconds())
        told = call.at <= now - window
        rows = self._session.execute(
            select(
                call.vendor,
                _count(and_(first, told)),
                _count(and_(first, told, ~again)),
                _count(and_(first, ~told)),
            )
            .where(call.at >= since, call.at < until, call.vendor.is_not(None), *in_scope(call, scope))
            .group_by(call.vendor)
        )
        found = {str(name): Contacts(first, resolved, 0, waiting) for name, first, resolved, waiting in rows}
        for name, unfollowed in self._unfollowed(scope, since, until).items():
            known = found.get(name, Contacts())
            found[name] = Contacts(known.first, known.resolved, unfollowed, known.waiting)
        return found

    def _unfollowed(self, scope: Scope, since: datetime, until: datetime) -> Mapping[str, int]:
        rows = self._session.execute(
            select(CallRow.vendor, func.count())
            .where(*_of_vendors(scope, since, until), func.coalesce(CallRow.customer_ref, "") == "")
            .group_by(CallRow.vendor)
        )
        return {str(name): count for name, count in rows}

    def rings(
        self, scope: Scope, since: datetime, until: datetime, *, within: int
    ) -> Mapping[str, tuple[int, int]]:
        rung = CallMetadataRow.document["ring_count"].as_integer()
        rows = self._session.execute(
            select(CallRow.vendor, func.count(), _count(rung <= within))
            .join(CallMetadataRow, CallMetadataRow.recording_id == CallRow.recording_id)
            .where(*_of_vendors(scope, since, until), rung.is_not(None))
            .group_by(CallRow.vendor)
        )
        return {str(name): (told, quick) for name, told, quick in rows}

    def _seconds(self, earlier: _Time, later: _Time) -> ColumnElement[float]:
        if self._session.get_bind().dialect.name == "postgresql":
            return extract("epoch", later - earlier).cast(Float)
        days = func.julianday(later) - func.julianday(earlier)
        return func.round(days * _DAY_S, 2)  # julianday is right to about 50 µs of a second


def _of_vendors(scope: Scope, since: datetime, until: datetime) -> list[ColumnElement[bool]]:
    return [
        _INBOUND,
        CallRow.vendor.is_not(None),
        CallRow.at >= since,
        CallRow.at < until,
        *in_scope(CallRow, scope),
    ]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
