"""Disks that are full, gone, read-only or not meant to last."""

import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from qa_service.services.diagnosis import State
from qa_service.settings import Settings
from worker.doctor import storage
from worker.doctor.storage import blobs, temporary

GIB = 1024**3


@pytest.fixture(autouse=True)
def plain_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests themselves lie on, it is a disk with room."""
    room(monkeypatch, 50 * GIB)
    monkeypatch.setattr("qa_service.adapters.disks.kind_of", lambda *_, **__: "ext4")


def room(monkeypatch: pytest.MonkeyPatch, free: float, total: float = 100 * GIB) -> None:
    usage = SimpleNamespace(total=int(total), used=int(total - free), free=int(free))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def mounted(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("qa_service.adapters.disks.kind_of", lambda *_, **__: kind)


def test_a_blob_store_in_order(tmp_path: Path) -> None:
    found = blobs(Settings(data_dir=tmp_path))
    assert (found.state, found.remedy) == (State.OK, "")
    assert "blobs can be made; 50.0 GiB free (50%)" in found.measured
    (tmp_path / "blobs").mkdir()
    assert "written and read back" in blobs(Settings(data_dir=tmp_path)).measured
    assert [path.name for path in tmp_path.rglob("*")] == ["blobs"]


@pytest.mark.parametrize(
    ("free", "state"),
    [(10.1, State.OK), (9.9, State.WARNING), (1.01, State.WARNING), (0.99, State.FAILED), (0, State.FAILED)],
)
def test_room_for_blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, state: State) -> None:
    room(monkeypatch, free * GIB)
    found = blobs(Settings(data_dir=tmp_path))
    assert (found.state, "QA_DATA_DIR" in found.remedy) == (state, state is not State.OK)


def test_a_small_disk_that_is_empty_is_still_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 0.5 * GIB, 0.5 * GIB)
    assert blobs(Settings(data_dir=tmp_path)).state is State.FAILED


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    found = blobs(Settings(data_dir=tmp_path / "data"))
    assert (found.state, "Not a directory" in found.measured) == (State.FAILED, True)


def test_a_read_only_mount_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    found = blobs(Settings(data_dir=tmp_path))
    assert (found.state, "mounted read-only" in found.measured) == (State.FAILED, True)


@pytest.mark.parametrize(
    ("kind", "state"), [("overlay", State.WARNING), ("tmpfs", State.WARNING), ("xfs", State.OK)]
)
def test_storage_that_does_not_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, state: State
) -> None:
    mounted(monkeypatch, kind)
    assert blobs(Settings(data_dir=tmp_path)).state is state


def test_a_folder_of_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blobs").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "blobs").stat().st_uid + 1)
    found = blobs(Settings(data_dir=tmp_path))
    assert (found.state, "account" in found.remedy) == (State.WARNING, True)


@pytest.mark.parametrize(
    ("free_mib", "state"),
    [
        (900, State.OK),  # four hours at 64,000 bytes a second are 879 MiB
        (860, State.WARNING),
        (150, State.WARNING),  # a batch of 20 minutes is 73 MiB, of two processes 147
        (140, State.FAILED),
    ],
)
def test_room_for_decoded_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mib: int, state: State
) -> None:
    room(monkeypatch, free_mib * 1024**2)
    found = temporary(Settings(data_dir=tmp_path, processes=2))
    assert (found.state, "TMPDIR" in found.remedy) == (state, state is not State.OK)


def test_short_recordings_need_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room(monkeypatch, 10 * 1024**2)
    assert temporary(Settings(data_dir=tmp_path, processes=1, max_duration_s=60.0)).state is State.OK


def test_a_temporary_folder_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, "tmpfs")
    found = temporary(Settings(data_dir=tmp_path, processes=1))
    assert (found.state, "it is memory" in found.measured) == (State.WARNING, True)


def test_no_temporary_folder_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone" / "file"))
    (tmp_path / "gone").touch()
    found = temporary(Settings(data_dir=tmp_path, processes=1))
    assert (found.state, str(storage.Path(tmp_path / "gone")) in found.measured) == (State.FAILED, True)
