"""``qa collect`` as it is used: what it prints, and its exit codes. Engines are fakes."""

import os
from pathlib import Path

import pytest

from tests.buckets import S3, SECRET
from tests.cli import Here, json_lines, refused
from tests.worker.containers import FakeContainer


@pytest.fixture(autouse=True)
def no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "worker.commands.collect.Container",
        lambda settings: FakeContainer(settings.data_dir, settings=settings),
    )


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


def test_each_thing_that_happens_is_a_line(here: Here, incoming: Path) -> None:
    (incoming / "1.wav").write_bytes(b"one")
    (incoming / os.fsdecode(b"caf\xe9\n.wav")).write_bytes(b"")
    result = here("collect", "--format", "json", QA_SOURCES=str(incoming), QA_SETTLE_S="0")
    lines = {line["key"]: line for line in json_lines(result.stdout)}
    assert result.returncode == 1
    assert lines.keys() == {"1.wav", "caf\udce9\n.wav"}
    assert lines["1.wav"] == {
        **{"source": str(incoming), "key": "1.wav", "outcome": "new", "recording_id": 1},
        **{"code": None, "message": None},
    }
    assert (lines["caf\udce9\n.wav"]["outcome"], lines["caf\udce9\n.wav"]["code"]) == ("refused", "file_empty")
    again = here("collect", "--format", "json", QA_SOURCES=str(incoming), QA_SETTLE_S="0")
    assert (again.returncode, again.stdout) == (0, "")


def test_the_table_counts_and_refused_files_are_named(here: Here, incoming: Path) -> None:
    (incoming / "1.wav").write_bytes(b"one")
    (incoming / "2.wav").write_bytes(b"")
    (incoming / "call_metadata.csv").write_text("file,agent_id,shoe_size\n1.wav,7,44\n")
    result = here("collect", QA_SOURCES=str(incoming), QA_SETTLE_S="0")
    assert result.returncode == 1
    assert [name in result.stdout for name in ("new", "known", "told", "waiting", "refused")] == [True] * 5
    assert "2.wav: file_empty" in result.stderr
    assert result.stderr.count("shoe_size") == 1


def test_only_what_is_asked_for(here: Here, incoming: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for folder in (incoming, other):
        (folder / "1.wav").write_bytes(str(folder).encode())
    sources = f"{incoming},{other}"
    arguments = ("collect", "--format", "json", "--source", f"{other}/")
    lines = json_lines(here(*arguments, QA_SOURCES=sources, QA_SETTLE_S="0").stdout)
    assert [line["source"] for line in lines] == [str(other)]


def test_a_source_that_is_away_keeps_no_other_waiting(here: Here, incoming: Path, tmp_path: Path, s3: S3) -> None:
    (incoming / "1.wav").write_bytes(b"one")
    sources = f"{tmp_path / 'unmounted'},s3://nobody-made-it,{incoming}"
    result = here("collect", "--format", "json", QA_SOURCES=sources, QA_SETTLE_S="0")
    assert result.returncode == 1
    assert [line["outcome"] for line in json_lines(result.stdout)] == ["new"]
    assert "source_unavailable" in result.stderr
    assert "bucket_refused" in result.stderr


@pytest.mark.parametrize(
    ("sources", "arguments", "code"),
    [
        ("", (), "sources_missing"),
        ("/srv/calls", ("--source", "/srv/other"), "source_unknown"),
        ("calls", (), "settings_invalid"),
        ("ftp://host/calls", (), "settings_invalid"),
        (f"s3://key:{SECRET}@calls", (), "settings_invalid"),
    ],
)
def test_what_cannot_be_meant(here: Here, sources: str, arguments: tuple[str, ...], code: str) -> None:
    said = refused(here("collect", *arguments, QA_SOURCES=sources))
    assert code in said
    assert SECRET not in said
