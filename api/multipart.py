"""An upload as it comes in: its file goes to the disk of the data directory, piece by piece, and never to memory.

Guarantee: what is held at once does not grow with the file; an upload that breaks off, or is wrong in any way,
leaves nothing behind, not even when the process is killed: the file has no name until it is stored.
"""

import asyncio
import errno
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from qa_service.errors import InputError, TransientError
from qa_service.services.uploads import storage_full

if TYPE_CHECKING:  # it is nothing at run time
    from python_multipart.multipart import MultipartCallbacks

MAX_METADATA_BYTES: Final = 64 * 1024
MAX_PARTS: Final = 2
_WRITE_BYTES: Final = 1024**2
_STALLED_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that came to its end. ``name``: as the client called it; ``metadata``: JSON, or nothing."""

    file: BinaryIO
    name: str
    size_bytes: int
    sha256: str
    metadata: bytes


class _Parts:
    """What the parser finds: the part that it is in, and what of the file is not written yet."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self.metadata = bytearray()
        self.name: str | None = None
        self.seen: list[str] = []
        self.ended = False
        self._header = bytearray()
        self._value = bytearray()
        self._told: dict[bytes, bytes] = {}

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._header_ended,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._told = {}

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ended(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            _, self._told = parse_options_header(bytes(self._value))
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        part = self._told.get(b"name", b"").decode("utf-8", "replace")
        if part not in ("file", "metadata") or part in self.seen or len(self.seen) >= MAX_PARTS:
            raise invalid("it takes one part named file and one named metadata")
        self.seen.append(part)
        if part == "file":
            try:
                self.name = self._told.get(b"filename", b"").decode("utf-8")
            except UnicodeDecodeError as error:
                raise invalid("the file's name is not UTF-8") from error

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.seen[-1] == "file":
            self.pending += data[start:end]
            return
        self.metadata += data[start:end]
        if len(self.metadata) > MAX_METADATA_BYTES:
            raise invalid(f"the metadata have more than {MAX_METADATA_BYTES} bytes")

    def _end(self) -> None:
        self.ended = True


def invalid(fault: str) -> InputError:
    return InputError("upload_invalid", f"{fault}: see the API documentation")


async def receive(request: Request, folder: Path, *, max_file_bytes: int) -> ReceivedFile:
    """Take the request's body; the file that comes back is for the caller to close.

    Raises:
        InputError: ``media_type_unsupported``, ``upload_invalid``, ``upload_too_large``, ``upload_incomplete``,
            ``upload_stalled``.
        TransientError: ``storage_full``, ``storage_unavailable``.
    """
    parts = _Parts()
    parser = MultipartParser(_boundary(request), parts.callbacks())
    with _disk_errors():
        file: BinaryIO = await run_in_threadpool(_unnamed_file, folder)
    try:
        digest, size = hashlib.sha256(), 0

        def write(piece: bytes) -> None:
            with _disk_errors():
                file.write(piece)
            digest.update(piece)

        async for piece in _pieces(request):
            _parse(parser, piece)
            size_now = size + len(parts.pending)
            if size_now > max_file_bytes:
                raise InputError(
                    "upload_too_large",
                    f"files of at most {max_file_bytes} bytes are taken: send less, or ask an administrator",
                )
            if len(parts.pending) >= _WRITE_BYTES:
                await run_in_threadpool(write, bytes(parts.pending))
                size = size_now
                parts.pending.clear()
        if not parts.ended:
            raise InputError("upload_incomplete", "the upload breaks off: send it again")
        if parts.name is None:
            raise invalid("it holds no part named file")
        await run_in_threadpool(write, bytes(parts.pending))
        size += len(parts.pending)
        with _disk_errors():
            file.flush()
            file.seek(0)
        return ReceivedFile(file, parts.name, size, digest.hexdigest(), bytes(parts.metadata))
    except BaseException:
        file.close()
        raise


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise InputError("media_type_unsupported", "files come as multipart/form-data: see the API documentation")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise invalid("the content type names no boundary")
    return boundary


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(_STALLED_S):
                piece = await anext(stream, None)
        except TimeoutError as error:
            raise InputError("upload_stalled", f"nothing came for {_STALLED_S:.0f} s: send it again") from error
        except ClientDisconnect as error:
            raise InputError("upload_incomplete", "the upload breaks off: send it again") from error
        if piece is None:
            return
        yield piece


def _parse(parser: MultipartParser, piece: bytes) -> None:
    try:
        parser.write(piece)
    except MultipartParseError as error:
        raise invalid("the body is not multipart/form-data") from error


def _unnamed_file(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise storage_full() from error
        raise TransientError(
            "storage_unavailable", f"the data directory does not work ({error.strerror}): repair it"
        ) from error
