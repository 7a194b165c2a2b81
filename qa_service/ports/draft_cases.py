"""Cases of rules that people made of calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from qa_service.domain.access import Scope
from qa_service.domain.results import Outcome


@dataclass(frozen=True, slots=True)
class DraftCase:
    """A case in the form that stands beside a rule, numbers masked, and who made it why.

    ``expect``: what the rule is to say; ``outcome``: what it said of the case when that was made.
    """

    id: int
    finding_id: int
    recording_id: int
    pack: str
    rule: str
    expect: Outcome
    outcome: Outcome
    document: Mapping[str, Any]
    why: str
    user_id: int
    at: datetime


class DraftCaseRepository(Protocol):
    def add(
        self,
        *,
        finding_id: int,
        recording_id: int,
        pack: str,
        rule: str,
        expect: Outcome,
        outcome: Outcome,
        document: Mapping[str, Any],
        why: str,
        by: int,
    ) -> DraftCase:
        """Raises ConflictError ``draft_case_exists``: a finding makes one case."""
        ...

    def conversation_of(self, evaluation_id: int) -> int:
        """The number of the conversation that was evaluated."""
        ...

    def page(
        self, *, scope: Scope, pack: str | None, rule: str | None, after: int, limit: int
    ) -> tuple[DraftCase, ...]:
        """At most ``limit`` of calls in ``scope`` with numbers above ``after``, in the order they were made."""
        ...
