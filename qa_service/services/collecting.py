"""What collecting is made with, and what comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from qa_service.ports import Clock, UnitOfWorkFactory
from qa_service.ports.sources import CallMetadataSource, Listed, Source
from qa_service.services.ingest import Ingest
from qa_service.services.jobs import ScoreRecordings


class Outcome(StrEnum):
    """What became of a file in a round. ``known``: its bytes were; ``told``: its call's metadata changed."""

    NEW = "new"
    KNOWN = "known"
    TOLD = "told"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Collected:
    """Something that happened to a file; ``code`` and ``message`` where it was not taken."""

    source: str
    key: str
    outcome: Outcome
    recording_id: int | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What rounds are made with.

    ``sources``: all that are configured, by name. ``told_by``: opens what is known about a source's calls, and is
    given whom to warn of what is wrong with it.
    ``has_space``: whether the data disk has room for more.
    ``at_night``: a nightly run queues what is new. ``given_table``: the table that tells of all recordings, where
    there is one.
    """

    units: UnitOfWorkFactory
    units_to_read: UnitOfWorkFactory
    ingest: Ingest
    jobs: ScoreRecordings
    clock: Clock
    sources: Mapping[str, Source]
    told_by: Callable[[Source, Callable[[str], None]], CallMetadataSource]
    given_table: Callable[[], Listed | None]
    settle_s: float
    max_file_bytes: int
    has_space: Callable[[], bool]
    at_night: bool = False
