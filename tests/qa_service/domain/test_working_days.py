"""Deadlines in working days: weekends, holidays, worked weekends, clocks that change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.working_days import WorkCalendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
FRIDAY = datetime(2026, 3, 6, 15, 0, tzinfo=SHANGHAI)


def day(text: str) -> date:
    return date.fromisoformat(text)


def end_of(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    after = date.fromisoformat(text) + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)


def test_a_weekend_does_not_count() -> None:
    calendar = WorkCalendar(SHANGHAI)
    assert calendar.deadline(FRIDAY, 1) == end_of("2026-03-09")
    assert calendar.deadline(FRIDAY, 2) == end_of("2026-03-10")
    assert calendar.deadline(FRIDAY, 0) == end_of("2026-03-06")


def test_the_day_is_that_of_the_sites_clock() -> None:
    late = datetime(2026, 3, 5, 17, 0, tzinfo=UTC)  # Friday already, in Shanghai
    assert WorkCalendar(SHANGHAI).deadline(late, 1) == end_of("2026-03-09")
    assert WorkCalendar(UTC).deadline(late, 1) == datetime(2026, 3, 7, tzinfo=UTC)


def test_holidays_do_not_count_and_worked_weekends_do() -> None:
    calendar = WorkCalendar(SHANGHAI, frozenset({day("2026-03-09")}), frozenset({day("2026-03-08")}))
    assert calendar.deadline(FRIDAY, 1) == end_of("2026-03-08")
    assert calendar.deadline(FRIDAY, 2) == end_of("2026-03-10")


def test_the_end_of_a_day_is_its_end_where_clocks_change() -> None:
    zone = ZoneInfo("Europe/Berlin")
    friday = datetime(2026, 3, 27, 12, 0, tzinfo=zone)  # clocks jump on Sunday
    assert WorkCalendar(zone).deadline(friday, 1) == datetime(2026, 3, 30, 22, 0, tzinfo=UTC)


def test_a_calendar_without_working_days_is_told() -> None:
    year = frozenset(FRIDAY.date() + timedelta(days=ahead) for ahead in range(400))
    with pytest.raises(ValueError, match="no working day"):
        WorkCalendar(SHANGHAI, year).deadline(FRIDAY, 1)


moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
days = st.frozensets(st.dates(date(2024, 1, 1), date(2030, 1, 1)), max_size=20)


@given(moments, st.integers(0, 30), days, days)
def test_deadlines_are_in_order_and_at_the_end_of_working_days(
    since: datetime, count: int, holidays: frozenset[date], worked: frozenset[date]
) -> None:
    calendar = WorkCalendar(SHANGHAI, holidays, worked)
    deadline = calendar.deadline(since, count)
    last = (deadline.astimezone(SHANGHAI) - timedelta(seconds=1)).date()
    assert deadline > since
    assert count == 0 or calendar.works(last)
    first = since.astimezone(SHANGHAI).date()
    between = (first + timedelta(days=ahead + 1) for ahead in range((last - first).days))
    assert sum(map(calendar.works, between)) == count
    assert calendar.deadline(since, count + 1) > deadline
