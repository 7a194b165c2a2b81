"""Recordings that are heard together: the same conversations as alone, and each one's trouble its own."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from qa_service.adapters.clock import SystemClock
from qa_service.db.rows import JobRow
from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import Conversation
from qa_service.errors import EngineError, InputError, QAError, TransientError
from qa_service.ports import Job, JobState, StoredConversation
from qa_service.services.jobs import BatchLimits
from qa_service.services.leases import MOST_ATTEMPTS, Leases
from tests.fakes import DURATION_S, HUMMING, SILENT, Workplace

NOTHING = CallMetadata()


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


def received(workplace: Workplace, *contents: bytes) -> list[tuple[Recording, CallMetadata]]:
    return [
        (workplace.ingest.receive(workplace.file(f"{n}.wav", content), None).recording, NOTHING)
        for n, content in enumerate(contents)
    ]


def queue(workplace: Workplace, *contents: bytes) -> list[int]:
    return [
        workplace.jobs().enqueue(recording, metadata, pack=None).id
        for recording, metadata in received(workplace, *contents)
    ]


def said(heard: StoredConversation | Exception) -> str:
    """Text of the first utterance, or the error's code or name."""
    if isinstance(heard, StoredConversation):
        return heard.conversation.utterances[0].text
    return heard.code if isinstance(heard, QAError) else type(heard).__name__


def fail_with(workplace: Workplace, errors: dict[bytes, BaseException]) -> None:
    def during(content: bytes) -> None:
        if content in errors:
            raise errors[content]

    workplace.transcriber.during = during


# The speech stage -------------------------------------------------------------------------------------------


def test_calls_are_recognised_together_and_answered_in_order(workplace: Workplace) -> None:
    contents = ("say 早".encode(), "say 午".encode(), "say 晚".encode())
    calls = received(workplace, *contents)
    assert [said(heard) for heard in workplace.hear.hear_all(calls)] == ["早", "午", "晚"]
    assert workplace.transcriber.batches == [list(contents)]
    assert workplace.decoder.open == []


def test_what_is_stored_is_not_heard_with_the_others(workplace: Workplace) -> None:
    calls = received(workplace, "say 早".encode(), "say 午".encode())
    workplace.hear.hear(*calls[1])
    assert [said(heard) for heard in workplace.hear.hear_all(calls)] == ["早", "午"]
    assert workplace.transcriber.batches == [["say 午".encode()], ["say 早".encode()]]
    assert workplace.hear.hear_all([]) == ()


def test_a_faulty_recording_does_not_reach_the_recogniser(workplace: Workplace) -> None:
    calls = received(workplace, b"one", SILENT, HUMMING, b"two")
    heard = workplace.hear.hear_all(calls)
    assert [said(one) for one in heard] == ["您好", "silent_audio", "no_words", "您好"]
    assert workplace.transcriber.batches == [[b"one", HUMMING, b"two"]]
    assert workplace.decoder.open == []


def test_when_all_together_fail_only_the_culprit_does(workplace: Workplace) -> None:
    fail_with(workplace, {b"culprit": ValueError(), b"lost": TransientError("storage_unavailable", "disk full")})
    calls = received(workplace, b"one", b"culprit", b"two", b"lost")
    heard = workplace.hear.hear_all(calls)
    assert [said(one) for one in heard] == ["您好", "ValueError", "您好", "storage_unavailable"]
    assert workplace.transcriber.batches[1:] == [[b"one"], [b"culprit"], [b"two"], [b"lost"]]
    assert workplace.decoder.open == []


def test_too_little_memory_for_a_batch_is_no_fault_of_its_calls(workplace: Workplace) -> None:
    def together(contents: list[bytes]) -> None:
        if len(contents) > 1:
            raise EngineError("out_of_memory", "the GPU has too little memory: use a larger one")

    workplace.transcriber.together = together
    calls = received(workplace, b"one", b"two")
    assert [said(one) for one in workplace.hear.hear_all(calls)] == ["您好", "您好"]


