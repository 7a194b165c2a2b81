"""Bad input that needs no speech: files that change under the reader, tables, full disks."""

import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from qa_service.adapters.discovery import discover
from qa_service.adapters.metadata_sources import MetadataSources
from qa_service.db.rows import JobRow, RecordingRow
from tests.cli import QA, environment, json_lines, qa
from tests.hostile import flac_of_zeros
from tests.worker.containers import FakeContainer
from worker import schedule
from worker.scoring import Failed, Listener, Scored, score

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(schedule, "POLL_S", 0.05)
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def container(tmp_path: Path) -> Iterator[FakeContainer]:
    container = FakeContainer(tmp_path / "data")
    yield container
    container.database.dispose()


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    for name in ("a.wav", "c.wav"):
        (folder / name).write_bytes(name.encode())
    return folder


def scan(
    container: FakeContainer,
    folder: Path,
    *,
    listed: Callable[[], object] = lambda: None,
    said: list[str] | None = None,
) -> dict[str, str]:
    """Answers by name; ``listed`` is called between listing the folder and reading it."""
    warn = [].append if said is None else said.append
    sources = MetadataSources(container.metadata_options, None, warn)
    found = sources.calls(discover([folder]))
    listed()
    answers: list[Scored | Failed] = list(
        score(container, found, metadata=sources, pack=None, listener=Listener(warn))
    )
    return {answer.path.name: answer.code if isinstance(answer, Failed) else "scored" for answer in answers}


def test_a_file_that_vanishes_after_it_was_listed(container: FakeContainer, calls: Path) -> None:
    gone = calls / "b.wav"
    gone.write_bytes(b"b")
    assert scan(container, calls, listed=gone.unlink) == {
        "a.wav": "scored",
        "b.wav": "file_missing",
        "c.wav": "scored",
    }
    assert container.workplace.count(RecordingRow) == len(container.workplace.stored_blobs()) == 2


def test_a_file_that_becomes_a_folder(container: FakeContainer, calls: Path) -> None:
    swapped = calls / "b.wav"
    swapped.write_bytes(b"b")

    def swap() -> None:
        swapped.unlink()
        swapped.mkdir()

    assert scan(container, calls, listed=swap)["b.wav"] == "file_unreadable"


def test_a_file_that_grows_while_it_is_read(container: FakeContainer, calls: Path) -> None:
    """As a recorder leaves it: what is there is half a call."""
    growing, stop = calls / "b.wav", threading.Event()
    growing.write_bytes(bytes(64 * MIB))

    def grow() -> None:
        with growing.open("ab") as file:
            while not stop.wait(0.002):
                file.write(b"more")
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        answers = scan(container, calls)
    finally:
        stop.set()
        writer.join()
    assert answers == {"a.wav": "scored", "b.wav": "file_changing", "c.wav": "scored"}
    assert container.workplace.count(RecordingRow) == len(container.workplace.stored_blobs()) == 2
    assert scan(container, calls)["b.wav"] == "scored"


def test_both_sides_vanish_or_one(container: FakeContainer, calls: Path) -> None:
    (calls / "call_metadata.csv").write_text("file,second_file\na.wav,b.wav\n", "utf-8")
    (calls / "b.wav").write_bytes(b"b")
    assert scan(container, calls, listed=(calls / "b.wav").unlink) == {"a.wav": "side_missing", "c.wav": "scored"}


