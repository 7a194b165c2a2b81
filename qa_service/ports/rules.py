"""What judges a conversation, and which rules may."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation
from qa_service.domain.lifecycle import RuleState, RuleTransition, RuleVersion
from qa_service.domain.metrics import ConversationMetrics, MetricOptions
from qa_service.domain.results import Outcome, RuleResult
from qa_service.domain.scoring import Scorecard


class RuleEvaluator(Protocol):
    """A compiled rule set with its scorecard."""

    pack: str
    language: str
    digest: str
    scorecard: Scorecard
    metric_options: MetricOptions
    versions: tuple[RuleVersion, ...]

    def evaluate(
        self,
        conversation: Conversation,
        metrics: ConversationMetrics,
        metadata: CallMetadata,
        *,
        not_live: Collection[str] = (),
    ) -> tuple[RuleResult, ...]:
        """Every rule's answer. Those of ``not_live`` are recorded and not scored."""
        ...


class CaseWriting(Protocol):
    """Writes calls down as cases of rules."""

    def write(
        self,
        pack: str,
        rule: str,
        *,
        name: str,
        expect: Outcome,
        conversation: Conversation,
        metadata: CallMetadata,
    ) -> tuple[dict[str, Any], Outcome]:
        """The case, and what the pack's rules of now say of it. Raises RulePackError."""
        ...

    def text(self, documents: Iterable[Mapping[str, Any]]) -> str:
        """The cases as a file that stands beside its rule."""
        ...


class RuleVersionRepository(Protocol):
    """Which versions of rules may score: what was said about them, step by step. Nothing is overwritten."""

    def states(self, pack: str) -> Mapping[tuple[str, str], RuleState]:
        """The state of every version of which something was said, by rule and digest."""
        ...

    def note(self, ruleset_digest: str, versions: Sequence[RuleVersion]) -> None:
        """Remember which versions a rule set holds: evaluations keep the digest of the whole."""
        ...

    def held(self, versions: Sequence[RuleVersion]) -> Mapping[tuple[str, str], RuleState]:
        """Store new versions, and keep others from moving any version of their rules until the transaction ends.

        Returns the states of all versions of these rules, by rule and digest.
        """
        ...

    def move(
        self,
        pack: str,
        rule: str,
        digest: str,
        *,
        to: RuleState,
        by: str,
        note: str,
        unsaid: RuleState = RuleState.DRAFT,
    ) -> RuleTransition:
        """The next step of a stored version; ``unsaid``: its state if nothing was said of it yet.

        Raises:
            ConflictError: ``rule_transition_refused``.
        """
        ...

    def history(self, pack: str, rule: str | None = None) -> tuple[RuleTransition, ...]:
        """Every step, oldest first."""
        ...
