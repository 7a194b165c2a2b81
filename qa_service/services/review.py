"""The review queue, and what inspectors decide in it.

Guarantee: only who holds a call decides about it, on the evaluation in force; every decision is a new row, and the
call's final score follows in the same transaction. A call is done when nothing in it is left open, doubts
included.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from qa_service.domain.access import Permission, Principal, permissions_of
from qa_service.domain.queueing import QueueKind, ReviewPolicy
from qa_service.domain.review import (
    Cause,
    Decision,
    FindingState,
    Ruling,
    Step,
    can_be_added,
    ruling_fault,
)
from qa_service.errors import ConflictError, InputError, NotFoundError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.people import Origin
from qa_service.ports.review import ItemState, QueuedCall, ReviewItem, Sheet, StoredFinding
from qa_service.services.findings import checked_note, current, next_state, not_blind

MAX_PAGE = 200
RERANKED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class QueuePage:
    """``next``: where the page after this one begins; None: this is the last one."""

    calls: tuple[QueuedCall, ...]
    next: tuple[float, int] | None


class Review:
    """Args:
    units: where it is stored.
    units_to_read: the same, for reading only.
    clock: when claims run out.
    claim_s: how long a claim keeps others away, from the last sign of its holder.
    """

    def __init__(
        self, *, units: UnitOfWorkFactory, units_to_read: UnitOfWorkFactory, clock: Clock, claim_s: float
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._claim_s = claim_s

    def queue(
        self,
        who: Principal,
        *,
        after: tuple[float, int] | None = None,
        limit: int = 50,
        kind: QueueKind | None = None,
        mine: bool = False,
    ) -> QueuePage:
        """Calls to look at in the order of what looking is worth; ``mine``: those that ``who`` holds."""
        limit = min(max(limit, 1), MAX_PAGE)
        with self._units_to_read() as unit:
            calls = unit.review.page(
                who.scope,
                hidden_from=who.user_id,
                after=after,
                limit=limit + 1,
                kind=kind,
                claimed_by=who.user_id if mine else None,
            )
        page = calls[:limit]
        more = len(calls) > limit
        return QueuePage(page, (page[-1].item.rank, page[-1].item.recording_id) if more else None)

    def claim_next(self, who: Principal, *, origin: Origin = Origin()) -> ReviewItem | None:  # noqa: B008 - frozen
        """Take the call that is worth most, of those that nobody holds; None: there is none."""
        if who.scope.agent_id is not None:  # whoever is confined to an agent's calls is that agent
            return None
        with self._units() as unit:
            item = unit.review.claim(who.user_id, who.scope, until=self._until())
            if item is not None:
                unit.audit.record(who, "review.claim", "recording", item.recording_id, origin=origin)
                unit.commit()
        return item

    def claim(
        self,
        who: Principal,
        recording_id: int,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ReviewItem:
        """Take this call; who holds it already keeps it for longer.

        Raises:
            NotFoundError: ``recording_not_found``.
            ConflictError: ``review_claimed``, ``review_ended``, ``own_call``, ``call_blind``.
        """
        with self._units() as unit:
            self._in_scope(unit, who, recording_id)
            if who.scope.agent_id is not None:
                raise ConflictError("own_call", "nobody reviews calls of their own: leave it to somebody else")
            not_blind(unit, who, recording_id)
            item = unit.review.claim(who.user_id, who.scope, until=self._until(), recording_id=recording_id)
            if item is None:
                item = self._held_already(unit, who, recording_id)
            unit.audit.record(who, "review.claim", "recording", recording_id, origin=origin)
            unit.commit()
        return item

    def _held_already(self, unit: UnitOfWork, who: Principal, recording_id: int) -> ReviewItem:
        item = unit.review.get(recording_id)
        if item is None or item.state is ItemState.DONE:
            raise _ended(recording_id)
        if item.claimed_by != who.user_id:
            raise ConflictError(
                "review_claimed",
                f"somebody else holds recording {recording_id}: take another one, or wait until the claim ends",
                recording_id=recording_id,
            )
        return unit.review.renew(recording_id, who.user_id, until=self._until())

    def renew(self, who: Principal, recording_id: int) -> ReviewItem:
        """Keep a call for longer. Raises ConflictError ``claim_missing``."""
        with self._units() as unit:
            self._in_scope(unit, who, recording_id)
            item = unit.review.renew(recording_id, who.user_id, until=self._until())
            unit.commit()
        return item

    def release(
        self,
        who: Principal,
        recording_id: int,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ReviewItem:
        """Give a call back. Raises ConflictError ``claim_missing``."""
        with self._units() as unit:
            self._in_scope(unit, who, recording_id)
            item = unit.review.release(recording_id, who.user_id)
            unit.audit.record(who, "review.release", "recording", recording_id, origin=origin)
            unit.commit()
        return item

    def assign(
        self,
        who: Principal,
        recording_id: int,
        user_id: int | None,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ReviewItem:
        """Keep a call for one person until it is due, or for nobody in particular.

        Raises:
            NotFoundError: ``recording_not_found``; ``user_not_found`` when the user cannot review it.
            ConflictError: ``review_ended``.
        """
        with self._units() as unit:
            self._in_scope(unit, who, recording_id)
            if user_id is not None:
                user = unit.users.get(user_id)
                able = user.active and Permission.REVIEW_WORK in permissions_of(user.roles)
                if not able or not user.scope.covers(unit.verdicts.owner(recording_id)):
                    raise NotFoundError(
                        "user_not_found",
                        f"user {user_id} does not review calls of this team: name somebody who does",
                        user_id=user_id,
                    )
            item = unit.review.assign(recording_id, user_id)
            detail = {"assigned_to": user_id}
            unit.audit.record(who, "review.assign", "recording", recording_id, detail, origin=origin)
            unit.commit()
        return item

    def sheet(self, who: Principal, recording_id: int) -> Sheet:
        """The call's QA sheet: the machine's draft, and what people made of it.

        Raises:
            NotFoundError: ``recording_not_found``, ``not_scored``.
            ConflictError: ``call_blind``.
        """
        with self._units_to_read() as unit:
            self._in_scope(unit, who, recording_id)
            not_blind(unit, who, recording_id)
            return unit.verdicts.sheet(recording_id)

    def item(self, who: Principal, recording_id: int) -> ReviewItem:
        """Where the call stands in the queue, or that it is done.

        Raises:
            NotFoundError: ``recording_not_found``.
            ConflictError: ``review_ended``, when nobody ever had to look at it.
        """
        with self._units_to_read() as unit:
            self._in_scope(unit, who, recording_id)
            item = unit.review.get(recording_id)
        if item is None:
            raise _ended(recording_id)
        return item

    def decide(
        self,
        who: Principal,
        finding_id: int,
        decision: Decision,
        *,
        reason: str = "",
        note: str = "",
        start: float | None = None,
        end: float | None = None,
        version: int | None = None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Sheet:
        """Say whether a finding is a fault.

        Args:
            version: of the finding as ``who`` read it; None: whatever it is by now.

        Raises:
            NotFoundError: ``finding_not_found``.
            InputError: ``verdict_invalid``, ``note_too_long``.
            ConflictError: ``claim_missing``, ``finding_superseded``, ``stale_version``, ``scorecard_not_kept``,
                ``finding_transition_refused``.
        """
        if decision is Decision.ADD:
            raise InputError("verdict_invalid", "a missed fault is no finding yet: add it by its rule")
        note = checked_note(note)
        with self._units() as unit:
            recording_id = unit.verdicts.finding(finding_id).recording_id
            sheet = self._hold(unit, who, recording_id)
            finding = current(unit, finding_id, version)
            # A person's own finding stays one: confirmed again it is moved, not made the machine's.
            ruling = Ruling(finding.result.rule, decision, reason, start, end)
            self._take(unit, who, sheet, finding, ruling, note, origin)
            unit.commit()
            return unit.verdicts.sheet(recording_id)

    def add(
        self,
        who: Principal,
        recording_id: int,
        rule: str,
        *,
        start: float,
        end: float,
        note: str = "",
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Sheet:
        """Record a fault that the machine missed, on the rule's result.

        Raises:
            NotFoundError: ``recording_not_found``, ``rule_result_not_found``.
            InputError: ``verdict_invalid``, ``note_too_long``.
            ConflictError: as for ``decide``; ``finding_exists``, ``finding_not_scored``.
        """
        note = checked_note(note)
        with self._units() as unit:
            sheet = self._hold(unit, who, recording_id)
            finding_id = unit.verdicts.open_finding(sheet.evaluation.id, rule)
            finding = unit.verdicts.finding(finding_id)
            if not can_be_added(finding.result, sheet.rulings):
                raise ConflictError(
                    "finding_not_scored",
                    f"rule {rule} is not scored in this call, or another finding counts the same event: "
                    "decide that one, or say it in a note",
                )
            self._take(unit, who, sheet, finding, Ruling(rule, Decision.ADD, "", start, end), note, origin)
            unit.commit()
            return unit.verdicts.sheet(recording_id)

    def finish(
        self,
        who: Principal,
        recording_id: int,
        *,
        note: str = "",
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ReviewItem:
        """Complete the sheet. Raises ConflictError ``claim_missing``, ``findings_open``."""
        note = checked_note(note)
        with self._units() as unit:
            sheet = self._hold(unit, who, recording_id)
            left = sorted(f.result.rule for f in sheet.findings if f.state is FindingState.OPEN)
            if left:
                raise ConflictError(
                    "findings_open",
                    f"recording {recording_id} is not decided: confirm or reject {', '.join(left)}",
                    recording_id=recording_id,
                )
            item = unit.review.finish(recording_id, who.user_id, note=note)
            unit.audit.record(who, "review.finish", "recording", recording_id, origin=origin)
            unit.commit()
        return item

    def _until(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._claim_s)

    def _in_scope(self, unit: UnitOfWork, who: Principal, recording_id: int) -> None:
        # Outside the scope is as if it were not there: numbers of others' calls are nobody's business.
        if not who.scope.covers(unit.verdicts.owner(recording_id)):
            raise NotFoundError(
                "recording_not_found",
                f"no recording has the number {recording_id}: list the recordings to see which exist",
                recording_id=recording_id,
            )

    def _hold(self, unit: UnitOfWork, who: Principal, recording_id: int) -> Sheet:
        """The sheet, for who holds the call; nothing about it changes until the transaction ends."""
        self._in_scope(unit, who, recording_id)
        unit.verdicts.hold_call(recording_id)
        unit.review.renew(recording_id, who.user_id, until=self._until())
        return unit.verdicts.sheet(recording_id)

    def _take(
        self,
        unit: UnitOfWork,
        who: Principal,
        sheet: Sheet,
        finding: StoredFinding,
        ruling: Ruling,
        note: str,
        origin: Origin,
    ) -> None:
        if sheet.scorecard is None:
            raise ConflictError(
                "scorecard_not_kept",
                "the call was scored by a version that kept no scorecard: score it again, then decide",
                recording_id=finding.recording_id,
            )
        fault = ruling_fault(ruling, sheet.duration_s)
        if fault is not None:
            raise InputError("verdict_invalid", f"the verdict on {ruling.rule} cannot be taken: {fault}")
        after = next_state(finding, Step.CONFIRM if ruling.decision.is_fault else Step.REJECT)
        unit.verdicts.move(finding, after)
        unit.verdicts.add(finding, ruling, user_id=who.user_id, cause=Cause.REVIEW, note=note)
        unit.audit.record(who, f"finding.{ruling.decision.value}", "finding", finding.id, origin=origin)


def _ended(recording_id: int) -> ConflictError:
    return ConflictError(
        "review_ended",
        f"recording {recording_id} is not in the review queue: look for it among the calls",
        recording_id=recording_id,
    )


class QueueOrder:
    """Keeps the queue's order in step with what verdicts teach, a piece at a time."""

    def __init__(self, *, units: UnitOfWorkFactory, policy: ReviewPolicy) -> None:
        self._units = units
        self._policy = policy

    def look_after(self) -> int:
        """Order some of the queue anew if a rule's precision has moved; returns how many calls."""
        with self._units() as unit:
            moved = unit.review.rerank(self._policy, limit=RERANKED_AT_ONCE)
            unit.commit()
        return moved