def test_an_engine_that_does_not_work_fails_all(workplace: Workplace) -> None:
    def together(contents: list[bytes]) -> None:
        raise EngineError("engine_unavailable", "no GPU: check it")

    workplace.transcriber.together = together
    calls = received(workplace, b"one", b"two")
    assert [said(one) for one in workplace.hear.hear_all(calls)] == ["engine_unavailable"] * 2


def test_an_interruption_leaves_no_audio_open(workplace: Workplace) -> None:
    fail_with(workplace, {b"two": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        workplace.hear.hear_all(received(workplace, b"one", b"two"))
    assert workplace.decoder.open == []


KINDS = (b"one", b"two", "say 早上好".encode(), "say 再见".encode(), SILENT, HUMMING, b"culprit")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[bytes, Conversation | str]:
    """What each kind of recording gives when it is heard on its own."""
    workplace = on_sqlite(tmp_path_factory.mktemp("alone"))
    calls = received(workplace, *KINDS)
    return {kind: outcome(workplace.hear.hear_all([call])[0]) for kind, call in zip(KINDS, calls, strict=True)}


def on_sqlite(folder: Path) -> Workplace:
    database = Database(f"sqlite:///{folder / 'qa.db'}", clock=SystemClock())
    database.upgrade()
    workplace = Workplace(database, folder)
    fail_with(workplace, {b"culprit": ZeroDivisionError()})
    return workplace


def outcome(heard: StoredConversation | Exception) -> Conversation | str:
    return heard.conversation if isinstance(heard, StoredConversation) else said(heard)


@settings(max_examples=20)
@given(batches=st.lists(st.lists(st.sampled_from(KINDS), unique=True, max_size=5), max_size=4))
def test_batches_of_any_composition_give_what_each_gives_alone(
    alone: dict[bytes, Conversation | str],
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[bytes]],
) -> None:
    workplace = on_sqlite(tmp_path_factory.mktemp("together"))
    for batch in batches:
        heard = workplace.hear.hear_all(received(workplace, *batch))
        assert [outcome(one) for one in heard] == [alone[content] for content in batch]
    assert workplace.decoder.open == []
    workplace.database.dispose()


# Jobs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prepare_ahead", [False, True])
def test_jobs_of_a_batch_end_each_in_its_own_way(workplace: Workplace, prepare_ahead: bool) -> None:
    fail_with(workplace, {b"culprit": ValueError(), b"lost": TransientError("storage_unavailable", "disk full")})
    ids = queue(workplace, b"one", SILENT, b"culprit", b"two", b"lost")
    with workplace.database.unit_of_work() as unit:
        unit.jobs.claim("somebody else", lease_s=60, job_id=ids[3])
        unit.commit()
    jobs = workplace.jobs(prepare_ahead=prepare_ahead, limits=BatchLimits(calls=3))
    states = {
        job_id: (job.state, job.error_code) for job_id, job in jobs.run_all(ids) if not isinstance(job, QAError)
    }
    assert [states[job_id] for job_id in ids] == [
        (JobState.DONE, None),
        (JobState.FAILED, "silent_audio"),
        (JobState.FAILED, "internal_error"),
        (JobState.LEASED, None),
        (JobState.QUEUED, "storage_unavailable"),
    ]
    assert workplace.decoder.open == []
    assert not background_threads()


def background_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("lease-", "prepare-"))]


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        (BatchLimits(calls=2), [2, 2, 1]),
        (BatchLimits(calls=9), [5]),
        (BatchLimits(calls=9, audio_s=2.5 * DURATION_S), [3, 2]),
        (BatchLimits(calls=9, audio_s=0.1), [1] * 5),
    ],
)
@pytest.mark.parametrize("prepare_ahead", [False, True])
def test_a_batch_is_limited_by_number_and_length(
    workplace: Workplace, limits: BatchLimits, sizes: list[int], prepare_ahead: bool
) -> None:
    ids = queue(workplace, *[f"call {n}".encode() for n in range(5)])
    jobs = workplace.jobs(limits=limits, prepare_ahead=prepare_ahead)
    assert [job_id for job_id, _ in jobs.run_all(ids)] == ids
    assert [len(batch) for batch in workplace.transcriber.batches] == sizes


