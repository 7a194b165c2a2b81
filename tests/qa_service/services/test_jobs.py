"""Jobs: one recording's trouble stays its own, a lease is kept while work lasts, and only its owner reports."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from qa_service.adapters.clock import SystemClock
from qa_service.db.rows import ConversationRow, EvaluationRow, JobRow
from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.errors import EngineError, TransientError
from qa_service.ports import Job, JobState
from qa_service.services.leases import RETRY_DELAY_S
from tests.clocks import ManualClock
from tests.fakes import SILENT, FakeRules, Workplace


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


def queue(workplace: Workplace, content: bytes = b"call", pack: str | None = None) -> Job:
    received = workplace.ingest.receive(workplace.file(f"{len(content)}.wav", content), None)
    return workplace.jobs().enqueue(received.recording, received.metadata, pack=pack)


def raise_during(workplace: Workplace, error: BaseException) -> None:
    def during(content: bytes) -> None:
        raise error

    workplace.transcriber.during = during


def test_a_job_is_run_to_its_evaluation(workplace: Workplace) -> None:
    job = queue(workplace)
    done = workplace.jobs().run(job.id)
    assert (done.state, done.attempts, done.lease_owner, done.error_code) == (JobState.DONE, 1, None, None)
    conversation, evaluation = workplace.jobs().result(done)
    assert evaluation.conversation_id == conversation.id
    assert workplace.transcriber.heard == [b"call"]


def test_the_same_work_is_one_job_and_is_not_repeated(workplace: Workplace) -> None:
    for _ in range(2):
        job = queue(workplace)
        assert workplace.jobs().run(job.id).state is JobState.DONE
    assert workplace.count(JobRow) == workplace.count(EvaluationRow) == 1
    assert workplace.decoder.decoded == [b"call"]


def test_changed_rules_queue_another_job_that_needs_no_audio(workplace: Workplace) -> None:
    workplace.jobs().run(queue(workplace).id)
    workplace.delete_blobs()
    workplace.packs["rules-zh"] = FakeRules("rules-zh", "sha256:changed", Outcome.NOT_MET)
    received = workplace.ingest.receive(workplace.file("again.wav", b"call"), None)
    workplace.delete_blobs()
    job = workplace.jobs().enqueue(received.recording, received.metadata, pack=None)
    done = workplace.jobs().run(job.id)
    assert done.state is JobState.DONE
    assert workplace.jobs().result(done)[1].evaluation.score == 0.0
    assert (workplace.count(JobRow), workplace.count(ConversationRow)) == (2, 1)


def test_the_pack_that_was_asked_for_is_used(workplace: Workplace) -> None:
    job = queue(workplace, pack="rules-en")
    assert workplace.jobs().result(workplace.jobs().run(job.id))[1].pack == "rules-en"


def test_metadata_that_came_after_queueing_counts(workplace: Workplace) -> None:
    job = queue(workplace)
    workplace.ingest.receive(workplace.file("a.wav", b"call"), CallMetadata(language="en"))
    assert workplace.jobs().result(workplace.jobs().run(job.id))[1].pack == "rules-en"


def test_metadata_that_comes_while_a_call_is_heard_counts(workplace: Workplace) -> None:
    def told_meanwhile(_: bytes) -> None:
        workplace.ingest.receive(workplace.file("a.wav", b"call"), CallMetadata(agent_id="8023"))

    job = queue(workplace)
    workplace.transcriber.during = told_meanwhile
    assert workplace.jobs().run(job.id).state is JobState.DONE
    with workplace.database.unit_of_work() as unit:
        seen = unit.evaluations.latest(job.recording_id)
    late = queue(workplace)
    assert late.id != job.id
    done = workplace.jobs().run(late.id)
    assert seen is not None
    assert workplace.jobs().result(done)[1].id == seen.id
    assert workplace.transcriber.heard == [b"call"]
    assert workplace.count(EvaluationRow) == 1


def test_metadata_by_which_a_call_is_heard_otherwise_is_another_job(workplace: Workplace) -> None:
    def told_meanwhile(_: bytes) -> None:
        workplace.transcriber.during = lambda _: None
        workplace.ingest.receive(workplace.file("a.wav", b"call"), CallMetadata(language="en"))

    job = queue(workplace)
    workplace.transcriber.during = told_meanwhile
    assert workplace.jobs().run(job.id).state is JobState.DONE
    with workplace.database.unit_of_work() as unit:
        early = unit.evaluations.latest(job.recording_id)
        assert early is not None
        conversation = unit.conversations.get(early.conversation_id)
    assert workplace.evaluate.evaluate(conversation, CallMetadata()).id == early.id, "as it was heard"
    late = workplace.jobs().run(queue(workplace).id)
    assert workplace.jobs().result(late)[1].pack == "rules-en"
    assert workplace.transcriber.heard == [b"call", b"call"]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (EngineError("engine_unavailable", "no GPU: check it"), "engine_unavailable", "no GPU: check it"),
        (MemoryError(), "out_of_memory", "not enough memory"),
        (ValueError("客户的电话 13900000000"), "internal_error", "ValueError: please report"),
    ],
)
def test_a_failure_is_the_jobs_own(workplace: Workplace, error: Exception, code: str, message: str) -> None:
    def during(content: bytes) -> None:
        if content == b"broken call":
            raise error

    workplace.transcriber.during = during
    jobs = [queue(workplace, content) for content in (b"call", b"broken call", b"another call")]
    states = [workplace.jobs().run(job.id) for job in jobs]
    assert [job.state for job in states] == [JobState.DONE, JobState.FAILED, JobState.DONE]
    assert states[1].error_code == code
    assert (states[1].error_message or "").startswith(message)
    assert "13900000000" not in (states[1].error_message or "")
    assert workplace.count(EvaluationRow) == 2


def test_silent_audio_fails_its_job(workplace: Workplace) -> None:
    failed = workplace.jobs().run(queue(workplace, SILENT).id)
    assert (failed.state, failed.error_code) == (JobState.FAILED, "silent_audio")


def test_a_failed_job_can_be_queued_again(workplace: Workplace) -> None:
    raise_during(workplace, ValueError())
    assert workplace.jobs().run(queue(workplace).id).state is JobState.FAILED
    workplace.transcriber.during = lambda _: None
    again = workplace.jobs().run(queue(workplace).id)
    assert (again.state, again.error_code, again.attempts) == (JobState.DONE, None, 1)


def test_a_transient_error_puts_the_job_back(workplace: Workplace, clock: ManualClock) -> None:
    raise_during(workplace, TransientError("storage_unavailable", "the disk is full"))
    job = workplace.jobs().run(queue(workplace).id)
    assert (job.state, job.error_code, job.lease_owner) == (JobState.QUEUED, "storage_unavailable", None)
    workplace.transcriber.during = lambda _: None
    assert workplace.jobs().run(job.id).state is JobState.QUEUED, "not due yet"
    clock.advance(RETRY_DELAY_S)
    done = workplace.jobs().run(job.id)
    assert (done.state, done.attempts, done.error_code) == (JobState.DONE, 2, None)


def test_a_job_that_somebody_holds_is_left_alone(workplace: Workplace) -> None:
    job = queue(workplace)
    with workplace.database.unit_of_work() as unit:
        unit.jobs.claim("somebody else", lease_s=60, job_id=job.id)
        unit.commit()
    seen = workplace.jobs().run(job.id)
    assert (seen.state, seen.lease_owner) == (JobState.LEASED, "somebody else")
    assert workplace.transcriber.heard == []


OUTCOMES = {
    "success": None,
    "coded failure": EngineError("engine_unavailable", "no GPU"),
    "transient failure": TransientError("storage_unavailable", "the disk is full"),
    "defect": ValueError(),
    "no memory": MemoryError(),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_who_lost_the_lease_reports_nothing(
    workplace: Workplace,
    clock: ManualClock,
    outcome: str,
    quiet_logs: list[structlog.typing.EventDict],
) -> None:
    def during(content: bytes) -> None:
        clock.advance(61)
        with workplace.database.unit_of_work() as unit:
            assert unit.jobs.claim("somebody else", lease_s=60, job_id=job.id)
            unit.commit()
        error = OUTCOMES[outcome]
        if error is not None:
            raise error

    job = queue(workplace)
    workplace.transcriber.during = during
    seen = workplace.jobs(lease_s=60).run(job.id)
    assert (seen.state, seen.lease_owner, seen.error_code) == (JobState.LEASED, "somebody else", None)
    assert quiet_logs[-1]["event"] == "job lost its lease"


def test_the_lease_is_kept_while_the_work_lasts(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url, clock=SystemClock())
    database.upgrade()
    workplace = Workplace(database, tmp_path)
    job = queue(workplace)
    claims: list[Job | None] = []

    def during(content: bytes) -> None:
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            with database.unit_of_work() as unit:
                claims.append(unit.jobs.claim("somebody else", lease_s=60))
                unit.commit()
            time.sleep(0.05)

    workplace.transcriber.during = during
    assert workplace.jobs(lease_s=0.6).run(job.id).state is JobState.DONE
    assert claims
    assert not any(claims)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease-")]
    database.dispose()


def test_an_interrupted_job_is_left_to_its_lease(workplace: Workplace, clock: ManualClock) -> None:
    """Ctrl-C is no failure of the recording: somebody else takes the job when the lease has run out."""
    job = queue(workplace)
    raise_during(workplace, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        workplace.jobs("first", lease_s=60).run(job.id)
    workplace.transcriber.during = lambda _: None
    assert workplace.jobs("second").run(job.id).state is JobState.LEASED
    clock.advance(61)
    assert workplace.jobs("second").run(job.id).state is JobState.DONE


def test_recording_and_job_are_in_every_log_line_of_the_work(workplace: Workplace) -> None:
    job = queue(workplace)
    bound = []
    workplace.transcriber.during = lambda _: bound.append(structlog.contextvars.get_contextvars())
    workplace.jobs().run(job.id)
    assert bound == [{"job": job.id, "recording": job.recording_id}]
    assert structlog.contextvars.get_contextvars() == {}
