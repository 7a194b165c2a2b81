"""Changes of script and rules on their way to being live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qa_service.domain.access import Scope
from qa_service.domain.training import ChangeState, ChangeStep, Passed


@dataclass(frozen=True, slots=True)
class ChangedRule:
    """``digest``: the version that is meant; None: whichever is published next."""

    rule: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeTerms:
    """What changes and whom it concerns. ``pack`` None: a script without rules. ``scope``: vendor and teams."""

    title: str
    text: str
    pack: str | None
    rules: tuple[ChangedRule, ...]
    scope: Scope


@dataclass(frozen=True, slots=True)
class ScriptChange:
    id: int
    terms: ChangeTerms
    state: ChangeState
    created_by: int
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class ChangeStepTaken:
    number: int
    step: ChangeStep
    from_state: ChangeState
    to_state: ChangeState
    name: str
    note: str
    at: datetime


class ScriptChangeRepository(Protocol):
    def add(self, terms: ChangeTerms, *, by: int, name: str) -> ScriptChange: ...

    def get(self, change_id: int) -> ScriptChange:
        """Raises NotFoundError ``script_change_not_found``."""
        ...

    def page(
        self, *, states: frozenset[ChangeState] | None, before: int | None, limit: int
    ) -> Sequence[ScriptChange]:
        """The newest first."""
        ...

    def of_pack(self, pack: str) -> Sequence[ScriptChange]:
        """Those that are neither live nor withdrawn."""
        ...

    def move(
        self, change: ScriptChange, step: ChangeStep, to: ChangeState, *, name: str, note: str
    ) -> ScriptChange:
        """Raises ConflictError ``stale_version``."""
        ...

    def steps(self, change_id: int) -> tuple[ChangeStepTaken, ...]: ...

    def held_sessions(self, change_id: int) -> int:
        """How many sessions that train it took place."""
        ...

    def passed(self, change: ScriptChange, *, since: datetime) -> Passed:
        """Of the agents whom it concerns, and who had a call since then, how many passed an assessment of it."""
        ...
