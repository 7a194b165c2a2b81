"""The local blob store when disks fail or processes are killed."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qa_service.adapters.blobs import LocalBlobStore
from qa_service.errors import TransientError


def files(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def test_a_damaged_blob_is_repaired_by_storing_it_again(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    blob = store.put(io.BytesIO(b"content"))
    with store.local_path(blob.uri) as path:
        path.write_bytes(b"cut")
    store.put(io.BytesIO(b"content"))
    assert store.size_bytes(blob.uri) == 7


def test_a_storage_that_cannot_be_written_may_work_later(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file where the folder should be")
    with pytest.raises(TransientError) as caught:
        LocalBlobStore(tmp_path / "blobs").put(io.BytesIO(b"content"))
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
