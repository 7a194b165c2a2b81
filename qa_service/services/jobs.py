"""The one job model: scoring recordings, under leases, in whatever process.

Guarantee: a job's stages are keyed, so that running it again repeats nothing that is stored; jobs that run
together fail and finish each on its own; an outcome is stored as soon as it is known, by whoever holds the job.
"""

import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace

import structlog

from qa_service.domain.call import CallMetadata, Recording
from qa_service.errors import ConflictError, EngineError, QAError, TransientError
from qa_service.observing import DIGEST_CHARACTERS, Ending, JobReport, Laps, Observer, Observers, trace_id
from qa_service.ports import PRIORITY, Job, StoredConversation, StoredEvaluation, UnitOfWorkFactory
from qa_service.services.costs import BatchCosts, CostMeter
from qa_service.services.evaluate import EvaluateConversation
from qa_service.services.fitness import ALWAYS_FIT, Fitness
from qa_service.services.leases import Leases
from qa_service.services.pipeline import made_ahead
from qa_service.services.plans import RESCORE, Planner, heard_anew_since
from qa_service.services.process import HearRecording, PreparedCall

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What is recognised at once: a batch is full with ``calls`` calls or ``audio_s`` seconds of audio."""

    calls: int = 8
    audio_s: float = 20 * 60.0


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A job of a batch, and how far it has come.

    ``job`` is None when it could not be leased, ``call`` when there is nothing to recognise.
    """

    job_id: int
    job: Job | None = None
    metadata: CallMetadata = field(default_factory=CallMetadata)
    call: PreparedCall | None = None
    outcome: StoredConversation | Exception | None = None
    digest: str = ""
    laps: Laps = field(default_factory=Laps)
    started_at: float = field(default_factory=time.time)

    @property
    def audio_s(self) -> float:
        return self.call.duration_s if self.call else 0.0

    def close(self) -> None:
        if self.call:
            self.call.close()

    def report(
        self, job: Job, ending: Ending, *, code: str | None = None, evaluated: StoredEvaluation | None = None
    ) -> JobReport:
        return JobReport(
            job_id=job.id,
            recording_id=job.recording_id,
            digest=self.digest,
            attempt=job.attempts,
            trace_id=trace_id(job),
            ending=ending,
            code=code,
            started_at=self.started_at,
            ended_at=time.time(),
            audio_s=self.audio_s if ending is Ending.DONE else 0.0,
            laps=self.laps.all(),
            pack=evaluated.pack if evaluated else None,
            verdict=_verdict(evaluated) if evaluated else None,
            results=tuple((result.rule, result.outcome.value) for result in evaluated.results)
            if evaluated
            else (),
        )


