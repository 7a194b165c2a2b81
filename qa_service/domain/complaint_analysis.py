"""What a month of complaints says: how many of what, and how soon they were answered and handled.

Guarantee: pure. What is still open counts as well: leaving it out would make slow centres look quick. Every share
and median has its interval; where too few are known it says so.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from qa_service.domain.proportions import LEVEL, Interval, Share, share

K = TypeVar("K", int, str)

NOBODY = ""
"""For a team, vendor or cause that nobody told."""


@dataclass(frozen=True, slots=True)
class ComplaintFact:
    """One complaint, as far as counting is concerned. ``valid`` None: nobody has verified it yet."""

    level: int
    valid: bool | None
    cause: str
    team: str | None
    vendor: str | None
    raised_at: datetime
    respond_by: datetime
    due_at: datetime
    responded_at: datetime | None
    handled_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Median:
    """A median of durations in seconds, of which some are not over yet.

    ``value`` is None where those that are not over decide it, or where there is nothing. ``low`` and ``high``
    bound it with at least 95 % confidence; None: so few cannot bound it.
    """

    count: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Complaints that have something in common. ``response_in_time``, ``handled_in_time``: of those of which it is
    known; a clock that still runs says nothing yet."""

    complaints: int
    valid: Share
    unverified: int
    response_in_time: Share
    handled_in_time: Share


@dataclass(frozen=True, slots=True)
class ComplaintAnalysis:
    """Of complaints raised in ``[since, until)``, as they stood at ``as_of``. ``by_cause``: the norms that valid
    ones broke."""

    since: datetime
    until: datetime
    as_of: datetime
    all: Group
    by_level: Mapping[int, Group]
    by_team: Mapping[str, Group]
    by_vendor: Mapping[str, Group]
    by_cause: Mapping[str, int]
    response_s: Median
    closure_s: Median


def analyse(
    facts: Sequence[ComplaintFact], *, since: datetime, until: datetime, as_of: datetime
) -> ComplaintAnalysis:
    """Count complaints that were raised in the period."""
    facts = tuple(facts)
    causes = Counter(fact.cause or NOBODY for fact in facts if fact.valid)
    return ComplaintAnalysis(
        since=since,
        until=until,
        as_of=as_of,
        all=_group(facts, as_of),
        by_level={level: _group(of, as_of) for level, of in _split(facts, lambda fact: fact.level)},
        by_team={team: _group(of, as_of) for team, of in _split(facts, lambda fact: fact.team or NOBODY)},
        by_vendor={name: _group(of, as_of) for name, of in _split(facts, lambda fact: fact.vendor or NOBODY)},
        by_cause=dict(sorted(causes.items(), key=lambda each: (-each[1], each[0]))),
        response_s=median_of([(f.raised_at, f.responded_at) for f in facts], as_of=as_of),
        closure_s=median_of([(f.raised_at, f.ended_at) for f in facts], as_of=as_of),
    )


def _split(
    facts: Iterable[ComplaintFact], key: Callable[[ComplaintFact], K]
) -> list[tuple[K, list[ComplaintFact]]]:
    groups: dict[K, list[ComplaintFact]] = {}
    for fact in facts:
        groups.setdefault(key(fact), []).append(fact)
    return sorted(groups.items(), key=lambda group: group[0])


def _group(facts: Sequence[ComplaintFact], as_of: datetime) -> Group:
    verified = [fact for fact in facts if fact.valid is not None]
    return Group(
        complaints=len(facts),
        valid=share(sum(fact.valid is True for fact in verified), len(verified)),
        unverified=len(facts) - len(verified),
        response_in_time=_in_time([(f.responded_at, f.respond_by) for f in facts], as_of),
        handled_in_time=_in_time([(f.handled_at, f.due_at) for f in facts], as_of),
    )


def _in_time(clocks: Iterable[tuple[datetime | None, datetime]], as_of: datetime) -> Share:
    known = [done is not None and done < by for done, by in clocks if done is not None or as_of >= by]
    return share(sum(known), len(known))


def median_of(
    spans: Iterable[tuple[datetime, datetime | None]], *, as_of: datetime, level: float = LEVEL
) -> Median:
    """The median duration of ``spans``, those without an end being at least as long as they have lasted.

    Its interval is that between two order statistics, which holds for any distribution: the number of values below
    the median is binomial with one half (Conover, Practical Nonparametric Statistics, 3rd ed., §3.2). A span that
    is not over may turn out as short as it is now, or endless: both are allowed for.
    """
    shortest: list[float] = []
    longest: list[float] = []
    for start, end in spans:
        lasted = ((as_of if end is None else end) - start) / timedelta(seconds=1)
        shortest.append(lasted)
        longest.append(math.inf if end is None else lasted)
    shortest.sort()
    longest.sort()
    count = len(shortest)
    if not count:
        return Median(0, None, None, None)
    value, if_endless = _middle(shortest), _middle(longest)
    rank = _rank(count, level)
    low = None if rank is None else shortest[rank]
    high = None if rank is None else longest[count - 1 - rank]
    return Median(count, value if value == if_endless else None, low, None if high == math.inf else high)


def _middle(ordered: Sequence[float]) -> float:
    count = len(ordered)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def _rank(count: int, level: float) -> int | None:
    """The largest r so that the median lies between the r-th value from below and from above, counted from 0, at
    this level; None: not even the smallest and the largest do."""
    tail, best = 0.0, None
    for below in range(count // 2):
        tail += math.comb(count, below) / 2**count
        if 2 * tail > 1 - level:
            break
        best = below
    return best


def interval_of(median: Median) -> Interval | None:
    """Where both bounds are known."""
    if median.low is None or median.high is None:
        return None
    return Interval(median.low, median.high)
