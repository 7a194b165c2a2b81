"""The one job model: scoring a recording, under a lease, in whatever process.

Guarantee: a job's stages are keyed, so that running it again repeats nothing that is stored; its lease is kept
alive while it runs and its outcome is written only by the owner that still holds it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from qa_service.domain.call import CallMetadata, Recording
from qa_service.errors import ConflictError, QAError, TransientError
from qa_service.ports import Job, StoredConversation, StoredEvaluation, UnitOfWorkFactory
from qa_service.services.evaluate import EvaluateConversation
from qa_service.services.keys import stage_key
from qa_service.services.process import HearRecording

KIND = "score-recording"
AUTO = ""  # the payload's word for: the pack of the conversation's language
RETRY_DELAY_S = 1.0

log = structlog.get_logger(__name__)


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
    ) -> None:
        self._units = units
        self._hear = hear
        self._evaluate = evaluate
        self._owner = owner
        self._lease_s = lease_s

    def enqueue(self, recording: Recording, metadata: CallMetadata, *, pack: str | None) -> Job:
        """One job for these bytes, engines, metadata and rules. Nothing to do is a job that is done."""
        key = stage_key(
            KIND,
            speech=self._hear.key(recording, metadata),
            metadata=metadata,
            rules=self._evaluate.selection_digest(pack),
        )
        with self._units() as unit:
            job = unit.jobs.enqueue(KIND, key, recording.id, {"pack": pack or AUTO})
            unit.commit()
        return job

    def run(self, job_id: int) -> Job:
        """Run the job unless somebody else holds it; its state afterwards tells what happened.

        A fault of the recording or an engine fails the job with its code; a TransientError puts it back.
        """
        with self._units() as unit:
            job = unit.jobs.claim(self._owner, lease_s=self._lease_s, job_id=job_id)
            unit.commit()
        if job is None:
            return self._state(job_id)
        try:
            self._attempt(job)
        except ConflictError:  # success or failure: whoever holds the job now reports it
            log.warning("job lost its lease", job=job.id)
        return self._state(job.id)

    def _attempt(self, job: Job) -> None:
        try:
            with self._heartbeat(job.id):
                self._work(job)
            self._settle(job.id)
        except TransientError as error:
            self._put_back(job.id, error)
        except ConflictError:
            raise
        except QAError as error:
            self._fail(job.id, error.code, error.message)
        except MemoryError:
            self._fail(job.id, "out_of_memory", "not enough memory for this recording: use a larger machine")
        except Exception as error:  # one recording's defect must not stop the others
            log.exception("job failed unexpectedly", job=job.id)
            self._fail(job.id, "internal_error", f"{type(error).__name__}: please report this with the log")

    def result(self, job: Job) -> tuple[StoredConversation, StoredEvaluation]:
        """What a finished job made; repeats (keyed) work when somebody removed it since."""
        recording, metadata = self._inputs(job)
        conversation = self._hear.hear(recording, metadata)
        return conversation, self._evaluate.evaluate(conversation, metadata, pack=job.payload["pack"] or None)

    def _work(self, job: Job) -> None:
        structlog.contextvars.bind_contextvars(job=job.id, recording=job.recording_id)
        try:
            self.result(job)
        finally:
            structlog.contextvars.unbind_contextvars("job", "recording")

    def _inputs(self, job: Job) -> tuple[Recording, CallMetadata]:
        with self._units() as unit:
            return unit.recordings.get(job.recording_id), unit.metadata.get(job.recording_id)

    def _state(self, job_id: int) -> Job:
        with self._units() as unit:
            return unit.jobs.get(job_id)

    def _settle(self, job_id: int) -> None:
        with self._units() as unit:
            unit.jobs.complete(job_id, self._owner)
            unit.commit()

    def _put_back(self, job_id: int, error: TransientError) -> None:
        with self._units() as unit:
            unit.jobs.retry_later(
                job_id, self._owner, delay_s=RETRY_DELAY_S, code=error.code, message=error.message
            )
            unit.commit()

    def _fail(self, job_id: int, code: str, message: str) -> None:
        with self._units() as unit:
            unit.jobs.fail(job_id, self._owner, code=code, message=message)
            unit.commit()

    @contextmanager
    def _heartbeat(self, job_id: int) -> Iterator[None]:
        """Keep the lease alive from a thread: inference holds this one for minutes."""
        stop = threading.Event()

        def beat() -> None:
            while not stop.wait(self._lease_s / 3):
                try:
                    with self._units() as unit:
                        unit.jobs.heartbeat(job_id, self._owner, lease_s=self._lease_s)
                        unit.commit()
                except ConflictError:
                    return
                except QAError as error:
                    log.warning("heartbeat failed", job=job_id, code=error.code)

        thread = threading.Thread(target=beat, name=f"lease-{job_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