@pytest.mark.parametrize("prepare_ahead", [False, True])
def test_at_most_one_batch_is_prepared_ahead(workplace: Workplace, prepare_ahead: bool) -> None:
    most_open: list[int] = []

    def during(content: bytes) -> None:
        for _ in range(20):  # time for the other thread to go too far
            most_open.append(len(workplace.decoder.open))
            threading.Event().wait(0.01)

    workplace.transcriber.during = during
    ids = queue(workplace, *[f"call {n}".encode() for n in range(6)])
    jobs = workplace.jobs(limits=BatchLimits(calls=1), prepare_ahead=prepare_ahead)
    assert len(list(jobs.run_all(ids))) == 6
    assert max(most_open) == (2 if prepare_ahead else 1)


def test_each_outcome_is_stored_before_the_next_is_worked_on(workplace: Workplace) -> None:
    ids = queue(workplace, b"one", b"two", b"three")
    for _ in workplace.jobs().run_all(ids):
        with workplace.database.unit_of_work() as unit:
            states = [unit.jobs.get(job_id).state for job_id in ids]
        assert states == sorted(states, key=lambda state: state is not JobState.DONE)
        workplace.transcriber.during = lambda _: None
        if states.count(JobState.DONE) == 2:
            break
    assert states == [JobState.DONE, JobState.DONE, JobState.LEASED]
    assert workplace.decoder.open == []
    assert not background_threads()


@pytest.mark.parametrize("prepare_ahead", [False, True])
def test_an_interrupted_batch_leaves_nothing_open(workplace: Workplace, prepare_ahead: bool) -> None:
    fail_with(workplace, {b"two": KeyboardInterrupt()})
    ids = queue(workplace, b"one", b"two", b"three")
    jobs = workplace.jobs(prepare_ahead=prepare_ahead, limits=BatchLimits(calls=1))
    with pytest.raises(KeyboardInterrupt):
        list(jobs.run_all(ids))
    assert workplace.decoder.open == []
    assert not background_threads()


def test_every_lease_of_a_batch_is_kept_while_it_works(tmp_path: Path) -> None:
    workplace = on_sqlite(tmp_path)
    ids = queue(workplace, b"one", b"two", b"three")
    claims: list[object] = []
    keepers: list[int] = []

    def together(contents: list[bytes]) -> None:
        for _ in range(30):
            with workplace.database.unit_of_work() as unit:
                claims.append(unit.jobs.claim("somebody else", lease_s=60))
                unit.commit()
            keepers.append(len(background_threads()))
            threading.Event().wait(0.05)

    workplace.transcriber.together = together
    results = [job for _, job in workplace.jobs(lease_s=0.6).run_all(ids)]
    assert [job.state for job in results if not isinstance(job, QAError)] == [JobState.DONE] * 3
    assert claims == [None] * 30
    assert set(keepers) == {1}
    workplace.database.dispose()


