"""What the telephony side says about a call. Everything is optional: unknown stays unknown."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from qa_service.domain.timeline import TimeSpan


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
    """A received file, known by its bytes. ``path`` is where it was last seen, for people."""

    id: int
    sha256: str
    path: str
    blob_uri: str
    size_bytes: int
    duration_s: float | None
    channels: int | None
