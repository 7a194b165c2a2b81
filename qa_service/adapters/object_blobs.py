"""Blobs in a bucket, each under the SHA-256 of its bytes, so that workers need no shared folder.

Guarantee: a blob is visible only when it is complete; what is read from it to be decoded has its digest.
"""

import hashlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from qa_service.adapters.blob_files import (
    RANGE_CHUNK_BYTES,
    check_range,
    close_quietly,
    copy_with_digest,
    digest_in,
    not_found,
    storage_errors,
)
from qa_service.adapters.buckets import PIECE_BYTES, Bucket
from qa_service.errors import InputError, TransientError
from qa_service.ports import ByteSource, StoredBlob

_SPOOL = "the temporary folder (TMPDIR)"
_DOWNLOADS = 2  # of a blob that arrives with another digest


class ObjectBlobStore:
    """Blobs as ``prefix/ab/cd/<sha256>``. The address of a blob is the same as in a local store.

    Bytes go through an unlinked temporary file in both directions: what a blob is called is known only when it was
    read to its end, and the decoder takes a file. A crash leaves no such file behind.

    Args:
        bucket: where they lie.
        max_blob_bytes: larger ones are not fetched to be decoded.
    """

    def __init__(self, bucket: Bucket, *, max_blob_bytes: int) -> None:
        self._bucket = bucket
        self._max_blob_bytes = max_blob_bytes

    def put(self, source: ByteSource) -> StoredBlob:
        """See ``BlobStore.put``.

        Raises:
            TransientError: ``storage_unavailable`` or ``bucket_refused``.
        """
        (blob,) = self.put_all((source,))
        return blob

    def put_all(self, sources: Sequence[ByteSource]) -> tuple[StoredBlob, ...]:
        """See ``BlobStore.put_all``: none is sent before all are read. Raises as ``put``."""
        with ExitStack() as files:
            spooled = []
            for source in sources:
                file = files.enter_context(_spool())
                sha256, size = copy_with_digest(source, file, place=_SPOOL)
                spooled.append((file, StoredBlob(sha256=sha256, uri=f"blob:{sha256}", size_bytes=size)))
            for file, blob in spooled:
                self._send(file, blob)
        return tuple(blob for _, blob in spooled)

    def open(self, uri: str) -> BinaryIO:
        return io.BufferedReader(_Remote(self, uri, self.size_bytes(uri)), buffer_size=1024 * 1024)

    def read_range(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        """See ``BlobStore.read_range``; cut at the blob's end. A missing blob is reported by the call itself.

        Raises:
            ValueError: the range is negative or ends before it starts.
        """
        check_range(start, end)
        end = min(end, self.size_bytes(uri))
        return self._chunks(uri, start, end)

    @contextmanager
    def local_path(self, uri: str) -> Iterator[Path]:
        """See ``BlobStore.local_path``.

        Raises:
            InputError: ``file_too_large``; ``blob_damaged``, when its bytes are not those of its digest.
        """
        size = self.size_bytes(uri)
        if size > self._max_blob_bytes:
            raise InputError(
                "file_too_large",
                f"the file has {size / 1024**2:.0f} MiB, more than the {self._max_blob_bytes / 1024**2:.0f} "
                "allowed: export it compressed, or raise QA_MAX_FILE_BYTES",
            )
        for _ in range(_DOWNLOADS):
            with _spool() as file:
                digest = hashlib.sha256()
                for chunk in self._pieces(uri, 0, size):
                    digest.update(chunk)
                    with storage_errors(place=_SPOOL):
                        file.write(chunk)
                with storage_errors(place=_SPOOL):
                    file.flush()
                if digest.hexdigest() == digest_in(uri):
                    yield Path(f"/proc/self/fd/{file.fileno()}")
                    return
        raise InputError(
            "blob_damaged",
            f"{uri} holds other bytes than were stored: restore it from the backup, or delete the object and "
            "score the file again",
        )

    def size_bytes(self, uri: str) -> int:
        found = self._bucket.head(_key(uri))
        if found is None:
            self._bucket.check()
            raise not_found(uri)
        return found.size_bytes

    def delete(self, uri: str) -> None:
        """Remove a blob; one that is gone already is no error, so that deleting can be repeated."""
        self._bucket.delete(_key(uri))

    def read_at(self, uri: str, start: int, end: int) -> bytes:
        """Bytes ``[start, end)``, which the blob has."""
        try:
            data = self._bucket.read(_key(uri), start, end)
        except FileNotFoundError as error:
            raise not_found(uri) from error
        if len(data) != end - start:
            raise TransientError(
                "storage_unavailable", f"the bucket {self._bucket.url} broke off in a blob: repair its server"
            )
        return data

    def _send(self, file: BinaryIO, blob: StoredBlob) -> None:
        # A blob of another size was damaged from outside: replacing it repairs it.
        known = self._bucket.head(_key(blob.uri))
        if known is None or known.size_bytes != blob.size_bytes:
            file.seek(0)
            self._bucket.put(_key(blob.uri), file)

    def _pieces(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        for begin in range(start, end, PIECE_BYTES):
            yield self.read_at(uri, begin, min(begin + PIECE_BYTES, end))

    def _chunks(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        for piece in self._pieces(uri, start, end):
            for begin in range(0, len(piece), RANGE_CHUNK_BYTES):
                yield piece[begin : begin + RANGE_CHUNK_BYTES]


class _Remote(io.RawIOBase):
    """A blob as a file that can be read from any place."""

    def __init__(self, store: ObjectBlobStore, uri: str, size: int) -> None:
        super().__init__()
        self._store, self._uri, self._size, self._at = store, uri, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("no place before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        end = min(self._at + min(len(buffer), PIECE_BYTES), self._size)
        if end <= self._at:
            return 0
        data = self._store.read_at(self._uri, self._at, end)
        buffer[: len(data)] = data
        self._at = end
        return len(data)


def _key(uri: str) -> str:
    sha256 = digest_in(uri)
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


@contextmanager
def _spool() -> Iterator[BinaryIO]:
    with storage_errors(place=_SPOOL):
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    try:
        yield file
    finally:
        close_quietly(file)