def test_the_same_bad_file_under_two_names(container: FakeContainer, calls: Path) -> None:
    for name in ("b.wav", "d.wav"):
        (calls / name).write_bytes(b"humming")
    said: list[str] = []
    for _ in range(2):
        answers = scan(container, calls, said=said)
        assert answers == {"a.wav": "scored", "b.wav": "no_words", "c.wav": "scored", "d.wav": "no_words"}
    assert [line.rpartition("/")[2] for line in said] == ["b.wav: scored as one recording"] * 2
    assert container.workplace.count(JobRow) == container.workplace.count(RecordingRow) == 3


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"file,team\na.wav,T\x00\n", "metadata_unreadable"),
        (b"PK\x03\x04\x00\x00", "metadata_unreadable"),
        (b"\xff\xfef\x00i\x00l\x00e\x00", "metadata_unreadable"),
        ("file,team\na.wav,客服\n".encode("gbk"), "scored"),
        (b"file,team\na.wav,1\na.wav,2\n", "metadata_conflict"),
    ],
)
def test_a_table_costs_its_own_recordings(
    container: FakeContainer, calls: Path, content: bytes, code: str
) -> None:
    (calls / "call_metadata.csv").write_bytes(content)
    (calls / "other").mkdir()
    (calls / "other" / "e.wav").write_bytes(b"e")
    answers = scan(container, calls)
    assert (answers["a.wav"], answers["e.wav"]) == (code, "scored")


def test_a_table_of_a_hundred_thousand_rows(container: FakeContainer, calls: Path) -> None:
    rows = "".join(f"{n:06d}.wav,{n},inbound,2026-05-01T09:30:00\n" for n in range(100_000))
    (calls / "call_metadata.csv").write_text(f"file,agent_id,direction,started_at\n{rows}a.wav,7,sideways,\n")
    said: list[str] = []
    started = time.monotonic()
    assert set(scan(container, calls, said=said).values()) == {"scored"}
    assert time.monotonic() - started < 60
    assert len(said) == 1
    assert "line 100002" in said[0]


def test_what_a_name_may_hold(container: FakeContainer, calls: Path) -> None:
    names = [
        "-rf.wav",
        "a\nb.wav",
        "\x1b[31m.wav",
        "长" * 83 + ".wav",
        "$(id).wav",
        "b\udcff.wav",
        " .wav",
        "%s.wav",
    ]
    for name in names:
        (calls / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    assert scan(container, calls) == dict.fromkeys([*names, "a.wav", "c.wav"], "scored")


# Full disks ------------------------------------------------------------------------------------------------------


def limited(data: Path, folder: Path, *, file_bytes: int) -> subprocess.CompletedProcess[str]:
    """``qa score`` that may write no file beyond ``file_bytes``, root or not: the nearest thing to a full disk."""
    return subprocess.run(
        [*QA, "score", str(folder), "--format", "json"],
        env=environment(data, TMPDIR=str(folder)),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes)),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.engine
def test_no_room_for_a_recording_or_its_samples(tmp_path: Path) -> None:
    folder, data = tmp_path / "calls", tmp_path / "data"
    folder.mkdir()
    (folder / "large.wav").write_bytes(bytes(3 * MIB))
    (folder / "long.flac").write_bytes(flac_of_zeros(8000 * 120, rate_hz=8000, channels=1, declared=0))
    (folder / "text.wav").write_text("words")
    done = limited(data, folder, file_bytes=2 * MIB)  # empty, the database takes more than one
    assert done.returncode == 1
    errors = {Path(line["recording"]["path"]).name: line["error"] for line in json_lines(done.stdout)}
    assert {name: error["code"] for name, error in errors.items()} == {
        "large.wav": "storage_unavailable",
        "long.flac": "storage_unavailable",
        "text.wav": "not_audio",
    }
    assert "blob storage" in errors["large.wav"]["message"]
    assert "temporary audio" in errors["long.flac"]["message"]
    assert "Traceback" not in done.stderr
    blobs = [path for path in (data / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == 2
    assert {path.name for path in folder.iterdir()} == set(errors), "no temporary file stays"
    again = qa("score", folder, "--format", "json", data=data)
    assert [line["error"]["code"] for line in json_lines(again.stdout)] == [
        "not_audio",
        "silent_audio",
        "not_audio",
    ]


def test_no_room_for_the_database(tmp_path: Path, calls: Path) -> None:
    data = tmp_path / "data"
    full = limited(data, calls, file_bytes=20_000)
    assert (full.returncode, full.stdout) == (2, "")
    assert full.stderr.startswith("database_unavailable: ")
    assert len(full.stderr.splitlines()) == 1
    assert qa("score", calls, "--format", "json", data=data).returncode == 1
