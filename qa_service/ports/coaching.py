"""Coaching actions with their evidence and steps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.coaching import ActionState, ActionStep, Need, RuleNeed
from qa_service.domain.results import Evidence


class ClipKind(StrEnum):
    """``fault``: what went wrong; ``best``: a call in which it was done right."""

    FAULT = "fault"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class Clip:
    """Where to listen. ``evidence`` without words: the call as a whole, or a place that a person named.

    ``confirmed``: a person decided it (of a best one: reviewed the call). ``owner``: whose call it is.
    """

    kind: ClipKind
    rule: str
    rule_result_id: int
    finding_id: int | None
    recording_id: int
    at: datetime
    owner: CallOwner
    agent_name: str | None
    score: float | None
    confirmed: bool
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class CoachingAction:
    """A coaching action. ``owner`` without an agent: of a team, or of the site's script.

    ``since`` and ``until``: the days that the figures of ``rules`` are of; ``selected_until``: the last day of the
    first of them, up to which somebody was picked for being worse than others. ``by_hand``: nobody's figures asked
    for it.
    """

    id: int
    owner: CallOwner
    agent_name: str | None
    module: str
    state: ActionState
    rules: tuple[RuleNeed, ...]
    priority: float
    since: date
    until: date
    selected_until: date
    by_hand: bool
    assigned_to: int | None
    assigned_name: str | None
    due_at: datetime | None
    proposed_at: datetime
    held_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class TakenStep:
    """``user_id`` None: the service itself."""

    number: int
    step: ActionStep
    from_state: ActionState
    to_state: ActionState
    user_id: int | None
    user_name: str | None
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ActionFilter:
    """None: anything. ``shared``: True only teams' and the site's, False only agents'."""

    states: frozenset[ActionState] | None = None
    agent_id: str | None = None
    team: str | None = None
    module: str | None = None
    assigned_to: int | None = None
    shared: bool | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """``[since, until)`` in days of the site, and as moments."""

    first: date
    last: date
    since: datetime
    until: datetime


class CoachingRepository(Protocol):
    """What is outside ``scope`` is not there."""

    def faults(
        self, agents: Collection[str], rules: Collection[str], window: Window, *, most: int
    ) -> Sequence[Clip]:
        """Findings of these agents and rules that may be shown as faults: at most ``most`` for each agent and
        rule, confirmed ones first, then the latest."""
        ...

    def faults_of_teams(
        self, teams: Collection[str], rules: Collection[str], window: Window, *, most: int
    ) -> Sequence[Clip]:
        """The same for each team and rule, of whichever agent."""
        ...

    def best(
        self,
        team: str,
        rules: Collection[str],
        window: Window,
        *,
        min_score: float,
        most: int,
    ) -> Sequence[Clip]:
        """Calls of the team in which these rules were met, with the words: reviewed ones first, then by score."""
        ...

    def open_actions(self, scope: Scope) -> Sequence[CoachingAction]:
        """Those that are not closed or dismissed."""
        ...

    def add(
        self, need: Need, window: Window, clips: Sequence[Clip], *, by: int | None, note: str
    ) -> CoachingAction | None:
        """Propose it; None: somebody else did at the same time."""
        ...

    def extend(self, action: CoachingAction, need: Need, window: Window, clips: Sequence[Clip]) -> bool:
        """Bring figures up to date and add clips that are new; whether there were any.

        A round's proposal becomes that of the need's team and vendor; what somebody assigned or proposed stays
        whose it is."""
        ...

    def move(
        self,
        action: CoachingAction,
        step: ActionStep,
        to: ActionState,
        *,
        by: int | None,
        note: str,
        assigned_to: int | None = None,
        due_at: datetime | None = None,
    ) -> CoachingAction:
        """Take a step. Raises ConflictError ``stale_version`` when somebody else was faster."""
        ...

    def get(self, action_id: int, scope: Scope) -> CoachingAction:
        """Raises NotFoundError ``coaching_not_found``."""
        ...

    def page(
        self, wanted: ActionFilter, scope: Scope, *, after: tuple[float, int] | None, limit: int
    ) -> Sequence[CoachingAction]:
        """The most urgent first."""
        ...

    def clips(self, action_ids: Collection[int]) -> dict[int, tuple[Clip, ...]]:
        """Of each action those that still stand: cleared and disputed findings fall out, and superseded ones."""
        ...

    def steps(self, action_id: int) -> tuple[TakenStep, ...]: ...

    def coached(self, module: str, *, since: datetime) -> Collection[str]:
        """Agents whose coaching in this module was held since then."""
        ...

    def round_done(self, day: date) -> bool:
        """Whether somebody did this day's round."""
        ...

    def begin_round(self, day: date) -> bool:
        """Whether this day's round is for the caller to do: it is done once."""
        ...
