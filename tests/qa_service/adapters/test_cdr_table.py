"""Call detail records: whose they are, what they say for certain, and what a bad line costs."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.adapters.call_metadata import load_metadata
from qa_service.adapters.cdr_rows import read_cdr
from qa_service.adapters.cdr_table import CdrTable, load_cdr
from qa_service.adapters.metadata_fields import parse_fields
from qa_service.domain.call import CallMetadata, Direction
from qa_service.errors import InputError

SHANGHAI = ZoneInfo("Asia/Shanghai")
DATA = Path(__file__).parents[2] / "data/telephony"
EXAMPLES = [json.loads(line) for line in (DATA / "cdr.jsonl").read_text("utf-8").splitlines()]


def load(data: bytes | str, contexts: dict[str, Direction] | None = None) -> CdrTable:
    content = data if isinstance(data, bytes) else data.encode()
    table = load_cdr(content, Path("calls/Master.csv"), time_zone=SHANGHAI, contexts=contexts or {})
    assert table is not None
    return table


def master(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def asterisk(
    *, uniqueid: str = "1706682330.10", src: str = "13800138000", context: str = "from-trunk", agent: str = "8023",
    start: str = "2024-01-31 14:25:30", answer: str = "2024-01-31 14:25:40", app: str = "Dial",
) -> str:  # fmt: skip
    return (
        f'"","{src}","s","{context}","""x"" <{src}>","SIP/trunk-01","SIP/{agent}-02","{app}","x",'
        f'"{start}","{answer}","2024-01-31 14:30:00",150,140,'
        f'"{"ANSWERED" if answer else "NO ANSWER"}","DOCUMENTATION","{uniqueid}",""'
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example['records']}:{example['recording']}")
def test_records_as_the_systems_write_them(example: dict[str, object]) -> None:
    path = DATA / str(example["records"])
    assert isinstance(example["contexts"], dict)
    contexts = {context: Direction(meaning) for context, meaning in example["contexts"].items()}
    table = load_metadata(path, time_zone=SHANGHAI, contexts=contexts)
    assert isinstance(table, CdrTable)
    assert table.warnings == ()
    told = example["told"]
    expected = parse_fields(told, time_zone=SHANGHAI)[0] if isinstance(told, dict) else None
    assert table.lookup(Path("anywhere") / str(example["recording"])) == expected
    assert table.sides(Path(str(example["recording"]))) is None


def test_a_direction_that_is_neither_convention_nor_configured_is_unknown() -> None:
    outbound = Path("1706684400.12.wav")
    told = load((DATA / "asterisk-master.csv").read_bytes()).lookup(outbound)
    assert told is not None
    assert (told.direction, told.agent_id, told.customer_ref, told.ring_count) == (None, None, None, None)
    configured = load((DATA / "asterisk-master.csv").read_bytes(), {"from-trunk": Direction.OUTBOUND})
    trunk = configured.lookup(Path("1706691600.15.wav"))
    assert trunk is not None
    assert trunk.direction is Direction.OUTBOUND, "what the site says wins over the convention"


