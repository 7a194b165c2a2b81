"""What hears a recording.

Samples are float32 arrays in [-1, 1], mono, 16 kHz, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qa_service.domain.call import RawFormat
from qa_service.domain.conversation import EngineRun, SpeakerRole, TextOverlay, Transcript
from qa_service.domain.faults import ChannelInspection
from qa_service.domain.timeline import TimeSpan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class DecodedAudio(Protocol):
    """Decoded, resampled audio that is read piece by piece; never whole in memory."""

    channels: int
    duration_s: float
    sample_rate_hz: int

    def read(self, channel: int, span: TimeSpan) -> NDArray[np.float32]:
        """float32 (time,) of one channel, cut at the recording's end."""
        ...


@dataclass(frozen=True, slots=True)
class AudioSource:
    """What to decode, and what the file itself cannot say.

    ``paths``: the recording, or two mono files that are the two sides of one call (channels 0 and 1).
    ``channel_map``: which of the file's tracks become channels 0 and 1; None: the file has one or two.
    ``raw_format``: how to read a file without a header.
    """

    paths: tuple[Path, ...]
    channel_map: tuple[int, ...] | None = None
    raw_format: RawFormat | None = None


class AudioDecoder(Protocol):
    channel_map: tuple[int, ...] | None
    """The site's map, for files of more than two tracks of which nothing else is said."""

    def decode(self, source: AudioSource) -> AbstractContextManager[DecodedAudio]:
        """Raises InputError: empty, not audio, unsupported, corrupt."""
        ...


@dataclass(frozen=True, slots=True)
class SpeechActivity:
    """Speech of one channel, or of one of its speakers: tight spans, its mean level while speaking (dBFS, None
    without speech), and its levels step by step as in ``SpeakerSpeech``."""

    channel: int
    spans: tuple[TimeSpan, ...]
    level_dbfs: float | None
    speaker: int = 0
    levels: tuple[float | None, ...] | None = None


class VoiceActivityDetector(Protocol):
    @property
    def run(self) -> EngineRun: ...

    def detect(
        self, audio: DecodedAudio, *, leaked: Sequence[Sequence[TimeSpan]] = ()
    ) -> tuple[SpeechActivity, ...]:
        """Speech of every channel, in channel order. Speech leaking from the other channel is not speech.

        Args:
            leaked: of each channel, when it is known to hold nothing but the other side's voice.
        """
        ...

    def rehearse(self) -> None:
        """Load what is needed and try it on a moment of noise. Raises what would be raised at work."""
        ...


class ChannelInspector(Protocol):
    @property
    def run(self) -> EngineRun: ...

    def inspect(self, audio: DecodedAudio) -> ChannelInspection:
        """What is wrong with the channels, as far as the samples tell."""
        ...


@dataclass(frozen=True, slots=True)
class SpokenCall:
    """A call ready to be recognised: who speaks when, and the language where it is known (``mixed``: several)."""

    audio: DecodedAudio
    speakers: tuple[SpeechActivity, ...]
    language: str | None = None


class Transcriber(Protocol):
    @property
    def run(self) -> EngineRun: ...

    def transcribe(self, calls: Sequence[SpokenCall]) -> tuple[tuple[Transcript, ...], ...]:
        """Of each call, the words of each speaker inside their speech spans, in order.

        Calls are recognised together because that is faster; what is heard of one never depends on the others.
        """
        ...

    def rehearse(self) -> None:
        """Load what is needed and try it on a moment of noise. Raises what would be raised at work."""
        ...


class Diarizer(Protocol):
    @property
    def run(self) -> EngineRun: ...

    def speakers(
        self,
        audio: DecodedAudio,
        activities: Sequence[SpeechActivity],
        *,
        expected: int | None,
        shared: bool = False,
    ) -> tuple[SpeechActivity, ...]:
        """Who speaks when. Separate channels are their speakers; a channel that several share is taken apart.

        Args:
            activities: speech of every channel.
            expected: how many people speak, when it is known.
            shared: whether the channels hold the same mixture.
        """
        ...


@dataclass(frozen=True, slots=True)
class RoleCue:
    """Words that tell who somebody is: of the speaker's folded text, the characters ``[start, end)``."""

    speaker: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RoleAttribution:
    """Roles of a call's speakers, in order, how probable they are together, in [0, 1], and what tells them."""

    roles: tuple[SpeakerRole, ...]
    probability: float
    cues: tuple[RoleCue, ...] = ()


class RoleAttributor(Protocol):
    @property
    def run(self) -> EngineRun: ...

    def attribute(self, said: Sequence[TextOverlay], language: str) -> RoleAttribution:
        """Roles of the speakers who said this; unknown for each where the text does not tell."""
        ...


class TextAnnotator(Protocol):
    """Overlays for matching. ``revision`` changes when the same text would be annotated differently."""

    revision: str

    def simplified(self, raw_text: str, language: str) -> str:
        """Simplified script, aligned character by character with ``raw_text``."""
        ...

    def respelled(self, text: str, words: tuple[str, ...]) -> tuple[str, tuple[tuple[int, int], ...]]:
        """``text``, of the same length, with what sounds like one of ``words`` written so, and those places."""
        ...

    def overlay(self, text: str) -> TextOverlay: ...
