"""The blob store's contract, and what the local one does when disks fail or processes are killed."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qa_service.adapters.blobs import RANGE_CHUNK_BYTES, LocalBlobStore
from qa_service.errors import InputError, NotFoundError, TransientError
from qa_service.ports import BlobStore

CONTENT = bytes(range(256)) * 4 * 1024 + b"tail"  # 1 MiB and a little


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return LocalBlobStore(tmp_path / "blobs")


def files(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def test_a_blob_comes_back_under_its_digest(store: BlobStore, tmp_path: Path) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (blob.sha256, blob.uri, blob.size_bytes) == (digest, f"blob:{digest}", len(CONTENT))
    assert store.size_bytes(blob.uri) == len(CONTENT)
    with store.open(blob.uri) as read:
        assert read.read() == CONTENT
    with store.local_path(blob.uri) as path:
        assert path.read_bytes() == CONTENT
    assert files(tmp_path / "blobs") == [Path(digest[:2], digest[2:4], digest)]


@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
def test_the_same_bytes_are_one_blob(store: BlobStore, tmp_path: Path, content: bytes) -> None:
    assert store.put(io.BytesIO(content)) == store.put(io.BytesIO(content))
    assert len(files(tmp_path / "blobs")) == 1


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 0),
        (0, 1),
        (7, 20),
        (0, len(CONTENT)),
        (3, RANGE_CHUNK_BYTES + 3),
        (len(CONTENT) - 2, len(CONTENT) + 100),
        (len(CONTENT) + 5, len(CONTENT) + 9),
    ],
)
def test_a_range_is_read_in_chunks(store: BlobStore, start: int, end: int) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    chunks = list(store.read_range(blob.uri, start, end))
    assert b"".join(chunks) == CONTENT[start:end]
    assert all(0 < len(chunk) <= RANGE_CHUNK_BYTES for chunk in chunks)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 2)])
def test_a_range_that_is_none_is_refused(store: BlobStore, start: int, end: int) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    with pytest.raises(ValueError, match="no byte range"):
        store.read_range(blob.uri, start, end)


def test_a_deleted_blob_is_gone_and_can_be_deleted_again(store: BlobStore) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    store.delete(blob.uri)
    store.delete(blob.uri)
    for read in (store.size_bytes, store.open, lambda uri: store.read_range(uri, 0, 1)):
        with pytest.raises(NotFoundError) as caught:
            read(blob.uri)
        assert caught.value.code == "blob_not_found"
    with pytest.raises(NotFoundError), store.local_path(blob.uri):
        pass


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "blob:",
        "blob:../../etc/passwd",
        "blob:" + "../" * 20 + "etc/passwd",
        "blob:/etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "blob:" + "a" * 63,
        "blob:" + "a" * 65,
        "blob:" + "A" * 64,
        "blob:" + "a" * 64 + "\n",
        "blob:" + "a" * 64 + "/..",
        "blob:" + "a" * 63 + "\x00",
        "blob:" + "١" * 64,
        "BLOB:" + "a" * 64,
    ],
)
def test_an_address_that_is_no_digest_is_refused(store: BlobStore, uri: str) -> None:
    calls: tuple[Callable[[str], object], ...] = (
        store.size_bytes,
        store.open,
        store.delete,
        lambda uri: store.read_range(uri, 0, 1),
    )
    for call in calls:
        with pytest.raises(InputError) as caught:
            call(uri)
        assert caught.value.code == "blob_uri_invalid"


def test_the_same_bytes_stored_at_once_are_one_blob(store: BlobStore, tmp_path: Path) -> None:
    start = threading.Barrier(8)
    stored: list[str] = []

    def put() -> None:
        start.wait()
        stored.append(store.put(io.BytesIO(CONTENT)).uri)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == 8
    assert len(files(tmp_path / "blobs")) == len(set(stored)) == 1


class _Failing:
    """A source that breaks off after some bytes."""

    def __init__(self) -> None:
        self._reads = 0

    def read(self, size: int, /) -> bytes:
        self._reads += 1
        if self._reads > 2:
            raise ConnectionResetError("the source went away")
        return b"x" * size


def test_a_source_that_breaks_off_leaves_nothing_and_is_not_blamed_on_the_storage(
    store: BlobStore, tmp_path: Path
) -> None:
    with pytest.raises(ConnectionResetError):
        store.put(_Failing())
    assert files(tmp_path / "blobs") == []


def test_several_sources_are_stored_or_none(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        store.put_all((io.BytesIO(CONTENT), _Failing()))
    assert files(tmp_path / "blobs") == []
    blobs = store.put_all((io.BytesIO(CONTENT), io.BytesIO(b"x"), io.BytesIO(b"x")))
    assert [blob.size_bytes for blob in blobs] == [len(CONTENT), 1, 1]
    assert len(files(tmp_path / "blobs")) == 2


def test_a_damaged_blob_is_repaired_by_storing_it_again(store: BlobStore) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    with store.local_path(blob.uri) as path:
        path.write_bytes(b"cut")
    store.put(io.BytesIO(CONTENT))
    assert store.size_bytes(blob.uri) == len(CONTENT)


def test_a_storage_that_cannot_be_written_may_work_later(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file where the folder should be")
    with pytest.raises(TransientError) as caught:
        LocalBlobStore(tmp_path / "blobs").put(io.BytesIO(CONTENT))
    assert caught.value.code == "storage_unavailable"


_LIMITED = """
import io, resource, sys
from pathlib import Path
from qa_service.adapters.blobs import LocalBlobStore
from qa_service.errors import TransientError
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
try:
    LocalBlobStore(Path(sys.argv[1])).put(io.BytesIO(bytes(3_000_000)))
except TransientError as error:
    print(error.code)
"""


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    """A process may be limited in file size even as root: the nearest thing to a full disk without one."""
    run = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "storage_unavailable"
    assert files(tmp_path) == []


_KILLED = """
import sys
from pathlib import Path
from qa_service.adapters.blobs import LocalBlobStore
class Endless:
    def read(self, size):
        print("reading", flush=True)
        sys.stdin.readline()
        return b"x" * size
LocalBlobStore(Path(sys.argv[1])).put(Endless())
"""


def test_a_killed_copy_is_never_visible_and_swept_after_a_day(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.write("\n")  # one chunk, then it waits in the second
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    (leftover,) = files(tmp_path)
    assert leftover.parts[0] == "tmp"
    LocalBlobStore(tmp_path)
    assert files(tmp_path) == [leftover]  # it might still be running
    yesterday = time.time() - 25 * 3600
    os.utime(tmp_path / leftover, (yesterday, yesterday))
    LocalBlobStore(tmp_path)
    assert files(tmp_path) == []