def test_trouble_of_the_store_is_told_of_its_job_alone(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = TransientError("database_interrupted", "the database did not answer: check it")
    ids = queue(workplace, b"one", b"two")
    jobs = workplace.jobs()
    state = jobs.state

    def interrupted(job_id: int) -> object:
        if job_id == ids[0]:
            raise trouble
        return state(job_id)

    monkeypatch.setattr(jobs, "state", interrupted)
    assert dict(jobs.run_all(ids)) == {ids[0]: trouble, ids[1]: state(ids[1])}


def test_a_job_that_is_given_up_has_the_given_code(workplace: Workplace) -> None:
    (job_id,) = queue(workplace, b"one")
    job = workplace.jobs().give_up(job_id, InputError("worker_died", "it kills workers"))
    assert (job.state, job.error_code, job.error_message) == (JobState.FAILED, "worker_died", "it kills workers")


# What is due ------------------------------------------------------------------------------------------------


def test_what_is_due_runs_as_one_batch(workplace: Workplace) -> None:
    ids = queue(workplace, b"one", SILENT, b"two", b"three")
    jobs = workplace.jobs(limits=BatchLimits(calls=3))
    assert {job_id for job_id, _ in jobs.run_due()} == set(ids[:3])
    assert workplace.transcriber.batches == [[b"one", b"two"]]
    assert [job_id for job_id, _ in jobs.run_due()] == ids[3:]
    assert list(jobs.run_due()) == []


def test_a_job_that_a_worker_was_lost_over_runs_alone(workplace: Workplace) -> None:
    ids = queue(workplace, b"one", b"two", b"three")
    with workplace.database.unit_of_work() as unit:
        unit.jobs.claim("dead", lease_s=60, job_id=ids[1])
        unit.jobs.free_dead(lambda owner: owner == "dead")
        unit.commit()
    jobs = workplace.jobs()
    assert [job_id for job_id, _ in jobs.run_due()] == [ids[0], ids[2]]
    assert [job_id for job_id, _ in jobs.run_due()] == [ids[1]]
    assert [len(batch) for batch in workplace.transcriber.batches] == [2, 1]


def test_a_batch_of_what_is_due_that_is_dropped_leaves_nothing_open(workplace: Workplace) -> None:
    queue(workplace, b"one", b"two")
    running = workplace.jobs().run_due()
    next(running)
    running.close()
    assert workplace.decoder.open == []
    assert not background_threads()


def test_trouble_of_the_store_while_claiming_is_no_loss(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = queue(workplace, b"one", b"two", b"three")
    claims = iter([True, True, False])
    whole = Leases.claim_next

    def claim_next(self: Leases, *, unsuspected: bool = False) -> Job | None:
        if not next(claims):
            raise TransientError("database_interrupted", "gone")
        return whole(self, unsuspected=unsuspected)

    monkeypatch.setattr(Leases, "claim_next", claim_next)
    with pytest.raises(TransientError):
        list(workplace.jobs().run_due())
    monkeypatch.undo()
    states = [workplace.jobs().state(job_id) for job_id in ids]
    assert [(job.state, job.losses) for job in states] == [(JobState.QUEUED, 0)] * 3
    assert {job_id for job_id, _ in workplace.jobs().run_due()} == set(ids)


def test_what_could_not_be_settled_is_given_back_by_the_next_batch(workplace: Workplace) -> None:
    (job_id,) = queue(workplace, b"one")
    with workplace.database.unit_of_work() as unit:
        unit.jobs.claim("worker", lease_s=600, job_id=job_id)
        unit.commit()
    assert [done for done, _ in workplace.jobs("worker").run_due()] == [job_id]
    job = workplace.jobs().state(job_id)
    assert (job.state, job.losses) == (JobState.DONE, 0)


@pytest.mark.parametrize(("attempts", "delay_s"), [(1, 1.0), (3, 4.0), (10, 512.0), (MOST_ATTEMPTS - 1, 512.0)])
def test_passing_trouble_waits_longer_each_time_and_never_too_long(
    workplace: Workplace, attempts: int, delay_s: float
) -> None:
    fail_with(workplace, {b"lost": TransientError("storage_unavailable", "disk full")})
    queue(workplace, b"lost")
    with workplace.database.unit_of_work() as unit:
        unit.session.execute(update(JobRow).values(attempts=attempts - 1))
        unit.commit()
    ((_, job),) = workplace.jobs().run_due()
    assert isinstance(job, Job)
    assert (job.state, job.attempts, job.losses) == (JobState.QUEUED, attempts, 0)
    with workplace.database.unit_of_work() as unit:
        settled, due = unit.session.execute(select(JobRow.updated_at, JobRow.available_at)).one()
    assert (due - settled).total_seconds() == pytest.approx(delay_s, abs=0.1)
