"""The span that somebody asks for, by the day that it is at the site."""

from datetime import date, timedelta
from typing import Final

from qa_service.domain.reporting.periods import LONGEST_DAYS, Span, day_of, month, month_of
from qa_service.errors import InputError
from qa_service.services.reporting.kinds import ReportKind

FIRST: Final = date(1971, 1, 1)
LAST: Final = date(9000, 1, 1)


def span_asked(
    kind: ReportKind | None,
    *,
    today: date,
    month_named: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> Span:
    """A month, or the days from ``since`` to ``until``, both included. By default the month that is over, of a
    daily summary yesterday.

    Raises:
        InputError: ``report_period_invalid``.
    """
    if month_named is not None:
        if since is not None or until is not None:
            raise _invalid("a month, or days: give one of them")
        found = month(month_named)
        if found is None or not FIRST <= found.since <= LAST:
            raise _invalid(f"{month_named!r} is no month: write 2026-10")
        return found
    if since is None and until is None:
        return day_of(today - timedelta(days=1)) if kind is ReportKind.DAILY else month_of(today).before
    if since is None:
        raise _invalid("there is no first day: give since too")
    last = today if until is None else until
    if not FIRST <= since <= last <= LAST:
        raise _invalid(f"no day of any use lies from {since} to {last}: give since before until")
    if (last - since).days >= LONGEST_DAYS:
        raise _invalid(f"more than {LONGEST_DAYS} days: ask for fewer")
    return Span(since, last + timedelta(days=1))


def _invalid(told: str) -> InputError:
    return InputError("report_period_invalid", told)
