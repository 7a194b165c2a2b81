"""Calls as people look for them and at them, within what they may reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import Conversation, EngineRun
from qa_service.domain.results import Outcome, RuleResult
from qa_service.domain.scoring import SectionScore
from qa_service.ports.jobs import Job


class CallOrder(StrEnum):
    """Of a list. By score it holds the calls that have one."""

    NEWEST = "-at"
    OLDEST = "at"
    LOWEST = "final_score"
    HIGHEST = "-final_score"

    @property
    def by_score(self) -> bool:
        return self in (CallOrder.LOWEST, CallOrder.HIGHEST)

    @property
    def descending(self) -> bool:
        return self.value.startswith("-")


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What a call of a list is like; None: anything. Times and scores are ``[since, until)`` and
    ``[min_score, max_score]``; ``rule``: its result in the latest evaluation, with ``outcome`` or with any.
    ``text``: folded words that somebody says in one breath, in what is left when numbers are masked."""

    agent_id: str | None = None
    team: str | None = None
    vendor: str | None = None
    queue: str | None = None
    direction: str | None = None
    call_id: str | None = None
    customer_ref: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_score: float | None = None
    max_score: float | None = None
    rule: str | None = None
    outcome: Outcome | None = None
    to_review: bool | None = None
    fatal: bool | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call as lists show it. ``score`` is the machine's, ``final_score`` is after people's decisions."""

    recording_id: int
    at: datetime
    call_id: str | None
    agent_id: str | None
    agent_name: str | None
    team: str | None
    vendor: str | None
    queue: str | None
    direction: str | None
    customer_ref: str | None
    language: str | None
    duration_s: float | None
    evaluation_id: int | None
    scorecard: str | None
    score: float | None
    final_score: float | None
    coverage: float | None
    fatal: bool | None
    to_review: int
    worst: int

    @property
    def owner(self) -> CallOwner:
        return CallOwner(self.vendor, self.team, self.agent_id)


Key = tuple[datetime | float, int]
"""Where a page begins: the value that the list is in order of, and the recording's number."""


@dataclass(frozen=True, slots=True)
class CallDetails:
    """A call with what was told of it. ``metadata_version`` counts the changes of that, 0: nothing was told."""

    call: ListedCall
    recording: Recording
    received_at: datetime
    metadata: CallMetadata
    metadata_version: int


@dataclass(frozen=True, slots=True)
class CallConversation:
    """What was heard of a call, by what."""

    id: int
    created_at: datetime
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class EvaluationHead:
    """An evaluation in a call's history. ``in_force``: it is the one that counts now."""

    id: int
    recording_id: int
    conversation_id: int
    pack: str
    ruleset_digest: str
    scorecard: str
    score: float | None
    raw_score: float | None
    bonus: float
    coverage: float
    fatal: bool
    in_force: bool
    created_at: datetime
    engines: tuple[EngineRun, ...]


@dataclass(frozen=True, slots=True)
class FindingState:
    id: int
    state: str
    version: int


@dataclass(frozen=True, slots=True)
class JudgedRule:
    """A rule's result, and the finding that it opened."""

    id: int
    result: RuleResult
    finding: FindingState | None


@dataclass(frozen=True, slots=True)
class EvaluationDetails:
    """``metrics`` are as they were stored, as JSON."""

    head: EvaluationHead
    sections: tuple[SectionScore, ...]
    results: tuple[JudgedRule, ...]
    metrics: dict[str, Any]


class CallLists(Protocol):
    """Everything within a scope. What lies outside raises NotFoundError, as what does not exist."""

    def page(
        self, wanted: CallFilter, scope: Scope, *, order: CallOrder, after: Key | None, limit: int
    ) -> Sequence[ListedCall]:
        """At most ``limit`` calls in ``order``, from behind ``after`` on."""
        ...

    def count(self, wanted: CallFilter, scope: Scope, *, order: CallOrder, most: int) -> int:
        """How many calls a list holds, counted up to ``most``."""
        ...

    def get(self, recording_id: int, scope: Scope) -> ListedCall:
        """Raises NotFoundError ``recording_not_found``."""
        ...

    def details(self, recording_id: int, scope: Scope) -> CallDetails:
        """Raises NotFoundError ``recording_not_found``."""
        ...

    def owner(self, recording_id: int) -> CallOwner:
        """Whose call it is, whoever asks; nobody's when there is no such call."""
        ...

    def job(self, recording_id: int) -> Job | None:
        """The job about the recording that changed last."""
        ...

    def conversation(self, recording_id: int) -> CallConversation:
        """What its evaluation in force was made of, else what was heard last.

        Raises NotFoundError ``conversation_missing``.
        """
        ...

    def conversation_of(self, evaluation: EvaluationHead) -> Conversation: ...

    def conversations(self, recording_ids: Sequence[int]) -> Mapping[int, Conversation]:
        """What these recordings are found by."""
        ...

    def catch_up_texts(self, after: int) -> int | None:
        """Make some calls findable that earlier versions stored; where to go on, None at the end."""
        ...

    def evaluations(self, recording_id: int, *, before: int | None, limit: int) -> Sequence[EvaluationHead]:
        """The newest first, those with numbers below ``before``."""
        ...

    def evaluation(self, evaluation_id: int, scope: Scope) -> EvaluationDetails:
        """Raises NotFoundError ``evaluation_not_found``."""
        ...
