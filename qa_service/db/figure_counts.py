"""How the days of agents are counted: one statement for scores and one for faults, however many days.

Guarantee: a fault is one exactly where the final score takes points for it (``domain.review.apply``): open
findings of the machine count, doubts count once a person confirmed them, what was rejected is a rule that was
kept, and what was rejected as not applicable is no answer.
"""

from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, or_, select, union_all
from sqlalchemy.orm import aliased

from qa_service.db.rows import AgentDayRow, BehaviourDayRow, CallRow, FindingRow, RuleResultRow, VerdictRow
from qa_service.domain.results import Outcome
from qa_service.domain.review import CLEARED, Decision, FindingState, Reason

Inserted = tuple[list[Any], Select[Any]]
"""Columns, and what goes into them."""

_BY_AGENTS: Final = (FindingState.ACKNOWLEDGED, FindingState.WITHDRAWN)
"""The agent lets a fault stand: that is a decision too."""


def calls_in(wanted: CTE) -> CTE:
    """Calls of the days in ``wanted``: columns ``agent_id``, ``day``, ``since``, ``until``; two looks along the
    same index, because no index serves "equal, or both unknown"."""
    columns = (
        *(wanted.c.agent_id, wanted.c.day, CallRow.evaluation_id, CallRow.final_score, CallRow.fatal),
        CallRow.duration_s,
        func.coalesce(CallRow.team, "").label("team"),
        func.coalesce(CallRow.vendor, "").label("vendor"),
        func.coalesce(CallRow.queue, "").label("queue"),
    )
    on_the_day = and_(CallRow.at >= wanted.c.since, CallRow.at < wanted.c.until)
    named = select(*columns).join_from(wanted, CallRow, and_(CallRow.agent_id == wanted.c.agent_id, on_the_day))
    unknown = select(*columns).join_from(
        wanted, CallRow, and_(CallRow.agent_id.is_(None), wanted.c.agent_id == "", on_the_day)
    )
    return union_all(named, unknown).cte("counted_calls")


def score_days(calls: CTE) -> Inserted:
    key, score = _key(calls), calls.c.final_score
    sums = {
        "calls": func.count(),
        "scored": func.count(score),
        "points": func.coalesce(func.sum(score), 0.0),
        "squares": func.coalesce(func.sum(score * score), 0.0),
        "fatal": func.sum(case((calls.c.fatal, 1), else_=0)),
        "duration_s": func.coalesce(func.sum(calls.c.duration_s), 0.0),
    }
    return _columns(AgentDayRow, [*_KEY, *sums]), select(*key, *sums.values()).group_by(*key)


def behaviour_days(calls: CTE) -> Inserted:
    """Each rule result of the calls' evaluations, with its finding and the last that was said of it."""
    last = (
        select(func.max(VerdictRow.id))
        .where(VerdictRow.finding_id == FindingRow.id)
        .correlate(FindingRow)
        .scalar_subquery()
    )
    is_decided = case((FindingRow.state != FindingState.OPEN.value, last), else_=None)
    cleared = FindingRow.state.in_([state.value for state in CLEARED])
    stands = FindingRow.state.not_in([FindingState.OPEN.value, *(state.value for state in CLEARED)])
    as_heard = or_(FindingRow.id.is_(None), FindingRow.state == FindingState.OPEN.value)
    fault = or_(stands, and_(as_heard, RuleResultRow.outcome == Outcome.NOT_MET.value))
    kept = or_(
        and_(cleared, func.coalesce(VerdictRow.reason, "") != Reason.NOT_APPLICABLE.value),
        and_(as_heard, RuleResultRow.outcome == Outcome.MET.value),
    )
    by_people = or_(VerdictRow.id.is_not(None), FindingRow.state.in_([state.value for state in _BY_AGENTS]))
    key = (*_key(calls), RuleResultRow.rule)
    counted = (
        select(
            *key,
            func.count(),
            func.sum(case((fault, 1), else_=0)),
            func.sum(case((and_(stands, by_people), 1), else_=0)),
        )
        .select_from(calls)
        .join(RuleResultRow, RuleResultRow.evaluation_id == calls.c.evaluation_id)
        .outerjoin(FindingRow, FindingRow.rule_result_id == RuleResultRow.id)
        .outerjoin(VerdictRow, VerdictRow.id == is_decided)
        .where(RuleResultRow.scored, or_(RuleResultRow.same_event_as.is_(None), _freed()), or_(fault, kept))
        .group_by(*key)
    )
    return _columns(BehaviourDayRow, [*_KEY, "rule", "calls", "faults", "confirmed"]), counted


def _freed() -> ColumnElement[bool]:
    """A fault of its own, where the rule that counted the same event was rejected."""
    other, found, said, later = (
        aliased(RuleResultRow),
        aliased(FindingRow),
        aliased(VerdictRow),
        aliased(VerdictRow),
    )
    newer = select(later.id).where(later.finding_id == said.finding_id, later.id > said.id)
    rejected = (
        select(said.id)
        .join(found, found.id == said.finding_id)
        .join(other, other.id == found.rule_result_id)
        .where(
            other.evaluation_id == RuleResultRow.evaluation_id,
            other.rule == RuleResultRow.same_event_as,
            said.decision == Decision.REJECT.value,
            ~newer.exists(),
        )
        .correlate(RuleResultRow)
    )
    return and_(VerdictRow.id.is_not(None), VerdictRow.decision != Decision.REJECT.value, rejected.exists())


_KEY: Final = ("agent_id", "day", "team", "vendor", "queue")


def _key(calls: CTE) -> tuple[ColumnElement[Any], ...]:
    return tuple(calls.c[name] for name in _KEY)


def _columns(row: type[AgentDayRow] | type[BehaviourDayRow], names: list[str]) -> list[Any]:
    return [row.__table__.c[name] for name in names]
