"""What calls add up to: scores and faults by agent, team, vendor or queue, by day or longer.

Guarantee: pure. Totals are sums, so that those of two days, or of two agents, are those of both together; a share
or a mean is only ever reckoned from them. A fault counts as people left it: what somebody rejected is none.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from qa_service.domain.proportions import Share, share


class Grouping(StrEnum):
    """What calls are told apart by."""

    AGENT = "agent"
    TEAM = "team"
    VENDOR = "vendor"
    QUEUE = "queue"


class Period(StrEnum):
    """How long the spans are that calls are added up over; weeks begin on Mondays. ``whole``: all of the time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class FigureFilter:
    """Which calls count: those of the days ``[since, until)`` in the site's zone for which all that is set holds.

    ``rules``: of which rules faults are counted; it leaves scores as they are.
    """

    since: date
    until: date
    agents: frozenset[str] | None = None
    teams: frozenset[str] | None = None
    vendors: frozenset[str] | None = None
    queues: frozenset[str] | None = None
    rules: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class DaySums:
    """How scores lie by agent and day: for each ``days`` with scored calls, n of them with p points in all, the
    sums of p², of p·n and of n². By them a mean's interval is reckoned from days, not from calls."""

    days: int = 0
    points_points: float = 0.0
    points_scored: float = 0.0
    scored_scored: int = 0

    def __add__(self, other: "DaySums") -> "DaySums":
        return DaySums(
            self.days + other.days,
            self.points_points + other.points_points,
            self.points_scored + other.points_scored,
            self.scored_scored + other.scored_scored,
        )


@dataclass(frozen=True, slots=True)
class ScoreTotals:
    """Calls and their final scores. ``points`` and ``squares``: sums of scores and of their squares, over the
    ``scored`` calls. ``duration_s``: of all calls. ``by_day``: which adds up over different days or agents; an
    agent's day that is split, by queue say, and added again counts as two."""

    calls: int = 0
    scored: int = 0
    points: float = 0.0
    squares: float = 0.0
    fatal: int = 0
    duration_s: float = 0.0
    by_day: DaySums = DaySums()

    def __add__(self, other: "ScoreTotals") -> "ScoreTotals":
        return ScoreTotals(
            self.calls + other.calls,
            self.scored + other.scored,
            self.points + other.points,
            self.squares + other.squares,
            self.fatal + other.fatal,
            self.duration_s + other.duration_s,
            self.by_day + other.by_day,
        )

    @property
    def mean(self) -> float | None:
        return self.points / self.scored if self.scored else None

    @property
    def variance(self) -> float | None:
        """Of single calls' scores; None for fewer than two."""
        if self.scored < 2:
            return None
        return max(0.0, (self.squares - self.points**2 / self.scored) / (self.scored - 1))


@dataclass(frozen=True, slots=True)
class FaultTotals:
    """What one rule found. ``calls``: those in which it had an answer; ``faults``: those of them with a fault that
    stands; ``confirmed``: those of the faults that a person has decided. The others nobody has reviewed yet."""

    calls: int = 0
    faults: int = 0
    confirmed: int = 0

    def __add__(self, other: "FaultTotals") -> "FaultTotals":
        return FaultTotals(self.calls + other.calls, self.faults + other.faults, self.confirmed + other.confirmed)

    @property
    def unreviewed(self) -> int:
        return self.faults - self.confirmed

    @property
    def rate(self) -> Share:
        return share(self.faults, self.calls)


NO_SCORES: Final = ScoreTotals()
NO_FAULTS: Final = FaultTotals()

Keys = tuple[str | None, ...]
"""Whose calls they are, in the order of the groupings that were asked for; None: nobody told."""


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """Scores of ``keys`` in the period that begins on ``starts``."""

    keys: Keys
    starts: date
    totals: ScoreTotals


@dataclass(frozen=True, slots=True)
class FaultLine:
    """Faults by ``rule`` of ``keys`` in the period that begins on ``starts``."""

    keys: Keys
    starts: date
    rule: str
    totals: FaultTotals
