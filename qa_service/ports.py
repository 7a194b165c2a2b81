"""Ports: what the core needs from the world, wired only at the composition roots.

Samples are float32 arrays in [-1, 1], mono, 16 kHz, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, EngineRun, TextOverlay, Transcript
from qa_service.domain.metrics import ConversationMetrics, MetricOptions
from qa_service.domain.results import RuleResult
from qa_service.domain.scoring import Scorecard
from qa_service.domain.timeline import TimeSpan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Clock(Protocol):
    def now(self) -> datetime:
        """Current time, UTC, aware."""
        ...


@dataclass(frozen=True, slots=True)
class StoredBlob:
    sha256: str
    uri: str
    size_bytes: int


class BlobStore(Protocol):
    """Immutable bytes under their digest. Streams and byte ranges, so that encryption fits in later."""

    def put(self, source: BinaryIO) -> StoredBlob:
        """Store a stream; the same bytes twice are one blob. Nothing half-written is ever visible."""
        ...

    def open(self, uri: str) -> BinaryIO: ...

    def read_range(self, uri: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes ``[start, end)`` in chunks. Raises NotFoundError."""
        ...

    def local_path(self, uri: str) -> AbstractContextManager[Path]:
        """A path that decoders can open, valid inside the context."""
        ...

    def size_bytes(self, uri: str) -> int: ...

    def delete(self, uri: str) -> None: ...


class DecodedAudio(Protocol):
    """Decoded, resampled audio that is read piece by piece; never whole in memory."""

    channels: int
    duration_s: float
    sample_rate_hz: int

    def read(self, channel: int, span: TimeSpan) -> NDArray[np.float32]:
        """float32 (time,) of one channel, cut at the recording's end."""
        ...


class AudioDecoder(Protocol):
    def decode(self, path: Path) -> AbstractContextManager[DecodedAudio]:
        """Raises InputError: empty, not audio, unsupported, corrupt."""
        ...


@dataclass(frozen=True, slots=True)
class SpeechActivity:
    """Speech of one channel: tight spans, and its mean level while speaking (dBFS, None without speech)."""

    channel: int
    spans: tuple[TimeSpan, ...]
    level_dbfs: float | None


class VoiceActivityDetector(Protocol):
    run: EngineRun

    def detect(self, audio: DecodedAudio, channel: int) -> SpeechActivity: ...


class Transcriber(Protocol):
    run: EngineRun

    def transcribe(
        self, audio: DecodedAudio, speech: Mapping[int, Sequence[TimeSpan]], *, language: str | None
    ) -> tuple[Transcript, ...]:
        """Words of each channel inside its speech spans; language detected per call when None."""
        ...


class TextAnnotator(Protocol):
    """Overlays for matching. ``revision`` changes when the same text would be annotated differently."""

    revision: str

    def simplified(self, raw_text: str, language: str) -> str:
        """Simplified script, aligned character by character with ``raw_text``."""
        ...

    def overlay(self, text: str) -> TextOverlay: ...


class RuleEvaluator(Protocol):
    """A compiled rule set with its scorecard."""

    pack: str
    digest: str
    scorecard: Scorecard
    metric_options: MetricOptions

    def evaluate(
        self, conversation: Conversation, metrics: ConversationMetrics, metadata: CallMetadata
    ) -> tuple[RuleResult, ...]: ...
