"""YAML as a plain tree: where everything stands, what a pack may not hold, and how little it may cost."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.documents import MAX_BYTES, MAX_FAULTS_PER_FILE, Fault, Faults, read_document
from rules.yaml_tree import MAX_DEPTH, Map, Place, parse, place_of

FILE = Path("pack/asked.yaml")


def read(text: str) -> tuple[Any, list[tuple[int, int, str]]]:
    faults: list[tuple[int, int, str]] = []

    def report(place: Place, what: str, fix: str) -> None:
        faults.append((place.line, place.column, what))

    return parse(text, FILE, report), faults


def test_scalars_follow_the_core_schema() -> None:
    tree, faults = read(
        "a: 12\nb: -1.5\nc: true\nd: ~\ne:\nf: off\ng: '12'\nh: 1e3\ni: 0x10\nj: .nan\nk: 10:30\nl: 2026-01-01"
    )
    assert faults == []
    assert tree == {
        "a": 12, "b": -1.5, "c": True, "d": None, "e": None, "f": "off", "g": "12", "h": 1000.0, "i": "0x10",
        "j": ".nan", "k": "10:30", "l": "2026-01-01",
    }  # fmt: skip


def test_keys_are_text() -> None:
    assert read("1: a\nyes: b\n~: c")[0] == {"1": "a", "yes": "b", "~": "c"}


def test_everything_knows_its_place() -> None:
    tree, _ = read("one:\n  - a\n  - {two: 3}\ntext: |\n  first\nflat: words\n")
    for trail, place in {
        (): (1, 1),
        ("one",): (1, 1),
        ("one", 0): (2, 5),
        ("one", 1): (3, 5),
        ("one", 1, "two"): (3, 6),
        ("one", 1, "nowhere", "two"): (3, 5),
        ("one", 7): (1, 1),
    }.items():
        assert place_of(tree, trail, Place(FILE, 9, 9)) == (FILE, *place)
    assert place_of("no tree", ("a",), Place(FILE, 9, 9)) == (FILE, 9, 9)
    assert tree.text_lines["text"] == 5
    assert tree.text_lines["flat"] == 6


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: &x 1", (1, 4, "an anchor (&x)")),
        ("a: 1\nb: *x", (2, 4, "an alias (*x)")),
        ("a: !!python/object:os.system {}", (1, 4, "a tag (tag:yaml.org,2002:python/object:os.system)")),
        ("a: !!str 1", (1, 4, "a tag (tag:yaml.org,2002:str)")),
        ("a: !own 1", (1, 4, "a tag (!own)")),
        ("a: 1\nb: 2\na: 3", (3, 1, "duplicate key 'a'")),
        ("{a: 1}: 2", (1, 1, "a key that is not a word")),
        ("? [a, b]\n: 2", (1, 3, "a key that is not a word")),
        ("a: 1\n---\nb: 2", (2, 1, "a second document in the file")),
        ("a: 1\nb: '\u200b'", (2, 5, "invisible character U+200B")),
        ("a: 1\nb: x\0", (2, 5, "invisible character U+0000")),
        ("a: x\ufeff", (1, 5, "invisible character U+FEFF")),
        ("a: \u202eabc", (1, 4, "invisible character U+202E")),
        ("a: \ufffd", (1, 4, "invisible character U+FFFD")),
        ("a: [1", (1, 6, "not valid YAML: did not find expected ',' or ']'")),
        ("a: b: c", (1, 5, "not valid YAML: mapping values are not allowed in this context")),
        ("\ta: 1", (1, 1, "not valid YAML: found character that cannot start any token")),
    ],
)  # fmt: skip
def test_what_a_pack_may_not_hold(text: str, fault: tuple[int, int, str]) -> None:
    assert read(text)[1] == [fault]


def test_a_bomb_of_aliases_is_refused_where_it_starts() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    tree, faults = read("\n".join(lines))
    assert tree is None
    assert faults[0] == (1, 5, "an anchor (&a0)")


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, "a:\n" + " " * 9 + "- " * 500])
def test_deep_nesting(text: str) -> None:
    tree, faults = read(text)
    assert tree is None
    assert [what for _, _, what in faults] == ["nested too deep"]


def test_keys_inside_keys_are_no_words() -> None:
    tree, faults = read("? " * 5000)
    assert tree is None
    assert faults[-1][2] == "nested too deep"


def test_as_deep_as_allowed() -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH)[1] == []


def told(folder: pytest.TempPathFactory, content: bytes) -> None:
    """A file is read as a mapping, or has at least one fault; nothing is raised."""
    file = folder.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    faults = Faults()
    tree = read_document(file, faults)
    assert isinstance(tree, Map) or len(faults) > 0
    assert all(fault.place.line >= 1 and fault.place.column >= 1 for fault in faults.found)


SYNTAX = st.sampled_from(list("ab:-[]{}&*!|>?'\"#%@,=<\\ \r\n\t~1.0您\ufeff\0\u2028\x85"))


@given(text=st.text(alphabet=SYNTAX, max_size=60))
def test_arbitrary_syntax(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    told(tmp_path_factory, text.encode())


@given(text=st.text(max_size=200))
def test_arbitrary_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    told(tmp_path_factory, text.encode("utf-8", "surrogatepass"))


@given(content=st.binary(max_size=200))
def test_arbitrary_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    told(tmp_path_factory, content)


# Each is as large as a file may be, and built to be slow somewhere.
HEAVY = {
    "flow": "a: [" + "x," * 500_000 + "]",
    "aliases": "a: [" + "*x," * 340_000 + "]",
    "duplicates": "a: 1\n" * 200_000,
    "keys": "".join(f"k{i}: \n" for i in range(100_000)),
    "quotes": 'a: "' + "\\u4e00" * 170_000 + '"',
    "one word": "a" * 1_000_000,
    "one key": "a" * 1_000_000 + ": 1",
    "brackets": "a: [" + "[],{}," * 160_000 + "]",
    "tags": "a: [" + "!x a," * 200_000 + "]",
    "comments": "#\n" * 500_000,
    "questions": "? a\n" * 250_000,
}


@pytest.mark.parametrize("name", HEAVY)
def test_a_large_file_takes_bounded_time(tmp_path: Path, name: str) -> None:
    file = tmp_path / "heavy.yaml"
    file.write_text(HEAVY[name][:MAX_BYTES], encoding="utf-8")
    faults = Faults()
    started = time.process_time()
    read_document(file, faults)
    assert time.process_time() - started < 20  # about 3 s for the slowest on one slow core
    assert len(faults.found) <= MAX_FAULTS_PER_FILE + 1


def test_so_many_faults_of_a_file_and_no_more() -> None:
    faults = Faults()
    for line in range(1, 500):
        faults.add(Place(FILE, line), "wrong")
    faults.add(Place(Path("pack/other.yaml")), "wrong")
    assert len(faults) == MAX_FAULTS_PER_FILE + 2
    assert [f.what for f in faults.found if f.place.file == FILE][-1] == "more faults than are listed"


def test_a_fault_is_told_once_and_in_order() -> None:
    faults = Faults()
    for line in (7, 3, 7):
        faults.add(Place(FILE, line, 2), "wrong", "right it")
    assert [str(fault) for fault in faults.found] == [
        "pack/asked.yaml:3:2: wrong (right it)",
        "pack/asked.yaml:7:2: wrong (right it)",
    ]
    assert str(Fault(Place(FILE), "wrong")) == "pack/asked.yaml:1:1: wrong"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "asked.yaml")
    faults = Faults()
    assert read_document(tmp_path / "asked.yaml", faults) is None
    assert [fault.what for fault in faults.found] == ["not a regular file"]


def test_an_editors_mark_at_the_start_is_harmless(tmp_path: Path) -> None:
    file = tmp_path / "asked.yaml"
    file.write_bytes(b"\xef\xbb\xbfrule: asked\r\ntitle: x\r\n")
    faults = Faults()
    tree = read_document(file, faults)
    assert isinstance(tree, Map)
    assert tree == {"rule": "asked", "title": "x"}
    assert tree.places["title"].line == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "gb18030"])
def test_another_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "asked.yaml"
    file.write_bytes("rule: asked\ntitle: 工号\n".encode(encoding))
    faults = Faults()
    assert read_document(file, faults) is None
    assert len(faults) == 1
