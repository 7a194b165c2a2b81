"""Nights: one a day in any zone, in the order of the days, whatever the clocks do."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.nights import Night, last_night, night_of

ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
DAYS = st.dates(date(1990, 1, 1), date(2037, 12, 30))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("day", "at", "zone", "begins"),
    [
        (date(2026, 11, 21), time(22), SHANGHAI, datetime(2026, 11, 21, 14)),
        (date(2026, 3, 29), time(2, 30), BERLIN, datetime(2026, 3, 29, 1)),  # 02:00 is 03:00
        (date(2026, 3, 29), time(2), BERLIN, datetime(2026, 3, 29, 1)),
        (date(2026, 3, 29), time(3), BERLIN, datetime(2026, 3, 29, 1)),
        (date(2026, 3, 29), time(1, 59), BERLIN, datetime(2026, 3, 29, 0, 59)),
        (date(2026, 10, 25), time(2, 30), BERLIN, datetime(2026, 10, 25, 0, 30)),  # the first of two
        (date(2026, 10, 25), time(3), BERLIN, datetime(2026, 10, 25, 2)),
        (date(2026, 10, 4), time(2, 15), ZoneInfo("Australia/Lord_Howe"), datetime(2026, 10, 3, 15, 30)),
        (date(2026, 9, 6), time(0), ZoneInfo("America/Santiago"), datetime(2026, 9, 6, 4)),  # no midnight
        (date(2011, 12, 30), time(22), ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 10)),  # no such day
    ],
)
def test_nights_that_are_known(day: date, at: time, zone: ZoneInfo, begins: datetime) -> None:
    assert night_of(day, at, zone) == Night(day, begins.replace(tzinfo=UTC))


def test_a_night_is_named_by_its_day() -> None:
    assert night_of(date(2026, 11, 21), time(22), SHANGHAI).key == "nightly:2026-11-21"


@given(DAYS, TIMES, ZONES)
def test_days_follow_each_other_and_so_do_their_nights(day: date, at: time, zone: ZoneInfo) -> None:
    nights = [night_of(day + timedelta(days=n), at, zone) for n in range(3)]
    for one, following in pairwise(nights):
        day_is_skipped = one.begins.astimezone(zone).date() > one.day
        assert one.begins < following.begins or (day_is_skipped and one.begins == following.begins)


@given(DAYS, TIMES, ZONES)
def test_a_night_begins_at_its_time_or_where_the_clocks_jump_over_it(day: date, at: time, zone: ZoneInfo) -> None:
    begins = night_of(day, at, zone).begins
    shown = begins.astimezone(zone).replace(tzinfo=None)
    wanted = datetime.combine(day, at)
    if shown != wanted:
        before = (begins - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
        assert before < wanted < shown


@given(DAYS, TIMES, ZONES, st.integers(0, 48 * 60))
def test_whoever_looks_sees_the_last_night(day: date, at: time, zone: ZoneInfo, minutes: int) -> None:
    now = datetime.combine(day, time(), tzinfo=UTC) + timedelta(minutes=minutes)
    seen = last_night(at, zone, now)
    assert seen is not None
    assert seen == night_of(seen.day, at, zone)
    assert seen.begins <= now < night_of(seen.day + timedelta(days=1), at, zone).begins


@given(DAYS, TIMES, ZONES, st.lists(st.integers(1, 40 * 60), min_size=1, max_size=20))
def test_looking_at_any_times_begins_each_night_once_and_misses_none(
    day: date, at: time, zone: ZoneInfo, steps: list[int]
) -> None:
    """A night that nobody saw is covered by the one that was seen next."""
    now = datetime.combine(day, time(12), tzinfo=UTC)
    seen = []
    for minutes in [0, *steps]:
        now += timedelta(minutes=minutes)
        night = last_night(at, zone, now)
        assert night is not None
        seen.append(night)
    keys = list(dict.fromkeys(night.key for night in seen))
    moments = list(dict.fromkeys(night.begins for night in seen))
    assert len(keys) == len(moments)
    assert moments == sorted(moments)


def test_before_the_first_night_there_is_none() -> None:
    assert last_night(time(22), SHANGHAI, datetime(1, 1, 1, 0, tzinfo=UTC)) is None
