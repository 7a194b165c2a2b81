"""The speech stage: a recording becomes a stored conversation.

Guarantee: the stage is keyed by the recording's digest, the engines with their options, and the metadata that
speech depends on; a key that is stored already costs no speech work. No transaction is open during inference.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from qa_service.domain.alignment import AlignmentOptions, build_conversation, roles_of
from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import Conversation, EngineRun, SpeakerRole, SpeakerSpeech, Transcript
from qa_service.domain.timeline import total_s
from qa_service.errors import InputError
from qa_service.ports import (
    AudioDecoder,
    AudioSource,
    BlobStore,
    Diarizer,
    RoleAttributor,
    SpokenCall,
    StoredConversation,
    TextAnnotator,
    Transcriber,
    UnitOfWorkFactory,
    VoiceActivityDetector,
)
from qa_service.services.keys import stage_key

# Raised whenever the same words and speech spans would be assembled into another conversation.
ASSEMBLY_REVISION = 2


FROM_CUES = "script cues"


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who is who: a role for each speaker, and how that is known."""

    roles: tuple[SpeakerRole, ...]
    source: str
    probability: float | None = None


class HearRecording:
    """Decode → voice activity → speakers → words → roles → conversation."""

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        blobs: BlobStore,
        decoder: AudioDecoder,
        detector: VoiceActivityDetector,
        diarizer: Diarizer,
        transcriber: Transcriber,
        attributor: RoleAttributor,
        annotator: TextAnnotator,
        alignment: AlignmentOptions,
        language: str | None,
        agent_channel: int | None,
    ) -> None:
        self._units = units
        self._blobs = blobs
        self._decoder = decoder
        self._detector = detector
        self._diarizer = diarizer
        self._transcriber = transcriber
        self._attributor = attributor
        self._annotator = annotator
        self._alignment = alignment
        self._language = language
        self._agent_channel = agent_channel

    @property
    def engines(self) -> tuple[EngineRun, ...]:
        """What hears, stage by stage. Raises EngineError when a model is missing."""
        return self._detector.run, self._diarizer.run, self._transcriber.run, self._attributor.run

    def key(self, recording: Recording, metadata: CallMetadata) -> str:
        return stage_key(
            "speech",
            revision=ASSEMBLY_REVISION,
            recording=recording.sha256,
            vad=self._detector.run,
            diarization=self._diarizer.run,
            roles=self._attributor.run,
            speakers=metadata.speakers,
            asr=self._transcriber.run,
            text=self._annotator.revision,
            alignment=self._alignment,
            language=self._language_of(metadata),
            agent_channel=self._agent_channel_of(metadata),
            channel_map=metadata.channel_map,
            site_channel_map=self._decoder.channel_map,
            raw_format=metadata.raw_format,
        )

    def hear(self, recording: Recording, metadata: CallMetadata) -> StoredConversation:
        """The recording's conversation, from the store when it is there.

        Raises:
            InputError: the audio cannot be used (the decoder's codes), ``silent_audio`` or ``no_words``.
            EngineError: a model cannot work.
        """
        key = self.key(recording, metadata)
        with self._units() as unit:
            stored = unit.conversations.by_key(key)
        if stored is not None:
            # Not heard but told, and so no part of the key: metadata may have confirmed the site's default since.
            if stored.conversation.channels != 2:
                return stored
            role_source = self._role_source(metadata)
            return replace(stored, conversation=replace(stored.conversation, role_source=role_source))
        started = time.monotonic()
        conversation, channels = self._listen(recording, metadata)
        with self._units() as unit:
            unit.recordings.set_audio(recording.id, duration_s=conversation.duration_s, channels=channels)
            stored = unit.conversations.add(key, recording.id, conversation, elapsed_s=time.monotonic() - started)
            unit.commit()
        return stored

    def _listen(self, recording: Recording, metadata: CallMetadata) -> tuple[Conversation, int]:
        with (
            self._local_paths(recording) as paths,
            self._decoder.decode(AudioSource(paths, metadata.channel_map, metadata.raw_format)) as audio,
        ):
            activities = self._detector.detect(audio)
            if not any(total_s(activity.spans) for activity in activities):
                raise InputError(
                    "silent_audio", "no speech on any channel: check the recorder", recording=recording.id
                )
            speakers = self._diarizer.speakers(audio, activities, expected=metadata.speakers)
            (transcripts,) = self._transcriber.transcribe(
                [SpokenCall(audio, speakers, self._language_of(metadata))]
            )
            separate = len({s.channel for s in speakers}) == audio.channels == 2
            cast = self._told(metadata) if separate else self._inferred(transcripts)
            conversation = build_conversation(
                duration_s=audio.duration_s,
                language=transcripts[0].language,
                speech=[
                    SpeakerSpeech(s.channel, role, s.spans, s.level_dbfs, s.speaker)
                    for s, role in zip(speakers, cast.roles, strict=True)
                ],
                transcripts=transcripts,
                simplified=self._annotator.simplified,
                overlay=self._annotator.overlay,
                role_source=cast.source,
                role_probability=cast.probability,
                overlap_measurable=separate,
                provenance=(
                    self._detector.run,
                    *(() if separate else (self._diarizer.run, self._attributor.run)),
                    self._transcriber.run,
                ),
                options=self._alignment,
            )
            if not conversation.utterances:
                # Nothing that was said can be checked; what remains, pauses and overlaps, may be music or a fax.
                raise InputError(
                    "no_words",
                    "no word in what sounds like speech: listen to it, it may be music or another language",
                    recording=recording.id,
                )
            return conversation, audio.channels

    def _told(self, metadata: CallMetadata) -> _Cast:
        """Roles of separate channels: somebody says which one the agent is on."""
        return _Cast(roles_of(2, self._agent_channel_of(metadata)), self._role_source(metadata))

    def _inferred(self, transcripts: Sequence[Transcript]) -> _Cast:
        """Roles of speakers on one channel, from what they say."""
        said = [
            self._annotator.overlay(
                self._annotator.simplified(
                    "\n".join("".join(word.text for word in s.words) for s in transcript.segments),
                    transcript.language,
                )
            )
            for transcript in transcripts
        ]
        found = self._attributor.attribute(said, transcripts[0].language)
        if SpeakerRole.AGENT not in found.roles:
            return _Cast(found.roles, "unknown", found.probability)
        return _Cast(found.roles, FROM_CUES, found.probability)

    @contextmanager
    def _local_paths(self, recording: Recording) -> Iterator[tuple[Path, ...]]:
        with ExitStack() as files:
            yield tuple(files.enter_context(self._blobs.local_path(uri)) for uri in recording.blob_uris)

    def _language_of(self, metadata: CallMetadata) -> str | None:
        return metadata.language or self._language

    def _agent_channel_of(self, metadata: CallMetadata) -> int | None:
        return self._agent_channel if metadata.agent_channel is None else metadata.agent_channel

    def _role_source(self, metadata: CallMetadata) -> str:
        if self._agent_channel_of(metadata) is None:
            return "unknown"
        return "site default" if metadata.agent_channel is None else "metadata"
