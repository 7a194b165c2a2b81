"""Ports: what the core needs from the world, wired only at the composition roots.

Samples are float32 arrays in [-1, 1], mono, 16 kHz, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from qa_service.batch_ports import BatchRunRepository
from qa_service.domain.call import CallMetadata, RawFormat, Recording
from qa_service.domain.conversation import Conversation, EngineRun, SpeakerRole, TextOverlay, Transcript
from qa_service.domain.faults import ChannelInspection
from qa_service.domain.lifecycle import RuleState, RuleTransition, RuleVersion
from qa_service.domain.metrics import ConversationMetrics, MetricOptions
from qa_service.domain.results import Evidence, Outcome, RuleResult
from qa_service.domain.scoring import Evaluation, Scorecard
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError
from qa_service.source_ports import SourceRepository

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


class ByteSource(Protocol):
    """What bytes are read from, to the first empty piece."""

    def read(self, size: int, /) -> bytes: ...


class BlobStore(Protocol):
    """Immutable bytes under their digest. Streams and byte ranges, so that encryption fits in later."""

    def put(self, source: ByteSource) -> StoredBlob:
        """Store a stream; the same bytes twice are one blob. Nothing half-written is ever visible."""
        ...

    def put_all(self, sources: Sequence[ByteSource]) -> tuple[StoredBlob, ...]:
        """Store several streams, all of them or none."""
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


class RuleEvaluator(Protocol):
    """A compiled rule set with its scorecard."""

    pack: str
    language: str
    digest: str
    scorecard: Scorecard
    metric_options: MetricOptions
    versions: tuple[RuleVersion, ...]

    def evaluate(
        self,
        conversation: Conversation,
        metrics: ConversationMetrics,
        metadata: CallMetadata,
        *,
        not_live: Collection[str] = (),
    ) -> tuple[RuleResult, ...]:
        """Every rule's answer. Those of ``not_live`` are recorded and not scored."""
        ...


@dataclass(frozen=True, slots=True)
class StoredConversation:
    id: int
    recording_id: int
    stage_key: str
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """An evaluation with everything it was made of. ``key`` is unique: same inputs, same row."""

    id: int
    key: str
    recording_id: int
    conversation_id: int
    pack: str
    ruleset_digest: str
    evaluation: Evaluation
    results: tuple[RuleResult, ...]
    metrics: ConversationMetrics
    created_at: datetime


MAX_LOSSES = 5
"""A job that so many workers were lost over is handed to no other.

Of a thousand jobs in a night of a hundred killed workers one was hit three times by chance.
"""


PRIORITY, COLLECT_PRIORITY, BATCH_PRIORITY = 0, -5, -10
"""Of what a person asked for, of what was collected from sources, and of what a batch run queues, and takes back
when it is cancelled."""


class JobState(StrEnum):
    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


ENDED = (JobState.DONE, JobState.FAILED, JobState.WITHDRAWN)


@dataclass(frozen=True, slots=True)
class Cost:
    """What work took: seconds of processors, and seconds for which a GPU was held."""

    cpu_s: float = 0.0
    gpu_s: float = 0.0


NO_COST = Cost()


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Work to be queued under a unique key."""

    kind: str
    key: str
    recording_id: int
    payload: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work that survives its worker.

    ``attempts`` counts leases handed out, ``losses`` those that ended with their owner's death. Of the jobs that
    are due the one with the highest ``priority`` is next, then the oldest.
    """

    id: int
    kind: str
    key: str
    recording_id: int
    payload: Mapping[str, str]
    state: JobState
    attempts: int
    lease_owner: str | None
    lease_expires_at: datetime | None
    error_code: str | None
    error_message: str | None
    priority: int = 0
    losses: int = 0

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class RecordingRepository(Protocol):
    def add(
        self, blob: StoredBlob, *, path: str, second: tuple[StoredBlob, str] | None = None
    ) -> tuple[Recording, bool]:
        """The recording of these bytes, and whether it is new. Safe when two processes add the same bytes.

        ``second``: the other side of the call with its path, for a recording of two files.
        """
        ...

    def get(self, recording_id: int) -> Recording:
        """Raises NotFoundError."""
        ...

    def find(self, reference: str) -> tuple[Recording, ...]:
        """Recordings whose digest starts with, or one of whose paths or file names is, ``reference``."""
        ...

    def newest(self, count: int) -> tuple[Recording, ...]:
        """At most ``count`` of those that came last, the last one first."""
        ...

    def set_audio(self, recording_id: int, *, duration_s: float, channels: int) -> None: ...


