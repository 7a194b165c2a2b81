"""The check of sources: folders and buckets that can be looked through, or why not."""

import os
from pathlib import Path

import pytest

from qa_service.services.diagnosis import Finding, State
from qa_service.settings import Settings
from tests.buckets import S3
from worker.doctor.sources import sources


def look(*names: object, table: Path | None = None) -> Finding:
    return sources(Settings(data_dir=Path("/nowhere"), sources=tuple(map(str, names)), source_metadata=table))


def test_no_sources_are_no_fault() -> None:
    assert look().state is State.OK


def test_sources_in_order(tmp_path: Path, s3: S3) -> None:
    (tmp_path / "1.wav").write_bytes(b"one")
    drawer = s3.new_bucket()
    drawer.put("in/1.wav", b"one")
    drawer.put("in/2.wav", b"two")
    found = look(tmp_path, f"{drawer.url}/in")
    assert found.state is State.OK
    assert f"{tmp_path}: 1 recordings" in found.measured
    assert f"{drawer.url}/in: 2 recordings" in found.measured


def test_a_source_that_is_not_there(tmp_path: Path, s3: S3) -> None:
    for name in (tmp_path / "unmounted", "s3://nobody-made-it"):
        found = look(tmp_path, name)
        assert (found.state, str(name) in found.measured, bool(found.remedy)) == (State.FAILED, True, True)


def test_a_file_server_whose_clock_is_ahead(tmp_path: Path) -> None:
    (tmp_path / "1.wav").write_bytes(b"one")
    assert look(tmp_path).state is State.OK
    os.utime(tmp_path / "1.wav", (4e9, 4e9))
    assert (look(tmp_path).state, "ahead" in look(tmp_path).measured) == (State.WARNING, True)


def test_files_of_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.wav").write_bytes(b"one")
    monkeypatch.setattr("os.access", lambda *_: False)  # root may read everything
    assert look(tmp_path).state is State.FAILED


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    assert look(tmp_path, table=tmp_path / "Master.csv").state is State.FAILED
    (tmp_path / "Master.csv").write_text("file\n")
    assert look(tmp_path, table=tmp_path / "Master.csv").state is State.OK


def test_a_source_in_another(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    assert look(tmp_path, tmp_path / "day").state is State.WARNING
    (tmp_path / "day-2").mkdir()
    assert look(tmp_path / "day", tmp_path / "day-2").state is State.OK
