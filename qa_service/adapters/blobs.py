"""Blobs in a local folder, each under the SHA-256 of its bytes.

Guarantee: a blob is visible only when it is complete and on the disk; no URI reaches outside the folder.
"""

import contextlib
import errno
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from qa_service.errors import InputError, NotFoundError, TransientError
from qa_service.ports import ByteSource, StoredBlob

RANGE_CHUNK_BYTES = 256 * 1024
_COPY_CHUNK_BYTES = 1024 * 1024
_STALE_AFTER_S = 24 * 3600
_URI = re.compile(r"blob:([0-9a-f]{64})")


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
        with _storage_errors():
            self._temporary.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._temporary)
        temporary = Path(name)
        leftovers.callback(_remove, temporary)
        target = os.fdopen(handle, "wb")
        try:
            sha256, size = self._copy(source, target)
        finally:
            # After a failed write closing fails once more, on what is still buffered; the first error counts.
            with contextlib.suppress(OSError):
                target.close()
        return temporary, StoredBlob(sha256=sha256, uri=f"blob:{sha256}", size_bytes=size)

    def open(self, uri: str) -> BinaryIO:
        with _storage_errors(uri):
            return self._locate(uri).open("rb")

    def read_range(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        """See ``BlobStore.read_range``; cut at the blob's end. A missing blob is reported by the call itself.

        Raises:
            ValueError: the range is negative or ends before it starts.
        """
        if not 0 <= start <= end:
            raise ValueError(f"no byte range: [{start}, {end})")
        self.size_bytes(uri)
        return self._chunks(uri, start, end)

    @contextmanager
    def local_path(self, uri: str) -> Iterator[Path]:
        self.size_bytes(uri)
        yield self._locate(uri)

    def size_bytes(self, uri: str) -> int:
        with _storage_errors(uri):
            return self._locate(uri).stat().st_size

    def delete(self, uri: str) -> None:
        """Remove a blob; one that is gone already is no error, so that deleting can be repeated."""
        with _storage_errors(uri):
            self._locate(uri).unlink(missing_ok=True)

    def _chunks(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        with self.open(uri) as blob:
            blob.seek(start)
            left = end - start
            while left > 0:
                with _storage_errors(uri):
                    chunk = blob.read(min(left, RANGE_CHUNK_BYTES))
                if not chunk:
                    return
                left -= len(chunk)
                yield chunk

    def _copy(self, source: ByteSource, target: BinaryIO) -> tuple[str, int]:
        digest = hashlib.sha256()
        size = 0
        # Reading stays outside: a failing source is not this storage's fault.
        while chunk := source.read(_COPY_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            with _storage_errors():
                target.write(chunk)
        with _storage_errors():
            target.flush()
            os.fsync(target.fileno())
        return digest.hexdigest(), size

    def _publish(self, temporary: Path, path: Path, size: int) -> None:
        with _storage_errors():
            # A blob of another size was damaged from outside: replacing it repairs it.
            if path.exists() and path.stat().st_size == size:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
            # The name must survive a power failure too, and so must the folders made for it.
            for folder in (path.parent, path.parent.parent, self._root):
                _sync_folder(folder)

    def _locate(self, uri: str) -> Path:
        found = _URI.fullmatch(uri)
        if found is None:
            raise InputError(
                "blob_uri_invalid", "not the address of a blob: give one that is blob: and 64 hex digits"
            )
        return self._path(found[1])

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


@contextmanager
def _storage_errors(uri: str = "") -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if uri:
            raise NotFoundError(
                "blob_not_found",
                f"{uri} is not in the storage: restore it from the backup, or score the file again",
            ) from error
        raise _unavailable(error) from error
    except OSError as error:
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> TransientError:
    what = {
        errno.ENOSPC: "is full",
        errno.EDQUOT: "is full (quota)",
        errno.EFBIG: "takes no file of this size",
        errno.EROFS: "is read-only",
        errno.EACCES: "may not be used by this account",
        errno.EPERM: "may not be used by this account",
    }.get(error.errno or 0, f"does not work ({error.strerror})")
    return TransientError("storage_unavailable", f"the blob storage {what}: free it up or repair it")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