class ScoreRecordings:
    """Queues and runs ``score-recording`` jobs."""

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        hear: HearRecording,
        evaluate: EvaluateConversation,
        owner: str,
        lease_s: float,
        limits: BatchLimits = BatchLimits(),
        prepare_ahead: bool = False,
        fitness: Fitness = ALWAYS_FIT,
        observer: Observer | None = None,
    ) -> None:
        """
        Args:
            units: where jobs and results are stored.
            hear: the speech stage.
            evaluate: the scoring stage.
            owner: this worker's name, unlike any other's.
            lease_s: how long a job stays this worker's after its last sign of life.
            limits: of a batch.
            prepare_ahead: decode the next batch in a thread while one is recognised.
            fitness: a job that fails where the machine is to blame is put back.
            observer: is told of every job that is begun or settled.
        """
        self._units = units
        self._hear = hear
        self._evaluate = evaluate
        self._owner = owner
        self._lease_s = lease_s
        self._limits = limits
        self._prepare_ahead = prepare_ahead
        self._fitness = fitness
        self._observer = observer or Observers()
        self._planner = Planner(hear=hear, evaluate=evaluate)
        self._meter = CostMeter(on_gpu=lambda: hear.on_gpu)

    def enqueue(
        self, recording: Recording, metadata: CallMetadata, *, pack: str | None, priority: int = PRIORITY
    ) -> Job:
        """One job for these bytes, engines, metadata and rules.

        Nothing to do is a job that is done; ``result`` makes its evaluation the recording's latest again.
        """
        wanted = self._planner.score(recording, metadata, pack)
        with self._units() as unit:
            job = unit.jobs.enqueue(
                wanted.kind, wanted.key, wanted.recording_id, wanted.payload, priority=priority
            )
            unit.commit()
        return job

    def run(self, job_id: int) -> Job:
        """Run the job unless somebody else holds it; its state afterwards tells what happened.

        A fault of the recording or an engine fails the job with its code; a TransientError, or a machine that can
        do no job at all, puts it back.

        Raises:
            QAError: the store's own trouble, which says nothing about the job.
        """
        ((_, seen),) = self.run_all([job_id])
        if isinstance(seen, QAError):
            raise seen
        return seen

    def run_all(self, job_ids: Iterable[int]) -> Iterator[tuple[int, Job | QAError]]:
        """Run jobs in batches; yields each with its state as soon as it is settled, or with the store's trouble.

        ``job_ids`` is read as jobs are begun, perhaps in another thread.
        """
        with self._leases() as leases, self._stage(job_ids, leases) as batches:
            for batch in batches:
                yield from self._work(batch, leases)

    def run_due(self) -> Iterator[tuple[int, Job | QAError]]:
        """Run one batch of jobs that are due; yields each as ``run_all`` does.

        A job that a worker was lost over runs alone: whatever it does to this one, it costs no other.
        """
        with self._leases() as leases:
            leases.release()  # what an earlier batch could not settle
            batch: list[_Attempt] = []
            try:
                self._fill(batch, leases)
                yield from self._work(batch, leases)
            finally:
                _close_all(batch)

    def give_up(self, job_id: int, error: QAError) -> Job:
        """Fail a job that nobody holds without running it; its state afterwards."""
        with self._leases() as leases:
            if leases.claim(job_id) is not None:
                leases.fail(job_id, code=error.code, message=error.message)
        return self.state(job_id)

    def state(self, job_id: int) -> Job:
        with self._units() as unit:
            return unit.jobs.get(job_id)

    def result(self, job: Job) -> tuple[StoredConversation, StoredEvaluation]:
        """What a finished job made; repeats (keyed) work when somebody removed it since."""
        recording, metadata = self._inputs(job)
        conversation = self._hear.hear(recording, metadata)
        return conversation, self._score(job, conversation, metadata)

    def _score(
        self, job: Job, conversation: StoredConversation, metadata: CallMetadata, laps: Laps | None = None
    ) -> StoredEvaluation:
        return self._evaluate.evaluate(conversation, metadata, pack=job.payload["pack"] or None, laps=laps)

    def _leases(self) -> Leases:
        return Leases(units=self._units, owner=self._owner, lease_s=self._lease_s)

    def _inputs(self, job: Job) -> tuple[Recording, CallMetadata]:
        with self._units() as unit:
            return unit.recordings.get(job.recording_id), unit.metadata.get(job.recording_id)

    def _metadata_now(self, job: Job, heard_with: CallMetadata) -> CallMetadata:
        """What was told while the call was heard counts, unless it would be heard otherwise: that is another job.

        Else an evaluation of what was known before would come after, and stand for, that of what is known now.
        """
        recording, now = self._inputs(job)
        if job.kind == RESCORE:
            return now
        same = now == heard_with or self._hear.key(recording, now) == self._hear.key(recording, heard_with)
        return now if same else heard_with

    def _stage(
        self, job_ids: Iterable[int], leases: Leases
    ) -> AbstractContextManager[Iterator[Sequence[_Attempt]]]:
        stop = threading.Event()
        batches = self._batches(job_ids, leases, stop)
        return made_ahead(batches, stop=stop, drop=_close_all) if self._prepare_ahead else closing(batches)

    def _batches(
        self, job_ids: Iterable[int], leases: Leases, stop: threading.Event
    ) -> Generator[Sequence[_Attempt], None, None]:
        """Jobs made ready to be recognised, as many at once as the limits allow."""
        batch: list[_Attempt] = []
        try:
            for job_id in job_ids:
                batch.append(self._begin(job_id, leases))
                if stop.is_set():
                    return
                if len(batch) >= self._limits.calls or sum(a.audio_s for a in batch) >= self._limits.audio_s:
                    yield batch
                    batch = []
            if batch:
                yield batch
        finally:
            _close_all(batch)

    def _fill(self, batch: list[_Attempt], leases: Leases) -> None:
        """Claim what is due, as much at once as the limits allow."""
        job = leases.claim_next()
        while job is not None:
            batch.append(self._prepared(job))
            full = len(batch) >= self._limits.calls or sum(a.audio_s for a in batch) >= self._limits.audio_s
            job = None if full or job.losses else leases.claim_next(unsuspected=True)

    def _begin(self, job_id: int, leases: Leases) -> _Attempt:
        try:
            job = leases.claim(job_id)
        except QAError as error:
            return _Attempt(job_id, outcome=error)
        return _Attempt(job_id) if job is None else self._prepared(job)

    def _prepared(self, job: Job) -> _Attempt:
        begun = _Attempt(job.id, job)
        with structlog.contextvars.bound_contextvars(job=job.id, recording=job.recording_id):
            self._observer.started(job)
            try:
                recording, metadata = self._inputs(job)
                begun = replace(begun, metadata=metadata, digest=recording.sha256[:DIGEST_CHARACTERS])
                if job.kind == RESCORE:
                    return replace(begun, outcome=self._hear.in_force(recording, metadata))
                ready = self._hear.prepare(recording, metadata, begun.laps, not_before=heard_anew_since(job))
            except Exception as error:  # noqa: BLE001 - judged where it is settled
                return replace(begun, outcome=error)
        return replace(begun, call=ready) if isinstance(ready, PreparedCall) else replace(begun, outcome=ready)

    def _work(self, batch: Sequence[_Attempt], leases: Leases) -> Iterator[tuple[int, Job | QAError]]:
        calls = [(attempt, attempt.call) for attempt in batch if attempt.call]
        costs = self._meter.batch({attempt.job_id: attempt.audio_s for attempt in batch})
        for attempt in batch:
            if not attempt.call:
                yield attempt.job_id, self._settled(attempt, attempt.outcome, leases, costs)
        with closing(self._hear.recognise([call for _, call in calls])) as heard:
            for attempt, _ in calls:
                named = _named([attempt for attempt, _ in calls])
                with structlog.contextvars.bound_contextvars(**named), costs.recognising(attempt.job_id):
                    outcome = next(heard)
                yield attempt.job_id, self._settled(attempt, outcome, leases, costs)

    def _settled(
        self,
        attempt: _Attempt,
        outcome: StoredConversation | Exception | None,
        leases: Leases,
        costs: BatchCosts,
    ) -> Job | QAError:
        """The job's state after its outcome is written, or the trouble of leasing it or writing it."""
        try:
            if attempt.job is None and isinstance(outcome, QAError):
                return outcome
            if attempt.job is not None and outcome is not None:
                with structlog.contextvars.bound_contextvars(**_named([attempt])):
                    report = self._settle(attempt, attempt.job, outcome, leases, costs)
                    self._observer.settled(report)
            return self.state(attempt.job_id)
        except QAError as error:
            return error

    def _settle(
        self,
        attempt: _Attempt,
        job: Job,
        outcome: StoredConversation | Exception,
        leases: Leases,
        costs: BatchCosts,
    ) -> JobReport:
        try:
            try:
                if isinstance(outcome, Exception):
                    raise outcome
                evaluated = self._score(job, outcome, self._metadata_now(job, attempt.metadata), attempt.laps)
                leases.complete(job.id, cost=costs.of(job.id))
                return attempt.report(job, Ending.DONE, evaluated=evaluated)
            except TransientError as error:
                leases.put_back(job, error, cost=costs.of(job.id))
                return attempt.report(job, Ending.PUT_BACK, code=error.code)
            except ConflictError:
                raise
            except Exception as error:  # noqa: BLE001 - one recording's defect must not stop the others
                told = _told(error)
                if (trouble := self._fitness.trouble_behind(error)) is not None:
                    leases.put_back(job, trouble, cost=costs.of(job.id))
                    return attempt.report(job, Ending.PUT_BACK, code=trouble.code)
                leases.fail(job.id, code=told.code, message=told.message, cost=costs.of(job.id))
                return attempt.report(job, Ending.FAILED, code=told.code)
        except ConflictError:  # success or failure: whoever holds the job now reports it
            log.warning("job lost its lease", job=job.id)
            return attempt.report(job, Ending.LOST)


def _verdict(evaluated: StoredEvaluation) -> str:
    evaluation = evaluated.evaluation
    return "fatal" if evaluation.fatal else "withheld" if evaluation.score is None else "scored"


def _close_all(batch: Sequence[_Attempt]) -> None:
    for attempt in batch:
        attempt.close()


def _told(error: Exception) -> QAError:
    """What is written of a failure."""
    if isinstance(error, QAError):
        return error
    if isinstance(error, MemoryError):
        return EngineError("out_of_memory", "not enough memory for this recording: use a larger machine")
    log.error("job failed unexpectedly", exc_info=error)
    return EngineError("internal_error", f"{type(error).__name__}: please report this with the log")


def _named(attempts: Sequence[_Attempt]) -> dict[str, object]:
    """What log lines are bound to: the job and its recording, or all jobs that run together."""
    jobs = [attempt.job for attempt in attempts if attempt.job is not None]
    if len(jobs) == 1:
        return {"job": jobs[0].id, "recording": jobs[0].recording_id}
    return {"jobs": [job.id for job in jobs]}
