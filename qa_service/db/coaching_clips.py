"""Where to listen: the findings that coaching may show, and calls in which it was done right.

Guarantee: what is rejected, overturned or in dispute is never shown as a fault, nor what an evaluation says that
is not in force. That is asked when it is read: a clip falls out in the moment in which its finding is cleared.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from qa_service.db import documents
from qa_service.db.rows import (
    CallRow,
    CoachingClipRow,
    FindingRow,
    ReviewItemRow,
    RuleResultRow,
    VerdictRow,
)
from qa_service.domain.access import CallOwner
from qa_service.domain.coaching import CONFIRMED_EVIDENCE
from qa_service.domain.results import Evidence, Outcome
from qa_service.domain.review import CLEARED, FindingState
from qa_service.ports.coaching import Clip, ClipKind, Window

_CONFIRMED = sorted(state.value for state in CONFIRMED_EVIDENCE)
_CLEARED = sorted(state.value for state in CLEARED)
_LOOKED_AT = 10
"""Of calls in which a rule was met so many times as many are read as are wanted: some name no words."""


def confirmed() -> ColumnElement[bool]:
    return FindingRow.state.in_(_CONFIRMED)


def stands() -> ColumnElement[bool]:
    """A fault that may be shown: confirmed, or the machine's and open. A doubt alone accuses nobody."""
    unreviewed = and_(FindingRow.state == FindingState.OPEN.value, RuleResultRow.outcome == Outcome.NOT_MET.value)
    return or_(confirmed(), unreviewed)


def met() -> ColumnElement[bool]:
    """Done right, and nobody says otherwise."""
    return and_(
        RuleResultRow.outcome == Outcome.MET.value,
        or_(FindingRow.id.is_(None), FindingRow.state.in_(_CLEARED)),
    )


def faults(
    session: Session,
    by: InstrumentedAttribute[str | None],
    whose: Collection[str],
    rules: Collection[str],
    window: Window,
    most: int,
) -> tuple[Clip, ...]:
    """At most ``most`` of each value of ``by`` and each rule, confirmed ones first, then the latest."""
    if not whose or not rules:
        return ()
    place = func.row_number().over(
        partition_by=(by, RuleResultRow.rule), order_by=(confirmed().desc(), CallRow.at.desc(), RuleResultRow.id)
    )
    found = (
        select(RuleResultRow.id.label("id"), place.label("place"))
        .join(CallRow, CallRow.evaluation_id == RuleResultRow.evaluation_id)
        .join(FindingRow, FindingRow.rule_result_id == RuleResultRow.id)
        .where(
            CallRow.at >= window.since,
            CallRow.at < window.until,
            by.in_(sorted(whose)),
            RuleResultRow.rule.in_(sorted(rules)),
            stands(),
        )
        .subquery()
    )
    query = _clips().join(found, found.c.id == RuleResultRow.id).where(found.c.place <= most)
    rows = session.execute(query.order_by(by, RuleResultRow.rule, found.c.place)).all()
    corrected = _corrected(session, [row.FindingRow.id for row in rows])
    return tuple(_clip(ClipKind.FAULT, row, corrected=corrected) for row in rows)


def best(
    session: Session, team: str, rules: Collection[str], window: Window, *, min_score: float, most: int
) -> tuple[Clip, ...]:
    """Of each rule at most ``most`` calls of the team: reviewed ones first, then the highest scores."""
    if not rules:
        return ()
    reviewed = func.coalesce(_reviewed(), False)
    place = func.row_number().over(
        partition_by=RuleResultRow.rule,
        order_by=(reviewed.desc(), CallRow.final_score.desc(), RuleResultRow.id),
    )
    found = (
        select(RuleResultRow.id.label("id"), place.label("place"))
        .join(CallRow, CallRow.evaluation_id == RuleResultRow.evaluation_id)
        .outerjoin(FindingRow, FindingRow.rule_result_id == RuleResultRow.id)
        .outerjoin(ReviewItemRow, ReviewItemRow.recording_id == CallRow.recording_id)
        .where(
            CallRow.team == team,
            CallRow.at >= window.since,
            CallRow.at < window.until,
            CallRow.final_score >= min_score,
            RuleResultRow.rule.in_(sorted(rules)),
            met(),
        )
        .subquery()
    )
    query = _clips().join(found, found.c.id == RuleResultRow.id).where(found.c.place <= most * _LOOKED_AT)
    chosen: dict[str, list[Clip]] = {}
    for row in session.execute(query.order_by(RuleResultRow.rule, found.c.place)):
        clip = _clip(ClipKind.BEST, row)
        own = chosen.setdefault(clip.rule, [])
        if clip.evidence is not None and len(own) < most:  # what is to be imitated has to be heard
            own.append(clip)
    return tuple(clip for own in chosen.values() for clip in own)


