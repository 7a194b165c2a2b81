"""Blobs in a local folder, each under the SHA-256 of its bytes.

Guarantee: a blob is visible only when it is complete and on the disk; no URI reaches outside the folder.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from qa_service.adapters.blob_files import (
    RANGE_CHUNK_BYTES,
    check_range,
    close_quietly,
    copy_with_digest,
    digest_in,
    storage_errors,
)
from qa_service.ports import ByteSource, StoredBlob

_STALE_AFTER_S = 24 * 3600


class LocalBlobStore:
    """Blobs as ``root/ab/cd/<sha256>``, readable by the service's account only: recordings are personal data.

    The folder is made at the first ``put``, so that a read-only mount serves for reading.

    Args:
        root: the folder; its unfinished copies (``root/tmp``) older than a day are removed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / "tmp"
        self._remove_stale()

    def put(self, source: ByteSource) -> StoredBlob:
        """See ``BlobStore.put``.

        Raises:
            TransientError: ``storage_unavailable``, when the disk is full or cannot be written.
        """
        (blob,) = self.put_all((source,))
        return blob

    def put_all(self, sources: Sequence[ByteSource]) -> tuple[StoredBlob, ...]:
        """See ``BlobStore.put_all``: none is published before all are copied. Raises as ``put``."""
        with contextlib.ExitStack() as leftovers:
            copies = [self._copied(source, leftovers) for source in sources]
            for temporary, blob in copies:
                self._publish(temporary, self._path(blob.sha256), blob.size_bytes)
        return tuple(blob for _, blob in copies)

    def _copied(self, source: ByteSource, leftovers: contextlib.ExitStack) -> tuple[Path, StoredBlob]:
        """A complete copy in the temporary folder, which goes with ``leftovers`` unless it is published."""
        with storage_errors():
            self._temporary.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._temporary)
        temporary = Path(name)
        leftovers.callback(_remove, temporary)
        target = os.fdopen(handle, "wb")
        try:
            sha256, size = copy_with_digest(source, target, place="the blob storage")
            with storage_errors():
                os.fsync(target.fileno())
        finally:
            close_quietly(target)
        return temporary, StoredBlob(sha256=sha256, uri=f"blob:{sha256}", size_bytes=size)

    def open(self, uri: str) -> BinaryIO:
        with storage_errors(uri):
            return self._locate(uri).open("rb")

    def read_range(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        """See ``BlobStore.read_range``; cut at the blob's end. A missing blob is reported by the call itself.

        Raises:
            ValueError: the range is negative or ends before it starts.
        """
        check_range(start, end)
        self.size_bytes(uri)
        return self._chunks(uri, start, end)

    @contextmanager
    def local_path(self, uri: str) -> Iterator[Path]:
        self.open(uri).close()  # a file that this account cannot read is the storage's fault, not the recording's
        yield self._locate(uri)

    def size_bytes(self, uri: str) -> int:
        with storage_errors(uri):
            return self._locate(uri).stat().st_size

    def delete(self, uri: str) -> None:
        """Remove a blob; one that is gone already is no error, so that deleting can be repeated."""
        with storage_errors(uri):
            self._locate(uri).unlink(missing_ok=True)

    def _chunks(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        with self.open(uri) as blob:
            blob.seek(start)
            left = end - start
            while left > 0:
                with storage_errors(uri):
                    chunk = blob.read(min(left, RANGE_CHUNK_BYTES))
                if not chunk:
                    return
                left -= len(chunk)
                yield chunk

    def _publish(self, temporary: Path, path: Path, size: int) -> None:
        with storage_errors():
            # A blob of another size was damaged from outside: replacing it repairs it.
            if path.exists() and path.stat().st_size == size:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
            # The name must survive a power failure too, and so must the folders made for it.
            for folder in (path.parent, path.parent.parent, self._root):
                _sync_folder(folder)

    def _locate(self, uri: str) -> Path:
        return self._path(digest_in(uri))

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256[2:4] / sha256

    def _remove_stale(self) -> None:
        """Remove what killed processes left. A day is longer than any copy; housekeeping never fails a start."""
        oldest = time.time() - _STALE_AFTER_S
        with contextlib.suppress(OSError):
            for leftover in self._temporary.iterdir():
                with contextlib.suppress(OSError):
                    if leftover.stat().st_mtime < oldest:
                        leftover.unlink()


def _remove(leftover: Path) -> None:
    with contextlib.suppress(OSError):
        leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
