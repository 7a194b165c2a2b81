"""Lists of calls: filters, scopes and orders as SQL, read from where the last page ended.

Guarantee: no call outside the scope comes out, whatever is asked for. Each order follows an index, so that the
thousandth page costs what the first did.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select, text, tuple_, union_all
from sqlalchemy.orm import Session

from qa_service.db import call_texts
from qa_service.db.rows import CallRow, RuleResultRow
from qa_service.db.scopes import within
from qa_service.domain.access import Scope
from qa_service.errors import NotFoundError
from qa_service.ports.calls import CallFilter, CallOrder, Key, ListedCall

MERGED_TEAMS: Final = 16
"""Of so many teams each is read in the list's order and the first calls of each are merged. An index holds no
order over several teams: one query for all of them would sort every call that they ever had."""

_SHOWN: Final = tuple(ListedCall.__dataclass_fields__)
_EQUAL: Final = ("agent_id", "vendor", "queue", "direction", "call_id", "customer_ref")

# Written out: a partial index serves a query only when the planner sees the very predicate.
TO_REVIEW: Final = "calls.to_review > 0"
FATAL: Final = "calls.fatal"


def page(
    session: Session, wanted: CallFilter, scope: Scope, *, order: CallOrder, after: Key | None, limit: int
) -> Sequence[ListedCall]:
    """See ``CallLists.page``."""
    statement = page_statement(session, wanted, scope, order=order, after=after, limit=limit)
    return [] if statement is None else [ListedCall(*row) for row in session.execute(statement)]


def count(session: Session, wanted: CallFilter, scope: Scope, *, order: CallOrder, most: int) -> int:
    """See ``CallLists.count``."""
    statement = page_statement(session, wanted, scope, order=order, after=None, limit=most)
    if statement is None:
        return 0
    return session.scalar(select(func.count()).select_from(statement.subquery())) or 0


def page_statement(
    session: Session, wanted: CallFilter, scope: Scope, *, order: CallOrder, after: Key | None, limit: int
) -> Select[Any] | None:
    """What asks for a page; None where the scope leaves nothing of what is wanted."""
    teams = _teams(wanted, scope)
    if teams is not None and not teams:
        return None
    conditions = _conditions(session, wanted, scope, order, after)
    if teams is None or len(teams) == 1 or len(teams) > MERGED_TEAMS:
        if teams is not None:
            conditions.append(CallRow.team == teams[0] if len(teams) == 1 else CallRow.team.in_(teams))
        return _listed().where(*conditions).order_by(*_order(order)).limit(limit)
    first_of_each = [
        select(CallRow.recording_id)
        .where(*conditions, CallRow.team == team)
        .order_by(*_order(order))
        .limit(limit)
        .subquery(f"team_{number}")
        for number, team in enumerate(teams)
    ]
    merged = union_all(*(select(one.c.recording_id) for one in first_of_each)).subquery("merged")
    return (
        _listed().join(merged, merged.c.recording_id == CallRow.recording_id).order_by(*_order(order)).limit(limit)
    )


def get(session: Session, recording_id: int, scope: Scope) -> ListedCall:
    """See ``CallLists.get``."""
    row = session.execute(
        _listed().where(CallRow.recording_id == recording_id, *within(CallRow, scope))
    ).one_or_none()
    if row is None:
        raise unknown_recording(recording_id)
    return ListedCall(*row)


def unknown_recording(recording_id: int) -> NotFoundError:
    """The same whether there is none or it is somebody else's."""
    return NotFoundError(
        "recording_not_found",
        f"no recording has the number {recording_id}: list the recordings to see which exist",
        recording_id=recording_id,
    )


def _listed() -> Select[Any]:
    return select(*(getattr(CallRow, name) for name in _SHOWN))


def _teams(wanted: CallFilter, scope: Scope) -> Sequence[str] | None:
    if wanted.team is None:
        return None if scope.teams is None else sorted(scope.teams)
    return [wanted.team] if scope.teams is None or wanted.team in scope.teams else []


def _order(order: CallOrder) -> list[ColumnElement[Any]]:
    columns: list[Any] = [CallRow.final_score if order.by_score else CallRow.at, CallRow.recording_id]
    return [column.desc() if order.descending else column.asc() for column in columns]


def _conditions(
    session: Session, wanted: CallFilter, scope: Scope, order: CallOrder, after: Key | None
) -> list[ColumnElement[bool]]:
    """All but the teams."""
    conditions = within(CallRow, Scope(vendor=scope.vendor, agent_id=scope.agent_id))
    conditions += [
        getattr(CallRow, name) == value for name in _EQUAL if (value := getattr(wanted, name)) is not None
    ]
    if wanted.since is not None:
        conditions.append(CallRow.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(CallRow.at < wanted.until)
    if wanted.min_score is not None:
        conditions.append(CallRow.final_score >= wanted.min_score)
    if wanted.max_score is not None:
        conditions.append(CallRow.final_score <= wanted.max_score)
    if wanted.to_review is not None:
        conditions.append(_literal(TO_REVIEW) if wanted.to_review else CallRow.to_review == 0)
    if wanted.fatal is not None:
        conditions.append(_literal(FATAL) if wanted.fatal else CallRow.fatal.is_(False))
    if wanted.rule is not None or wanted.outcome is not None:
        conditions.append(_judged(wanted))
    if wanted.text is not None:
        conditions.append(call_texts.says(session, wanted.text))
    if order.by_score:
        conditions.append(CallRow.final_score.is_not(None))
    if after is not None:
        conditions.append(_behind(order, after))
    return conditions


def _judged(wanted: CallFilter) -> ColumnElement[bool]:
    result = select(RuleResultRow.id).where(RuleResultRow.evaluation_id == CallRow.evaluation_id)
    if wanted.rule is not None:
        result = result.where(RuleResultRow.rule == wanted.rule)
    if wanted.outcome is not None:
        result = result.where(RuleResultRow.outcome == wanted.outcome.value)
    return result.correlate(CallRow).exists()


def _behind(order: CallOrder, after: Key) -> ColumnElement[bool]:
    value, recording_id = after
    assert isinstance(value, float) if order.by_score else isinstance(value, datetime)
    column: Any = CallRow.final_score if order.by_score else CallRow.at
    place = tuple_(column, CallRow.recording_id)
    begin = tuple_(value, recording_id, types=[column.type, CallRow.recording_id.type])
    return place < begin if order.descending else place > begin


def _literal(condition: str) -> ColumnElement[bool]:
    told: Any = text(condition)
    return told  # type: ignore[no-any-return]
