"""The speech stage: a recording becomes a stored conversation.

Guarantee: the stage is keyed by the recording's digest, the engines with their options, and the metadata that
speech depends on; a key that is stored already costs no speech work. No transaction is open during inference.
Recordings that are heard together fail each on its own.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import structlog

from qa_service.domain.alignment import AlignmentOptions, build_conversation
from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import Conversation, EngineRun, SpeakerSpeech, Transcript
from qa_service.domain.faults import (
    ChannelFault,
    FaultKind,
    FaultOptions,
    channel_faults,
    hold_one_mixture,
    leaked,
)
from qa_service.domain.masking.card_codes import without_card_codes
from qa_service.domain.text import hot_word_fault
from qa_service.domain.timeline import total_s
from qa_service.errors import InputError
from qa_service.observing import Laps
from qa_service.ports import (
    AudioDecoder,
    AudioSource,
    BlobStore,
    ChannelInspector,
    Diarizer,
    RoleAttributor,
    SpokenCall,
    StoredConversation,
    TextAnnotator,
    Transcriber,
    UnitOfWorkFactory,
    VoiceActivityDetector,
)
from qa_service.services.casting import Casting
from qa_service.services.keys import stage_key

# Raised whenever the same words and speech spans would be assembled into another conversation.
ASSEMBLY_REVISION = 9


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call that only waits to be recognised. It holds the decoded audio open until it is closed.

    ``prepare_s``: seconds of work it has cost so far. ``laps``: what they were spent on; more come.
    ``not_before``: what was heard earlier does not count.
    """

    recording: Recording
    metadata: CallMetadata
    key: str
    spoken: SpokenCall
    faults: tuple[ChannelFault, ...]
    files: ExitStack
    prepare_s: float
    laps: Laps = field(default_factory=Laps, compare=False)
    not_before: datetime | None = None

    @property
    def separate(self) -> bool:
        """Whether each of two channels is a speaker."""
        return _are_separate(self.spoken)

    @property
    def duration_s(self) -> float:
        return self.spoken.audio.duration_s

    def close(self) -> None:
        self.files.close()


