"""Single values: what is understood, and that a bad one costs only itself."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.adapters.metadata_fields import (
    ALLOWED_FORMS,
    MetadataRow,
    format_hold_spans,
    merge,
    parse_fields,
    parse_hold_spans,
)
from qa_service.domain.call import CallMetadata, Direction, HangupSide, Purpose, RawFormat
from qa_service.domain.timeline import TimeSpan

SHANGHAI = ZoneInfo("Asia/Shanghai")

spans = st.tuples(st.floats(0, 999_999), st.floats(0, 999_999)).map(lambda ends: TimeSpan(*sorted(ends)))


def parse(**values: object) -> CallMetadata:
    metadata, faults = parse_fields(values, time_zone=SHANGHAI)
    assert faults == ()
    return metadata


def test_the_columns_are_those_of_the_domain() -> None:
    assert set(ALLOWED_FORMS) == set(MetadataRow.model_fields) == set(CallMetadata.__slots__) - {"extra"}


def test_a_full_row() -> None:
    assert parse(
        call_id=" c1 ", direction="Inbound", purpose="follow-up", agent_id=1042, agent_name="王小明", team="T",
        vendor="V", queue="Q", customer_ref="138", started_at="2026-05-01T09:30:00", language="zh-CN",
        ring_count="3", hangup_side="agent", agent_channel="1", speakers=2.0, hold_spans="130-140; 12.0-95.5;",
    ) == CallMetadata(
        call_id="c1", direction=Direction.INBOUND, purpose=Purpose.FOLLOW_UP, agent_id="1042",
        agent_name="王小明", team="T", vendor="V", queue="Q", customer_ref="138",
        started_at=datetime(2026, 5, 1, 9, 30, tzinfo=SHANGHAI), language="zh", ring_count=3,
        hangup_side=HangupSide.AGENT, agent_channel=1, speakers=2,
        hold_spans=(TimeSpan(12.0, 95.5), TimeSpan(130.0, 140.0)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "clock"),
    [
        ("2026-05-01T21:30:00", "21:30"),
        ("2026-05-01T21:30:00+09:00", "21:30"),  # the clock of another place
        ("2026-05-01T13:30:00Z", "21:30"),  # a moment: the site's clock showed half past nine
        ("2026-05-01T13:30:00+00:00", "21:30"),
    ],
)
def test_a_moment_is_told_by_a_clock(written: str, clock: str) -> None:
    started_at = parse(started_at=written).started_at
    assert started_at is not None
    assert started_at == datetime.fromisoformat(written).replace(
        tzinfo=datetime.fromisoformat(written).tzinfo or SHANGHAI
    )
    assert f"{started_at:%H:%M}" == clock


def test_blank_is_unknown() -> None:
    assert parse(**dict.fromkeys(ALLOWED_FORMS, " ")) == CallMetadata()
    assert parse(**dict.fromkeys(ALLOWED_FORMS, None)) == CallMetadata()


@pytest.mark.parametrize(
    ("column", "value"),
    [("direction", "foo"), ("purpose", "chat"), ("hangup_side", "nobody"), ("ring_count", -1),
     ("ring_count", "-1"), ("ring_count", "2.5"), ("ring_count", True),
     ("ring_count", 1e308), ("ring_count", float("nan")),
     ("ring_count", "9" * 400), ("agent_channel", 7), ("agent_channel", "left"), ("speakers", 0),
     ("started_at", "yesterday"), ("started_at", "2026-05-01"), ("started_at", 1777600000),
     ("started_at", "2026-02-30T10:00"), ("started_at", "0001-01-01T00:00"), ("started_at", "9999-12-31T23:59Z"),
     ("hold_spans", "95-12"), ("hold_spans", "12"), ("hold_spans", "-5-3"), ("hold_spans", "1-2;;3-4"),
     ("hold_spans", "1-inf"), ("hold_spans", [[1, 2]]), ("language", "中文"), ("language", "e"),
     ("agent_name", ["A"]), ("agent_name", "a\0b"), ("agent_name", "x" * 201), ("call_id", "\ud800"),
     ("call_id", 1.5)],
)  # fmt: skip
def test_a_bad_value_is_a_fault_and_the_others_are_kept(column: str, value: object) -> None:
    others = {"team": "T", "queue": "Q"}
    metadata, faults = parse_fields({column: value, **others}, time_zone=SHANGHAI)
    assert metadata == CallMetadata(team="T", queue="Q")
    assert [(fault.column, fault.value) for fault in faults] == [(column, value)]
    assert column in str(faults[0])
    assert ALLOWED_FORMS[column] in str(faults[0])
    assert len(str(faults[0])) < 250


def test_a_bad_customer_reference_is_not_repeated() -> None:
    _, faults = parse_fields({"customer_ref": "13800138000\0"}, time_zone=SHANGHAI)
    assert "13800138000" not in str(faults[0])


@pytest.mark.parametrize(
    ("text", "utc_hour"),
    [("2026-05-01T09:30:00", 1), ("2026-05-01 09:30", 1), ("20260501T093000", 1), ("2026-05-01T09:30:00Z", 9),
     ("2026-05-01T09:30:00.5+02:00", 7)],
)  # fmt: skip
def test_a_time_without_an_offset_is_the_sites(text: str, utc_hour: int) -> None:
    started_at = parse(started_at=text).started_at
    assert started_at is not None
    assert started_at.astimezone(UTC).hour == utc_hour


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30)),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_offset_is_kept(moment: datetime, offset_min: int) -> None:
    offset = timedelta(minutes=offset_min)
    sign, hours, minutes = "-" if offset_min < 0 else "+", abs(offset_min) // 60, abs(offset_min) % 60
    started_at = parse(started_at=f"{moment.isoformat()}{sign}{hours:02}:{minutes:02}").started_at
    assert started_at is not None
    assert started_at == moment.replace(tzinfo=timezone(offset))
    if offset:  # UTC is a moment, told by the site's clock
        assert started_at.replace(tzinfo=None) == moment
        assert started_at.utcoffset() == offset


@pytest.mark.parametrize(
    ("code", "language"),
    [("EN", "en"), ("zh_TW", "zh"), ("cmn-Hans-CN", "zh"), ("yue", "yue"), ("Mixed", "mixed")],
)
def test_languages_lose_their_region(code: str, language: str) -> None:
    assert parse(language=code).language == language


@given(st.lists(spans, min_size=1))
def test_hold_spans_round_trip(holds: list[TimeSpan]) -> None:
    expected = tuple(sorted(holds))
    assert parse_hold_spans(format_hold_spans(expected)) == expected


@given(
    st.dictionaries(
        st.sampled_from(sorted(ALLOWED_FORMS)), st.text() | st.integers() | st.floats() | st.booleans()
    )
)
def test_any_value_is_understood_or_a_fault(values: dict[str, object]) -> None:
    metadata, faults = parse_fields(values, time_zone=SHANGHAI)
    for fault in faults:
        assert getattr(metadata, fault.column) is None
        str(fault).encode()


def test_merge_believes_the_first() -> None:
    first = CallMetadata(agent_id="1", agent_channel=0, extra=(("b", "1"), ("z", "1")))
    second = CallMetadata(agent_id="2", agent_channel=1, team="T", extra=(("a", "2"), ("b", "2")))
    assert merge(first, second) == CallMetadata(
        agent_id="1", agent_channel=0, team="T", extra=(("a", "2"), ("b", "1"), ("z", "1"))
    )
    assert merge(first, CallMetadata()) == merge(CallMetadata(), first) == first


def test_a_channel_map_and_a_raw_format() -> None:
    known = parse(channel_map="2, 0", raw_format="mulaw/8000")
    assert known.channel_map == (2, 0)
    assert known.raw_format == RawFormat("mulaw", 8000, 1)
    assert parse(raw_format="s16le/16000/2").raw_format == RawFormat("s16le", 16000, 2)
    assert parse(channel_map="1").channel_map == (1,)


@pytest.mark.parametrize("values", [{"channel_map": "0,0"}, {"channel_map": "0,1,2"}, {"raw_format": "mulaw"}])
def test_a_channel_map_or_raw_format_that_means_nothing_is_unknown(values: dict[str, object]) -> None:
    metadata, faults = parse_fields(values, time_zone=SHANGHAI)
    assert metadata == CallMetadata()
    assert [fault.column for fault in faults] == list(values)
