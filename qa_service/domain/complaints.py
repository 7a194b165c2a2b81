"""Complaints: how grave, whose to answer, and the steps from the first response to what was corrected.

Guarantee: pure. States follow one table, so that no step can be skipped; what else happens to a complaint (an
apology, a report) is a step too, which leaves the state as it is. Nobody's fault follows from a complaint: whether
it is valid, that is whether a norm of the service was broken, a person says.

Levels (domain.md §4): 1 to the call centre, answered by its supervisor; 2 to the group's head office, by the
regional service manager; 3 to a government hotline or the media, by the regional or department manager, who speaks
with the authority first. Levels 2 and 3 end with a written report.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from qa_service.domain.working_days import WorkCalendar

LEVELS: Final = (1, 2, 3)
NO_COMPLAINT: Final = 0
"""As a proposed level: a later evaluation finds no complaint any more."""


class ComplaintState(StrEnum):
    """``corrected``: a valid one's end; ``closed``: that of one that is not valid; ``not_raised``: it was none."""

    RAISED = "raised"
    ACCEPTED = "accepted"
    VERIFIED = "verified"
    HANDLED = "handled"
    CORRECTED = "corrected"
    CLOSED = "closed"
    NOT_RAISED = "not_raised"

    @property
    def is_open(self) -> bool:
        return self in OPEN


OPEN: Final = frozenset(
    {ComplaintState.RAISED, ComplaintState.ACCEPTED, ComplaintState.VERIFIED, ComplaintState.HANDLED}
)
UNHANDLED: Final = OPEN - {ComplaintState.HANDLED}


class ComplaintStep(StrEnum):
    """What happens to a complaint. ``accept`` is the first response: its owner has answered and takes it on."""

    ACCEPT = "accept"
    VERIFY = "verify"
    HANDLE = "handle"
    CORRECT = "correct"
    CLOSE = "close"
    DROP = "drop"
    REINSTATE = "reinstate"
    AUTHORITY = "authority"
    APOLOGISE = "apologise"
    FOLLOW_UP = "follow_up"
    REPORT = "report"
    REGRADE = "regrade"
    ASSIGN = "assign"
    PROPOSE = "propose"
    ESCALATE = "escalate"


_C, _S = ComplaintState, ComplaintStep
STEPS: Final[Mapping[tuple[ComplaintState, ComplaintStep], ComplaintState]] = {
    (_C.RAISED, _S.ACCEPT): _C.ACCEPTED,
    (_C.ACCEPTED, _S.VERIFY): _C.VERIFIED,
    # Whoever handles it may learn that it is otherwise.
    (_C.VERIFIED, _S.VERIFY): _C.VERIFIED,
    (_C.VERIFIED, _S.HANDLE): _C.HANDLED,
    (_C.HANDLED, _S.CORRECT): _C.CORRECTED,
    (_C.HANDLED, _S.CLOSE): _C.CLOSED,
    (_C.RAISED, _S.DROP): _C.NOT_RAISED,
    (_C.NOT_RAISED, _S.REINSTATE): _C.RAISED,
    **{
        (state, step): state
        for state in OPEN
        for step in (
            *(_S.AUTHORITY, _S.APOLOGISE, _S.FOLLOW_UP, _S.REPORT),
            *(_S.REGRADE, _S.ASSIGN, _S.PROPOSE, _S.ESCALATE),
        )
    },
}

BY_MACHINE: Final = frozenset({_S.PROPOSE, _S.ESCALATE})
"""Nobody takes these steps by hand."""
WORK: Final = frozenset({*_S} - {_S.DROP, _S.REINSTATE, _S.PROPOSE, _S.ESCALATE})
"""Steps after which somebody has worked on a complaint; a machine's own regrading is none."""


def follow(state: ComplaintState, step: ComplaintStep) -> ComplaintState | None:
    """The state after ``step``; None: it cannot follow."""
    return STEPS.get((state, step))


def may_follow(state: ComplaintState) -> tuple[str, ...]:
    """What people may do next."""
    return tuple(step.value for (at, step) in STEPS if at is state and step not in BY_MACHINE)