class MetadataRepository(Protocol):
    def put(self, recording_id: int, metadata: CallMetadata) -> None:
        """Store, keeping the version number in step when something changed."""
        ...

    def get(self, recording_id: int) -> CallMetadata:
        """Empty metadata when none is stored."""
        ...


class ConversationRepository(Protocol):
    def has(self, stage_key: str) -> bool: ...

    def by_key(self, stage_key: str, *, not_before: datetime | None = None) -> StoredConversation | None:
        """The conversation of this key, unless it was stored earlier than ``not_before``."""
        ...

    def in_force(self, recording_id: int) -> StoredConversation | None:
        """What the recording's latest evaluation was made of, else its newest conversation."""
        ...

    def get(self, conversation_id: int) -> StoredConversation:
        """Raises NotFoundError."""
        ...

    def add(
        self,
        stage_key: str,
        recording_id: int,
        conversation: Conversation,
        *,
        elapsed_s: float,
        not_before: datetime | None = None,
    ) -> StoredConversation:
        """Store with its engine runs; when the key is there already, the stored one wins, unless it was stored
        earlier than ``not_before``: then it stays, with its evaluations, under another key."""
        ...


class EvaluationRepository(Protocol):
    def by_key(self, key: str) -> StoredEvaluation | None: ...

    def latest(self, recording_id: int) -> StoredEvaluation | None:
        """The evaluation that was asked for last, which need not be the one that was made last."""
        ...

    def ask_for(self, evaluation: StoredEvaluation) -> None:
        """Make a stored evaluation the recording's latest."""
        ...

    def add(
        self,
        key: str,
        *,
        conversation: StoredConversation,
        pack: str,
        ruleset_digest: str,
        evaluation: Evaluation,
        results: Sequence[RuleResult],
        metrics: ConversationMetrics,
    ) -> StoredEvaluation:
        """Store with rule results and open findings, as the recording's latest; when the key is there already, the
        stored one wins.

        A finding is opened for each result that needs a person: not met or undetermined, scored or not
        twice-counted (``same_event_as`` is None and ``scored``).
        """
        ...


@dataclass(frozen=True, slots=True)
class ScoredBefore:
    """The head of a stored evaluation. ``digest``: of its rules and of which of them were live."""

    evaluation_id: int
    pack: str
    digest: str
    score: float | None
    fatal: bool


@dataclass(frozen=True, slots=True)
class HeardCall:
    """A recording that was heard, without its words; ``scored``: its latest evaluation."""

    recording_id: int
    sha256: str
    path: str
    received_at: datetime
    metadata: CallMetadata
    conversation_id: int
    language: str
    scored: ScoredBefore | None

    @property
    def started_at(self) -> datetime:
        """When the call was; when it was received where nobody said."""
        return self.metadata.started_at or self.received_at


class CallHistory(Protocol):
    """Everything that was heard, for reading, by recording number."""

    def count(self) -> int:
        """How many recordings have a conversation."""
        ...

    def page(self, *, after: int, limit: int) -> tuple[HeardCall, ...]:
        """At most ``limit`` recordings with numbers above ``after``, in order."""
        ...

    def among(self, recording_ids: Collection[int]) -> tuple[HeardCall, ...]: ...

    def conversations(self, ids: Collection[int]) -> Mapping[int, Conversation | InputError]:
        """Conversations by number; InputError ``conversation_unreadable`` in place of one that is damaged."""
        ...

    def outcomes(self, evaluation_ids: Collection[int]) -> Mapping[int, Mapping[str, Outcome]]:
        """Of each evaluation, the outcome of each rule."""
        ...

    def evidence(self, evaluation_id: int, rule: str) -> tuple[Evidence, ...]: ...


