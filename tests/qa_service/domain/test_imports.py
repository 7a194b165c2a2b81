"""Values of imported tables: each says one thing, or is refused."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qa_service.domain.agent_states import USUAL_STATES, AgentState, StateSpan, span_of
from qa_service.domain.imported_figures import ImportedFigure, columns_of, figures_of
from qa_service.domain.imports import (
    ImportKind,
    RefusedRowError,
    count_of,
    day_of,
    length_of,
    moment_of,
    month_of,
    number_of,
    share_of,
)
from qa_service.domain.state_times import days_of

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def code_of(read: Callable[[], object]) -> str:
    with pytest.raises(RefusedRowError) as refused:
        read()
    assert refused.value.fault.message
    assert refused.value.fault.remedy
    return refused.value.fault.code


@pytest.mark.parametrize(
    "text", ["2026-10-05", "2026/10/5", "2026.10.05", "20261005", "2026年10月5日", "２０２６-10-05"]
)
def test_days_as_people_write_them(text: str) -> None:
    assert day_of(text, "day") == date(2026, 10, 5)


def test_a_day_is_read_year_last_only_where_there_is_one_reading() -> None:
    assert day_of("25/10/2026", "day") == day_of("10/25/2026", "day") == date(2026, 10, 25)
    assert day_of("5.5.2026", "day") == date(2026, 5, 5)
    for text in ("05/10/2026", "5-10-2026", "10.5.2026"):
        assert code_of(lambda text=text: day_of(text, "day")) == "date_ambiguous"


@pytest.mark.parametrize(
    "text", ["", "5/10/26", "2026-13-01", "2026-02-30", "46300", "2026-10/05", "1026-10-05", "=1+1", "2026-10"]
)
def test_what_is_no_day(text: str) -> None:
    assert code_of(lambda: day_of(text, "day")) == "date_invalid"


def test_months() -> None:
    for text in ("2026-10", "2026/10", "202610", "2026年10月", "2026.10"):
        assert month_of(text, "period") == date(2026, 10, 1)
    for text in ("2026-10-01", "10/2026", "2026", "October 2026"):
        assert code_of(lambda text=text: month_of(text, "period")) == "month_invalid"


def test_moments_are_by_the_sites_clock_unless_they_say_otherwise() -> None:
    for text in ("2026-10-05 09:30:00", "2026/10/5 9:30", "2026-10-05T09:30:00+08:00", "2026-10-05T01:30:00Z"):
        assert moment_of(text, "at", SHANGHAI) == datetime(2026, 10, 5, 1, 30, tzinfo=UTC)


def test_an_hour_that_clocks_showed_twice_or_never_is_nobodys() -> None:
    assert code_of(lambda: moment_of("2026-10-25 02:30:00", "at", BERLIN)) == "time_ambiguous"
    assert code_of(lambda: moment_of("2026-03-29 02:30:00", "at", BERLIN)) == "time_invalid"
    assert moment_of("2026-10-25 02:30:00+01:00", "at", BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-10-05", "2026-10-05 24:00:00", "2026-10-05 9:61", "2026-10-05 09:30+99:00"]
)
def test_what_is_no_moment(text: str) -> None:
    assert code_of(lambda: moment_of(text, "at", SHANGHAI)) == "time_invalid"


def test_shares_are_never_guessed() -> None:
    assert share_of("93%", "x") == share_of("0.93", "x") == share_of("93 ％", "x") == 0.93
    assert share_of("1", "x") == 1.0
    assert code_of(lambda: share_of("93", "x")) == "share_ambiguous"
    assert code_of(lambda: share_of("120%", "x")) == "number_out_of_range"
    assert code_of(lambda: share_of("-0.1", "x")) == "number_out_of_range"


@pytest.mark.parametrize("text", ["=1+1", "1,5", "1e400", "nan", "inf", "٣.٤.٥", "--1", "1.234,5", "+5", ""])
def test_what_is_no_number(text: str) -> None:
    assert code_of(lambda: number_of(text, "x")) == "number_invalid"


def test_numbers_and_lengths() -> None:
    assert number_of("1,234.5", "x") == 1234.5
    assert length_of("0:05:30", "x") == length_of("330", "x") == timedelta(seconds=330)
    assert length_of("-0:00:30", "x") == timedelta(seconds=-30)
    assert code_of(lambda: length_of("0:75:00", "x")) == "number_invalid"
    assert code_of(lambda: count_of("1.5", "x")) == "number_out_of_range"


def far(*patterns: str) -> st.SearchStrategy[str]:
    """Texts of the right form whose digits may be any: the year 0, the 99th hour, fifteen nines."""
    return st.one_of(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True) for pattern in patterns)


FAR_DAYS = far(r"\d{1,6}-\d{1,3}-\d{1,3}", r"\d{8}", r"\d{4}年\d{1,2}月\d{1,2}日", r"\d{1,2}/\d{1,2}/\d{4}")
FAR_TIMES = far(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?")
FAR_MOMENTS = st.one_of(
    st.builds("{} {}".format, FAR_DAYS, FAR_TIMES),
    st.builds("{:%Y-%m-%d} {}".format, st.dates(date(1989, 12, 1), date(2101, 1, 31)), FAR_TIMES),
)
FAR_NUMBERS = far(
    r"-?[09]{1,18}(\.\d{1,18})?%?", r"-?\d{1,3}(,\d{3}){1,6}", r"-?\d{1,4}:\d{2}:\d{2}", r"-?\d+e\d+"
)


@given(st.one_of(st.text(max_size=30), FAR_DAYS, FAR_TIMES, FAR_MOMENTS, FAR_NUMBERS))
@example("999999999999999")
@example("-999999999999999")
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (day_of, month_of, number_of, share_of, count_of, length_of):
        with suppress(RefusedRowError):
            read(text, "x")
    for zone in (SHANGHAI, BERLIN):
        with suppress(RefusedRowError):
            moment_of(text, "x", zone)


def row(**values: str) -> dict[str, str]:
    return {"agent_id": "1024", "state": "通话", "started_at": "2026-10-05 09:00:00", **values}


def read(values: dict[str, str]) -> StateSpan | None:
    return span_of(values, names=USUAL_STATES, zone=SHANGHAI)


def test_a_state_by_its_end_or_its_duration() -> None:
    wanted = StateSpan(
        "1024",
        AgentState.TALK,
        datetime(2026, 10, 5, 1, 0, tzinfo=UTC),
        datetime(2026, 10, 5, 1, 5, 30, tzinfo=UTC),
    )
    assert read(row(ended_at="2026-10-05 09:05:30")) == read(row(duration="0:05:30")) == wanted
    assert read(row(ended_at="2026-10-05 09:05:30", duration="331")) == wanted  # rounded elsewhere
    assert read(row(duration="0")) is None


@given(FAR_MOMENTS, st.one_of(st.just(""), FAR_MOMENTS), st.one_of(st.just(""), FAR_NUMBERS))
def test_any_state_is_read_or_refused(starts: str, ends: str, length: str) -> None:
    """And what is read can be put into its days."""
    with suppress(RefusedRowError):
        span = read(row(started_at=starts, ended_at=ends, duration=length))
        if span is not None:
            assert timedelta(0) < span.ends - span.starts <= timedelta(hours=24)
            assert days_of(span, SHANGHAI)


@pytest.mark.parametrize("length", ["86401", "999999999999999", "999999999999999.9", "999:59:59"])
def test_a_length_beyond_all_measure_is_a_fault_of_its_row(length: str) -> None:
    assert code_of(lambda: read(row(duration=length))) == "duration_absurd"
    assert code_of(lambda: read(row(duration=f"-{length}"))) == "duration_negative"


def test_states_that_cannot_be() -> None:
    cases = {
        "value_missing": row(),
        "state_unknown": row(state="摸鱼", duration="60"),
        "duration_negative": row(ended_at="2026-10-05 08:59:59"),
        "duration_absurd": row(ended_at="2026-10-06 09:00:01"),
        "duration_contradicts": row(ended_at="2026-10-05 09:05:30", duration="400"),
        "date_ambiguous": row(started_at="05/10/2026 09:00", duration="60"),
        "value_invalid": row(agent_id="x" * 201, duration="60"),
    }
    for code, values in cases.items():
        assert code_of(lambda values=values: read(values)) == code
    assert code_of(lambda: read(row(duration="-60"))) == "duration_negative"
    assert code_of(lambda: read(row(duration="86401"))) == "duration_absurd"


def test_figures_of_a_row() -> None:
    values = {
        "agent_id": "1024",
        "period": "2026-10",
        "volume": "1,420",
        "satisfaction": "96%",
        "satisfaction_n": "310",
    }
    assert figures_of(ImportKind.KPI_FIGURES, values) == (
        ImportedFigure("1024", date(2026, 10, 1), True, "volume", 1420),
        ImportedFigure("1024", date(2026, 10, 1), True, "satisfaction", 0.96, 310),
    )
    vendor = {"vendor": "V", "period": "2026-10-05", "response_s": "18.5"}
    assert figures_of(ImportKind.VENDOR_FIGURES, vendor) == (
        ImportedFigure("V", date(2026, 10, 5), False, "response_s", 18.5),
    )


def test_half_a_row_is_not_taken() -> None:
    def of(**values: str) -> str:
        return code_of(
            lambda: figures_of(ImportKind.KPI_FIGURES, {"agent_id": "1", "period": "2026-10", **values})
        )

    assert of() == "value_missing"
    assert of(volume="10", satisfaction="96") == "share_ambiguous"
    assert of(volume="10", satisfaction_n="96") == "value_missing"
    assert of(volume="-1") == "number_out_of_range"
    assert of(volume="10", attitude="101") == "number_out_of_range"
    assert of(volume="10", period="2026-10-05") == "month_invalid"


def test_columns_have_their_names_in_both_languages() -> None:
    columns = columns_of(ImportKind.KPI_FIGURES)
    assert columns["坐席工号"] == "agent_id"
    assert columns["满意度"] == columns["satisfaction"] == "satisfaction"
    assert "放弃率" not in columns
