"""Where the bytes of recordings are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class StoredBlob:
    sha256: str
    uri: str
    size_bytes: int


class ByteSource(Protocol):
    """What bytes are read from, to the first empty piece."""

    def read(self, size: int, /) -> bytes: ...


class BlobStore(Protocol):
    """Immutable bytes under their digest. Streams and byte ranges, so that encryption fits in later."""

    def put(self, source: ByteSource) -> StoredBlob:
        """Store a stream; the same bytes twice are one blob. Nothing half-written is ever visible."""
        ...

    def put_all(self, sources: Sequence[ByteSource]) -> tuple[StoredBlob, ...]:
        """Store several streams, all of them or none."""
        ...

    def open(self, uri: str) -> BinaryIO: ...

    def read_range(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes ``[start, end)`` in chunks. Raises NotFoundError."""
        ...

    def local_path(self, uri: str) -> AbstractContextManager[Path]:
        """A path that decoders can open, valid inside the context."""
        ...

    def size_bytes(self, uri: str) -> int: ...

    def delete(self, uri: str) -> None: ...
