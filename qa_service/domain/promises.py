"""Promises made in calls, and whether a later call kept them.

Guarantee: pure, and a function of the set of a customer's calls: in whatever order, how late or how often they are
scored, the same comes out. What cannot be told is not guessed: without a customer reference nobody can follow a
promise, and a call that may have kept one is put before a person. A promise is an open item against the customer
reference; a later call that answers it closes it (domain.md §4).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from qa_service.domain.call import Direction, Purpose
from qa_service.domain.results import Outcome


class Standing(StrEnum):
    """What calls say of a promise. ``probable``: one may have kept it. ``unknown``: nobody can follow it."""

    OPEN = "open"
    PROBABLE = "probable"
    KEPT = "kept"
    UNKNOWN = "unknown"


class PromiseDecision(StrEnum):
    """What somebody says of a promise. ``reopen``: nothing any more."""

    KEPT = "kept"
    BROKEN = "broken"
    WITHDRAWN = "withdrawn"
    REOPEN = "reopen"


class PromiseState(StrEnum):
    """Where a promise stands, calls and people together. ``overdue``: its time is over and no call kept it;
    ``confirm``: one probably did, and somebody should say so; ``unknown``: it cannot be followed."""

    OPEN = "open"
    OVERDUE = "overdue"
    CONFIRM = "confirm"
    UNKNOWN = "unknown"
    KEPT = "kept"
    BROKEN = "broken"
    WITHDRAWN = "withdrawn"


UNSETTLED: Final = frozenset({PromiseState.OPEN, PromiseState.OVERDUE, PromiseState.CONFIRM, PromiseState.UNKNOWN})


def state_of(
    standing: Standing, decided: PromiseDecision | None, *, due_at: datetime, now: datetime
) -> PromiseState:
    """People's word goes before what calls say."""
    if decided is not None and decided is not PromiseDecision.REOPEN:
        return PromiseState(decided.value)
    if standing is Standing.OPEN:
        return PromiseState.OVERDUE if now >= due_at else PromiseState.OPEN
    return _STATES[standing]


_STATES: Final[Mapping[Standing, PromiseState]] = {
    Standing.PROBABLE: PromiseState.CONFIRM,
    Standing.KEPT: PromiseState.KEPT,
    Standing.UNKNOWN: PromiseState.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class PromisePolicy:
    """How a site follows promises.

    Args:
        zone: whose calendar days count.
        days: calendar days after that of the call; None: as the rule says that found it (3, domain.md §4).
        replies: items that a call to the customer keeps. Others, such as a wish not to be called, people close.
        reply_rules: rules that are met where an earlier question is answered.
        connected_s: with so much of the customer's speech somebody was reached; with none nobody was. † 1 s.
    """

    zone: tzinfo = UTC
    days: int | None = None
    replies: frozenset[str] = frozenset({"promise"})
    reply_rules: frozenset[str] = frozenset({"call-back"})
    connected_s: float = 1.0

    def due(self, promised_at: datetime, days: int) -> datetime:
        """The end of the last day, so that nobody loses hours because a call was late in the day."""
        last = promised_at.astimezone(self.zone).date() + timedelta(days=self.days or days)
        return datetime.combine(last + timedelta(days=1), time(), tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class PromiseFact:
    """A promise, as far as following it is concerned. ``followed``: calls can keep it, and nobody has decided."""

    key: int
    recording_id: int
    at: datetime
    followed: bool = True


@dataclass(frozen=True, slots=True)
class CallFact:
    """A call with the customer. ``reply``: what the rule says of its answering an earlier question, people's word
    included; None: no such rule judged it. ``connected`` None: it cannot be told whether anybody was reached."""

    recording_id: int
    at: datetime
    direction: Direction | None = None
    purpose: Purpose | None = None
    reply: Outcome | None = None
    connected: bool | None = None


class Reply(StrEnum):
    """Whether a call answered what was promised before."""

    SURE = "sure"
    DOUBTFUL = "doubtful"
    NONE = "none"


def reply_in(call: CallFact) -> Reply:
    """Whether the call is one in which a promised reply was given.

    Sure: the rule for replies is met (it names date and question of the call before), or the site says that it is
    a reply or follow-up and the customer was reached. A call of another or no purpose may have been one; one in
    which nobody was reached, one that the customer made, and one that sells were none.
    """
    if call.direction is Direction.INBOUND or call.purpose is Purpose.SALES:
        return Reply.NONE
    if call.connected is False:
        return Reply.NONE
    if call.reply is Outcome.MET:
        return Reply.SURE if call.connected else Reply.DOUBTFUL
    if call.purpose in (Purpose.REPLY, Purpose.FOLLOW_UP):
        return Reply.SURE if call.connected and call.direction is Direction.OUTBOUND else Reply.DOUBTFUL
    if call.reply in (Outcome.NOT_MET, Outcome.UNDETERMINED):
        return Reply.DOUBTFUL
    return Reply.DOUBTFUL if call.direction is Direction.OUTBOUND else Reply.NONE


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of a promise. ``by``, ``at``: the call that kept it or may have, and when."""

    standing: Standing
    by: int | None = None
    at: datetime | None = None


@dataclass(slots=True)
class _Open:
    key: int
    recording_id: int
    at: datetime
    maybe: CallFact | None = field(default=None)


def follow(promises: Iterable[PromiseFact], calls: Iterable[CallFact]) -> dict[int, Followed]:
    """What became of each of one customer's promises, by their keys.

    A reply keeps the one promise that is open. Where several are, nobody can tell which of them it answered: each
    is to be confirmed. The first call that may have kept a promise is the one that is told.
    """
    waiting = sorted((p.at, p.recording_id, p.key) for p in promises if p.followed)
    replies = [(call, reply_in(call)) for call in sorted(calls, key=lambda call: (call.at, call.recording_id))]
    followed: dict[int, Followed] = {}
    opened: list[_Open] = []
    for call, reply in replies:
        if reply is Reply.NONE:
            continue
        while waiting and waiting[0][0] < call.at:
            at, recording_id, key = waiting.pop(0)
            opened.append(_Open(key, recording_id, at))
        before = [one for one in opened if one.recording_id != call.recording_id]
        if reply is Reply.SURE and len(before) == 1:
            followed[before[0].key] = Followed(Standing.KEPT, call.recording_id, call.at)
            opened.remove(before[0])
            continue
        for one in before:
            one.maybe = one.maybe or call
    for one in opened:
        maybe = one.maybe
        followed[one.key] = (
            Followed(Standing.OPEN) if maybe is None else Followed(Standing.PROBABLE, maybe.recording_id, maybe.at)
        )
    followed.update({key: Followed(Standing.OPEN) for _, _, key in waiting})
    return followed


def decision_fault(state: PromiseState, decided: PromiseDecision | None, decision: PromiseDecision) -> str | None:
    """Why this cannot be said of a promise that stands so; None: it can."""
    if decision is PromiseDecision.REOPEN:
        return "nobody has decided it, so nothing is to be taken back: read it again" if decided is None else None
    if decided is not None:
        return f"somebody said that it is {state.value}: reopen it first"
    return None
