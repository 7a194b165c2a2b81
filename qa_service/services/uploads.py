"""Recordings that people and other systems send: stored, told of, and queued, all of it or nothing.

Guarantee: the same bytes are one recording, whoever sends them; what somebody sends changes nothing outside their
scope, and nothing that is known otherwise already.
"""

import errno
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import BinaryIO, Final

from qa_service.domain.access import Principal
from qa_service.domain.call import CallMetadata
from qa_service.errors import ConflictError, InputError, TransientError
from qa_service.ports import BlobStore, Job, StoredBlob, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.calls import CallDetails
from qa_service.ports.people import Origin
from qa_service.services.calls import check_still_within, enqueue
from qa_service.services.ingest import updated

_NOBODY: Final = Origin()
_MAX_NAME_BYTES: Final = 255
_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Characters that are not seen, or that change the direction of others: a name with them is not what it looks."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was received, at its beginning. ``name``: what it is called."""

    file: BinaryIO
    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """``new``: its bytes were not known. ``job``: None where nothing is left to do."""

    call: CallDetails
    job: Job | None
    new: bool


class Uploads:
    """
    Args:
        units: where recordings are stored.
        blobs: where their bytes are.
        told_by_name: what a file's name says of the call at this site.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        blobs: BlobStore,
        told_by_name: Callable[[str], CallMetadata | None] = lambda _: None,
    ) -> None:
        self._units = units
        self._blobs = blobs
        self._told_by_name = told_by_name

    def receive(
        self, who: Principal, upload: Upload, metadata: CallMetadata, *, origin: Origin = _NOBODY
    ) -> Uploaded:
        """Store a recording and what is told of it, and have it scored.

        Raises:
            InputError: ``file_empty``, ``file_name_invalid``, ``metadata_conflict``.
            ConflictError: ``recording_taken``.
            PermissionDeniedError: ``outside_scope``.
            TransientError: ``storage_full``, ``storage_unavailable``.
        """
        name = shown_name(upload.name)
        if not upload.size_bytes:
            raise InputError("file_empty", "the file holds no bytes: export it again")
        named = self._told_by_name(name)
        told = metadata if named is None else updated(named, metadata)
        # Tried first, and rolled back: bytes that are refused are not kept either.
        with self._units() as unit:
            self._place(unit, who, StoredBlob(upload.sha256, "", upload.size_bytes), name, told, origin)
        blob = self._kept(upload)
        with self._units() as unit:
            uploaded = self._place(unit, who, blob, name, told, origin)
            unit.commit()
        return uploaded

    def _kept(self, upload: Upload) -> StoredBlob:
        try:
            blob = self._blobs.put(upload.file)
        except TransientError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.ENOSPC, errno.EDQUOT):
                raise storage_full() from error
            raise
        if blob.sha256 != upload.sha256:
            raise TransientError("storage_unavailable", "the disk holds other bytes than were written: repair it")
        return blob

    def _place(
        self, unit: UnitOfWork, who: Principal, blob: StoredBlob, name: str, told: CallMetadata, origin: Origin
    ) -> Uploaded:
        recording, new = unit.recordings.add(blob, path=name)
        unit.recordings.lock(recording.id)
        stored = unit.metadata.get(recording.id)
        if not new:
            if not who.scope.covers(unit.calls.owner(recording.id)):
                raise ConflictError(
                    "recording_taken", "this recording belongs to a call outside your scope: ask who may see it"
                )
            _check_agrees(stored, told)
        known = updated(stored, told)
        if known != stored:
            unit.metadata.put(recording.id, known)
        check_still_within(unit, recording.id, who.scope)
        call = unit.calls.details(recording.id, who.scope)
        changed = known != stored
        due = changed or call.call.evaluation_id is None
        job = enqueue(unit, recording, known, who) if due else unit.calls.job(recording.id)
        unit.audit.record(who, "recording.upload", "recording", recording.id, {"new": new}, origin=origin)
        return Uploaded(call, job, new)


def shown_name(name: str) -> str:
    """The last part of a file's name, which is a label here and never a path.

    Raises:
        InputError: ``file_name_invalid``.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    unshown = any(unicodedata.category(character) in _UNSHOWN for character in name)
    if unshown or last in ("", ".", "..") or len(last.encode()) > _MAX_NAME_BYTES:
        raise InputError(
            "file_name_invalid",
            f"the file's name is empty, longer than {_MAX_NAME_BYTES} bytes, or holds what nobody sees: rename it",
        )
    return last


def storage_full() -> TransientError:
    return TransientError("storage_full", "the disk of the data directory is full: make room, then send it again")


def _check_agrees(stored: CallMetadata, told: CallMetadata) -> None:
    """What an upload tells of a known recording may add to what is known, and not change it: nobody saw that."""
    differing = sorted(
        f.name
        for f in fields(CallMetadata)
        if f.name != "extra"
        and f.default not in (known := getattr(stored, f.name), now := getattr(told, f.name))
        and known != now
    )
    if differing:
        raise InputError(
            "metadata_conflict",
            f"this recording is known, and its metadata disagree ({', '.join(differing)}): "
            "change them with PUT …/metadata",
        )
