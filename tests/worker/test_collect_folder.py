"""Folders that are watched: growing, truncated, vanishing and odd files, links, folders that are closed."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from qa_service.db.rows import RecordingRow
from qa_service.errors import TransientError
from tests.clocks import ManualClock
from tests.worker.collecting import CollectingContainer

SETTLE_S = 60.0
RESTED_S = 0.01
"""Longer than a source rests between rounds here."""


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def container(tmp_path: Path, incoming: Path) -> Iterator[CollectingContainer]:
    container = CollectingContainer(tmp_path / "data", str(incoming), settle_s=SETTLE_S)
    yield container
    container.database.dispose()


@pytest.fixture
def wall(container: CollectingContainer, incoming: Path) -> ManualClock:
    """A clock that shows when the folder was made, as the file system sees it."""
    container.wall.advance(incoming.stat().st_ctime - container.wall.now().timestamp())
    return container.wall


def changed_now(path: Path, wall: ManualClock) -> None:
    """The file system's own clock goes on by moments, and that of the test by minutes."""
    os.utime(path, (wall.now().timestamp(), wall.now().timestamp()))


def test_a_growing_file_is_left_alone(container: CollectingContainer, wall: ManualClock, incoming: Path) -> None:
    with (incoming / "1.wav").open("wb") as recorder:
        for _ in range(4):
            recorder.write(b"more ")
            recorder.flush()
            changed_now(incoming / "1.wav", wall)
            assert container.outcomes() == {}
            wall.advance(SETTLE_S / 2)
    assert container.workplace.count(RecordingRow) == 0
    wall.advance(SETTLE_S / 2)
    assert container.outcomes() == {"1.wav": "new"}
    with container.database.unit_of_work() as unit:
        (recording,) = unit.recordings.find("1.wav")
        assert recording.size_bytes == 20


