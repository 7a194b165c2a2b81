"""All that people said of each version of each rule, counted by the database.

Guarantee: five statements however much there is, over indexes by time; rows come back by rule, week and kind,
never by call.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, select
from sqlalchemy.orm import Session

from qa_service.db.rows import (
    EvaluationRow,
    FindingRow,
    ReviewItemRow,
    RuleResultRow,
    RulesetRuleRow,
    RuleVersionRow,
    VerdictRow,
)
from qa_service.domain.quality import Judged, RuleAt, RuleRecord
from qa_service.domain.queueing import QueueKind
from qa_service.domain.recall import Heard
from qa_service.domain.results import Outcome
from qa_service.domain.review import CLEARED, Cause, Decision, FindingState, Origin
from qa_service.ports.review import ItemState

_NOTHING_HEARD = Heard(0.0, 0, 0.0, 0.0)
_OVERTURNED = (FindingState.OVERTURNED, FindingState.APPEAL_OVERTURNED)
_CONTESTED = (*_OVERTURNED, FindingState.UPHELD, FindingState.APPEALED, FindingState.APPEAL_UPHELD)
# Calls of sampling plans are drawn otherwise, and besides: they would count their agents twice.
_KINDS = (QueueKind.FLAGGED, QueueKind.RANDOM)

_DIGEST = func.coalesce(RuleVersionRow.digest, EvaluationRow.ruleset_digest)
_VERSION = (EvaluationRow.pack, RuleResultRow.rule, _DIGEST)


def read_records(session: Session, *, edges: Sequence[datetime], until: datetime) -> dict[RuleAt, RuleRecord]:
    """See ``QualityRepository.records``."""
    since = edges[-1]
    judged = _judged(session, edges, until)
    flagged, in_force = _flagged(session, since, until, edges[0])
    missed = _missed(session, since, until)
    versions = {*(of for of, _ in judged), *flagged, *missed}
    heard = _heard(session, since, until, versions, missed)
    nothing = [Judged()] * len(edges)
    return {
        of: RuleRecord(
            faults=tuple(judged.get((of, Outcome.NOT_MET), nothing)),
            doubts=tuple(judged.get((of, Outcome.UNDETERMINED), nothing)),
            flagged=flagged.get(of, {}),
            heard=heard.get(of, ()),
            in_force=of in in_force,
        )
        for of in versions
    }


def _judged(
    session: Session, edges: Sequence[datetime], until: datetime
) -> dict[tuple[RuleAt, Outcome], list[Judged]]:
    """The machine's findings that people decided, by the week of the last decision.

    What was carried over to another evaluation of the same call was decided once, for the version that found it.
    """
    last = (
        select(func.max(VerdictRow.id).label("id"))
        .where(VerdictRow.at >= edges[-1], VerdictRow.at < until, VerdictRow.cause != Cause.CARRIED.value)
        .group_by(VerdictRow.finding_id)
        .subquery()
    )
    week = case(*((VerdictRow.at >= edge, number) for number, edge in enumerate(edges)))
    rows = session.execute(
        _with_version(
            select(
                *_VERSION,
                RuleResultRow.outcome,
                week.label("week"),
                func.count(),
                _count(VerdictRow.decision != Decision.REJECT.value),
                _count(FindingRow.state.in_(_CONTESTED)),
                _count(FindingRow.state.in_(_OVERTURNED)),
            )
            .select_from(last)
            .join(VerdictRow, VerdictRow.id == last.c.id)
            .join(FindingRow, FindingRow.id == VerdictRow.finding_id)
        )
        .where(FindingRow.origin == Origin.MACHINE.value)
        .group_by(*_VERSION, RuleResultRow.outcome, week)
    )
    found: dict[tuple[RuleAt, Outcome], list[Judged]] = {}
    for pack, rule, digest, outcome, number, *counts in rows:
        weeks = found.setdefault((RuleAt(pack, rule, digest), Outcome(outcome)), [Judged()] * len(edges))
        weeks[number] = Judged(*counts)
    return found


def _flagged(
    session: Session, since: datetime, until: datetime, last_week: datetime
) -> tuple[dict[RuleAt, dict[Outcome, int]], set[RuleAt]]:
    """The machine's findings in calls that came to be looked at, by outcome; and versions that found something in
    the last week, of those that are known."""
    lately = _count(and_(ReviewItemRow.created_at >= last_week, RuleVersionRow.id.is_not(None)))
    rows = session.execute(
        _with_version(
            select(*_VERSION, RuleResultRow.outcome, func.count(), lately)
            .select_from(ReviewItemRow)
            .join(FindingRow, FindingRow.evaluation_id == ReviewItemRow.evaluation_id)
        )
        .where(*_looked_at(since, until), FindingRow.origin == Origin.MACHINE.value)
        .group_by(*_VERSION, RuleResultRow.outcome)
    )
    found: dict[RuleAt, dict[Outcome, int]] = {}
    in_force = set()
    for pack, rule, digest, outcome, count, recent in rows:
        of = RuleAt(pack, rule, digest)
        found.setdefault(of, {})[Outcome(outcome)] = count
        if recent:
            in_force.add(of)
    return found, in_force


def _missed(session: Session, since: datetime, until: datetime) -> dict[RuleAt, list[tuple[str, Heard]]]:
    """Calls that were heard to their end and hold a fault that a person had to add, by kind."""
    weight = literal(1.0) / ReviewItemRow.inclusion_probability
    rows = session.execute(
        _with_version(
            select(
                *(*_VERSION, ReviewItemRow.kind),
                *(func.count(), func.sum(weight), func.sum(weight * weight)),
            )
            .select_from(ReviewItemRow)
            .join(FindingRow, FindingRow.evaluation_id == ReviewItemRow.evaluation_id)
        )
        .where(
            *_looked_at(since, until),
            ReviewItemRow.state == ItemState.DONE.value,
            FindingRow.origin == Origin.HUMAN.value,
            FindingRow.state.not_in(CLEARED),
        )
        .group_by(*_VERSION, ReviewItemRow.kind)
    )
    found: dict[RuleAt, list[tuple[str, Heard]]] = {}
    for pack, rule, digest, kind, *sums in rows:
        found.setdefault(RuleAt(pack, rule, digest), []).append((kind, Heard(0.0, 0, 0.0, 0.0, *sums)))
    return found


def _heard(
    session: Session,
    since: datetime,
    until: datetime,
    versions: Iterable[RuleAt],
    missed: Mapping[RuleAt, Iterable[tuple[str, Heard]]],
) -> dict[RuleAt, tuple[Heard, ...]]:
    """Calls that came to be looked at and were judged by each version, by kind, with those that hold a miss."""
    weight = literal(1.0) / ReviewItemRow.inclusion_probability
    done = ReviewItemRow.state == ItemState.DONE.value
    rows = session.execute(
        select(
            *(EvaluationRow.pack, EvaluationRow.ruleset_digest, ReviewItemRow.kind),
            *(func.sum(weight), _count(done), _sum(done, weight), _sum(done, weight * weight)),
        )
        .join(EvaluationRow, EvaluationRow.id == ReviewItemRow.evaluation_id)
        .where(*_looked_at(since, until))
        .group_by(EvaluationRow.pack, EvaluationRow.ruleset_digest, ReviewItemRow.kind)
    ).all()
    known = _versions_of(session, {row.ruleset_digest for row in rows})
    # Rules are many and rule sets few: which rule sets a version is in is looked up, not searched for.
    by_version: dict[RuleAt, dict[str, Heard]] = defaultdict(dict)
    for of in versions:
        kinds = by_version[of]
        for pack, ruleset, kind, *sums in rows:
            if pack == of.pack and known.get((ruleset, of.rule), ruleset) == of.digest:
                kinds[kind] = kinds.get(kind, _NOTHING_HEARD) + Heard(*sums)
        for kind, misses in missed.get(of, ()):
            kinds[kind] = kinds.get(kind, _NOTHING_HEARD) + misses
    return {of: tuple(kinds[kind] for kind in sorted(kinds)) for of, kinds in by_version.items()}


def _versions_of(session: Session, rulesets: Iterable[str]) -> dict[tuple[str, str], str]:
    """The digest of each rule's version in these rule sets."""
    rows = session.execute(
        select(RulesetRuleRow.ruleset_digest, RulesetRuleRow.rule, RuleVersionRow.digest)
        .join(RuleVersionRow, RuleVersionRow.id == RulesetRuleRow.version_id)
        .where(RulesetRuleRow.ruleset_digest.in_(rulesets))
    )
    return {(ruleset, rule): digest for ruleset, rule, digest in rows}


def _with_version(wanted: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """With result, evaluation and version of a query on findings; what is older than kept versions has none."""
    return (
        wanted.join(RuleResultRow, RuleResultRow.id == FindingRow.rule_result_id)
        .join(EvaluationRow, EvaluationRow.id == FindingRow.evaluation_id)
        .outerjoin(
            RulesetRuleRow,
            (RulesetRuleRow.ruleset_digest == EvaluationRow.ruleset_digest)
            & (RulesetRuleRow.rule == RuleResultRow.rule),
        )
        .outerjoin(RuleVersionRow, RuleVersionRow.id == RulesetRuleRow.version_id)
    )


def _looked_at(since: datetime, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        ReviewItemRow.created_at >= since,
        ReviewItemRow.created_at < until,
        ReviewItemRow.kind.in_([kind.value for kind in _KINDS]),
    )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _sum(condition: ColumnElement[bool], value: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.sum(case((condition, value), else_=0.0))
