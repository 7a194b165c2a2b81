"""The speech stage: a recording becomes a stored conversation.

Guarantee: the stage is keyed by the recording's digest, the engines with their options, and the metadata that
speech depends on; a key that is stored already costs no speech work. No transaction is open during inference.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from qa_service.domain.alignment import AlignmentOptions, build_conversation, roles_of
from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import ChannelSpeech, Conversation, EngineRun
from qa_service.domain.timeline import total_s
from qa_service.errors import InputError
from qa_service.ports import (
    AudioDecoder,
    AudioSource,
    BlobStore,
    StoredConversation,
    TextAnnotator,
    Transcriber,
    UnitOfWorkFactory,
    VoiceActivityDetector,
)
from qa_service.services.keys import stage_key

# Raised whenever the same words and speech spans would be assembled into another conversation.
ASSEMBLY_REVISION = 1


class HearRecording:
    """Decode → voice activity → words → conversation."""

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        blobs: BlobStore,
        decoder: AudioDecoder,
        detector: VoiceActivityDetector,
        transcriber: Transcriber,
        annotator: TextAnnotator,
        alignment: AlignmentOptions,
        language: str | None,
        agent_channel: int | None,
    ) -> None:
        self._units = units
        self._blobs = blobs
        self._decoder = decoder
        self._detector = detector
        self._transcriber = transcriber
        self._annotator = annotator
        self._alignment = alignment
        self._language = language
        self._agent_channel = agent_channel

    @property
    def engines(self) -> tuple[EngineRun, ...]:
        """What hears, stage by stage. Raises EngineError when a model is missing."""
        return self._detector.run, self._transcriber.run

    def key(self, recording: Recording, metadata: CallMetadata) -> str:
        return stage_key(
            "speech",
            revision=ASSEMBLY_REVISION,
            recording=recording.sha256,
            vad=self._detector.run,
            asr=self._transcriber.run,
            text=self._annotator.revision,
            alignment=self._alignment,
            language=self._language_of(metadata),
            agent_channel=self._agent_channel_of(metadata),
            channel_map=metadata.channel_map,
            raw_format=metadata.raw_format,
        )

    def hear(self, recording: Recording, metadata: CallMetadata) -> StoredConversation:
        """The recording's conversation, from the store when it is there.

        Raises:
            InputError: the audio cannot be used (the decoder's codes), or ``silent_audio``.
            EngineError: a model cannot work.
        """
        key = self.key(recording, metadata)
        with self._units() as unit:
            stored = unit.conversations.by_key(key)
        if stored is not None:
            # Not heard but told, and so no part of the key: metadata may have confirmed the site's default since.
            role_source = self._role_source(metadata, len(stored.conversation.speech))
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
            transcripts = self._transcriber.transcribe(
                audio, {a.channel: a.spans for a in activities}, language=self._language_of(metadata)
            )
            roles = roles_of(audio.channels, self._agent_channel_of(metadata))
            conversation = build_conversation(
                duration_s=audio.duration_s,
                language=transcripts[0].language,
                speech=[ChannelSpeech(a.channel, roles[a.channel], a.spans, a.level_dbfs) for a in activities],
                transcripts=transcripts,
                simplified=self._annotator.simplified,
                overlay=self._annotator.overlay,
                role_source=self._role_source(metadata, audio.channels),
                overlap_measurable=audio.channels == 2,
                provenance=self.engines,
                options=self._alignment,
            )
            return conversation, audio.channels

    @contextmanager
    def _local_paths(self, recording: Recording) -> Iterator[tuple[Path, ...]]:
        with ExitStack() as files:
            yield tuple(files.enter_context(self._blobs.local_path(uri)) for uri in recording.blob_uris)

    def _language_of(self, metadata: CallMetadata) -> str | None:
        return metadata.language or self._language

    def _agent_channel_of(self, metadata: CallMetadata) -> int | None:
        return self._agent_channel if metadata.agent_channel is None else metadata.agent_channel

    def _role_source(self, metadata: CallMetadata, channels: int) -> str:
        if channels != 2 or self._agent_channel_of(metadata) is None:
            return "unknown"
        return "site default" if metadata.agent_channel is None else "metadata"
