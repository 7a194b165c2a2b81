"""What is stored of recordings, conversations and evaluations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import Conversation
from qa_service.domain.metrics import ConversationMetrics
from qa_service.domain.results import Evidence, Outcome, RuleResult
from qa_service.domain.scoring import Evaluation, Scorecard
from qa_service.errors import InputError
from qa_service.ports.batches import BatchRunRepository
from qa_service.ports.blobs import StoredBlob
from qa_service.ports.calibration import CalibrationRepository
from qa_service.ports.call_marks import CallMarks
from qa_service.ports.calls import CallLists
from qa_service.ports.coaching import CoachingRepository
from qa_service.ports.complaints import ComplaintRepository
from qa_service.ports.directory import DirectoryRepository
from qa_service.ports.disputes import DisputeRepository
from qa_service.ports.draft_cases import DraftCaseRepository
from qa_service.ports.figures import FigureRepository
from qa_service.ports.imports import AgentStateRepository, ImportedFigureRepository, ImportLog
from qa_service.ports.jobs import JobQueue
from qa_service.ports.kpi import KpiRepository
from qa_service.ports.people import AuditTrail, SessionRepository, TokenRepository, UserRepository
from qa_service.ports.promises import PromiseRepository
from qa_service.ports.quality import QualityRepository
from qa_service.ports.reporting import ReportScheduleRepository
from qa_service.ports.review import ReviewQueue, VerdictRepository
from qa_service.ports.rules import RuleVersionRepository
from qa_service.ports.sampling import SamplingRepository
from qa_service.ports.script_changes import ScriptChangeRepository
from qa_service.ports.sources import SourceRepository
from qa_service.ports.training import TrainingRepository
from qa_service.ports.vendors import VendorCalls
from qa_service.ports.webhooks import WebhookRepository


class Clock(Protocol):
    def now(self) -> datetime:
        """Current time, UTC, aware."""
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

    def lock(self, recording_id: int) -> None:
        """Nobody else locks it until the transaction ends; nothing where there is none."""
        ...

    def find(self, reference: str) -> tuple[Recording, ...]:
        """Recordings whose digest starts with, or one of whose paths or file names is, ``reference``."""
        ...

    def newest(self, count: int) -> tuple[Recording, ...]:
        """At most ``count`` of those that came last, the last one first."""
        ...

    def set_audio(self, recording_id: int, *, duration_s: float, channels: int) -> None: ...

    def catch_up(self, *, since: datetime, limit: int) -> Sequence[int]:
        """List calls that workers of an earlier version received or scored since then; at most ``limit``."""
        ...


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

    def ask_for(self, evaluation: StoredEvaluation, *, scorecard: Scorecard | None = None) -> None:
        """Make a stored evaluation the recording's latest. ``scorecard``: what it was filled from, kept where it
        was not when the evaluation was stored."""
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
        scorecard: Scorecard | None = None,
    ) -> StoredEvaluation:
        """Store with rule results and open findings, as the recording's latest; when the key is there already, the
        stored one wins. ``scorecard``: what it was filled from, kept for people's decisions.

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
    def calls(self) -> CallLists: ...
    @property
    def jobs(self) -> JobQueue: ...
    @property
    def batch_runs(self) -> BatchRunRepository: ...
    @property
    def sources(self) -> SourceRepository: ...
    @property
    def review(self) -> ReviewQueue: ...
    @property
    def verdicts(self) -> VerdictRepository: ...
    @property
    def disputes(self) -> DisputeRepository: ...
    @property
    def sampling(self) -> SamplingRepository: ...
    @property
    def calibration(self) -> CalibrationRepository: ...
    @property
    def training(self) -> TrainingRepository: ...
    @property
    def script_changes(self) -> ScriptChangeRepository: ...
    @property
    def coaching(self) -> CoachingRepository: ...
    @property
    def draft_cases(self) -> DraftCaseRepository: ...
    @property
    def figures(self) -> FigureRepository: ...
    @property
    def quality(self) -> QualityRepository: ...
    @property
    def users(self) -> UserRepository: ...
    @property
    def sessions(self) -> SessionRepository: ...
    @property
    def tokens(self) -> TokenRepository: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def directory(self) -> DirectoryRepository: ...
    @property
    def kpi(self) -> KpiRepository: ...
    @property
    def imports(self) -> ImportLog: ...
    @property
    def imported_figures(self) -> ImportedFigureRepository: ...
    @property
    def agent_states(self) -> AgentStateRepository: ...
    @property
    def report_schedules(self) -> ReportScheduleRepository: ...
    @property
    def webhooks(self) -> WebhookRepository: ...
    @property
    def call_marks(self) -> CallMarks: ...
    @property
    def complaints(self) -> ComplaintRepository: ...
    @property
    def promises(self) -> PromiseRepository: ...
    @property
    def vendor_calls(self) -> VendorCalls: ...

    def commit(self) -> None: ...


UnitOfWorkFactory = Callable[[], AbstractContextManager[UnitOfWork]]
