"""Scores and faults over time.

Guarantee: nobody is told a mean or a rate of fewer calls than the site asks for, and every other comes with its
interval. Figures are of calls within the scope of who asks; days that changed and are not counted again yet are
told as such.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import Final

import structlog

from qa_service.domain.access import Scope
from qa_service.domain.figures import (
    FaultLine,
    FigureFilter,
    Grouping,
    Period,
    ScoreLine,
)
from qa_service.errors import InputError
from qa_service.ports import Clock, UnitOfWorkFactory

COUNTED_AT_ONCE: Final = 100
"""Days of agents in one transaction: about a tenth of a second."""

COUNTED_FOR_S: Final = 3.0
"""For so long one look after figures goes on."""

COUNTED_EACH_S: Final = 30.0
"""Today's calls change all the time: so long what changed is gathered before it is counted."""

MONTHS: Final = 6
"""So many are told when nobody says from when."""

CHECKED_EACH_S: Final = 3600.0
CHECKED_DAYS: Final = 3
"""Of so many days it is checked that calls add up: what was changed without a mark is changed soon after."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """Figures as they are counted. ``waiting``: days of agents among them that have changed since."""

    waiting: int


@dataclass(frozen=True, slots=True)
class Scores(Told):
    lines: tuple[ScoreLine, ...]


@dataclass(frozen=True, slots=True)
class Faults(Told):
    lines: tuple[FaultLine, ...]


class Figures:
    """Args:
    units: where figures are stored.
    units_to_read: the same for transactions that write nothing.
    clock: what day it is.
    zone: in which a day is a day.
    min_calls: fewer scored calls, or answers of a rule, allow no mean and no rate.
    now_s: the time, of any origin, by which counting is paced.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        zone: tzinfo,
        min_calls: int = 30,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._zone = zone
        self.min_calls = min_calls
        self._now_s = now_s
        self._check_at_s = self._count_at_s = float("-inf")

    def today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()

    def span(self, since: date | None, until: date | None) -> tuple[date, date]:
        """What is asked for: without ``until`` up to today, without ``since`` this month and the five before.

        Raises:
            InputError: ``date_invalid`` when no day lies between them.
        """
        until = until or self.today() + timedelta(days=1)
        if since is None:
            last = until.year * 12 + until.month - 1 - (MONTHS - 1)
            since = date(last // 12, last % 12 + 1, 1) if last >= 12 else date.min
        if since >= until:
            raise InputError(
                "date_invalid", "no day lies between `since` and `until`: give `since` before `until`"
            )
        return since, until

    def look_after(self) -> int:
        """Count what changed, for a few seconds at most, unless that was just done; how many days were counted."""
        begin = self._now_s()
        if begin < self._count_at_s:
            return 0
        if begin >= self._check_at_s:
            with self._units() as unit:
                wrong = unit.figures.mark_wrong(self.today() - timedelta(days=CHECKED_DAYS))
                unit.commit()
            self._check_at_s = begin + CHECKED_EACH_S
            if wrong:
                log.info("calls were changed without a mark", agents=wrong)
        counted, upto = 0, self._last_change()
        while self._now_s() - begin < COUNTED_FOR_S:
            some = self._count(upto)
            counted += some
            if not some:
                self._count_at_s = begin + COUNTED_EACH_S
                break
        return counted

    def recount(self, *, everything: bool = False, told: Callable[[int], None] = lambda _: None) -> int:
        """Count all that waits, or all there is; ``told`` of how many days are done so far."""
        if everything:
            with self._units() as unit:
                unit.figures.mark_all()
                unit.commit()
        counted, upto = 0, self._last_change()
        while some := self._count(upto):
            counted += some
            told(counted)
        return counted

    def _last_change(self) -> int:
        with self._units_to_read() as unit:
            return unit.figures.last_change()

    def _count(self, upto: int) -> int:
        if not upto:
            return 0
        with self._units() as unit:
            counted = unit.figures.recount(limit=COUNTED_AT_ONCE, upto=upto)
            unit.commit()
        return counted

    def scores(
        self, wanted: FigureFilter, scope: Scope, *, by: tuple[Grouping, ...] = (), period: Period = Period.WHOLE
    ) -> Scores:
        with self._units_to_read() as unit:
            lines = unit.figures.scores(wanted, scope, by=by, period=period)
            return Scores(unit.figures.waiting(wanted.since, wanted.until), tuple(lines))

    def faults(
        self, wanted: FigureFilter, scope: Scope, *, by: tuple[Grouping, ...] = (), period: Period = Period.WHOLE
    ) -> Faults:
        with self._units_to_read() as unit:
            lines = unit.figures.faults(wanted, scope, by=by, period=period)
            return Faults(unit.figures.waiting(wanted.since, wanted.until), tuple(lines))
