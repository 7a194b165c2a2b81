"""The speakers of a whole call, whatever its channels hold.

Separate channels are their speakers. A single channel is taken apart, and so are two that hold the same mixture,
or of which only one carries speech while two people are heard on it: recorders write such "stereo" files, and
taking their channels for people would accuse an agent of the customer's words.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from qa_service.domain.conversation import EngineRun
from qa_service.domain.timeline import total_s
from qa_service.ports import DecodedAudio, SpeechActivity


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


class CallDiarizer:
    """Implements ``Diarizer``."""

    def __init__(self, channel: ChannelDiarizer) -> None:
        self._channel = channel

    @property
    def run(self) -> EngineRun:
        return self._channel.run

    def speakers(
        self,
        audio: DecodedAudio,
        activities: Sequence[SpeechActivity],
        *,
        expected: int | None,
        shared: bool = False,
    ) -> tuple[SpeechActivity, ...]:
        speaking = [activity for activity in activities if activity.spans]
        if not speaking or (len(speaking) > 1 and not shared):
            return tuple(activities)
        fullest = max(speaking, key=lambda activity: total_s(activity.spans))
        apart = self._channel.take_apart(audio, fullest, expected=expected)
        if len(apart) < 2 and len(speaking) < len(activities):
            return tuple(activities)  # one person, on a channel of their own
        return apart or (fullest,)
