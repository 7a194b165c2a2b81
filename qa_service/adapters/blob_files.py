"""What every blob store needs: addresses, copies with their digest, and the disk's trouble in our words."""

import contextlib
import errno
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from qa_service.errors import InputError, NotFoundError, TransientError
from qa_service.ports import ByteSource

RANGE_CHUNK_BYTES = 256 * 1024
"""The longest piece that a range comes in."""

_COPY_CHUNK_BYTES = 1024 * 1024
_URI = re.compile(r"blob:([0-9a-f]{64})")


def digest_in(uri: str) -> str:
    """The SHA-256 that a blob's address names. Raises InputError ``blob_uri_invalid``."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise InputError("blob_uri_invalid", "not the address of a blob: give one that is blob: and 64 hex digits")
    return found[1]


def check_range(start: int, end: int) -> None:
    """Raises ValueError when ``[start, end)`` is negative or ends before it starts."""
    if not 0 <= start <= end:
        raise ValueError(f"no byte range: [{start}, {end})")


def copy_with_digest(source: ByteSource, target: BinaryIO, *, place: str) -> tuple[str, int]:
    """Copy everything; its SHA-256 and size. ``place`` names in messages where ``target`` lies.

    Raises:
        TransientError: ``storage_unavailable``, when ``target`` cannot be written.
    """
    digest = hashlib.sha256()
    size = 0
    # Reading stays outside: a failing source is not this storage's fault.
    while chunk := source.read(_COPY_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        with storage_errors(place=place):
            target.write(chunk)
    with storage_errors(place=place):
        target.flush()
    return digest.hexdigest(), size


def not_found(uri: str) -> NotFoundError:
    return NotFoundError(
        "blob_not_found", f"{uri} is not in the storage: restore it from the backup, or score the file again"
    )


@contextmanager
def storage_errors(uri: str = "", *, place: str = "the blob storage") -> Iterator[None]:
    """OSError becomes TransientError ``storage_unavailable``; of a file that is gone, ``blob_not_found``."""
    try:
        yield
    except FileNotFoundError as error:
        if uri:
            raise not_found(uri) from error
        raise _unavailable(error, place) from error
    except OSError as error:
        raise _unavailable(error, place) from error


def close_quietly(file: BinaryIO) -> None:
    """After a failed write closing fails once more, on what is still buffered; the first error counts."""
    with contextlib.suppress(OSError):
        file.close()


def _unavailable(error: OSError, place: str) -> TransientError:
    what = {
        errno.ENOSPC: "is full",
        errno.EDQUOT: "is full (quota)",
        errno.EFBIG: "takes no file of this size",
        errno.EROFS: "is read-only",
        errno.EACCES: "may not be used by this account",
        errno.EPERM: "may not be used by this account",
    }.get(error.errno or 0, f"does not work ({error.strerror})")
    return TransientError("storage_unavailable", f"{place} {what}: free it up or repair it")