def of_actions(session: Session, action_ids: Collection[int]) -> dict[int, tuple[Clip, ...]]:
    """What still stands of the clips of these actions."""
    found: dict[int, list[Clip]] = {action_id: [] for action_id in action_ids}
    if not found:
        return {}
    rows = session.execute(
        _clips()
        .add_columns(CoachingClipRow)
        .join(CoachingClipRow, CoachingClipRow.rule_result_id == RuleResultRow.id)
        .where(
            CoachingClipRow.action_id.in_(sorted(found)),
            or_(
                and_(CoachingClipRow.kind == ClipKind.FAULT.value, FindingRow.id.is_not(None), stands()),
                and_(CoachingClipRow.kind == ClipKind.BEST.value, met()),
            ),
        )
        .order_by(CoachingClipRow.kind.desc(), RuleResultRow.rule, CallRow.at.desc(), CoachingClipRow.id)
    )
    for row in rows:
        kept: CoachingClipRow = row.CoachingClipRow
        clip = _clip(ClipKind(kept.kind), row, span=(kept.start_s, kept.end_s))
        found[kept.action_id].append(clip)
    return {action_id: tuple(clips) for action_id, clips in found.items()}


def _clips() -> Select[*tuple[Any, ...]]:
    """Results of evaluations in force, each with its call, finding and whether a person looked at the call."""
    told: Select[*tuple[Any, ...]] = (
        select(RuleResultRow, CallRow, FindingRow, _reviewed().label("reviewed"))
        .join(CallRow, CallRow.evaluation_id == RuleResultRow.evaluation_id)
        .outerjoin(FindingRow, FindingRow.rule_result_id == RuleResultRow.id)
        .outerjoin(ReviewItemRow, ReviewItemRow.recording_id == CallRow.recording_id)
        .execution_options(populate_existing=True)
    )
    return told


def _reviewed() -> ColumnElement[bool]:
    return and_(
        ReviewItemRow.recording_id.is_not(None),
        ReviewItemRow.state == "done",
        ReviewItemRow.evaluation_id == CallRow.evaluation_id,
    )


def _corrected(session: Session, finding_ids: Iterable[int]) -> dict[int, tuple[float, float]]:
    """Where a person said that the fault is; of several the last word."""
    rows = session.execute(
        select(VerdictRow.finding_id, VerdictRow.start_s, VerdictRow.end_s)
        .where(VerdictRow.finding_id.in_(sorted(finding_ids)))
        .order_by(VerdictRow.id)
    )
    last = {finding_id: (start, end) for finding_id, start, end in rows}
    return {key: (start, end) for key, (start, end) in last.items() if start is not None and end is not None}


def _clip(
    kind: ClipKind,
    row: Any,
    *,
    corrected: dict[int, tuple[float, float]] | None = None,
    span: tuple[float | None, float | None] | None = None,
) -> Clip:
    result: RuleResultRow = row.RuleResultRow
    call: CallRow = row.CallRow
    finding: FindingRow | None = row.FindingRow
    said = (corrected or {}).get(finding.id) if finding is not None else None
    told = documents.load_evidence(result.evidence)
    wanted = said or span
    evidence = next(iter(told), None) if wanted is None else _at(told, *wanted)
    return Clip(
        kind=kind,
        rule=result.rule,
        rule_result_id=result.id,
        finding_id=None if finding is None else finding.id,
        recording_id=call.recording_id,
        at=call.at,
        owner=CallOwner(call.vendor, call.team, call.agent_id),
        agent_name=call.agent_name,
        score=call.final_score,
        confirmed=(
            finding is not None and finding.state in _CONFIRMED if kind is ClipKind.FAULT else bool(row.reviewed)
        ),
        evidence=evidence,
    )


def _at(told: tuple[Evidence, ...], start: float | None, end: float | None) -> Evidence | None:
    """What was told of this place; of a place that a person named nothing but the place."""
    if start is None or end is None:
        return None
    return next((each for each in told if (each.start, each.end) == (start, end)), Evidence(start, end))
