"""Deadlines in working days, by the calendar of the site.

Guarantee: pure. A deadline of n working days lies at the end of the n-th working day after the day on which it
began to run, by the clock of the site's zone: nobody loses hours because something came late in the day.
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_SATURDAY = 5
_LONGEST_REST_DAYS = 366  # a calendar without a working day for so long is a mistake, not a holiday


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Monday to Friday but ``holidays``, and those days of weekends that are worked (调休)."""

    zone: tzinfo = UTC
    holidays: Set[date] = frozenset()
    worked: Set[date] = frozenset()

    def works(self, day: date) -> bool:
        return day in self.worked or (day.weekday() < _SATURDAY and day not in self.holidays)

    def deadline(self, since: datetime, working_days: int) -> datetime:
        """The end of the ``working_days``-th working day after the day of ``since``, in UTC.

        Raises:
            ValueError: no working day within a year.
        """
        day = since.astimezone(self.zone).date()
        for _ in range(working_days):
            day = self._next(day)
        # The first moment of the day after: spans are half-open here as everywhere.
        return datetime.combine(day + timedelta(days=1), time(), tzinfo=self.zone).astimezone(UTC)

    def _next(self, day: date) -> date:
        for ahead in range(1, _LONGEST_REST_DAYS):
            if self.works(day + timedelta(days=ahead)):
                return day + timedelta(days=ahead)
        raise ValueError(f"no working day in the year after {day.isoformat()}: correct the holidays")