def test_a_file_that_grows_while_it_is_received_is_left_alone(
    container: CollectingContainer, wall: ManualClock, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (incoming / "1.wav").write_bytes(b"half")
    wall.advance(SETTLE_S + 1)
    put_all = container.blobs.put_all

    def meanwhile(sources):  # type: ignore[no-untyped-def]
        with (incoming / "1.wav").open("ab") as recorder:
            recorder.write(b" more")
        return put_all(sources)

    with monkeypatch.context() as patch:
        patch.setattr(container.blobs, "put_all", meanwhile)
        assert container.outcomes() == {}
    assert container.workplace.count(RecordingRow) == 0
    wall.advance(SETTLE_S + 1)
    assert container.outcomes() == {"1.wav": "new"}


def test_a_copy_that_keeps_the_originals_time_is_no_old_file(
    container: CollectingContainer, wall: ManualClock, incoming: Path
) -> None:
    (incoming / "1.wav").write_bytes(b"half")
    os.utime(incoming / "1.wav", (0, 0))
    assert container.outcomes() == {}
    wall.advance(SETTLE_S + 1)
    assert container.outcomes() == {"1.wav": "new"}


def test_a_file_server_whose_clock_is_ahead(
    container: CollectingContainer, wall: ManualClock, incoming: Path
) -> None:
    (incoming / "1.wav").write_bytes(b"one")
    wall.advance(-3600)
    assert container.outcomes() == {}
    wall.advance(SETTLE_S / 2)
    assert container.outcomes() == {}
    wall.advance(SETTLE_S / 2)
    assert container.outcomes() == {"1.wav": "new"}


def test_a_truncated_file_is_taken_again_when_it_is_whole(
    container: CollectingContainer, wall: ManualClock, incoming: Path
) -> None:
    (incoming / "1.wav").write_bytes(b"the wh")
    wall.advance(SETTLE_S + 1)
    assert container.outcomes() == {"1.wav": "new"}
    (incoming / "1.wav").write_bytes(b"the whole call")
    changed_now(incoming / "1.wav", wall)
    assert container.outcomes() == {}
    wall.advance(2 * SETTLE_S)
    assert container.outcomes() == {"1.wav": "new"}


def test_one_side_is_not_taken_while_the_other_grows(tmp_path: Path, incoming: Path) -> None:
    container = CollectingContainer(tmp_path / "data", str(incoming), settle_s=SETTLE_S, leg_suffixes="-out,-in")
    (incoming / "a-in.wav").write_bytes(b"in")
    container.wall.advance(incoming.stat().st_ctime + SETTLE_S + 1 - container.wall.now().timestamp())
    os.utime(incoming / "a-in.wav")
    (incoming / "a-out.wav").write_bytes(b"out")
    os.utime(incoming / "a-out.wav", (4e9, 4e9))  # still being written, as far as anybody can tell
    assert container.outcomes() == {}
    container.wall.advance(SETTLE_S)
    assert container.outcomes() == {"a-out.wav": "new"}
    container.database.dispose()


def test_unfinished_names_are_no_recordings(
    container: CollectingContainer, wall: ManualClock, incoming: Path
) -> None:
    for name in ("1.wav.part", "2.wav.tmp", ".3.wav.x8Fz", ".4.wav", "5.wav~", "~6.wav", "7.filepart"):
        (incoming / name).write_bytes(b"half")
    (incoming / ".spool").mkdir()
    (incoming / ".spool" / "8.wav").write_bytes(b"half")
    os.mkfifo(incoming / "9.wav")
    wall.advance(SETTLE_S + 1)
    assert container.outcomes() == {}
    (incoming / "1.wav.part").rename(incoming / "1.wav")
    wall.advance(SETTLE_S + 1)
    assert container.outcomes() == {"1.wav": "new"}


def test_a_file_that_vanishes_between_listing_and_reading(
    container: CollectingContainer, wall: ManualClock, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (incoming / "1.wav").write_bytes(b"one")
    (incoming / "2.wav").write_bytes(b"two")
    wall.advance(SETTLE_S + 1)
    (source,) = container.collector.sources
    receive = source.receive

    def meanwhile(receiver, first, second):  # type: ignore[no-untyped-def]
        if first.key == "1.wav":
            (incoming / "1.wav").unlink()
        return receive(receiver, first, second)

    monkeypatch.setattr(source, "receive", meanwhile)
    assert container.outcomes() == {"2.wav": "new"}
    assert container.outcomes() == {}
    (incoming / "1.wav").write_bytes(b"one")
    monkeypatch.undo()
    wall.advance(SETTLE_S + 1)
    assert container.outcomes() == {"1.wav": "new"}


def test_links_are_followed_and_loops_end(
    container: CollectingContainer, wall: ManualClock, incoming: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.wav").write_bytes(b"one")
    (incoming / "linked").symlink_to(tmp_path / "elsewhere")
    (incoming / "again").symlink_to(tmp_path / "elsewhere")
    (incoming / "loop").symlink_to(incoming)
    (incoming / "2.wav").symlink_to(tmp_path / "elsewhere" / "1.wav")
    (incoming / "broken.wav").symlink_to(tmp_path / "elsewhere" / "later.wav")
    wall.advance(SETTLE_S + 1)
    assert sorted(container.outcomes().values()) == ["known", "new"]  # through one of both links, and by its own
    (tmp_path / "elsewhere" / "later.wav").write_bytes(b"later")
    wall.advance(2 * SETTLE_S)
    assert sorted(container.outcomes().values()) == ["known", "new"]
    assert container.workplace.count(RecordingRow) == 2


def test_names_that_are_no_unicode_or_hold_line_ends(
    container: CollectingContainer, wall: ManualClock, incoming: Path
) -> None:
    names = [
        b"line\nend.wav",
        b"caf\xe9.wav",
        b"\xff\xfe.wav",
        b" .wav",
        b"-rf.wav",
        b"a..b.wav",
    ]
    for number, name in enumerate(names):
        (incoming / os.fsdecode(name)).write_bytes(b"call %d" % number)
    wall.advance(SETTLE_S + 1)
    assert container.outcomes() == {os.fsdecode(name): "new" for name in names}
    assert container.outcomes() == {}
    assert container.score() == len(names)


def test_a_closed_folder_is_named_once_and_harms_no_other(
    container: CollectingContainer, wall: ManualClock, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (incoming / "closed").mkdir()
    (incoming / "1.wav").write_bytes(b"one")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("/closed"):
            raise PermissionError(13, "Permission denied")  # root may read what is closed to others
        return scandir(path)

    monkeypatch.setattr("os.scandir", refusing)
    wall.advance(SETTLE_S + 1)
    assert container.outcomes() == {"closed": "folder_unreadable", "1.wav": "new"}
    assert container.outcomes() == {}


def refusing_to_open(monkeypatch: pytest.MonkeyPatch, refused: set[str], error: OSError) -> None:
    opened = os.open

    def refusing(path: str, flags: int, *arguments: object, **named: object) -> int:
        if Path(path).name in refused:
            raise error  # root may read what is closed to others
        return opened(path, flags, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("os.open", refusing)


def test_a_file_that_cannot_be_read_is_tried_in_each_round_after_what_is_new(
    container: CollectingContainer, wall: ManualClock, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa_service.services.collect._SHARE", 0)
    for name in ("1.wav", "2.wav"):
        (incoming / name).write_bytes(name.encode())
    wall.advance(SETTLE_S + 1)
    refused = {"1.wav", "2.wav"}
    refusing_to_open(monkeypatch, refused, PermissionError(13, "Permission denied"))
    assert container.outcomes() == {"1.wav": "file_unreadable", "2.wav": "file_unreadable"}
    assert container.outcomes() == {}  # it is told once
    (incoming / "0.wav").write_bytes(b"new")
    wall.advance(SETTLE_S + 1)
    refused.discard("1.wav")
    assert list(container.outcomes()) == ["0.wav", "1.wav"]
    container.collector.turn_s = 0.0
    refused.clear()
    time.sleep(RESTED_S)
    assert container.collector.turn() == 1
    assert container.outcomes() == {}


def test_of_many_that_cannot_be_read_the_one_tried_longest_ago_is_first(
    container: CollectingContainer, wall: ManualClock, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    (source,) = container.collector.sources
    receive = source.receive

    def told(receiver, first, second):  # type: ignore[no-untyped-def]
        tried.append(first.key)
        return receive(receiver, first, second)

    monkeypatch.setattr(source, "receive", told)
    monkeypatch.setattr("qa_service.services.collect._SHARE", 0)
    names = [f"{number}.wav" for number in range(3)]
    for name in names:
        (incoming / name).write_bytes(name.encode())
    refusing_to_open(monkeypatch, set(names), PermissionError(13, "Permission denied"))
    wall.advance(SETTLE_S + 1)
    container.collect()
    container.collector.turn_s = 0.0
    tried.clear()
    for _ in names:
        wall.advance(1)
        time.sleep(RESTED_S)
        container.collector.turn()
    assert sorted(tried) == names


def test_a_share_that_breaks_off_condemns_no_file(
    container: CollectingContainer, wall: ManualClock, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (incoming / "1.wav").write_bytes(b"one")
    wall.advance(SETTLE_S + 1)
    (source,) = container.collector.sources
    receive = source.receive

    def breaking_off(receiver, first, second):  # type: ignore[no-untyped-def]
        incoming.rename(incoming.with_name("away"))
        return receive(receiver, first, second)

    monkeypatch.setattr(source, "receive", breaking_off)
    with monkeypatch.context() as patch:
        refusing_to_open(patch, {"1.wav"}, OSError(116, "Stale file handle"))
        with pytest.raises(TransientError) as caught:
            container.collect()
    assert caught.value.code == "source_unavailable"
    incoming.with_name("away").rename(incoming)
    monkeypatch.undo()
    assert container.outcomes() == {"1.wav": "new"}


def test_a_side_in_another_source_is_that_file(tmp_path: Path, incoming: Path) -> None:
    """And not the one whose name is left when as much is cut off as the folder's name is long."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    table = tmp_path / "all.csv"
    table.write_text(f"file,second_file\n{incoming}/a.wav,{other}/b.wav\n")
    container = CollectingContainer(tmp_path / "data", str(incoming), settle_s=0.0, source_metadata=table)
    (incoming / "a.wav").write_bytes(b"agent")
    (other / "b.wav").write_bytes(b"customer")
    assert container.outcomes() == {"a.wav": "new"}
    with container.database.unit_of_work() as unit:
        (recording,) = unit.recordings.find("a.wav")
    assert recording.second_path == str(other / "b.wav")
    container.database.dispose()


def test_a_share_that_is_not_mounted_takes_nothing_back(
    container: CollectingContainer, wall: ManualClock, incoming: Path, tmp_path: Path
) -> None:
    (incoming / "1.wav").write_bytes(b"one")
    wall.advance(SETTLE_S + 1)
    container.collect()
    incoming.rename(tmp_path / "unmounted")
    with pytest.raises(TransientError) as caught:
        container.collect()
    assert caught.value.code == "source_unavailable"
    time.sleep(RESTED_S)
    with structlog.testing.capture_logs() as logs:
        assert container.collector.turn() == 0
    # Without the message: of a bucket it may hold a file's name.
    assert [set(line) for line in logs] == [{"event", "log_level", "source", "code"}]
    incoming.mkdir()
    assert container.outcomes() == {}
    shutil.rmtree(incoming)
    (tmp_path / "unmounted").rename(incoming)
    assert container.outcomes() == {}
