"""Receiving recordings: bytes into the blob store, a row for them, metadata beside it.

Guarantee: the same bytes are one recording, however often and under whatever names they come; a file that
cannot be read, or is still being written, changes nothing. A call of two files is received whole or not at all.
"""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import NoReturn, Self

from qa_service.domain.call import CallMetadata, Recording
from qa_service.errors import InputError
from qa_service.ports import BlobStore, StoredBlob, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.sources import Arriving, Received

_COMPARE_BYTES = 1024 * 1024


class Ingest:
    def __init__(
        self, *, units: UnitOfWorkFactory, blobs: BlobStore, check: Callable[[Received], None] | None = None
    ) -> None:
        """
        Args:
            units: where recordings are stored.
            blobs: where their bytes are.
            check: told of a recording that was known before; what it raises leaves that as it was, name included.
        """
        self._units = units
        self._blobs = blobs
        self._check = check

    def checked(self, check: Callable[[Received], None]) -> Self:
        """The same with this check."""
        return type(self)(units=self._units, blobs=self._blobs, check=check)

    def receive(self, path: Path, metadata: CallMetadata | None, *, second: Path | None = None) -> Received:
        """Store the file and what is known about the call; values known now win over stored ones.

        Args:
            path: the recording; with ``second``, channel 0 of a call in two files.
            metadata: what is known about the call.
            second: channel 1 of a call in two files.

        Raises:
            InputError: ``file_missing``, ``file_empty``, ``file_unreadable``, ``file_changing``; of two files
                also ``side_missing`` and ``pair_invalid``.
            TransientError: ``storage_unavailable``.
        """
        with ExitStack() as opened:
            if second is None:
                blobs = self._blobs.put_all((opened.enter_context(_Source(path, "the file")),))
                other = None
            else:
                blobs = self._blobs.put_all(_both_sides(path, second, opened))
                other = (blobs[1], str(second))
        return self._add(blobs[0], str(path), other, metadata)

    def receive_all(self, sides: Sequence[Arriving], metadata: CallMetadata | None) -> Received:
        """The same for a call whose one file, or two, come from elsewhere.

        Raises:
            InputError: ``file_empty``, ``pair_invalid``, and what reading them raises.
            TransientError: ``storage_unavailable``, ``bucket_refused``.
        """
        for side in sides:
            if not side.size_bytes:
                raise InputError("file_empty", f"{side.path} holds no bytes: export it again", path=side.path)
        blobs = self._blobs.put_all([side.source for side in sides])
        if len(blobs) == 2 and blobs[0].sha256 == blobs[1].sha256:
            raise InputError(
                "pair_invalid",
                f"{sides[0].path} and {sides[1].path} hold the same sound: name the file of the other side",
                path=sides[0].path,
            )
        other = (blobs[1], sides[1].path) if len(blobs) == 2 else None
        return self._add(blobs[0], sides[0].path, other, metadata)

    def _add(
        self, blob: StoredBlob, path: str, second: tuple[StoredBlob, str] | None, metadata: CallMetadata | None
    ) -> Received:
        with self._units() as unit:
            recording, new = unit.recordings.add(blob, path=path, second=second)
            if self._check is not None and not new:
                self._check(Received(recording, unit.metadata.get(recording.id), new))
            known = _know(unit, recording, metadata)
            unit.commit()
        return Received(recording, known, new)

    def tell(self, received: Received, metadata: CallMetadata) -> Received:
        """Store what is known about a call that was received; values known now win over stored ones."""
        with self._units() as unit:
            known = _know(unit, received.recording, metadata)
            unit.commit()
        return replace(received, metadata=known)


def _know(unit: UnitOfWork, recording: Recording, metadata: CallMetadata | None) -> CallMetadata:
    stored = unit.metadata.get(recording.id)
    known = updated(stored, metadata) if metadata is not None else stored
    if known != stored:
        unit.metadata.put(recording.id, known)
    return known


def updated(stored: CallMetadata, latest: CallMetadata) -> CallMetadata:
    """``stored`` with every value that ``latest`` knows: what differs from the default is known."""
    known = {f.name: value for f in fields(latest) if (value := getattr(latest, f.name)) != f.default}
    return replace(stored, **known)


class _Source:
    """A file while it is received: regular, not empty, and the same from its first byte to its last.

    Args:
        path: the file.
        name: what messages call it.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._name = name
        try:
            self._file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - closed by __exit__
        except FileNotFoundError as error:
            raise InputError("file_missing", "no such file: check the path", path=str(path)) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
            self._unreadable(error)
        self.status = os.fstat(self._file.fileno())
        try:
            if not stat.S_ISREG(self.status.st_mode):
                self._unreadable(ValueError("not a regular file"))
            if not self.status.st_size:
                raise InputError("file_empty", f"{name} holds no bytes: export it again", path=str(path))
        except InputError:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            self._unreadable(error)
        if not data and self._changed():
            # Half of a call would be scored as one that breaks off: no closing, no answer.
            raise InputError(
                "file_changing",
                f"{self._name} changed while it was read: score it again when it is written to its end",
                path=str(self.path),
            )
        return data

    def rewind(self) -> None:
        self._file.seek(0)

    def _changed(self) -> bool:
        now = os.fstat(self._file.fileno())
        return (now.st_size, now.st_mtime_ns) != (self.status.st_size, self.status.st_mtime_ns)

    def _unreadable(self, error: OSError | ValueError) -> NoReturn:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            "file_unreadable",
            f"{self._name} cannot be read ({reason}): check its name, type and permissions",
            path=str(self.path),
        ) from error


def _without_waiting(path: str, flags: int) -> int:
    """Opening a named pipe would otherwise wait for somebody to write into it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _both_sides(first: Path, second: Path, opened: ExitStack) -> tuple[_Source, _Source]:
    """Both files of a call. One side without the other would make every pause of it a silence of the call."""
    sides: list[_Source] = []
    missing: list[Path] = []
    for path in (first, second):
        try:
            sides.append(opened.enter_context(_Source(path, str(path))))
        except InputError as error:
            if error.code != "file_missing":
                raise
            missing.append(path)
    if len(missing) == 2:
        raise InputError(
            "file_missing", "neither of the call's two files exists: check the paths", path=str(first)
        )
    if missing:
        raise InputError(
            "side_missing",
            f"{missing[0]}, the other side of {sides[0].path.name}, does not exist: copy it there, "
            "as a call is not scored from one side",
            path=str(missing[0]),
        )
    if os.path.samestat(sides[0].status, sides[1].status) or _same_bytes(*sides):
        raise InputError(
            "pair_invalid",
            f"{first.name} and {second.name} hold the same sound: name the file of the other side",
            path=str(first),
        )
    return sides[0], sides[1]


def _same_bytes(first: _Source, second: _Source) -> bool:
    if first.status.st_size != second.status.st_size:
        return False
    same = True
    while same and (piece := first.read(_COMPARE_BYTES)):
        same = piece == second.read(_COMPARE_BYTES)
    first.rewind()
    second.rewind()
    return same