class HearRecording:
    """Decode → channels → voice activity → speakers → words → roles → conversation."""

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        blobs: BlobStore,
        decoder: AudioDecoder,
        inspector: ChannelInspector,
        detector: VoiceActivityDetector,
        diarizer: Diarizer,
        transcriber: Transcriber,
        attributor: RoleAttributor,
        annotator: TextAnnotator,
        alignment: AlignmentOptions,
        language: str | None,
        agent_channel: int | None,
        hot_words: tuple[str, ...] = (),
        faults: FaultOptions | None = None,
    ) -> None:
        self._units = units
        self._blobs = blobs
        self._decoder = decoder
        self._inspector = inspector
        self._detector = detector
        self._diarizer = diarizer
        self._transcriber = transcriber
        self._attributor = attributor
        self._annotator = annotator
        self._alignment = alignment
        self._language = language
        self._agent_channel = agent_channel
        self._hot_words = hot_words
        self._faults = faults or FaultOptions()
        self._casting = Casting(attributor=attributor, annotator=annotator)

    @property
    def engines(self) -> tuple[EngineRun, ...]:
        """What hears, stage by stage. Raises EngineError when a model is missing."""
        return (
            self._inspector.run,
            self._detector.run,
            self._diarizer.run,
            self._transcriber.run,
            self._attributor.run,
        )

    def key(self, recording: Recording, metadata: CallMetadata) -> str:
        return stage_key(
            "speech",
            revision=ASSEMBLY_REVISION,
            recording=recording.sha256,
            channels=self._inspector.run,
            faults=self._faults,
            vad=self._detector.run,
            diarization=self._diarizer.run,
            roles=self._attributor.run,
            casting=self._casting.options,
            speakers=metadata.speakers,
            asr=self._transcriber.run,
            text=self._annotator.revision,
            alignment=self._alignment,
            language=self._language_of(metadata),
            hot_words=self._hot_words_of(metadata),
            agent_channel=self._agent_channel_of(metadata),
            channel_map=metadata.channel_map,
            site_channel_map=self._decoder.channel_map,
            raw_format=metadata.raw_format,
        )

    @property
    def on_gpu(self) -> bool:
        return self._transcriber.run.device != "cpu"

    def rehearse(self) -> None:
        """Load what every call needs and try it. Raises what keeps this machine from hearing anything."""
        self._detector.rehearse()
        self._transcriber.rehearse()

    def is_heard(self, recording: Recording, metadata: CallMetadata) -> bool:
        """Whether the conversation is in the store."""
        with self._units() as unit:
            return unit.conversations.has(self.key(recording, metadata))

    def hear(self, recording: Recording, metadata: CallMetadata) -> StoredConversation:
        """The recording's conversation, from the store when it is there.

        Raises:
            InputError: the audio cannot be used (the decoder's codes), ``silent_audio`` or ``no_words``.
            EngineError: a model cannot work.
        """
        (heard,) = self.hear_all([(recording, metadata)])
        if isinstance(heard, Exception):
            raise heard
        return heard

    def hear_all(
        self, calls: Sequence[tuple[Recording, CallMetadata]]
    ) -> tuple[StoredConversation | Exception, ...]:
        """Of each call its conversation, or what ``hear`` raises for it; recognised together."""
        heard: dict[int, StoredConversation | Exception] = {}
        prepared: dict[int, PreparedCall] = {}
        try:
            for index, (recording, metadata) in enumerate(calls):
                try:
                    ready = self.prepare(recording, metadata)
                except Exception as error:  # noqa: BLE001 - this call's own, and the answer for it
                    heard[index] = error
                    continue
                if isinstance(ready, PreparedCall):
                    prepared[index] = ready
                else:
                    heard[index] = ready
            heard.update(zip(prepared, self.recognise(tuple(prepared.values())), strict=True))
        finally:
            for ready in prepared.values():
                ready.close()
        return tuple(heard[index] for index in range(len(calls)))

    def prepare(
        self,
        recording: Recording,
        metadata: CallMetadata,
        laps: Laps | None = None,
        *,
        not_before: datetime | None = None,
    ) -> StoredConversation | PreparedCall:
        """The stored conversation; else the call decoded, and who speaks when. The caller closes it.

        Args:
            recording: what to hear.
            metadata: what is known about it.
            laps: gets the time of each stage, of a call that fails too.
            not_before: a conversation that was stored earlier does not count.

        Raises:
            InputError: the decoder's codes, ``silent_audio``.
            EngineError: a model cannot work.
        """
        key = self.key(recording, metadata)
        if (stored := self._stored(key, metadata, not_before)) is not None:
            return stored
        laps = Laps() if laps is None else laps
        started = time.monotonic()
        with ExitStack() as files:
            with laps.of("decode"):
                paths = files.enter_context(self._local_paths(recording))
                source = AudioSource(paths, metadata.channel_map, metadata.raw_format)
                audio = files.enter_context(self._decoder.decode(source))
            with laps.of("channels"):
                inspection = self._inspector.inspect(audio)
            with laps.of("vad"):
                activities = self._detector.detect(
                    audio, leaked=leaked(inspection, duration_s=audio.duration_s, options=self._faults)
                )
            if not any(total_s(activity.spans) for activity in activities):
                raise InputError(
                    "silent_audio", "no speech on any channel: check the recorder", recording=recording.id
                )
            with laps.of("diarize"):
                speakers = self._diarizer.speakers(
                    audio,
                    activities,
                    expected=metadata.speakers,
                    shared=hold_one_mixture(inspection, self._faults),
                )
            spoken = SpokenCall(audio, speakers, self._language_of(metadata))
            faults = channel_faults(
                inspection,
                speech_dbfs=[activity.level_dbfs for activity in activities],
                separate=_are_separate(spoken),
                options=self._faults,
            )
            spent_s = time.monotonic() - started
            return PreparedCall(
                recording, metadata, key, spoken, faults, files.pop_all(), spent_s, laps, not_before
            )

    def recognise(self, calls: Sequence[PreparedCall]) -> Generator[StoredConversation | Exception, None, None]:
        """Of each call its conversation, stored, or what went wrong with it, in order; closes the calls."""
        began_at = time.time()
        try:
            for call, (transcripts, spent_s) in zip(calls, self._transcripts(calls), strict=True):
                call.laps.add("asr", started_at=began_at, seconds=spent_s)
                try:
                    yield self._store(call, transcripts, spent_s)
                finally:
                    call.close()
        finally:
            for call in calls:
                call.close()

    def _transcripts(
        self, calls: Sequence[PreparedCall]
    ) -> Iterator[tuple[Sequence[Transcript] | Exception, float]]:
        """What is said in each call, and the seconds it took. When all together fail, each is tried alone."""
        started = time.monotonic()
        try:
            together = self._transcriber.transcribe([call.spoken for call in calls]) if calls else ()
        except Exception as error:  # noqa: BLE001 - the answer for the one that causes it
            if len(calls) == 1:
                yield error, 0.0
                return
            log.warning("a batch failed, its calls are tried alone", calls=len(calls), error=type(error).__name__)
            for call in calls:
                yield from self._transcripts([call])
            return
        rate = (time.monotonic() - started) / max(1.0, sum(call.duration_s for call in calls))
        for call, transcripts in zip(calls, together, strict=True):
            yield transcripts, call.duration_s * rate

    def _store(
        self, call: PreparedCall, transcripts: Sequence[Transcript] | Exception, spent_s: float
    ) -> StoredConversation | Exception:
        if isinstance(transcripts, Exception):
            return transcripts
        started = time.monotonic()
        try:
            with call.laps.of("align"):
                conversation = self._assemble(call, transcripts)
            with call.laps.of("store"), self._units() as unit:
                unit.recordings.set_audio(
                    call.recording.id, duration_s=call.duration_s, channels=call.spoken.audio.channels
                )
                elapsed_s = call.prepare_s + spent_s + time.monotonic() - started
                stored = unit.conversations.add(
                    call.key, call.recording.id, conversation, elapsed_s=elapsed_s, not_before=call.not_before
                )
                unit.commit()
        except Exception as error:  # noqa: BLE001 - this call's own, and the answer for it
            return error
        return stored

    def in_force(self, recording: Recording, metadata: CallMetadata) -> StoredConversation:
        """What was heard of the recording, by whatever engines.

        Raises:
            InputError: ``not_heard``.
        """
        with self._units() as unit:
            stored = unit.conversations.in_force(recording.id)
        if stored is None:
            raise InputError("not_heard", "nothing is stored of this recording: score it", recording=recording.id)
        return self._as_told(stored, metadata)

    def _stored(
        self, key: str, metadata: CallMetadata, not_before: datetime | None = None
    ) -> StoredConversation | None:
        with self._units() as unit:
            stored = unit.conversations.by_key(key, not_before=not_before)
        return None if stored is None else self._as_told(stored, metadata)

    def _as_told(self, stored: StoredConversation, metadata: CallMetadata) -> StoredConversation:
        if stored.conversation.channels != 2 or _overruled(stored.conversation):
            return stored
        # Not heard but told, and so no part of the key: metadata may have confirmed the site's default since.
        role_source = self._role_source(metadata)
        return replace(stored, conversation=replace(stored.conversation, role_source=role_source))

    def _assemble(self, call: PreparedCall, transcripts: Sequence[Transcript]) -> Conversation:
        audio, speakers = call.spoken.audio, call.spoken.speakers
        cast = (
            self._casting.told(
                transcripts,
                self._agent_channel_of(call.metadata),
                source=self._role_source(call.metadata),
            )
            if call.separate
            else self._casting.heard(transcripts)
        )
        words = self._hot_words_of(call.metadata)
        conversation = build_conversation(
            duration_s=audio.duration_s,
            language=transcripts[0].language,
            speech=[
                SpeakerSpeech(s.channel, role, s.spans, s.level_dbfs, s.speaker, s.levels)
                for s, role in zip(speakers, cast.roles, strict=True)
            ],
            transcripts=transcripts,
            simplified=self._annotator.simplified,
            overlay=self._annotator.overlay,
            respelled=lambda text: self._annotator.respelled(text, words),
            role_source=cast.source,
            role_probability=cast.probability,
            overlap_measurable=call.separate,
            faults=(*call.faults, *cast.faults),
            provenance=(
                self._inspector.run,
                self._detector.run,
                *(() if call.separate else (self._diarizer.run,)),
                self._attributor.run,
                self._transcriber.run,
            ),
            options=self._alignment,
        )
        conversation = without_card_codes(conversation)  # before anybody can store it
        if not conversation.utterances:
            # Nothing that was said can be checked; what remains, pauses and overlaps, may be music or a fax.
            raise InputError(
                "no_words",
                "no word in what sounds like speech: listen to it, it may be music or another language",
                recording=call.recording.id,
            )
        return conversation

    @contextmanager
    def _local_paths(self, recording: Recording) -> Iterator[tuple[Path, ...]]:
        with ExitStack() as files:
            yield tuple(files.enter_context(self._blobs.local_path(uri)) for uri in recording.blob_uris)

    def _language_of(self, metadata: CallMetadata) -> str | None:
        return metadata.language or self._language

    def _hot_words_of(self, metadata: CallMetadata) -> tuple[str, ...]:
        """The site's, and the agent's name where it can be one."""
        name = metadata.agent_name or ""
        return tuple(sorted({*self._hot_words, *(() if hot_word_fault(name) else (name,))}))

    def _agent_channel_of(self, metadata: CallMetadata) -> int | None:
        return self._agent_channel if metadata.agent_channel is None else metadata.agent_channel

    def _role_source(self, metadata: CallMetadata) -> str:
        if self._agent_channel_of(metadata) is None:
            return "unknown"
        return "site default" if metadata.agent_channel is None else "metadata"


def _are_separate(spoken: SpokenCall) -> bool:
    return len({speaker.channel for speaker in spoken.speakers}) == spoken.audio.channels == 2


def _overruled(conversation: Conversation) -> bool:
    """Whether the words contradict the roles that were told."""
    return any(fault.kind is FaultKind.SWAPPED for fault in conversation.faults)
