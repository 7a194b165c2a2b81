"""Ports of sources: where recordings are collected from, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qa_service.domain.call import CallMetadata, Recording
from qa_service.errors import QAError

if TYPE_CHECKING:
    from qa_service.ports.blobs import ByteSource


@dataclass(frozen=True, slots=True)
class CallFiles:
    """A call's file, or both of them in the order of their channels. ``fault``: why it cannot be scored."""

    path: Path
    second: Path | None = None
    fault: QAError | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path,) if self.second is None else (self.path, self.second)


@dataclass(frozen=True, slots=True)
class Received:
    """A recording as it came in. ``new`` False: these bytes were known already."""

    recording: Recording
    metadata: CallMetadata
    new: bool


@dataclass(frozen=True, slots=True)
class Arriving:
    """A file that comes from elsewhere than a disk. ``path`` names it for people."""

    path: str
    size_bytes: int
    source: ByteSource


class Receiver(Protocol):
    """Who stores recordings; see ``services.ingest``."""

    def receive(self, path: Path, metadata: CallMetadata | None, *, second: Path | None = None) -> Received: ...

    def receive_all(self, sides: Sequence[Arriving], metadata: CallMetadata | None) -> Received: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a source, as a listing tells of it.

    ``key``: its name there, unlike any other's. ``stamp`` changes with its bytes. ``changed_at``: seconds since
    1970; None where a file is there only when it is complete. ``table``: it tells of recordings and is none.
    """

    key: str
    size_bytes: int
    stamp: str
    changed_at: float | None
    table: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a source that cannot be listed."""

    key: str
    reason: str


class Source(Protocol):
    """A folder or bucket that is listed again and again. Nothing in it is ever changed."""

    name: str

    def walk(self, folder: Path | None = None) -> Iterator[Listed | Unreadable]:
        """Recordings and tables of the source, or just those directly in ``folder``, in any order.

        Raises:
            TransientError: ``source_unavailable``, it cannot be listed now.
        """
        ...

    def path(self, key: str) -> Path:
        """Where metadata and names look for the file; no two keys have the same."""
        ...

    def look(self, path: Path) -> Listed | None:
        """What is at a path now; None when there is no recording."""
        ...

    def check(self) -> None:
        """Raises TransientError when it cannot be listed now: a file that cannot be read then is not to blame."""
        ...

    def receive(self, receiver: Receiver, first: Listed, second: Listed | None) -> Received:
        """Store a call of one file or two. Raises what the receiver does."""
        ...


class CallMetadataSource(Protocol):
    """What is known about calls before they are heard."""

    def calls(self, files: Sequence[Path]) -> Sequence[CallFiles]:
        """Which of the files are one call."""
        ...

    def of(self, call: CallFiles, /) -> CallMetadata | None:
        """Raises InputError where what is known cannot be read or contradicts itself."""
        ...

    def contradictions(self, one: CallMetadata | None, other: CallMetadata | None) -> Sequence[str]:
        """Names of the values that both know and that are not the same."""
        ...


class SeenState(StrEnum):
    """What became of a file: ``growing`` is looked at again, ``waiting`` waits for the other side of its call,
    ``refused`` waits until it changes or somebody asks; one that could not be read is tried in each round."""

    GROWING = "growing"
    WAITING = "waiting"
    TAKEN = "taken"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a file.

    ``since``: when it was first seen with this size and stamp; of one that could not be read, when that was last
    tried. ``told``: digest of what was known about the call.
    """

    key: str
    size_bytes: int
    stamp: str
    state: SeenState
    since: datetime
    recording_id: int | None = None
    told: str | None = None
    code: str | None = None
    message: str | None = None


class SourceRepository(Protocol):
    """What collectors remember, and which of them collects from which source."""

    def take(
        self, source: str, owner: str, *, lease_s: float, every_s: float, is_dead: Callable[[str], bool]
    ) -> bool:
        """Become the one who collects from ``source``; False: another does, or a round ended less than ``every_s``
        ago (0: whenever it ended)."""
        ...

    def keep(self, source: str, owner: str, *, lease_s: float) -> None:
        """Raises ConflictError ``lease_lost`` when another collects by now."""
        ...

    def give_back(
        self, source: str, owner: str, *, finished: bool, error: str | None, rest_s: float = 0.0
    ) -> None:
        """``finished``: a round came to its end, well or with ``error``, the code of what ended it; the time to
        the next one begins ``rest_s`` later."""
        ...

    def unchanged(
        self, source: str, files: Collection[Listed], states: Collection[SeenState], *, but: str
    ) -> Collection[str]:
        """Keys of the files that are remembered with this size and stamp, in one of these states, and not with the
        code ``but``."""
        ...

    def seen(self, source: str, keys: Collection[str]) -> Mapping[str, Seen]: ...

    def remember(self, source: str, files: Iterable[Seen]) -> None: ...

    def places(self, recording_id: int) -> Sequence[tuple[str, str]]:
        """Source and key of every file that is this recording, or a side of it."""
        ...

    def refused(self, source: str) -> Mapping[str, int]:
        """How many files are refused, by code."""
        ...
