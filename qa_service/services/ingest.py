"""Receiving recordings: bytes into the blob store, a row for them, metadata beside it.

Guarantee: the same bytes are one recording, however often and under whatever names they come; a file that
cannot be read changes nothing.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

from qa_service.domain.call import CallMetadata, Recording
from qa_service.errors import InputError
from qa_service.ports import BlobStore, UnitOfWorkFactory


@dataclass(frozen=True, slots=True)
class Received:
    """A recording as it came in. ``new`` False: these bytes were known already."""

    recording: Recording
    metadata: CallMetadata
    new: bool


class Ingest:
    def __init__(self, *, units: UnitOfWorkFactory, blobs: BlobStore) -> None:
        self._units = units
        self._blobs = blobs

    def receive(self, path: Path, metadata: CallMetadata | None) -> Received:
        """Store the file and what is known about the call; values known now win over stored ones.

        Raises:
            InputError: ``file_missing``, ``file_empty``, ``file_unreadable``.
            TransientError: ``storage_unavailable``.
        """
        try:
            with path.open("rb") as file:
                if not file.peek(1):
                    raise InputError("file_empty", "the file holds no bytes: export it again", path=str(path))
                blob = self._blobs.put(file)
        except FileNotFoundError as error:
            raise InputError("file_missing", "no such file: check the path", path=str(path)) from error
        except OSError as error:
            raise InputError(
                "file_unreadable",
                f"cannot be read ({error.strerror}): check its type and permissions",
                path=str(path),
            ) from error
        with self._units() as unit:
            recording, new = unit.recordings.add(blob, path=str(path))
            stored = unit.metadata.get(recording.id)
            known = updated(stored, metadata) if metadata is not None else stored
            if known != stored:
                unit.metadata.put(recording.id, known)
            unit.commit()
        return Received(recording, known, new)


def updated(stored: CallMetadata, latest: CallMetadata) -> CallMetadata:
    """``stored`` with every value that ``latest`` knows: what differs from the default is known."""
    known = {f.name: value for f in fields(latest) if (value := getattr(latest, f.name)) != f.default}
    return replace(stored, **known)
