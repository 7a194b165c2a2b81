"""Sidecars: whose row it is, what a bad one costs, what cannot be read at all."""

import contextlib
import json
import unicodedata
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.adapters.call_metadata import Sidecar, find_sidecar, load_sidecar
from qa_service.adapters.table_warnings import MAX_WARNINGS
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError

SHANGHAI = ZoneInfo("Asia/Shanghai")


def load(folder: Path, content: str | bytes, *, name: str = "call_metadata.csv") -> Sidecar:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_sidecar(path, time_zone=SHANGHAI)


def load_json(folder: Path, *items: object) -> Sidecar:
    return load(folder, json.dumps(list(items)), name="call_metadata.json")


def unreadable(folder: Path, content: str | bytes, *, name: str = "call_metadata.csv") -> str:
    with pytest.raises(InputError) as caught:
        load(folder, content, name=name)
    assert caught.value.code == "metadata_unreadable"
    assert ": " in caught.value.message
    return caught.value.message


# --- reading ----------------------------------------------------------------------------------------------

FULL = CallMetadata(
    direction=Direction.OUTBOUND,
    agent_name="王小明",
    started_at=datetime(2026, 5, 1, 9, 30, tzinfo=SHANGHAI),
    hold_spans=(TimeSpan(12.0, 95.5), TimeSpan(130.0, 140.0)),
)
TABLE = (
    "file,direction,agent_name,started_at,hold_spans\na.wav,outbound,王小明,2026-05-01T09:30,12.0-95.5;130-140\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    sidecar = load(tmp_path, TABLE.encode(encoding))
    assert sidecar.lookup(tmp_path / "a.wav") == FULL
    assert sidecar.warnings == ()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_dialects(tmp_path: Path, newline: str, delimiter: str) -> None:
    rows = ['"File","Agent_ID"', "", '"a.wav",7', ",", '"b.wav"']
    sidecar = load(tmp_path, newline.join(rows).replace(",", delimiter))
    assert sidecar.lookup(tmp_path / "a.wav") == CallMetadata(agent_id="7")
    assert sidecar.lookup(tmp_path / "b.wav") == CallMetadata()
    assert sidecar.warnings == ()


def test_json(tmp_path: Path) -> None:
    sidecar = load_json(tmp_path, {
        "file": "a.wav", "direction": "outbound", "agent_name": "王小明", "started_at": "2026-05-01T09:30",
        "hold_spans": "12.0-95.5;130-140", "team": None, "queue": "",
    })  # fmt: skip
    assert sidecar.lookup(tmp_path / "a.wav") == FULL
    assert sidecar.warnings == ()


def test_no_rows_are_no_fault(tmp_path: Path) -> None:
    assert load(tmp_path, "file,team\n").lookup(tmp_path / "a.wav") is None
    assert load_json(tmp_path).lookup(tmp_path / "a.wav") is None


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "agent_id,team\n7,T\n", 'file,team\na.wav,"T\n', 'file,team\na.wav,"T"x\n', "file,team,Team\n",
     "file,team\n\0", TABLE.encode("utf-16"), b"file,team\na.wav,\xff\xff\n", b"PK\x03\x04\x14\0\0\0"],
)  # fmt: skip
def test_what_is_no_table(tmp_path: Path, content: str | bytes) -> None:
    assert "call_metadata.csv" in unreadable(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    ["", "{", '{"file": "a.wav"}', '{"file": "a.wav"}\n{"file": "b.wav"}', "[" * 100_000, "[1]",
     '[{"agent_id": 7}]', '[{"file": "a.wav", "ring_count": ' + "9" * 5000 + "}]"],
)  # fmt: skip
def test_what_is_no_json_list(tmp_path: Path, content: str) -> None:
    assert "call_metadata.json" in unreadable(tmp_path, content, name="call_metadata.json")


def test_the_line_of_a_broken_quotation_is_named(tmp_path: Path) -> None:
    assert "line 3" in unreadable(tmp_path, 'file,team\na.wav,"two words"\nb.wav,"T"x\n')


@pytest.mark.parametrize("name", ["missing.csv", ".", "a\0.csv"])
def test_a_sidecar_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        load_sidecar(tmp_path / name, time_zone=SHANGHAI)
    assert caught.value.code == "metadata_unreadable"


# --- faults of rows ---------------------------------------------------------------------------------------


