"""What people look at and decide, as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.queueing import QueueKind, ReviewPolicy
from qa_service.domain.results import RuleResult
from qa_service.domain.review import Cause, FindingState, Origin, Ruling, Verdict
from qa_service.domain.scoring import Evaluation, Scorecard

if TYPE_CHECKING:
    from qa_service.ports.store import StoredEvaluation


class ItemState(StrEnum):
    """An item whose claim has run out is ``claimed`` until somebody takes it."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A call that a person looks at. ``rank``: place in the queue, lowest first."""

    recording_id: int
    evaluation_id: int
    kind: QueueKind
    state: ItemState
    rank: float
    value: float
    due_at: datetime
    grade: int | None
    inclusion_probability: float
    owner: CallOwner
    assigned_to: int | None
    claimed_by: int | None
    claim_expires_at: datetime | None
    done_by: int | None
    done_at: datetime | None
    note: str
    version: int


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A line of the queue. ``worst``: 3 critical, 2 major, 1 minor, 0 none."""

    item: ReviewItem
    at: datetime
    call_id: str | None
    agent_name: str | None
    language: str | None
    duration_s: float | None
    score: float | None
    final_score: float | None
    to_review: int
    worst: int
    claimed_by_name: str | None


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A finding with the result that it is about.

    ``in_force``: whether its evaluation is the recording's latest; only then can anything be decided about it.
    ``pack``: whose rule it is. ``found_at``: when its evaluation was made. ``ruling``: the decision in force.
    """

    id: int
    recording_id: int
    evaluation_id: int
    in_force: bool
    pack: str
    result: RuleResult
    state: FindingState
    origin: Origin
    ruling: Ruling | None
    due_at: datetime | None
    found_at: datetime
    decided_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class FinalScore:
    """A call's score after a decision. ``user_id``: whose; none where the machine's answer changed."""

    number: int
    evaluation_id: int
    evaluation: Evaluation
    cause: Cause
    user_id: int | None
    user_name: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Sheet:
    """A call's evaluation in force with what people decided. ``scorecard``: None when it was not kept."""

    evaluation: StoredEvaluation
    scorecard: Scorecard | None
    duration_s: float
    owner: CallOwner
    findings: tuple[StoredFinding, ...]
    verdicts: tuple[Verdict, ...]
    scores: tuple[FinalScore, ...]

    @property
    def rulings(self) -> tuple[Ruling, ...]:
        return tuple(finding.ruling for finding in self.findings if finding.ruling is not None)


class ReviewQueue(Protocol):
    """Calls that people look at. Nobody waits for anybody: what somebody is about to take is passed over."""

    def place(self, recording_id: int, policy: ReviewPolicy) -> None:
        """Put the call where it belongs by its evaluation in force, or take it out.

        What people decided about the same finding of an earlier evaluation is carried over. A call that is done
        comes back only with findings that nobody has decided. Evaluations whose scorecard was not kept are left
        out: nothing can be decided about them until they are scored again.
        """
        ...

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
        """Calls that are not done, in their order, behind the place ``after`` (rank, recording).

        ``hidden_from``: who asks; calls that this user is to score blind are left out.
        """
        ...

    def get(self, recording_id: int) -> ReviewItem | None: ...

    def claim(
        self, user_id: int, scope: Scope, *, until: datetime, recording_id: int | None = None
    ) -> ReviewItem | None:
        """Take the next call that nobody holds, or this one; None when there is none. Never one that this user is
        to score blind."""
        ...

    def renew(self, recording_id: int, user_id: int, *, until: datetime) -> ReviewItem:
        """Raises ConflictError ``claim_missing``."""
        ...

    def release(self, recording_id: int, user_id: int) -> ReviewItem:
        """Raises ConflictError ``claim_missing``."""
        ...

    def finish(self, recording_id: int, user_id: int, *, note: str) -> ReviewItem:
        """Raises ConflictError ``claim_missing``."""
        ...

    def assign(self, recording_id: int, user_id: int | None) -> ReviewItem: ...

    def rerank(self, policy: ReviewPolicy, *, limit: int) -> int:
        """Order at most ``limit`` calls anew by what verdicts have taught since; returns how many."""
        ...


class VerdictRepository(Protocol):
    """What people decided, and the scores that follow."""

    def hold_call(self, recording_id: int) -> None:
        """Let nobody else decide about the call until the transaction ends. Raises NotFoundError."""
        ...

    def owner(self, recording_id: int) -> CallOwner:
        """Raises NotFoundError."""
        ...

    def finding(self, finding_id: int) -> StoredFinding:
        """Raises NotFoundError."""
        ...

    def sheet(self, recording_id: int) -> Sheet:
        """Raises NotFoundError."""
        ...

    def open_finding(self, evaluation_id: int, rule: str) -> int:
        """Open a person's finding on the rule's result; the number of the finding.

        Raises:
            NotFoundError: ``rule_result_not_found``.
            ConflictError: ``finding_exists``.
        """
        ...

    def move(self, finding: StoredFinding, to: FindingState, *, due_at: datetime | None = None) -> None: ...

    def add(
        self,
        finding: StoredFinding,
        ruling: Ruling,
        *,
        user_id: int,
        cause: Cause,
        note: str,
    ) -> None:
        """Record the decision, and what it makes of the call's score."""
        ...

    def refresh(self, recording_id: int) -> None:
        """Let lists show where the call's findings stand."""
        ...

    def of_call(self, recording_id: int) -> tuple[Verdict, ...]:
        """All verdicts on the call, those on earlier evaluations too; oldest first."""
        ...
