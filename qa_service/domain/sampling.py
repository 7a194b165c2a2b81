"""Which calls a sampling plan draws, and who looks at them.

Guarantee: pure. The same plan, period and calls give the same draw. Each call's probability of being drawn is
known exactly and greater than nothing, so that estimates may weigh by it.

Within an agent's calls there are two strata: risk (a grave fault was found) and the rest. From each, in the order
of hour, queue and time, every k-th call is drawn from a random start (systematic sampling, W. G. Madow and L. H.
Madow, 1944, with a fractional interval): that spreads the draw evenly over the day and its queues, and gives every
call of a stratum the probability n/N.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from qa_service.domain.access import EVERYTHING, CallOwner, Role, Scope

GRAVE: Final = 2
"""Of a call's worst finding: major or critical."""
_HASH_BITS: Final = 64


class Period(StrEnum):
    DAY = "day"
    WEEK = "week"


class Stratum(StrEnum):
    """Why a call was drawn: its agent is new, something grave was found in it, or by chance alone."""

    NEW = "new"
    RISK = "risk"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan asks for.

    Args:
        per_agent: calls of each agent in each period.
        new_agent_days: for so long after the first call an agent is new; 0: nobody is.
        new_agent_factor: of a new agent so many times as many calls.
        risk_share: the share of calls that comes from the risk stratum, as far as it has them.
        scope: the calls that it is about.
    """

    name: str
    per_agent: int = 10
    period: Period = Period.DAY
    new_agent_days: int = 30
    new_agent_factor: float = 2.0
    risk_share: float = 0.3
    scope: Scope = EVERYTHING
    active: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A call that may be drawn. ``worst``: of its findings, 3 critical to 0; ``since``: its agent's first call."""

    recording_id: int
    owner: CallOwner
    at: datetime
    queue: str | None
    worst: int
    since: datetime | None

    @property
    def agent_id(self) -> str:
        return self.owner.agent_id or ""


@dataclass(frozen=True, slots=True)
class Drawn:
    call: Candidate
    stratum: Stratum
    inclusion_probability: float


@dataclass(frozen=True, slots=True)
class Inspector:
    user_id: int
    roles: frozenset[Role]
    scope: Scope

    def may_be_given(self, owner: CallOwner) -> bool:
        """Leaders are given no calls of those they lead, which are all that they reach."""
        return Role.LEADER not in self.roles and self.scope.covers(owner)


def period_start(day: date, period: Period) -> date:
    """The first day of the period that ``day`` is in; weeks begin on Monday."""
    return day if period is Period.DAY else day - timedelta(days=day.weekday())


def span_of(start: date, period: Period, zone: tzinfo) -> tuple[datetime, datetime]:
    """When the period begins and ends, by the clocks of ``zone``."""
    end = start + timedelta(days=1 if period is Period.DAY else 7)
    return datetime.combine(start, time(), zone), datetime.combine(end, time(), zone)


def draw(
    plan_id: int, terms: PlanTerms, start: date, candidates: Iterable[Candidate], zone: tzinfo
) -> tuple[Drawn, ...]:
    """The calls of the period that begins on ``start``; of an agent with no more calls than are asked for, all."""
    by_agent: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_agent.setdefault(candidate.agent_id, []).append(candidate)
    begins, _ = span_of(start, terms.period, zone)
    drawn: list[Drawn] = []
    for agent_id in sorted(by_agent):
        calls = by_agent[agent_id]
        since = min((call.since for call in calls if call.since is not None), default=None)
        new_for = timedelta(days=terms.new_agent_days)
        is_new = bool(new_for) and since is not None and begins - since < new_for
        wanted = round(terms.per_agent * (terms.new_agent_factor if is_new else 1.0))
        # One call cannot come from two strata: it is drawn from all.
        risk = [call for call in calls if call.worst >= GRAVE and wanted > 1]
        rest = [call for call in calls if call.worst < GRAVE or wanted <= 1]
        of_risk, of_rest = shares(wanted, len(risk), len(rest), terms.risk_share)
        ordinary = Stratum.NEW if is_new else Stratum.RANDOM
        for stratum, calls_of, count in ((Stratum.RISK, risk, of_risk), (ordinary, rest, of_rest)):
            seed = f"{plan_id}:{start.isoformat()}:{agent_id}:{stratum}"
            drawn += _systematic(sorted(calls_of, key=lambda call: _place(call, zone)), count, stratum, seed)
    return tuple(drawn)


def shares(wanted: int, risk: int, rest: int, risk_share: float) -> tuple[int, int]:
    """How many of ``wanted`` calls come from ``risk`` and from ``rest`` calls; what one lacks the other gives.

    Each stratum that has calls gives at least one where two are wanted, or some call could never be drawn.
    """
    wanted = min(wanted, risk + rest)
    of_risk = round(wanted * risk_share)
    if wanted >= 2:
        of_risk = min(max(of_risk, 1 if risk else 0), wanted - 1 if rest else wanted)
    of_rest = min(wanted - min(of_risk, risk), rest)
    return wanted - of_rest, of_rest


def assign(drawn: Sequence[Drawn], inspectors: Sequence[Inspector]) -> Mapping[int, int]:
    """Who looks at which call, evenly; calls that nobody may be given are left out.

    Calls that few may be given go first, each to whoever has fewest so far.
    """
    able = {
        each.call.recording_id: [who for who in inspectors if who.may_be_given(each.call.owner)] for each in drawn
    }
    given: Counter[int] = Counter()
    assigned: dict[int, int] = {}
    for each in sorted(drawn, key=lambda one: (len(able[one.call.recording_id]), one.call.recording_id)):
        recording_id = each.call.recording_id
        if able[recording_id]:
            who = min(able[recording_id], key=lambda inspector: (given[inspector.user_id], inspector.user_id))
            given[who.user_id] += 1
            assigned[recording_id] = who.user_id
    return assigned


def _systematic(calls: Sequence[Candidate], count: int, stratum: Stratum, seed: str) -> Iterable[Drawn]:
    if count <= 0 or not calls:
        return
    interval = len(calls) / count
    start = _uniform(seed) * interval
    for number in range(count):
        # Rounding must not lead past the last call.
        index = min(int(start + number * interval), len(calls) - 1)
        yield Drawn(calls[index], stratum, count / len(calls))


def _place(call: Candidate, zone: tzinfo) -> tuple[date, int, str, datetime, int]:
    at = call.at.astimezone(zone)
    return at.date(), at.hour, call.queue or "", call.at, call.recording_id


def _uniform(text: str) -> float:
    """A number in [0, 1) that is the same for the same text."""
    head = hashlib.sha256(text.encode()).digest()[: _HASH_BITS // 8]
    # The double nearest to the largest of these numbers would be 1.
    return (int.from_bytes(head) >> 11) / float(1 << (_HASH_BITS - 11))
