"""The speakers of a whole call, whatever its channels hold.

Separate channels are their speakers. A single channel is taken apart, and so are two that hold the same mixture,
or of which only one carries speech while two people are heard on it: recorders write such "stereo" files, and
taking their channels for people would accuse an agent of the customer's words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qa_service.domain.conversation import EngineRun
from qa_service.domain.timeline import TimeSpan, clip, total_s
from qa_service.ports import DecodedAudio, SpeechActivity

_BLOCK_S = 30.0


class ChannelDiarizer(Protocol):
    @property
    def run(self) -> EngineRun: ...

    def take_apart(
        self, audio: DecodedAudio, activity: SpeechActivity, *, expected: int | None
    ) -> tuple[SpeechActivity, ...]: ...


class WholeChannel:
    """Takes nothing apart: a shared channel stays one speaker, whose role nobody can tell."""

    def __init__(self, *, cache_dir: Path, device: str) -> None:
        """Takes what every engine takes; needs nothing of it."""

    @property
    def run(self) -> EngineRun:
        return EngineRun("diarization", "none", "none", "1", "cpu")

    def take_apart(
        self,
        audio: DecodedAudio,  # noqa: ARG002 - the signature is the protocol's
        activity: SpeechActivity,
        *,
        expected: int | None,  # noqa: ARG002
    ) -> tuple[SpeechActivity, ...]:
        return (activity,)


@dataclass(frozen=True, slots=True)
class SharedOptions:
    """``same_audio``: correlation from which two channels are one; hybrids leak far less, codecs cost far less."""

    same_audio: float = 0.9


class CallDiarizer:
    """Implements ``Diarizer``."""

    def __init__(self, channel: ChannelDiarizer, *, options: SharedOptions | None = None) -> None:
        self._channel = channel
        self._options = options or SharedOptions()

    @property
    def run(self) -> EngineRun:
        run = self._channel.run
        return replace(run, options=(*run.options, ("same_audio", str(self._options.same_audio))))

    def speakers(
        self, audio: DecodedAudio, activities: Sequence[SpeechActivity], *, expected: int | None
    ) -> tuple[SpeechActivity, ...]:
        speaking = [activity for activity in activities if activity.spans]
        shared = len(speaking) < 2 or self._hold_the_same(audio, activities)
        if not shared or not speaking:
            return tuple(activities)
        fullest = max(speaking, key=lambda activity: total_s(activity.spans))
        apart = self._channel.take_apart(audio, fullest, expected=expected)
        if len(apart) < 2 and len(speaking) < len(activities):
            return tuple(activities)  # one person, on a channel of their own
        return apart or (fullest,)

    def _hold_the_same(self, audio: DecodedAudio, activities: Sequence[SpeechActivity]) -> bool:
        """Whether two channels carry one mixture, at whatever level: by their correlation while one speaks."""
        first_energy = second_energy = product = 0.0
        for span in _speech_of(activities, audio.duration_s):
            first, second = _varying(audio.read(0, span)), _varying(audio.read(1, span))
            first_energy += float(first @ first)
            second_energy += float(second @ second)
            product += float(first @ second)
        if not first_energy or not second_energy:
            return False
        return abs(product) / float(np.sqrt(first_energy * second_energy)) >= self._options.same_audio


def _varying(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Without the direct current that some line cards add to every channel."""
    varying: NDArray[np.float64] = samples - samples.mean(dtype=np.float64)
    return varying


def _speech_of(activities: Sequence[SpeechActivity], duration_s: float) -> Iterator[TimeSpan]:
    spans = [span for activity in activities for span in activity.spans]
    start = 0.0
    while start < duration_s:
        block = TimeSpan(start, min(start + _BLOCK_S, duration_s))
        yield from clip(spans, block)
        start += _BLOCK_S
