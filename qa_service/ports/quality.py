"""What is known of how good rules are, and what is stored of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from qa_service.domain.proportions import Share
from qa_service.domain.quality import Measurement, RuleAt, RuleFigures, RuleRecord, ShadowProposal


class QualityRepository(Protocol):
    """Reads people's decisions, set by set; stores measurements and proposals, which are only ever added."""

    def records(self, *, edges: Sequence[datetime], until: datetime) -> Mapping[RuleAt, RuleRecord]:
        """All that people said before ``until``, in weeks that begin at ``edges``, the last one first."""
        ...

    def alone(self) -> bool:
        """Whether nobody else is counting, who keeps others from it until the transaction ends. It never waits."""
        ...

    def measured(self, key: str) -> bool:
        """Whether there is a measurement of this key."""
        ...

    def add(self, key: str, *, since: datetime, until: datetime, figures: Sequence[RuleFigures]) -> bool:
        """Store a measurement; False when somebody else has stored the one of this key."""
        ...

    def latest(self) -> Measurement | None: ...

    def history(self, pack: str, rule: str, *, limit: int) -> tuple[tuple[datetime, RuleFigures], ...]:
        """What the last measurements said of a rule's versions, the newest first."""
        ...

    def propose(self, of: RuleAt, precision: Share, *, target: float) -> ShadowProposal: ...

    def proposal(self, proposal_id: int) -> ShadowProposal | None:
        """The proposal, on which nobody else decides until the transaction ends."""
        ...

    def proposals(self, *, undecided: bool, before: int | None, limit: int) -> tuple[ShadowProposal, ...]:
        """At most ``limit`` with numbers below ``before``, newest first."""
        ...

    def last_proposals(self, versions: Collection[RuleAt]) -> Mapping[RuleAt, ShadowProposal]: ...

    def decide(self, proposal: ShadowProposal, *, accept: bool, by: int, note: str) -> ShadowProposal: ...