def test_a_bad_value_is_unknown_and_named_with_its_place(tmp_path: Path) -> None:
    sidecar = load(
        tmp_path, 'file,agent_name,ring_count,agent_channel\na.wav,"A\tB",3,0\n\nb.wav,"B C",-1,7\nc.wav,C,2,1\n'
    )
    assert sidecar.lookup(tmp_path / "a.wav") == CallMetadata(ring_count=3, agent_channel=0)
    assert sidecar.lookup(tmp_path / "b.wav") == CallMetadata(agent_name="B C")
    assert sidecar.lookup(tmp_path / "c.wav") == CallMetadata(agent_name="C", ring_count=2, agent_channel=1)
    assert sidecar.warnings == (
        "metadata_invalid: call_metadata.csv line 2, column agent_name: 'A\\tB' is not text of at most 200 "
        "printable characters; treated as unknown",
        "metadata_invalid: call_metadata.csv line 4, column ring_count: '-1' is not a whole number from 0 to "
        "1000; treated as unknown",
        "metadata_invalid: call_metadata.csv line 4, column agent_channel: '7' is not 0 or 1; treated as unknown",
    )


def test_rows_that_cannot_be_trusted_are_left_out(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,agent_name,team\na.wav,Wang, Li,T\n,B,T\nc.wav,C,T\n")
    assert sidecar.lookup(tmp_path / "a.wav") is None
    assert sidecar.lookup(tmp_path / "c.wav") == CallMetadata(agent_name="C", team="T")
    assert [warning.split(",")[0] for warning in sidecar.warnings] == [
        "metadata_invalid: call_metadata.csv line 2",
        "metadata_invalid: call_metadata.csv line 3",
    ]
    sidecar = load_json(tmp_path, "a.wav", {"file": 7}, {"file": "c.wav"}, {"team": "T"})
    assert sidecar.lookup(tmp_path / "c.wav") == CallMetadata()
    assert [warning.split(",")[0] for warning in sidecar.warnings] == [
        "metadata_invalid: call_metadata.json entry 1",
        "metadata_invalid: call_metadata.json entry 2",
        "metadata_invalid: call_metadata.json entry 4",
    ]


def test_unknown_columns_are_kept_and_warned_about_once(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,agentid,Zone,\na.wav,7,north,\nb.wav,,south,\n")
    assert sidecar.lookup(tmp_path / "a.wav") == CallMetadata(extra=(("Zone", "north"), ("agentid", "7")))
    assert sidecar.lookup(tmp_path / "b.wav") == CallMetadata(extra=(("Zone", "south"),))
    assert sidecar.warnings == (
        "metadata_unknown_column: call_metadata.csv, column 'agentid' is not known (is it agent_id?); its values "
        "are kept",
        "metadata_unknown_column: call_metadata.csv, column 'Zone' is not known; its values are kept",
    )


def test_unknown_json_values_are_kept_as_json(tmp_path: Path) -> None:
    sidecar = load_json(tmp_path, {"file": "a.wav", "tags": ["重要", 2], "vip": True, "note": "a\0", "none": None})
    assert sidecar.lookup(tmp_path / "a.wav") == CallMetadata(extra=(("tags", '["重要", 2]'), ("vip", "true")))
    assert any("'note' is too long or not printable" in warning for warning in sidecar.warnings)


def test_a_fault_of_every_row_is_not_told_for_every_row(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,direction,team\n" + "".join(f"{n}.wav,sideways,T\n" for n in range(5000)))
    assert len(sidecar.warnings) == MAX_WARNINGS + 1
    assert sidecar.warnings[-1] == f"metadata_invalid: call_metadata.csv, {5000 - MAX_WARNINGS} more like these"
    assert sidecar.lookup(tmp_path / "4999.wav") == CallMetadata(team="T")


def test_identical_rows_are_one(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,agent_id\na.wav,7\n./a.wav, 7 \n")
    assert sidecar.lookup(tmp_path / "a.wav") == CallMetadata(agent_id="7")
    assert sidecar.warnings == ("metadata_duplicate: call_metadata.csv line 3, repeats line 2; ignored",)


def test_a_conflict_concerns_its_file_only(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,agent_id,team\na.wav,7,T\nb.wav,8,T\na.wav,9,T\na.wav,7,T\n")
    assert sidecar.lookup(tmp_path / "b.wav") == CallMetadata(agent_id="8", team="T")
    with pytest.raises(InputError) as caught:
        sidecar.lookup(tmp_path / "a.wav")
    assert caught.value.code == "metadata_conflict"
    assert "line 2 and line 4 and line 5 disagree about 'a.wav' (agent_id)" in caught.value.message


# --- whose row it is --------------------------------------------------------------------------------------


def test_a_path_relative_to_the_sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = f"file,team\nday1/a.wav,1\nday2\\a.wav,2\n{tmp_path}/day3/a.wav,3\n../a.wav,4\n"
    (tmp_path / "calls").mkdir()
    load(tmp_path, rows)
    monkeypatch.chdir(tmp_path / "calls")
    sidecar = load_sidecar(Path("../call_metadata.csv"), time_zone=SHANGHAI)
    found = [
        sidecar.lookup(path)
        for path in (Path("../day1/a.wav"), tmp_path / "day2" / "a.wav", tmp_path / "day3/../day3/a.wav",
                     tmp_path.parent / "a.wav", tmp_path / "day5/a.wav")
    ]  # fmt: skip
    assert [metadata and metadata.team for metadata in found] == ["1", "2", "3", "4", None]


def test_a_base_name_when_it_can_only_be_that_row(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,team\na.wav,1\nD:\\export\\b.wav,2\nx/c.wav,3\ny/c.wav,4\n")
    for name, team in (("a.wav", "1"), ("b.wav", "2")):
        assert sidecar.lookup(Path("/elsewhere") / name) == CallMetadata(team=team)
    assert sidecar.lookup(Path("/elsewhere/c.wav")) is None


def test_a_row_of_an_existing_file_is_not_lent_to_a_namesake(tmp_path: Path) -> None:
    (tmp_path / "day1").mkdir()
    (tmp_path / "day1" / "0001.wav").touch()
    sidecar = load(tmp_path, "file,agent_id\nday1/0001.wav,7\n")
    assert sidecar.lookup(tmp_path / "day1" / "0001.wav") == CallMetadata(agent_id="7")
    assert sidecar.lookup(tmp_path / "day2" / "0001.wav") is None


def test_composed_and_decomposed_names_are_the_same(tmp_path: Path) -> None:
    sidecar = load(tmp_path, f"file,team\n{unicodedata.normalize('NFC', 'é.wav')},T\n")
    assert sidecar.lookup(tmp_path / unicodedata.normalize("NFD", "é.wav")) == CallMetadata(team="T")


def test_rows_without_a_recording_are_named(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file\na.wav\nb.wav\nday1/c.wav\n")
    assert sidecar.unmatched([tmp_path / "a.wav", Path("/elsewhere/c.wav"), tmp_path / "z.wav"]) == ("b.wav",)


def test_find_sidecar(tmp_path: Path) -> None:
    assert find_sidecar(tmp_path) is None
    (tmp_path / "Master.csv").touch()
    assert find_sidecar(tmp_path) == tmp_path / "Master.csv"
    (tmp_path / "call_metadata.json").touch()
    assert find_sidecar(tmp_path) == tmp_path / "call_metadata.json"
    (tmp_path / "call_metadata.csv").touch()
    assert find_sidecar(tmp_path) == tmp_path / "call_metadata.csv"


def test_there_is_no_sidecar_beside_a_path_that_cannot_be(tmp_path: Path) -> None:
    assert find_sidecar(tmp_path / ("a" * 300)) is None


# --- two files of one call --------------------------------------------------------------------------------


def refused_pair(sidecar: Sidecar, path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        sidecar.sides(path)
    return caught.value


def test_either_file_names_the_call(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,second_file,agent_id\nout/a.wav,in\\a.wav,7\nb.wav,,8\n")
    first, second = tmp_path / "out" / "a.wav", tmp_path / "in" / "a.wav"
    assert sidecar.sides(first) == sidecar.sides(second) == (first, second)
    assert sidecar.lookup(first) == CallMetadata(agent_id="7")
    assert sidecar.sides(tmp_path / "b.wav") is None
    assert sidecar.sides(tmp_path / "c.wav") is None
    assert sidecar.warnings == ()
    assert sidecar.unmatched([first, second]) == ("b.wav",)


def test_both_files_moved_to_another_folder(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,second_file\nD:\\x\\a-out.wav,D:\\x\\a-in.wav\n")
    moved = tmp_path / "moved"
    moved.mkdir()
    first, second = moved / "a-out.wav", moved / "a-in.wav"
    assert sidecar.sides(first) == (first, second), "one that is missing is named where it should be"
    assert sidecar.sides(second) is None, "nothing says that this is not another file of that name"
    first.touch()
    assert sidecar.sides(second) == (first, second)


def test_a_second_file_that_lies_where_the_row_says_is_not_lent(tmp_path: Path) -> None:
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "in.wav").touch()
    sidecar = load(tmp_path, "file,second_file\n1/out.wav,1/in.wav\n")
    assert sidecar.sides(tmp_path / "2" / "in.wav") is None
    assert sidecar.sides(tmp_path / "2" / "out.wav") == (tmp_path / "2" / "out.wav", tmp_path / "2" / "in.wav")


def test_composed_and_decomposed_second_files(tmp_path: Path) -> None:
    on_disk = tmp_path / unicodedata.normalize("NFD", "é-in.wav")
    on_disk.touch()
    sidecar = load(tmp_path, f"file,second_file\na.wav,{unicodedata.normalize('NFC', 'é-in.wav')}\n")
    assert sidecar.sides(tmp_path / "a.wav") == (tmp_path / "a.wav", on_disk)
    assert sidecar.sides(on_disk) == (tmp_path / "a.wav", on_disk)


@pytest.mark.parametrize(
    ("rows", "names", "fault"),
    [
        ("a.wav,./a.wav", "a", "line 2: './a.wav' is both files of the call"),
        ("a.wav,x.wav\nb.wav,x.wav", "abx", "'x.wav' is the second file of more than one call"),
        ("a.wav,b.wav\nb.wav,a.wav", "ab", "chain of second files"),
        ("a.wav,b.wav\nb.wav,c.wav", "abc", "chain of second files"),
    ],
)
def test_pairs_that_cannot_be(tmp_path: Path, rows: str, names: str, fault: str) -> None:
    sidecar = load(tmp_path, f"file,second_file\n{rows}\nfine.wav,fine2.wav\n")
    errors = [refused_pair(sidecar, tmp_path / f"{name}.wav") for name in names]
    assert {error.code for error in errors} == {"pair_invalid"}
    assert [error.message for error in errors if fault not in error.message] == []
    assert all(": " in error.message for error in errors)
    assert sidecar.sides(tmp_path / "fine.wav") is not None


@pytest.mark.parametrize("second", [5, ["b.wav"], "b\0.wav", "\ud800.wav", True])
def test_a_second_file_that_is_no_path_is_not_forgotten(tmp_path: Path, second: object) -> None:
    """As an unknown value it would leave the first file to be scored from one side."""
    sidecar = load_json(tmp_path, {"file": "a.wav", "second_file": second})
    assert refused_pair(sidecar, tmp_path / "a.wav").code == "pair_invalid"


@pytest.mark.parametrize("second", [None, "", " "])
def test_no_second_file(tmp_path: Path, second: object) -> None:
    assert load_json(tmp_path, {"file": "a.wav", "second_file": second}).sides(tmp_path / "a.wav") is None


def test_rows_that_name_different_second_files(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,second_file\na.wav,b.wav\na.wav,c.wav\n")
    for name in "abc":
        error = refused_pair(sidecar, tmp_path / f"{name}.wav")
        assert (error.code, "(second_file)" in error.message) == ("metadata_conflict", True)


def test_a_row_that_forgets_the_second_file(tmp_path: Path) -> None:
    sidecar = load(tmp_path, "file,second_file\na.wav,b.wav\na.wav,\n")
    assert sidecar.sides(tmp_path / "b.wav") == (tmp_path / "a.wav", tmp_path / "b.wav")
    with pytest.raises(InputError, match="metadata_conflict"):
        sidecar.lookup(tmp_path / "a.wav")


# --- anything at all --------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
columns = st.sampled_from(["file", "second_file", "team", "ring_count", "started_at", "hold_spans"]) | st.text(
    max_size=5
)


@given(st.lists(st.dictionaries(columns, json_values, max_size=4) | json_values, max_size=5))
def test_any_json_list_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, items: list[object]) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        sidecar = load_json(folder, *items)
    except InputError as error:
        assert error.code == "metadata_unreadable"  # noqa: PT017 - either outcome is right
        return
    "".join(sidecar.warnings).encode()
    sidecar.unmatched([folder / "a.wav"])
    for path in (folder / "a.wav", *(folder / str(i.get("file")) for i in items if isinstance(i, dict))):
        with contextlib.suppress(InputError):
            sides = sidecar.sides(path)
            assert sides is None or path in sides


@given(st.binary(max_size=60).map(lambda tail: b"file,team,ring_count\n" + tail) | st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    try:
        sidecar = load(tmp_path_factory.getbasetemp(), content)
    except InputError as error:
        assert error.code == "metadata_unreadable"  # noqa: PT017 - either outcome is right
        return
    "".join(sidecar.warnings).encode()
