"""What the telephony side says about a call. Everything is optional: unknown stays unknown."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from qa_service.domain.timeline import TimeSpan

MIXED: Final = "mixed"
"""The language of a call in several: each utterance is recognised in its own."""


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Purpose(StrEnum):
    SERVICE = "service"
    SALES = "sales"
    REPLY = "reply"
    FOLLOW_UP = "follow-up"


class HangupSide(StrEnum):
    AGENT = "agent"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class RawFormat:
    """What a file without a header holds. ``encoding`` is a name of the decoder's table (``mulaw``, ``s16le``)."""

    encoding: str
    sample_rate_hz: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """Metadata of one call; ``extra`` keeps columns that this product does not know, sorted by name.

    ``channel_map``: which of the file's tracks are used, in the order that makes them channels 0 and 1.
    """

    call_id: str | None = None
    direction: Direction | None = None
    purpose: Purpose | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    team: str | None = None
    vendor: str | None = None
    queue: str | None = None
    customer_ref: str | None = None
    started_at: datetime | None = None
    language: str | None = None
    ring_count: int | None = None
    hangup_side: HangupSide | None = None
    agent_channel: int | None = None
    speakers: int | None = None
    hold_spans: tuple[TimeSpan, ...] | None = None
    channel_map: tuple[int, ...] | None = None
    raw_format: RawFormat | None = None
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A received recording, known by its bytes. ``path`` is where it was last seen, for people.

    With a second file the two are the two sides of one call, channels 0 and 1, and ``size_bytes`` counts both.
    """

    id: int
    sha256: str
    path: str
    blob_uri: str
    size_bytes: int
    duration_s: float | None
    channels: int | None
    second_path: str | None = None
    second_blob_uri: str | None = None

    @property
    def blob_uris(self) -> tuple[str, ...]:
        """The file, or both files in the order of their channels."""
        return (self.blob_uri,) if self.second_blob_uri is None else (self.blob_uri, self.second_blob_uri)


def pair_digest(first_sha256: str, second_sha256: str) -> str:
    """The digest of a recording of two files; swapped they are another recording.

    SHA-256 of the two hex digests, a line each: ``printf '%s\\n' FIRST SECOND | sha256sum``.
    """
    return hashlib.sha256(f"{first_sha256}\n{second_sha256}\n".encode()).hexdigest()