class RuleVersionRepository(Protocol):
    """Which versions of rules may score: what was said about them, step by step. Nothing is overwritten."""

    def states(self, pack: str) -> Mapping[tuple[str, str], RuleState]:
        """The state of every version of which something was said, by rule and digest."""
        ...

    def held(self, versions: Sequence[RuleVersion]) -> Mapping[tuple[str, str], RuleState]:
        """Store new versions, and keep others from moving any version of their rules until the transaction ends.

        Returns the states of all versions of these rules, by rule and digest.
        """
        ...

    def move(self, pack: str, rule: str, digest: str, *, to: RuleState, by: str, note: str) -> RuleTransition:
        """The next step of a stored version. Raises ConflictError ``rule_transition_refused``."""
        ...

    def history(self, pack: str, rule: str | None = None) -> tuple[RuleTransition, ...]:
        """Every step, oldest first."""
        ...


class JobQueue(Protocol):
    def enqueue(
        self, kind: str, key: str, recording_id: int, payload: Mapping[str, str], *, priority: int = 0
    ) -> Job:
        """Queue work under a unique key. A finished or failed job of that key is queued again; a queued or
        leased one is returned as it is, but for a higher priority and no memory of losses."""
        ...

    def enqueue_all(self, requests: Sequence[JobRequest], *, priority: int) -> Mapping[str, int]:
        """Queue many as ``enqueue`` does, but for the memory of losses; the number of each key's job."""
        ...

    def waiting(self, limit: int) -> int:
        """How many jobs are queued, counted up to ``limit``."""
        ...

    def get(self, job_id: int) -> Job:
        """Raises NotFoundError."""
        ...

    def claim(
        self, owner: str, *, lease_s: float, job_id: int | None = None, unsuspected: bool = False
    ) -> Job | None:
        """Lease the next job that is queued and due, or whose lease has expired (or just ``job_id``).

        At most one owner ever holds a job. ``unsuspected``: only one that no worker was lost over.
        """
        ...

    def heartbeat(self, job_id: int, owner: str, *, lease_s: float) -> None:
        """Extend the lease. Raises ConflictError when somebody else holds the job by now."""
        ...

    def complete(self, job_id: int, owner: str, *, cost: Cost = NO_COST) -> None:
        """Raises ConflictError when ``owner`` lost the lease. Costs of several attempts add up, here and below."""
        ...

    def fail(self, job_id: int, owner: str, *, code: str, message: str, cost: Cost = NO_COST) -> None: ...

    def retry_later(
        self, job_id: int, owner: str, *, delay_s: float, code: str, message: str, cost: Cost = NO_COST
    ) -> None:
        """Back to the queue, due after ``delay_s``."""
        ...

    def free_dead(self, is_dead: Callable[[str], bool]) -> int:
        """Queue again every leased job whose owner ``is_dead``; returns how many."""
        ...

    def due(self, limit: int) -> Sequence[int]:
        """Ids of jobs that could be claimed now, the next ones first."""
        ...

    def release(self, owner: str) -> int:
        """Queue again, as no loss, every job that ``owner`` holds; returns how many."""
        ...

    def set_aside(self, *, code: str, message: str) -> Sequence[int]:
        """Fail the jobs that nobody holds any more and that ``MAX_LOSSES`` workers were lost over; their ids."""
        ...


class UnitOfWork(Protocol):
    """One transaction. Leaving the context without ``commit`` rolls back."""

    @property
    def recordings(self) -> RecordingRepository: ...
    @property
    def metadata(self) -> MetadataRepository: ...
    @property
    def conversations(self) -> ConversationRepository: ...
    @property
    def evaluations(self) -> EvaluationRepository: ...
    @property
    def rule_versions(self) -> RuleVersionRepository: ...
    @property
    def history(self) -> CallHistory: ...
    @property
    def jobs(self) -> JobQueue: ...
    @property
    def batch_runs(self) -> BatchRunRepository: ...
    @property
    def sources(self) -> SourceRepository: ...

    def commit(self) -> None: ...


UnitOfWorkFactory = Callable[[], AbstractContextManager[UnitOfWork]]