class Missing(StrEnum):
    """What has to come before a step."""

    AUTHORITY = "authority_first"
    REPORT = "report_missing"
    VALID = "complaint_valid"
    NOT_VALID = "complaint_not_valid"


def missing(
    step: ComplaintStep, *, level: int, valid: bool | None, done: Collection[ComplaintStep]
) -> Missing | None:
    """What keeps ``step`` from being taken, besides the state; ``done``: steps that were taken."""
    to_customer = step in (_S.APOLOGISE, _S.FOLLOW_UP, _S.HANDLE)
    if level == 3 and to_customer and _S.AUTHORITY not in done:
        return Missing.AUTHORITY
    if step is _S.CORRECT and not valid:
        return Missing.NOT_VALID
    if step is _S.CLOSE and valid:
        return Missing.VALID
    if step in (_S.CORRECT, _S.CLOSE) and level > 1 and _S.REPORT not in done:
        return Missing.REPORT
    return None


class Clocks(StrEnum):
    """What runs out: the time until the first response, and until it is handled."""

    RESPONSE = "response"
    HANDLING = "handling"


@dataclass(frozen=True, slots=True)
class ComplaintPolicy:
    """How a site answers complaints.

    Args:
        calendar: whose working days count.
        due_days: working days until a complaint is handled (domain.md §4: 2).
        response: until the first response; "at once" by the clock, whatever the hour. † 30 minutes.
        owners: names of accounts by ``(level, team)``; ``(level, "")`` holds for all other teams.
        raised_within: older calls that are scored again raise none: their customers were answered or lost.
    """

    calendar: WorkCalendar = field(default_factory=WorkCalendar)
    due_days: int = 2
    response: timedelta = timedelta(minutes=30)
    owners: Mapping[tuple[int, str], str] = field(default_factory=dict)
    raised_within: timedelta = timedelta(days=30)

    def owner(self, level: int, team: str | None) -> str | None:
        """The name of the account that answers; None: the site names nobody."""
        return self.owners.get((level, team or "")) or self.owners.get((level, ""))

    def respond_by(self, raised_at: datetime) -> datetime:
        return raised_at + self.response

    def due(self, raised_at: datetime) -> datetime:
        return self.calendar.deadline(raised_at, self.due_days)


class Change(StrEnum):
    """What a new evaluation or verdict means for a complaint."""

    RAISE = "raise"
    DROP = "drop"
    REINSTATE = "reinstate"
    REGRADE = "regrade"
    PROPOSE = "propose"


def change_of(
    *,
    state: ComplaintState | None,
    level: int,
    proposed: int | None,
    grade: int | None,
    denied: bool,
    by_hand: bool,
    touched: bool,
    dropped_by_machine: bool,
) -> Change | None:
    """What becomes of a call's complaint; None: it stays as it is.

    A complaint is lost by no machine: a lower grade, or none, is proposed to people. A graver one holds at once
    where nobody has worked on it yet; otherwise it is proposed too.

    Args:
        state: where the call's complaint stands; None: it has none.
        level: the complaint's.
        proposed: what was proposed last.
        grade: of the evaluation in force; None: it finds no complaint.
        denied: a person said that there was none.
        by_hand: a person raised it.
        touched: a person has worked on it.
        dropped_by_machine: it was taken back because of ``denied`` alone.
    """
    if state is None:
        return Change.RAISE if grade is not None and not denied else None
    if state is ComplaintState.NOT_RAISED:
        return Change.REINSTATE if dropped_by_machine and grade is not None and not denied else None
    if denied and state is ComplaintState.RAISED and not (by_hand or touched):
        return Change.DROP
    found = NO_COMPLAINT if grade is None or denied else grade
    if not state.is_open or (by_hand and found <= level):
        return None
    if found == level:
        return Change.PROPOSE if proposed is not None else None  # a proposal that no longer holds is taken back
    if found > level and not touched and not by_hand:
        return Change.REGRADE
    return Change.PROPOSE if found != proposed else None
