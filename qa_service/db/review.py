"""The review queue on SQLAlchemy.

Guarantee: at most one person holds a call: taking it is one conditional statement, which passes over what others
are taking at the same moment. A claim that has run out can be taken by anybody; nothing needs to free it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, text, tuple_, update
from sqlalchemy.orm import Session

from qa_service.db.calibration import blind_calls
from qa_service.db.carrying import carry_over
from qa_service.db.inserting import storable
from qa_service.db.repositories import result_of
from qa_service.db.rows import (
    OPEN_ITEMS,
    CallRow,
    EvaluationRow,
    FinalScoreRow,
    FindingRow,
    LatestEvaluationRow,
    RecordingRow,
    ReviewItemRow,
    RuleResultRow,
    RuleTallyRow,
    UserRow,
)
from qa_service.db.scopes import within
from qa_service.db.verdicts import SqlVerdictRepository, tallies_of
from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.queueing import Place, QueueKind, ReviewPolicy, Tally, place
from qa_service.domain.results import Outcome, RuleResult
from qa_service.domain.review import Cause, FindingState
from qa_service.errors import ConflictError
from qa_service.ports import Clock
from qa_service.ports.review import ItemState, QueuedCall, ReviewItem

_CLAIMED, _WAITING, _DONE = ItemState.CLAIMED.value, ItemState.WAITING.value, ItemState.DONE.value


class SqlReviewQueue:
    """Implements ``ReviewQueue``. Times come from the clock."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def place(self, recording_id: int, policy: ReviewPolicy) -> None:
        head = self._session.execute(
            select(EvaluationRow.id, EvaluationRow.pack, EvaluationRow.scorecard_digest, RecordingRow.sha256)
            .join(LatestEvaluationRow, LatestEvaluationRow.evaluation_id == EvaluationRow.id)
            .join(RecordingRow, RecordingRow.id == EvaluationRow.recording_id)
            .where(LatestEvaluationRow.recording_id == recording_id)
        ).one_or_none()
        if head is None or head.scorecard_digest is None:
            return
        if carry_over(self._session, recording_id, head.id, self._clock.now()) or self._has_final(recording_id):
            verdicts = SqlVerdictRepository(self._session, self._clock)
            verdicts.rescore(recording_id, cause=Cause.EVALUATION, user_id=None)
        results, undecided = self._judged(head.id)
        item = self._session.get(ReviewItemRow, recording_id, with_for_update=True, populate_existing=True)
        wanted = place(
            policy,
            sha256=head.sha256,
            since=self._clock.now(),
            results=results,
            undecided=undecided,
            tallies=_of_pack(tallies_of(self._session, [head.pack]), head.pack),
            due_before=item.due_at if item is not None and item.state != _DONE else None,
        )
        if item is not None and item.state == _DONE and not undecided:
            graver = wanted is not None and (wanted.grade or 0) > (item.grade or 0)
            if not graver:
                return
        self._put(recording_id, head.id, item, wanted)

    def _has_final(self, recording_id: int) -> bool:
        one = select(FinalScoreRow.id).where(FinalScoreRow.recording_id == recording_id).limit(1)
        return self._session.scalar(one) is not None

    def _judged(self, evaluation_id: int) -> tuple[list[RuleResult], set[str]]:
        rows = self._session.execute(
            select(RuleResultRow, FindingRow.state)
            .outerjoin(FindingRow, FindingRow.rule_result_id == RuleResultRow.id)
            .where(RuleResultRow.evaluation_id == evaluation_id)
        ).all()
        undecided = {row.rule for row, state in rows if state == FindingState.OPEN.value}
        return [result_of(row) for row, _ in rows], undecided

    def _put(
        self, recording_id: int, evaluation_id: int, item: ReviewItemRow | None, wanted: Place | None
    ) -> None:
        kept = item is not None and item.state != _DONE
        if wanted is None:
            if item is not None and kept and item.state == _WAITING and item.kind != QueueKind.SAMPLED.value:
                self._session.execute(delete(ReviewItemRow).where(ReviewItemRow.recording_id == recording_id))
                self._session.expunge(item)
            elif item is not None and kept and item.evaluation_id != evaluation_id:
                item.evaluation_id, item.version = evaluation_id, item.version + 1
                self._session.flush()
            return
        now = self._clock.now()
        if item is None:
            call = self._session.get_one(CallRow, recording_id)
            item = ReviewItemRow(
                recording_id=recording_id,
                state=_WAITING,
                team=call.team,
                vendor=call.vendor,
                agent_id=call.agent_id,
                version=0,
                created_at=now,
            )
            self._session.add(item)
        elif not kept:
            item.state, item.done_by, item.done_at, item.claimed_by = _WAITING, None, None, None
        sampled = item.kind == QueueKind.SAMPLED.value and wanted.kind is QueueKind.RANDOM and kept
        if not sampled:  # what a plan drew keeps the probability with which it did
            item.kind, item.inclusion_probability = wanted.kind.value, wanted.inclusion_probability
        item.evaluation_id, item.due_at, item.grade = evaluation_id, wanted.due_at, wanted.grade
        item.value, item.rank, item.ranked_at = wanted.value, wanted.rank, now
        item.version += 1
        self._session.flush()

    def page(
        self,
        scope: Scope,
        *,
        hidden_from: int,
        after: tuple[float, int] | None,
        limit: int,
        kind: QueueKind | None = None,
        claimed_by: int | None = None,
    ) -> tuple[QueuedCall, ...]:
        query = (
            select(ReviewItemRow, CallRow, UserRow.display_name)
            .join(CallRow, CallRow.recording_id == ReviewItemRow.recording_id)
            .outerjoin(UserRow, UserRow.id == ReviewItemRow.claimed_by)
            .where(text(f"review_items.{OPEN_ITEMS}"), *within(ReviewItemRow, scope))
            .where(ReviewItemRow.recording_id.not_in(blind_calls(hidden_from)))
            .order_by(ReviewItemRow.rank, ReviewItemRow.recording_id)
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        if after is not None:
            query = query.where(tuple_(ReviewItemRow.rank, ReviewItemRow.recording_id) > after)
        if kind is not None:
            query = query.where(ReviewItemRow.kind == kind.value)
        if claimed_by is not None:
            query = query.where(ReviewItemRow.claimed_by == claimed_by)
        return tuple(_queued(*row) for row in self._session.execute(query))

    def get(self, recording_id: int) -> ReviewItem | None:
        row = self._session.get(ReviewItemRow, recording_id, populate_existing=True)
        return None if row is None else _item(row)

    def claim(
        self, user_id: int, scope: Scope, *, until: datetime, recording_id: int | None = None
    ) -> ReviewItem | None:
        """See ``ReviewQueue.claim``. A call that is assigned to somebody is theirs until it is due."""
        now = self._clock.now()
        free = or_(
            ReviewItemRow.state == _WAITING,
            and_(ReviewItemRow.state == _CLAIMED, ReviewItemRow.claim_expires_at <= now),
        )
        query = select(ReviewItemRow.recording_id).where(
            text(OPEN_ITEMS),
            free,
            *within(ReviewItemRow, scope),
            ReviewItemRow.recording_id.not_in(blind_calls(user_id)),
        )
        if recording_id is not None:
            query = query.where(ReviewItemRow.recording_id == recording_id)
        else:
            theirs = or_(
                ReviewItemRow.assigned_to.is_(None),
                ReviewItemRow.assigned_to == user_id,
                ReviewItemRow.due_at <= now,
            )
            query = query.where(theirs).order_by(ReviewItemRow.rank, ReviewItemRow.recording_id)
        # Locked on PostgreSQL, where others pass over it; on SQLite the whole statement runs alone.
        # Uncorrelated: inside an UPDATE of the same table it would lose its own FROM.
        chosen = query.limit(1).with_for_update(skip_locked=True).correlate(None).scalar_subquery()
        row = self._update(
            ReviewItemRow.recording_id == chosen, state=_CLAIMED, claimed_by=user_id, claim_expires_at=until
        )
        return None if row is None else _item(row)

    def renew(self, recording_id: int, user_id: int, *, until: datetime) -> ReviewItem:
        """See ``ReviewQueue.renew``. A claim that has run out and that nobody took is simply extended."""
        return self._change_held(recording_id, user_id, claim_expires_at=until)

    def release(self, recording_id: int, user_id: int) -> ReviewItem:
        return self._change_held(recording_id, user_id, state=_WAITING, claimed_by=None, claim_expires_at=None)

    def finish(self, recording_id: int, user_id: int, *, note: str) -> ReviewItem:
        return self._change_held(
            recording_id,
            user_id,
            state=_DONE,
            claimed_by=None,
            claim_expires_at=None,
            done_by=user_id,
            done_at=self._clock.now(),
            note=storable(note),
        )

    def assign(self, recording_id: int, user_id: int | None) -> ReviewItem:
        row = self._update(
            ReviewItemRow.recording_id == recording_id, ReviewItemRow.state != _DONE, assigned_to=user_id
        )
        if row is None:
            raise ConflictError(
                "review_ended",
                f"recording {recording_id} is not in the review queue: look for it among the calls",
                recording_id=recording_id,
            )
        return _item(row)

    def rerank(self, policy: ReviewPolicy, *, limit: int) -> int:
        moved_at = self._session.scalar(select(func.max(RuleTallyRow.moved_at)))
        if moved_at is None:
            return 0
        behind = self._session.execute(
            select(
                *(ReviewItemRow.recording_id, ReviewItemRow.evaluation_id, ReviewItemRow.due_at),
                ReviewItemRow.grade,
            )
            .where(text(OPEN_ITEMS), ReviewItemRow.ranked_at < moved_at)
            .order_by(ReviewItemRow.ranked_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        if not behind:
            return 0
        wanting = self._wanting([row.evaluation_id for row in behind])
        tallies = tallies_of(self._session, {pack for pack, _ in wanting.values()})
        now, values = self._clock.now(), []
        for row in behind:
            pack, results = wanting.get(row.evaluation_id, ("", []))
            value = policy.value(results, _of_pack(tallies, pack))
            rank = policy.rank(value, row.due_at, head=row.grade is not None)
            values.append({"recording_id": row.recording_id, "value": value, "rank": rank, "ranked_at": now})
        self._session.execute(update(ReviewItemRow), values)
        return len(values)

    def _wanting(self, evaluation_ids: Sequence[int]) -> Mapping[int, tuple[str, list[RuleResult]]]:
        """Of each evaluation, its pack and the results with open findings."""
        rows = self._session.execute(
            select(EvaluationRow.id, EvaluationRow.pack, RuleResultRow)
            .join(FindingRow, FindingRow.evaluation_id == EvaluationRow.id)
            .join(RuleResultRow, RuleResultRow.id == FindingRow.rule_result_id)
            .where(FindingRow.evaluation_id.in_(evaluation_ids), FindingRow.state == FindingState.OPEN.value)
        )
        found: dict[int, tuple[str, list[RuleResult]]] = {}
        for evaluation_id, pack, result in rows:
            found.setdefault(evaluation_id, (pack, []))[1].append(result_of(result))
        return found

    def _change_held(self, recording_id: int, user_id: int, **values: Any) -> ReviewItem:
        row = self._update(
            ReviewItemRow.recording_id == recording_id,
            ReviewItemRow.state == _CLAIMED,
            ReviewItemRow.claimed_by == user_id,
            **values,
        )
        if row is None:
            raise claim_missing(recording_id)
        return _item(row)

    def _update(self, *where: ColumnElement[bool], **values: Any) -> ReviewItemRow | None:
        return self._session.scalars(
            update(ReviewItemRow)
            .where(*where)
            .values(version=ReviewItemRow.version + 1, **values)
            .returning(ReviewItemRow)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).one_or_none()


def claim_missing(recording_id: int) -> ConflictError:
    return ConflictError(
        "claim_missing",
        f"you do not hold recording {recording_id}, or no longer: claim it, then decide",
        recording_id=recording_id,
    )


def _of_pack(tallies: Mapping[tuple[str, str, str], Tally], pack: str) -> dict[tuple[str, Outcome], Tally]:
    return {(rule, Outcome(outcome)): tally for (of, rule, outcome), tally in tallies.items() if of == pack}


def _item(row: ReviewItemRow) -> ReviewItem:
    return ReviewItem(
        recording_id=row.recording_id,
        evaluation_id=row.evaluation_id,
        kind=QueueKind(row.kind),
        state=ItemState(row.state),
        rank=row.rank,
        value=row.value,
        due_at=row.due_at,
        grade=row.grade,
        inclusion_probability=row.inclusion_probability,
        owner=CallOwner(row.vendor, row.team, row.agent_id),
        assigned_to=row.assigned_to,
        claimed_by=row.claimed_by,
        claim_expires_at=row.claim_expires_at,
        done_by=row.done_by,
        done_at=row.done_at,
        note=row.note,
        version=row.version,
    )


def _queued(row: ReviewItemRow, call: CallRow, claimed_by: str | None) -> QueuedCall:
    return QueuedCall(
        item=_item(row),
        at=call.at,
        call_id=call.call_id,
        agent_name=call.agent_name,
        language=call.language,
        duration_s=call.duration_s,
        score=call.score,
        final_score=call.final_score,
        to_review=call.to_review,
        worst=call.worst,
        claimed_by_name=claimed_by,
    )
