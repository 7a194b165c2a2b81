"""A bucket as a source: what others put there, received as it was listed.

Guarantee: an object that is replaced while it is received is not received; nothing is fetched but what is new.
"""

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

from qa_service.adapters.buckets import PIECE_BYTES, Bucket, BucketObject
from qa_service.adapters.call_metadata import SIDECAR_NAMES
from qa_service.adapters.discovery import AUDIO_SUFFIXES
from qa_service.adapters.metadata_table import unreadable
from qa_service.errors import InputError, TransientError
from qa_service.ports.sources import Arriving, Listed, Received, Receiver, Unreadable

_ROOT = Path("/s3:")  # where no disk has a folder: names in buckets look like paths to metadata
_MOST_TABLE_BYTES = 256 * 1024**2


class BucketSource:
    """Implements ``Source``, and what metadata asks of the place (``FileView``). Keys are those of the objects."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.name = bucket.url
        self._root = _ROOT / bucket.name / bucket.prefix

    def walk(self, folder: Path | None = None) -> Iterator[Listed | Unreadable]:
        under = "" if folder is None else self._key(folder) or ""
        for one in self._bucket.list(under):
            within = one.key[len(under) :].lstrip("/")
            if _counts(within) and not (folder is not None and "/" in within):
                yield _listed(one)

    def path(self, key: str) -> Path:
        return self._root / key

    def look(self, path: Path) -> Listed | None:
        found = self._head(path) if _counts(path.name) else None
        return _listed(found) if found else None

    def receive(self, receiver: Receiver, first: Listed, second: Listed | None) -> Received:
        sides = [self._arriving(one) for one in (first, second) if one is not None]
        return receiver.receive_all(sides, None)

    def check(self) -> None:
        self._bucket.check()

    def exists(self, path: Path) -> bool:
        return self._head(path) is not None

    is_file = exists

    def read(self, path: Path) -> bytes:
        found = self._head(path)
        try:
            if found is None or found.size_bytes > _MOST_TABLE_BYTES:
                what = "is gone" if found is None else "is too large"
                raise unreadable(path, what, "put it there again, split by days")
            return b"".join(_pieces(self._bucket, found.key, found.size_bytes, found.stamp))
        except FileNotFoundError as error:
            raise unreadable(path, "is gone", "put it there again") from error
        except InputError as error:
            if error.code != "file_unreadable":
                raise
            raise unreadable(
                path, "cannot be read", "restore it, and permit these credentials to read it"
            ) from error

    def _arriving(self, listed: Listed) -> Arriving:
        return Arriving(f"{self.name}/{listed.key}", listed.size_bytes, _Object(self._bucket, listed))

    def _head(self, path: Path) -> BucketObject | None:
        key = self._key(path)
        return self._bucket.head(key) if key else None

    def _key(self, path: Path) -> str | None:
        """None: it lies elsewhere."""
        plain = Path(os.path.normpath(path))
        if not plain.is_relative_to(self._root):
            return None
        return str(plain.relative_to(self._root)) if plain != self._root else ""


class _Object:
    """A ``ByteSource``."""

    def __init__(self, bucket: Bucket, listed: Listed) -> None:
        self._url = f"{bucket.url}/{listed.key}"
        self._pieces = _pieces(bucket, listed.key, listed.size_bytes, listed.stamp)
        self._left = b""

    def read(self, size: int, /) -> bytes:
        if not self._left:
            try:
                self._left = next(self._pieces, b"")
            except FileNotFoundError as error:
                raise InputError("file_missing", "no such object: put it there again", path=self._url) from error
        data, self._left = self._left[:size], self._left[size:]
        return data


def _pieces(bucket: Bucket, key: str, size: int, stamp: str) -> Iterator[bytes]:
    for start in range(0, size, PIECE_BYTES):
        try:
            piece = bucket.read(key, start, min(start + PIECE_BYTES, size), stamp=stamp)
        except TransientError as error:
            if error.code != "bucket_refused":
                raise
            bucket.check()  # where all of it is refused nothing is held against the object
            raise InputError(
                "file_unreadable",
                "the object cannot be read, though its bucket can be listed: permit these credentials to read it",
            ) from error
        yield piece


def _listed(one: BucketObject) -> Listed:
    return Listed(one.key, one.size_bytes, one.stamp, None, table=posixpath.basename(one.key) in SIDECAR_NAMES)


def _counts(key: str) -> bool:
    parts = key.split("/")
    name = parts[-1]
    if any(part.startswith((".", "~")) for part in parts):
        return False
    return name in SIDECAR_NAMES or posixpath.splitext(name)[1].lower() in AUDIO_SUFFIXES
