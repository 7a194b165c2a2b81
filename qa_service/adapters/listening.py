"""Listening copies, made once and kept for a while.

Guarantee: a copy is visible only when it is complete; copies take no more than their share of the disk, and the
one not listened to for longest goes first, without harm to who is reading it. What is kept is the recording as it
is, readable by the service's account only, like the recording itself; silences are put in whenever it is read
(``silenced_wav``), so that a better mask needs no new copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qa_service.adapters.blob_files import storage_errors
from qa_service.adapters.listening_program import ListeningPrograms
from qa_service.adapters.silenced_wav import SilencedWav, is_whole
from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import BlobStore, ListeningCopy

COPY_REVISION = 1
"""Raised whenever the same recording would be copied into other bytes."""
_PLACE = "the folder of listening copies"
_STALE_AFTER_S = 24 * 3600
_FLAT_S = 60.0  # to start a program, and to fetch and to write what is decoded
_LEAST_SPEED = 5.0


@dataclass(slots=True)
class _Making:
    """A copy that is being made, and how many wait for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    interested: int = 0


class CachedListeningCopies:
    """Implements ``ListeningCopies``.

    Args:
        folder: of the copies; made when it is needed, and of this product alone.
        blobs: where the recordings are.
        programs: what decodes them.
        limits: the decoder's, by the names of ``models.audio.limits.AudioLimits``.
        channel_map: of recordings with more than two tracks whose metadata name none.
        most_bytes: what all copies together may take. A larger copy is made, and not kept.
    """

    def __init__(
        self,
        folder: Path,
        *,
        blobs: BlobStore,
        programs: ListeningPrograms,
        limits: Mapping[str, float],
        channel_map: tuple[int, ...] | None,
        most_bytes: int,
    ) -> None:
        self._folder = folder
        self._temporary = folder / "tmp"
        self._blobs = blobs
        self._programs = programs
        self._limits = dict(limits)
        self._channel_map = channel_map
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._making: dict[str, _Making] = {}
        self._remove_stale()

    @contextmanager
    def open(
        self,
        recording: Recording,
        metadata: CallMetadata,
        *,
        silent: Sequence[TimeSpan],
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> Iterator[ListeningCopy]:
        """See ``ListeningCopies.open``."""
        name = self._name(recording, metadata)
        descriptor = self._open(name)
        if descriptor is None:
            with self._alone(name):  # who listens meanwhile waits for the same copy
                descriptor = self._open(name)
                if descriptor is None:
                    descriptor = self._make(name, recording, metadata)
        try:
            yield SilencedWav(descriptor, name=name, silent=silent, start_s=start_s, end_s=end_s)
        finally:
            os.close(descriptor)

    def forget(self, recording: Recording) -> None:
        """See ``ListeningCopies.forget``."""
        with storage_errors(place=_PLACE):
            for copy in self._folder.glob(f"{recording.sha256}-*.wav"):
                copy.unlink(missing_ok=True)

    def _name(self, recording: Recording, metadata: CallMetadata) -> str:
        """What the bytes of the copy depend on: the recording's, and how they are read."""
        read_as = {
            "revision": COPY_REVISION,
            "channel_map": metadata.channel_map,
            "default_map": self._channel_map,
            "raw_format": None if metadata.raw_format is None else asdict(metadata.raw_format),
        }
        digest = hashlib.sha256(json.dumps(read_as, sort_keys=True).encode()).hexdigest()
        return f"{recording.sha256}-{digest[:16]}.wav"

    def _open(self, name: str) -> int | None:
        path = self._folder / name
        with storage_errors(place=_PLACE):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
        if not is_whole(descriptor):  # somebody else's, or damaged: a new one takes its place
            os.close(descriptor)
            return None
        with contextlib.suppress(OSError):  # read-only, or gone by now
            os.utime(path)  # when it was listened to last: file systems do not keep that
        return descriptor

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        with self._lock:
            making = self._making.setdefault(name, _Making())
            making.interested += 1
        try:
            with making.lock:
                yield
        finally:
            with self._lock:
                making.interested -= 1
                if not making.interested:
                    del self._making[name]

    def _make(self, name: str, recording: Recording, metadata: CallMetadata) -> int:
        with ExitStack() as stack:
            with storage_errors(place=_PLACE):
                self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
                handle, temporary = tempfile.mkstemp(dir=self._temporary)
            stack.callback(_remove, Path(temporary))
            try:
                paths = [stack.enter_context(self._blobs.local_path(uri)) for uri in recording.blob_uris]
                request: dict[str, Any] = {
                    "paths": [str(path.resolve()) for path in paths],
                    "channel_map": metadata.channel_map,
                    "default_map": self._channel_map,
                    "raw_format": None if metadata.raw_format is None else asdict(metadata.raw_format),
                    "limits": self._limits,
                    "target": str(Path(temporary).resolve()),
                    "spool_dir": str(self._temporary.resolve()),
                }
                self._programs.ask(request, timeout_s=self._timeout_s(len(paths)))
                with storage_errors(place=_PLACE):
                    os.fsync(handle)  # a copy with holes, after a power failure, would be evidence of silence
                    Path(temporary).replace(self._folder / name)
            except BaseException:
                os.close(handle)
                raise
        self._make_room(keep=name)
        return handle

    def _timeout_s(self, files: int) -> float:
        """Longer than the decoder's own limits: they end a decode that gets nowhere, this one all else."""
        flat_s, longest_s = self._limits["decode_timeout_s"], self._limits["max_duration_s"]
        return _FLAT_S + files * (flat_s + longest_s / _LEAST_SPEED)

    def _make_room(self, *, keep: str) -> None:
        """Remove what was not listened to for longest. Housekeeping fails nobody who listens."""
        with contextlib.suppress(OSError):
            found = []
            for copy in self._folder.glob("*.wav"):
                with contextlib.suppress(OSError):  # another process makes room too
                    status = copy.stat()
                    found.append((copy.name == keep, status.st_mtime, status.st_size, copy))
            taken = sum(size for _, _, size, _ in found)
            for _, _, size, copy in sorted(found):
                if taken <= self._most_bytes:
                    return
                _remove(copy)
                taken -= size

    def _remove_stale(self) -> None:
        """Remove what killed processes left. A day is longer than any copy takes."""
        oldest = time.time() - _STALE_AFTER_S
        with contextlib.suppress(OSError):
            for leftover in self._temporary.iterdir():
                with contextlib.suppress(OSError):
                    if leftover.stat().st_mtime < oldest:
                        leftover.unlink()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
