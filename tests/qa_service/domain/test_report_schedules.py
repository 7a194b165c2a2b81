"""When scheduled reports are due, and of which days they are."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.reporting.periods import Span, day_of, month_of, week_of
from qa_service.domain.reporting.schedules import Every, ScheduleTerms, due

ZONE = ZoneInfo("Asia/Shanghai")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def terms(every: Every, at: time = time(8)) -> ScheduleTerms:
    return ScheduleTerms("daily", "", every, at, ("html",), "zh", ())


@pytest.mark.parametrize(
    ("every", "now", "span"),
    [
        (Every.DAY, "2026-11-02T08:00", day_of(date(2026, 11, 1))),
        (Every.DAY, "2026-11-02T07:59", day_of(date(2026, 10, 31))),
        (Every.WEEK, "2026-11-02T08:00", week_of(date(2026, 10, 26))),
        (Every.WEEK, "2026-11-02T07:59", week_of(date(2026, 10, 19))),
        (Every.MONTH, "2026-11-01T08:00", month_of(date(2026, 10, 1))),
        (Every.MONTH, "2026-11-01T07:59", month_of(date(2026, 9, 1))),
        (Every.MONTH, "2026-11-30T23:00", month_of(date(2026, 10, 1))),
    ],
)
def test_a_period_is_due_at_its_time_by_the_clock_of_the_site(every: Every, now: str, span: Span) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=ZONE)
    assert due(terms(every), ZONE, since=LONG_AGO, now=moment) == span


@pytest.mark.parametrize("every", list(Every))
def test_what_was_due_before_the_schedule_was_made_is_not_made(every: Every) -> None:
    made = datetime(2026, 11, 2, 9, tzinfo=ZONE)
    assert due(terms(every), ZONE, since=made, now=made) is None


@given(st.sampled_from(list(Every)), st.datetimes(datetime(2021, 1, 1), datetime(2031, 1, 1)), st.times())
def test_every_period_is_over_when_it_is_due(every: Every, moment: datetime, at: time) -> None:
    now = moment.replace(tzinfo=UTC)
    span = due(terms(every, at.replace(second=0, microsecond=0)), ZONE, since=LONG_AGO, now=now)
    assert span is not None
    today = now.astimezone(ZONE).date()
    assert span.until <= today
    assert today - span.until <= timedelta(days=32)
