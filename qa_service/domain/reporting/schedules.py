"""Reports that are made again and again, each once its time is over.

Guarantee: pure. Of a schedule every period is due at one moment by the clock on the wall; one that came before the
schedule was made is never due.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from qa_service.domain.nights import last_night, night_of
from qa_service.domain.reporting.periods import Span, day_of, month_of, week_of


class Every(StrEnum):
    """Days are told the next day, weeks on Mondays, months on the first."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class ScheduleTerms:
    """What is made, when, and for whom.

    Args:
        kind: of report. subject: whom it is about; empty: the whole site.
        at: the time of day, by the site's clock.
        formats: of the files.
        language: of pages, workbooks and the mail.
        recipients: addresses that the mail names. Nobody sends it but the site's own mail system.
        active: whether anything is made.
    """

    kind: str
    subject: str
    every: Every
    at: time
    formats: tuple[str, ...]
    language: str
    recipients: tuple[str, ...]
    active: bool = True


def due(terms: ScheduleTerms, zone: tzinfo, *, since: datetime, now: datetime) -> Span | None:
    """The last period of which the time has come by ``now``; None where that was before ``since``."""
    night = last_night(terms.at, zone, now)
    if night is None:
        return None
    first = _first_day(terms.every, night.day)
    if night_of(first, terms.at, zone).begins < since:
        return None
    before = first - timedelta(days=1)
    match terms.every:
        case Every.DAY:
            return day_of(before)
        case Every.WEEK:
            return week_of(before)
        case Every.MONTH:
            return month_of(before)


def _first_day(every: Every, day: date) -> date:
    match every:
        case Every.DAY:
            return day
        case Every.WEEK:
            return week_of(day).since
        case Every.MONTH:
            return month_of(day).since
