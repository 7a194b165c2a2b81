"""Months as they are asked for: ``2026-11``, by the site's clock."""

from datetime import UTC, date, datetime, time, tzinfo


def first_day(month: str) -> date:
    """``month`` is written as 2026-11: the schema has seen to that."""
    return date.fromisoformat(f"{month}-01")


def next_month(day: date) -> date:
    """The first day of the month after that of ``day``."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def span_of_month(month: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """From its first moment to that of the next month, in UTC."""
    start = first_day(month)
    return _midnight(start, zone), _midnight(next_month(start), zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