@pytest.mark.parametrize(
    "line",
    [
        '"","13800138000","s","from-trunk',
        asterisk().replace("14:25:30", "half past two"),
        asterisk().replace('"ANSWERED"', '"PERHAPS"'),
        '"","","',
        "just text",
        '"a "b" c",1,2,3',
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_harms_no_other(line: str) -> None:
    good = [asterisk(uniqueid=f"170668233{n}.1") for n in range(4)]
    table = load(master(*good[:2], line, *good[2:]))
    (warning,) = table.warnings
    assert warning.startswith("metadata_invalid: Master.csv line 3, ")
    assert warning.endswith("; the row is left out")
    for number in range(4):
        told = table.lookup(Path(f"170668233{number}.1.wav"))
        assert told is not None
        assert told.agent_id == "8023"


def test_a_line_in_another_encoding_harms_no_other() -> None:
    lines = [
        asterisk().encode(),
        asterisk(uniqueid="1706682331.1").replace('"x', '"王').encode("gbk"),
        asterisk(uniqueid="1706682332.1").encode() + b"\x00",
        asterisk(uniqueid="1706682333.1").encode(),
    ]
    table = load(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    assert [warning.split(",")[0] for warning in table.warnings] == ["metadata_invalid: Master.csv line 3"]
    assert table.lookup(Path("1706682331.1.wav")) is not None
    assert table.lookup(Path("1706682333.1.wav")) is not None


def test_a_value_that_is_not_allowed_counts_as_unknown() -> None:
    table = load(master(asterisk(start="2024-02-31 14:25:30")))
    (warning,) = table.warnings
    assert warning.startswith("metadata_invalid: Master.csv line 1, column started_at: ")
    told = table.lookup(Path("1706682330.10.wav"))
    assert told is not None
    assert (told.started_at, told.agent_id) == (None, "8023")


def test_agents_that_a_call_had_several_of_stay_unknown() -> None:
    table = load(master(asterisk(), asterisk(agent="8024", answer="2024-01-31 14:27:00")))
    told = table.lookup(Path("1706682330.10.wav"))
    assert told is not None
    assert (told.agent_id, told.ring_count, told.customer_ref) == (None, None, "13800138000")


def test_a_name_that_two_systems_share_belongs_to_the_one_that_is_named() -> None:
    table = load(
        master(
            asterisk(uniqueid="a-1706682330.1", agent="8001"), asterisk(uniqueid="b-1706682330.1", agent="8002")
        )
    )
    told = table.lookup(Path("x-b-1706682330.1.wav"))
    assert told is not None
    assert told.agent_id == "8002"
    assert table.lookup(Path("1706682330.1.wav")) is None


@given(st.integers(0, 3000))
def test_rings_are_the_whole_ones_until_the_answer(waited_s: int) -> None:
    start = datetime(2024, 1, 31, 14, 25, 30)
    row = asterisk(answer=f"{start + timedelta(seconds=waited_s):%Y-%m-%d %H:%M:%S}")
    told = load(master(row)).lookup(Path("1706682330.10.wav"))
    assert told is not None
    assert told.ring_count is not None
    assert told.ring_count * 3 <= waited_s < told.ring_count * 3 + 3


@pytest.mark.parametrize("row", [asterisk(app="Queue"), asterisk(answer=""), asterisk(context="from-internal")])
def test_rings_that_are_not_those_of_a_call_to_an_agent_are_unknown(row: str) -> None:
    told = load(master(row)).lookup(Path("1706682330.10.wav"))
    assert told is not None
    assert told.ring_count is None


def test_records_that_name_no_channel_say_how_to_get_it() -> None:
    with pytest.raises(InputError, match="loguniqueid") as caught:
        load(master(asterisk().rsplit(",", 2)[0]))
    assert caught.value.code == "metadata_unreadable"


def test_only_records_of_other_recordings_altogether_are_named() -> None:
    table = load(master(asterisk(), asterisk(uniqueid="1706682331.1")))
    assert table.unmatched([Path("1706682331.1.wav"), Path("x.wav")]) == ()
    assert table.unmatched([Path("x.wav")]) == ("1706682330.10", "1706682331.1")


@pytest.mark.parametrize(
    "content", ["", "\n", "file,agent_id\na.wav,7\n", "file,src,dst,start,uniqueid\n", "a,b\n1,2\n", "{}", '"'],
)  # fmt: skip
def test_other_files_are_no_records(content: str) -> None:
    assert read_cdr(content.encode()) is None


@given(st.binary())
def test_any_bytes_are_records_or_not(data: bytes) -> None:
    for row in read_cdr(data) or ():
        assert row.values or row.fault


HEADER = "uniqueid,src,dst,dcontext,channel,dstchannel,lastapp,start,answer,billsec,duration,disposition\n"


@given(st.lists(st.binary(max_size=120), max_size=8), st.booleans())
def test_whatever_stands_between_good_rows_costs_only_itself(lines: list[bytes], headed: bool) -> None:
    head = HEADER.encode() if headed else b""
    good = [
        f"1706682331.{n},138001380{n},s,from-trunk,,,Dial,2024-01-31 14:25:30,,0,9,NO ANSWER".encode()
        if headed
        else asterisk(uniqueid=f"1706682331.{n}", src=f"138001380{n}").encode()
        for n in range(10)
    ]
    between = [b" ".join(line.splitlines()) for line in lines]
    table = load(head + b"\n".join([*good[:5], *between, *good[5:]]))
    for number in range(10):
        told = table.lookup(Path(f"1706682331.{number}.wav"))
        assert told is not None
        assert told.customer_ref == f"138001380{number}"


values = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=30)


@given(st.dictionaries(st.sampled_from(HEADER.strip().split(",")[1:]), values))
def test_any_values_are_understood_or_unknown(row: dict[str, str]) -> None:
    columns = HEADER.strip().split(",")
    cells = ['"{}"'.format(row.get(column, "").replace('"', '""')) for column in columns[1:]]
    table = load(HEADER + "1706682330.1," + ",".join(cells) + "\n")
    told = table.lookup(Path("1706682330.1.wav"))
    assert told is None or isinstance(told, CallMetadata)
    assert all(warning.startswith("metadata_invalid: Master.csv line ") for warning in table.warnings)
