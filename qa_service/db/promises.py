"""Promises on SQLAlchemy.

Guarantee: a call leaves each item once, however often it is scored; what people say of a promise is only ever
added, and no machine changes it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, and_, cast, literal_column, or_, select, tuple_, update
from sqlalchemy.orm import Session

from qa_service.db import documents
from qa_service.db.calibration import blind_calls
from qa_service.db.denials import denied_results
from qa_service.db.inserting import insert_missing, storable
from qa_service.db.rows import (
    UNTOLD_PROMISES,
    CallMetadataRow,
    CallRow,
    EvaluationRow,
    FindingRow,
    PromiseDecisionRow,
    PromiseRow,
    RuleResultRow,
    UserRow,
)
from qa_service.db.scopes import within
from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.promises import (
    CallFact,
    Followed,
    PromiseDecision,
    PromiseState,
    Standing,
)
from qa_service.domain.results import Evidence, Outcome
from qa_service.domain.review import CLEARED, FindingState
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock
from qa_service.ports.promises import DecisionTaken, Opened, Promise, PromiseFilter

_UNTOLD = literal_column(UNTOLD_PROMISES, Boolean())


class SqlPromiseRepository:
    """Implements ``PromiseRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def opened(self, recording_ids: Collection[int]) -> Sequence[Opened]:
        denied = denied_results(self._session, recording_ids)
        rows = self._session.execute(
            select(CallRow, RuleResultRow)
            .join(RuleResultRow, RuleResultRow.evaluation_id == CallRow.evaluation_id)
            .where(
                CallRow.recording_id.in_(recording_ids),
                RuleResultRow.scored,
                cast(RuleResultRow.opens, Text) != "[]",
            )
            .order_by(CallRow.recording_id, RuleResultRow.position)
            .execution_options(populate_existing=True)
        )
        found: dict[tuple[int, str], Opened] = {}
        for call, result in rows:
            if result.id in denied:
                continue
            for item in documents.load_opens(result.opens):
                known = found.get((call.recording_id, item.item))
                if known is None or item.due_days < known.days:
                    found[call.recording_id, item.item] = _opened(call, result.rule, item.item, item.due_days)
        return tuple(found.values())

    def of_recordings(self, recording_ids: Collection[int]) -> Sequence[Promise]:
        return self._read(PromiseRow.recording_id.in_(recording_ids))

    def customers_of(self, recording_ids: Collection[int]) -> frozenset[str]:
        calls = select(CallRow.customer_ref).where(CallRow.recording_id.in_(recording_ids))
        of = or_(PromiseRow.recording_id.in_(recording_ids), PromiseRow.followed_by.in_(recording_ids))
        refs = {*self._session.scalars(calls), *self._session.scalars(select(PromiseRow.customer_ref).where(of))}
        return frozenset(ref for ref in refs if ref)

    def put(self, opened: Opened, *, due_at: datetime, standing: Standing) -> None:
        values: dict[str, Any] = {
            "rule": storable(opened.rule),
            "agent_id": opened.of.agent_id,
            "agent_name": opened.agent_name,
            "team": opened.of.team,
            "vendor": opened.of.vendor,
            "queue": opened.queue,
            "customer_ref": opened.customer_ref,
            "promised_at": opened.at,
            "due_at": due_at,
            "in_force": True,
        }
        key = {"recording_id": opened.recording_id, "item": storable(opened.item)}
        new = {**values, **key, "standing": standing.value, "told": False, "version": 1}
        insert_missing(self._session, PromiseRow, "recording_id,item", [new])
        if standing is Standing.UNKNOWN:
            values |= {"standing": standing.value, "followed_by": None, "followed_at": None}
        changed = or_(*(getattr(PromiseRow, name).is_distinct_from(value) for name, value in values.items()))
        self._session.execute(
            update(PromiseRow)
            .where(*(getattr(PromiseRow, name) == value for name, value in key.items()), changed)
            .values(**values, version=PromiseRow.version + 1)
            .execution_options(synchronize_session=False)
        )

    def let_go(self, promise_id: int) -> None:
        self._update(promise_id, in_force=False)

    def of_customers(self, customer_refs: Collection[str]) -> Sequence[Promise]:
        return self._read(PromiseRow.customer_ref.in_(customer_refs), PromiseRow.in_force.is_(True))

    def calls_of(
        self, customer_refs: Collection[str], *, reply_rules: Collection[str], connected_s: float
    ) -> Mapping[str, Sequence[CallFact]]:
        rows = self._session.execute(
            select(CallRow, CallMetadataRow.document, EvaluationRow.metrics)
            .outerjoin(CallMetadataRow, CallMetadataRow.recording_id == CallRow.recording_id)
            .outerjoin(EvaluationRow, EvaluationRow.id == CallRow.evaluation_id)
            .where(CallRow.customer_ref.in_(customer_refs))
            .execution_options(populate_existing=True)
        ).all()
        replies = self._replies([call.recording_id for call, *_ in rows], reply_rules)
        found: dict[str, list[CallFact]] = {ref: [] for ref in customer_refs}
        for call, document, metrics in rows:
            told = CallMetadata() if document is None else documents.load_metadata(document)
            fact = CallFact(
                recording_id=call.recording_id,
                at=call.at,
                direction=told.direction,
                purpose=told.purpose,
                reply=replies.get(call.recording_id),
                connected=None if metrics is None else _connected(metrics, connected_s),
            )
            found[call.customer_ref].append(fact)
        return found

    def _replies(self, recording_ids: Collection[int], rules: Collection[str]) -> dict[int, Outcome]:
        """What the rules for replies say of these calls, people's word included; of several the best."""
        denied = denied_results(self._session, recording_ids)
        rows = self._session.execute(
            select(CallRow.recording_id, RuleResultRow.id, RuleResultRow.outcome, FindingRow.state)
            .join(RuleResultRow, RuleResultRow.evaluation_id == CallRow.evaluation_id)
            .outerjoin(FindingRow, FindingRow.rule_result_id == RuleResultRow.id)
            .where(
                CallRow.recording_id.in_(recording_ids),
                RuleResultRow.rule.in_(sorted(rules)),
                RuleResultRow.scored,
            )
        )
        found: dict[int, Outcome] = {}
        for recording_id, result_id, outcome, state in rows:
            said = Outcome(outcome)
            if state is not None and FindingState(state) in CLEARED:
                said = Outcome.NOT_APPLICABLE if result_id in denied else Outcome.MET
            if recording_id not in found or said is Outcome.MET:
                found[recording_id] = said
        return found

    def stand(self, promise_id: int, followed: Followed) -> None:
        self._update(
            promise_id, standing=followed.standing.value, followed_by=followed.by, followed_at=followed.at
        )

    def get(self, promise_id: int, scope: Scope) -> Promise:
        found = self._read(PromiseRow.id == promise_id, _TO_SEE, *within(PromiseRow, scope))
        if not found:
            raise NotFoundError(
                "promise_not_found",
                f"no promise has the number {promise_id}: list the promises to see which exist",
                promise_id=promise_id,
            )
        return found[0]

    def hold(self, promise_id: int, scope: Scope) -> Promise:
        self._session.execute(select(PromiseRow.id).where(PromiseRow.id == promise_id).with_for_update()).all()
        return self.get(promise_id, scope)

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
        where = [
            *within(PromiseRow, scope),
            PromiseRow.recording_id.not_in(blind_calls(hidden_from)),
            _TO_SEE,
            or_(*(_in_state(state, now) for state in sorted(wanted.states))),
        ]
        if wanted.team is not None:
            where.append(PromiseRow.team == wanted.team)
        if wanted.agent_id is not None:
            where.append(PromiseRow.agent_id == wanted.agent_id)
        if after is not None:
            where.append(tuple_(PromiseRow.due_at, PromiseRow.id) > after)
        return self._read(*where, limit=limit)

    def decide(self, promise: Promise, decision: PromiseDecision, *, user_id: int, note: str) -> None:
        decided = None if decision is PromiseDecision.REOPEN else decision.value
        moved = self._session.execute(
            update(PromiseRow)
            .where(PromiseRow.id == promise.id, PromiseRow.version == promise.version)
            .values(decided=decided, version=PromiseRow.version + 1)
            .returning(PromiseRow.id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if moved is None:
            raise ConflictError(
                "stale_version",
                f"promise {promise.id} has changed meanwhile: read it again, then decide",
                promise_id=promise.id,
            )
        self._session.add(
            PromiseDecisionRow(
                promise_id=promise.id,
                decision=decision.value,
                user_id=user_id,
                note=storable(note),
                at=self._clock.now(),
            )
        )
        self._session.flush()

    def decisions(self, promise_id: int) -> tuple[DecisionTaken, ...]:
        rows = self._session.execute(
            select(PromiseDecisionRow, UserRow.display_name)
            .join(UserRow, UserRow.id == PromiseDecisionRow.user_id)
            .where(PromiseDecisionRow.promise_id == promise_id)
            .order_by(PromiseDecisionRow.id)
        )
        return tuple(
            DecisionTaken(PromiseDecision(row.decision), row.user_id, name, row.note, row.at) for row, name in rows
        )

    def evidence(self, promise: Promise) -> tuple[Evidence, ...]:
        opens = self._session.scalars(
            select(RuleResultRow.opens)
            .join(CallRow, CallRow.evaluation_id == RuleResultRow.evaluation_id)
            .where(CallRow.recording_id == promise.recording_id, RuleResultRow.rule == promise.rule)
        )
        items = [item for document in opens for item in documents.load_opens(document)]
        return tuple(item.evidence for item in items if item.item == promise.item)

    def overdue(self, now: datetime, limit: int, *, hold: bool = False) -> tuple[Promise, ...]:
        return self._read(_UNTOLD, PromiseRow.due_at <= now, limit=limit, hold=hold)

    def told(self, promise_id: int) -> None:
        self._update(promise_id, told=True)

    def _update(self, promise_id: int, **values: Any) -> None:
        self._session.execute(
            update(PromiseRow)
            .where(PromiseRow.id == promise_id)
            .values(**values, version=PromiseRow.version + 1)
            .execution_options(synchronize_session=False)
        )

    def _read(
        self, *where: ColumnElement[bool], limit: int | None = None, hold: bool = False
    ) -> tuple[Promise, ...]:
        wanted = (
            select(PromiseRow)
            .where(*where)
            .order_by(PromiseRow.due_at, PromiseRow.id)
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        if hold:
            wanted = wanted.with_for_update(skip_locked=True)
        return tuple(_promise(row) for row in self._session.scalars(wanted))


_TO_SEE = or_(PromiseRow.in_force, PromiseRow.decided.is_not(None))
"""What no evaluation finds any more is to be seen where people have decided about it."""


def _in_state(state: PromiseState, now: datetime) -> ColumnElement[bool]:
    """What ``state_of`` says, in SQL."""
    undecided = PromiseRow.decided.is_(None)
    by_calls = {
        PromiseState.OPEN: and_(PromiseRow.standing == Standing.OPEN.value, PromiseRow.due_at > now),
        PromiseState.OVERDUE: and_(PromiseRow.standing == Standing.OPEN.value, PromiseRow.due_at <= now),
        PromiseState.CONFIRM: PromiseRow.standing == Standing.PROBABLE.value,
        PromiseState.UNKNOWN: PromiseRow.standing == Standing.UNKNOWN.value,
        PromiseState.KEPT: PromiseRow.standing == Standing.KEPT.value,
    }
    by_people = PromiseRow.decided == state.value
    return or_(by_people, and_(undecided, by_calls[state])) if state in by_calls else by_people


def _connected(metrics: bytes, least_s: float) -> bool | None:
    """Whether the customer was heard; None where nobody knows who spoke, or hardly anything was said."""
    customer = documents.load_metrics(metrics).of(SpeakerRole.CUSTOMER)
    if customer is None:
        return None
    if customer.speech_s >= least_s:
        return True
    return None if customer.speech_s > 0 else False


def _opened(call: CallRow, rule: str, item: str, days: int) -> Opened:
    return Opened(
        recording_id=call.recording_id,
        rule=rule,
        item=item,
        days=days,
        at=call.at,
        of=CallOwner(call.vendor, call.team, call.agent_id),
        agent_name=call.agent_name,
        queue=call.queue,
        customer_ref=call.customer_ref,
    )


def _promise(row: PromiseRow) -> Promise:
    return Promise(
        id=row.id,
        recording_id=row.recording_id,
        rule=row.rule,
        item=row.item,
        of=CallOwner(row.vendor, row.team, row.agent_id),
        agent_name=row.agent_name,
        queue=row.queue,
        customer_ref=row.customer_ref,
        promised_at=row.promised_at,
        due_at=row.due_at,
        standing=Standing(row.standing),
        followed_by=row.followed_by,
        followed_at=row.followed_at,
        in_force=row.in_force,
        decided=None if row.decided is None else PromiseDecision(row.decided),
        version=row.version,
    )
