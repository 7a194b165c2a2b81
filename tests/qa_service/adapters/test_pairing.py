"""Which files are one call: none is scored twice or from one side, and contradictions concern their calls only."""

from pathlib import Path

import pytest

from qa_service.adapters.pairing import Legs, legs_of, pair
from qa_service.errors import InputError
from qa_service.ports.sources import CallFiles

ENDS = ("-out", "-in")


@pytest.mark.parametrize("name", ["7-out.wav", "7-in.wav"])
def test_either_leg_names_both(name: str) -> None:
    expected = Legs(Path("x/7-out.wav"), Path("x/7-in.wav"), Path("x/7.wav"))
    assert legs_of(Path("x") / name, ENDS) == expected


@pytest.mark.parametrize("name", ["7.wav", "7-out-.wav", "7-OUT.wav", "-outside.wav", "7.out.wav", "in.wav"])
def test_other_names_are_no_legs(name: str) -> None:
    assert legs_of(Path(name), ENDS) is None


def test_a_name_that_is_only_its_ending() -> None:
    assert legs_of(Path("-in.wav"), ENDS) == Legs(Path("-out.wav"), Path("-in.wav"), Path("-in.wav"))


def by_suffix(file: Path) -> tuple[Path, Path] | None:
    legs = legs_of(file, ENDS)
    return (legs.first, legs.second) if legs else None


def paths(calls: list[CallFiles]) -> list[tuple[str, ...]]:
    return [tuple(path.name for path in call.paths) for call in calls]


def test_a_call_stands_where_its_first_file_does(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("b-in.wav", "a.wav", "c-out.wav", "b-out.wav", "c-in.wav")]
    calls = pair(files, sides=by_suffix)
    assert paths(calls) == [("b-out.wav", "b-in.wav"), ("a.wav",), ("c-out.wav", "c-in.wav")]
    assert {call.fault for call in calls} == {None}


def test_a_leg_without_its_partner_is_a_call_of_both(tmp_path: Path) -> None:
    """So that the missing file is what is reported, and never one side scored."""
    assert paths(pair([tmp_path / "a-in.wav"], sides=by_suffix)) == [("a-out.wav", "a-in.wav")]


def test_files_are_named_as_the_list_spells_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = Path("a.wav"), Path("../") / tmp_path.name / "b.wav"
    (call,) = pair([first, second], sides=lambda _: (tmp_path / "a.wav", tmp_path / "b.wav"))
    assert call.paths == (first, second)


def test_a_side_is_no_call_by_itself(tmp_path: Path) -> None:
    """Another folder's table may know nothing of it."""
    first, second = tmp_path / "out" / "a.wav", tmp_path / "in" / "a.wav"
    for files in ([first, second], [second, first]):
        calls = pair(files, sides=lambda file: (first, second) if file == first else None)
        assert [call.paths for call in calls] == [(first, second)]


def test_a_file_in_two_calls(tmp_path: Path) -> None:
    a, b, c, fine = (tmp_path / f"{name}.wav" for name in ("a", "b", "c", "fine"))
    told = {a: (a, b), c: (c, b)}
    calls = pair([a, b, c, fine], sides=told.get)
    assert [(call.path, call.fault and call.fault.code) for call in calls] == [
        (a, "pair_invalid"),
        (c, "pair_invalid"),
        (fine, None),
    ]
    assert calls[0].fault is not None
    assert "b.wav is in more than one call (a.wav + b.wav and c.wav + b.wav): " in calls[0].fault.message


def test_a_file_that_nothing_certain_is_known_of_keeps_its_place(tmp_path: Path) -> None:
    def sides(file: Path) -> None:
        if file.name == "b.wav":
            raise InputError("metadata_unreadable", "call_metadata.csv is not text: save it as CSV")

    calls = pair([tmp_path / name for name in ("a.wav", "b.wav", "c.wav")], sides=sides)
    assert [call.fault and call.fault.code for call in calls] == [None, "metadata_unreadable", None]
