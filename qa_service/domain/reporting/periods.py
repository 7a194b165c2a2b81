"""The time that a report is about, in days of the site.

Guarantee: pure. Spans are half-open; a month's span before is the month before, of whatever length.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

LONGEST_DAYS: Final = 3 * 366
_MONTH: Final = re.compile(r"([0-9]{4})-([0-9]{2})")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The days ``[since, until)``."""

    since: date
    until: date

    def __post_init__(self) -> None:
        if not self.since < self.until:
            raise ValueError(f"no day lies in {self.since}..{self.until}")

    @property
    def days(self) -> int:
        return (self.until - self.since).days

    @property
    def last(self) -> date:
        return self.until - timedelta(days=1)

    @property
    def name(self) -> str:
        """``2026-10``, ``2026-10-07``, or ``2026-10-05..2026-10-11``, both of which belong to it."""
        if self.days == 1:
            return self.since.isoformat()
        if self == month_of(self.since):
            return f"{self.since:%Y-%m}"
        return f"{self.since.isoformat()}..{self.last.isoformat()}"

    @property
    def before(self) -> "Span":
        """What it is compared with: the month before a month, else as many days before it."""
        if self.days > 1 and self == month_of(self.since):
            return month_of(self.since - timedelta(days=1))
        return Span(self.since - timedelta(days=self.days), self.since)

    @property
    def history(self) -> "Span":
        """The six months up to its end, for the trend."""
        first = month_of(self.last).since
        for _ in range(5):
            first = month_of(first - timedelta(days=1)).since
        return Span(min(first, self.since), self.until)


def month_of(day: date) -> Span:
    first = day.replace(day=1)
    return Span(first, (first + timedelta(days=31)).replace(day=1))


def month(text: str) -> Span | None:
    """``2026-10``; None for what is no month."""
    found = _MONTH.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or not 1970 <= int(found[1]) < 9999:
        return None
    return month_of(date(int(found[1]), int(found[2]), 1))


def week_of(day: date) -> Span:
    """From Monday on."""
    first = day - timedelta(days=day.weekday())
    return Span(first, first + timedelta(days=7))


def day_of(day: date) -> Span:
    return Span(day, day + timedelta(days=1))
