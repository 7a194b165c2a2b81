"""Disks: what a folder is on, and that trying leaves nothing."""

import shutil
from pathlib import Path

import pytest

from qa_service.adapters.disks import disk_of, kind_of, nearest, try_writing

MOUNTS = """\
22 1 0:21 / / rw,relatime - ext4 /dev/vda rw
23 22 0:22 / /srv rw,relatime shared:5 - nfs4 host:/srv rw
24 23 0:23 / /srv/with\\040space rw - tmpfs tmpfs rw
25 23 0:24 / /srv/twice rw - ext4 /dev/vdb rw
26 25 0:25 / /srv/twice rw - cifs //host/share rw
nonsense
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/nowhere/at/all", "ext4"),
        ("/srv", "nfs4"),
        ("/srvice", "ext4"),
        ("/srv/with space/deep", "tmpfs"),
        ("/srv/twice", "cifs"),
    ],
)
def test_the_file_system_of_a_folder(tmp_path: Path, folder: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert kind_of(Path(folder), mounts=mounts) == kind
    assert kind_of(Path(folder), mounts=tmp_path / "none") == ""


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    disk = disk_of(tmp_path / "a" / "b")
    assert (disk.total_bytes, disk.read_only) == (shutil.disk_usage(tmp_path).total, False)
    assert 0 < disk.free_bytes <= disk.total_bytes
    assert disk.kind
    assert disk_of(tmp_path, mounts=tmp_path / "none").kind == ""
    assert nearest(tmp_path / "a" / "b") == tmp_path


def test_trying_leaves_nothing(tmp_path: Path) -> None:
    try_writing(tmp_path)
    try_writing(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        try_writing(tmp_path / "file" / "below")


def test_bytes_that_come_back_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda _: b"other")
    with pytest.raises(OSError, match="other bytes"):
        try_writing(tmp_path)
    assert list(tmp_path.iterdir()) == []
