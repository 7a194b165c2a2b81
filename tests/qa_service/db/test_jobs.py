"""The job queue's contract, on both databases."""

import multiprocessing
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event, update
from sqlalchemy.orm import ORMExecuteState

from qa_service.adapters.clock import SystemClock
from qa_service.db.rows import JobRow
from qa_service.db.session import Database
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import MAX_LOSSES, Cost, Job, JobRequest, JobState
from tests.clocks import ManualClock
from tests.qa_service.db import builders


def enqueue(database: Database, *keys: str) -> tuple[Job, ...]:
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        jobs = tuple(unit.jobs.enqueue("process", key, recording.id, {"pack": "p"}) for key in keys)
        unit.commit()
    return jobs


def claim(database: Database, owner: str, *, job_id: int | None = None, lease_s: float = 60) -> Job | None:
    with database.unit_of_work() as unit:
        job = unit.jobs.claim(owner, lease_s=lease_s, job_id=job_id)
        unit.commit()
    return job


def read(database: Database, job_id: int) -> Job:
    with database.unit_of_work() as unit:
        return unit.jobs.get(job_id)


def test_a_queued_job_is_returned_as_it_is(database: Database) -> None:
    first, again = enqueue(database, "k", "k")
    assert first == again
    assert (first.kind, first.payload, first.state, first.attempts) == (
        "process",
        {"pack": "p"},
        JobState.QUEUED,
        0,
    )
    leased = claim(database, "w1")
    assert enqueue(database, "k") == (leased,)


def test_jobs_are_leased_oldest_first_and_each_to_one_owner(database: Database, clock: ManualClock) -> None:
    first, second = enqueue(database, "b", "a")
    leased = claim(database, "w1")
    assert leased is not None
    assert (leased.id, leased.state, leased.attempts) == (first.id, JobState.LEASED, 1)
    assert (leased.lease_owner, leased.lease_expires_at) == ("w1", clock.now() + timedelta(seconds=60))
    other = claim(database, "w2")
    assert other is not None
    assert other.id == second.id
    assert claim(database, "w3") is None


def test_one_job_can_be_asked_for(database: Database) -> None:
    first, second = enqueue(database, "a", "b")
    leased = claim(database, "w1", job_id=second.id)
    assert leased is not None
    assert leased.id == second.id
    assert claim(database, "w2", job_id=second.id) is None
    assert claim(database, "w2", job_id=first.id + 1_000) is None
    assert read(database, first.id).state is JobState.QUEUED


def test_an_expired_lease_goes_to_the_next_and_the_first_owner_is_told(
    database: Database, clock: ManualClock
) -> None:
    (job,) = enqueue(database, "k")
    claim(database, "w1")
    clock.advance(59)
    assert claim(database, "w2") is None
    clock.advance(1)
    leased = claim(database, "w2")
    assert leased is not None
    assert (leased.lease_owner, leased.attempts) == ("w2", 2)
    with database.unit_of_work() as unit:
        for change in (
            lambda: unit.jobs.heartbeat(job.id, "w1", lease_s=60),
            lambda: unit.jobs.complete(job.id, "w1"),
            lambda: unit.jobs.fail(job.id, "w1", code="c", message="m"),
            lambda: unit.jobs.retry_later(job.id, "w1", delay_s=1, code="c", message="m"),
        ):
            with pytest.raises(ConflictError) as caught:
                change()
            assert caught.value.code == "lease_lost"
        unit.commit()
    assert read(database, job.id) == leased


def test_a_heartbeat_extends_the_lease_even_a_moment_late(database: Database, clock: ManualClock) -> None:
    (job,) = enqueue(database, "k")
    claim(database, "w1")
    clock.advance(61)
    with database.unit_of_work() as unit:
        unit.jobs.heartbeat(job.id, "w1", lease_s=60)
        unit.commit()
    clock.advance(59)
    assert claim(database, "w2") is None
    assert read(database, job.id).attempts == 1


def test_a_finished_job_is_over_until_it_is_queued_again(database: Database) -> None:
    (job,) = enqueue(database, "k")
    claim(database, "w1")
    with database.unit_of_work() as unit:
        unit.jobs.complete(job.id, "w1")
        unit.commit()
    done = read(database, job.id)
    assert (done.state, done.lease_owner, done.lease_expires_at) == (JobState.DONE, None, None)
    assert claim(database, "w1") is None
    with pytest.raises(ConflictError), database.unit_of_work() as unit:
        unit.jobs.complete(job.id, "w1")
    (again,) = enqueue(database, "k")
    assert (again.id, again.state, again.attempts) == (job.id, JobState.QUEUED, 0)


def test_a_failed_job_says_why_and_starts_afresh_when_queued_again(database: Database) -> None:
    (job,) = enqueue(database, "k")
    claim(database, "w1")
    with database.unit_of_work() as unit:
        unit.jobs.fail(job.id, "w1", code="corrupt", message="坏\x00" * 2_000)
        unit.commit()
    failed = read(database, job.id)
    assert (failed.state, failed.error_code) == (JobState.FAILED, "corrupt")
    assert failed.error_message == "坏\N{REPLACEMENT CHARACTER}" * 1_000
    assert claim(database, "w1") is None
    (again,) = enqueue(database, "k")
    assert (again.state, again.attempts, again.error_code, again.error_message) == (
        JobState.QUEUED,
        0,
        None,
        None,
    )


def test_a_retry_waits_and_keeps_counting(database: Database, clock: ManualClock) -> None:
    (job,) = enqueue(database, "k")
    claim(database, "w1")
    with database.unit_of_work() as unit:
        unit.jobs.retry_later(job.id, "w1", delay_s=30, code="storage_unavailable", message="full")
        unit.commit()
    waiting = read(database, job.id)
    assert (waiting.state, waiting.error_code) == (JobState.QUEUED, "storage_unavailable")
    clock.advance(29)
    assert claim(database, "w1") is None
    clock.advance(1)
    leased = claim(database, "w1")
    assert leased is not None
    assert leased.attempts == 2


def test_jobs_of_dead_owners_are_freed(database: Database) -> None:
    jobs = enqueue(database, "a", "b", "c", "d")
    for owner in ("dead", "alive", "dead"):
        claim(database, owner)
    asked: list[str] = []

    def is_dead(owner: str) -> bool:
        asked.append(owner)
        return owner == "dead"

    with database.unit_of_work() as unit:
        assert unit.jobs.free_dead(is_dead) == 2
        unit.commit()
    assert sorted(asked) == ["alive", "dead"]
    assert [read(database, job.id).state for job in jobs] == ["queued", "leased", "queued", "queued"]
    again = claim(database, "w1")
    assert again is not None
    assert (again.id, again.attempts) == (jobs[0].id, 2)


def test_what_matters_more_is_next_and_a_queued_job_can_come_to_matter_more(database: Database) -> None:
    night = enqueue(database, "a", "b", "c")
    with database.unit_of_work() as unit:
        asked = unit.jobs.enqueue("process", "d", night[0].recording_id, {}, priority=5)
        raised = unit.jobs.enqueue("process", "c", night[0].recording_id, {}, priority=9)
        unit.jobs.enqueue("process", "c", night[0].recording_id, {}, priority=1)  # never lowered
        assert unit.jobs.due(3) == [raised.id, asked.id, night[0].id]
        unit.commit()
    assert (raised.id, raised.priority) == (night[2].id, 9)
    order = [job.id for job in iter(lambda: claim(database, "w1"), None) if job]
    assert order == [night[2].id, asked.id, night[0].id, night[1].id]


def set_aside(database: Database) -> list[int]:
    with database.unit_of_work() as unit:
        ids = list(unit.jobs.set_aside(code="worker_died", message="again and again"))
        unit.commit()
    return ids


def test_a_job_that_loses_worker_after_worker_is_set_aside(database: Database, clock: ManualClock) -> None:
    poison, sound = enqueue(database, "a", "b")
    for number in range(MAX_LOSSES):
        assert set_aside(database) == []  # one worker may be lost to anything
        leased = claim(database, f"w{number}", job_id=poison.id)
        assert leased is not None
        assert (leased.attempts, leased.losses) == (number + 1, number)
        assert set_aside(database) == []  # it is being tried
        clock.advance(60)
    assert claim(database, "w9", job_id=poison.id) is None  # nobody's, before anybody set it aside
    assert set_aside(database) == [poison.id]
    failed = read(database, poison.id)
    assert (failed.state, failed.error_code, failed.losses, failed.lease_owner) == (
        JobState.FAILED,
        "worker_died",
        MAX_LOSSES,
        None,
    )
    assert read(database, sound.id).state is JobState.QUEUED
    (fresh,) = enqueue(database, "a")
    assert (fresh.state, fresh.attempts, fresh.losses) == (JobState.QUEUED, 0, 0)


def test_a_worker_that_is_known_to_be_dead_is_a_loss_too(database: Database) -> None:
    first, second = enqueue(database, "a", "b")
    claim(database, "dead")
    with database.unit_of_work() as unit:
        unit.jobs.free_dead(lambda owner: owner == "dead")
        unit.commit()
    assert read(database, first.id).losses == 1
    with database.unit_of_work() as unit:
        unsuspected = unit.jobs.claim("w1", lease_s=60, unsuspected=True)
        assert unsuspected is not None
        assert unsuspected.id == second.id
        assert unit.jobs.claim("w1", lease_s=60, unsuspected=True) is None
        unit.commit()
    (asked,) = enqueue(database, "a")
    assert (asked.id, asked.losses) == (first.id, 0)  # whoever asks for it again gives it a new start


def test_what_an_owner_gives_back_is_no_loss(database: Database) -> None:
    mine, other = enqueue(database, "a", "b")
    claim(database, "w1")
    claim(database, "w2")
    with database.unit_of_work() as unit:
        assert unit.jobs.release("w1") == 1
        assert unit.jobs.release("w1") == 0
        unit.commit()
    assert [(j.state, j.losses) for j in (read(database, mine.id), read(database, other.id))] == [
        (JobState.QUEUED, 0),
        (JobState.LEASED, 0),
    ]


def test_an_unknown_job_is_not_found(database: Database) -> None:
    with database.unit_of_work() as unit:
        with pytest.raises(NotFoundError):
            unit.jobs.get(7)
        with pytest.raises(NotFoundError):
            unit.jobs.complete(7, "w1")


def _work(database: Database, owner: str) -> list[tuple[str, int]]:
    """Claim and finish until nothing is left."""
    done: list[tuple[str, int]] = []
    while (job := claim(database, owner)) is not None:
        with database.unit_of_work() as unit:
            unit.jobs.complete(job.id, owner)
            unit.commit()
        done.append((owner, job.id))
    return done


def _work_in_process(url: str, owner: str, out: "multiprocessing.Queue[list[tuple[str, int]]]") -> None:
    database = Database(url, clock=SystemClock())
    database.upgrade()
    out.put(_work(database, owner))
    database.dispose()


def test_threads_claim_every_job_once(database: Database) -> None:
    jobs = enqueue(database, *(f"k{number}" for number in range(200)))
    done: list[tuple[str, int]] = []
    threads = [
        threading.Thread(target=lambda owner=f"w{number}": done.extend(_work(database, owner)))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(job_id for _, job_id in done) == Counter(job.id for job in jobs)
    assert {read(database, job.id).attempts for job in jobs} == {1}


def test_processes_claim_every_job_once(database: Database, database_url: str) -> None:
    # The children live by the real clock: the jobs must be due there.
    jobs = enqueue(database, *(f"k{number}" for number in range(200)))
    context = multiprocessing.get_context("spawn")
    out: multiprocessing.Queue[list[tuple[str, int]]] = context.Queue()
    workers = [
        context.Process(target=_work_in_process, args=(database_url, f"w{number}", out)) for number in range(2)
    ]
    for worker in workers:
        worker.start()
    done = [entry for _ in workers for entry in out.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert Counter(job_id for _, job_id in done) == Counter(job.id for job in jobs)


def test_a_claim_walks_the_open_jobs_only(tmp_path: Path, clock: ManualClock) -> None:
    database = Database(f"sqlite:///{tmp_path / 'qa.db'}", clock=clock)
    database.upgrade()
    plans: list[str] = []

    def explain(context: ORMExecuteState) -> None:
        sent = context.statement.compile(context.session.connection(), compile_kwargs={"literal_binds": True})
        plan = context.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sent}")
        plans.append(" | ".join(step.detail for step in plan))

    with database.unit_of_work() as unit:
        event.listen(unit.session, "do_orm_execute", explain)
        unit.jobs.claim("w1", lease_s=60)
    database.dispose()
    assert len(plans) == 1
    assert "ix_jobs_open" in plans[0]
    assert "TEMP B-TREE" not in plans[0]


def test_costs_of_attempts_add_up_until_the_work_is_asked_for_again(database: Database) -> None:
    (job,) = enqueue(database, "k")

    def costs() -> tuple[float, float]:
        with database.unit_of_work() as unit:
            row = unit.session.get(JobRow, job.id)
            assert row is not None
            return row.cpu_s, row.gpu_s

    with database.unit_of_work() as unit:
        for settle in (
            lambda: unit.jobs.retry_later(job.id, "w1", delay_s=0, code="c", message="m", cost=Cost(1.5, 0.5)),
            lambda: unit.jobs.retry_later(job.id, "w1", delay_s=0, code="c", message="m"),
            lambda: unit.jobs.complete(job.id, "w1", cost=Cost(2.0, 1.0)),
        ):
            unit.jobs.claim("w1", lease_s=60)
            settle()
        unit.commit()
    assert costs() == (3.5, 1.5)
    enqueue(database, "k")
    assert costs() == (0.0, 0.0)


def test_many_are_queued_as_one_is(database: Database) -> None:
    recordings = [builders.add_recording(database, bytes([number])).id for number in range(6)]
    raised, leased, done, failed = (
        JobRequest("process", key, recording, {"pack": "old"})
        for key, recording in zip(("raised", "leased", "done", "failed"), recordings, strict=False)
    )
    with database.unit_of_work() as unit:
        ids = unit.jobs.enqueue_all([raised, leased, done, failed], priority=-10)
        unit.jobs.claim("w1", lease_s=60, job_id=ids["leased"])
        for key, end in (("done", unit.jobs.complete), ("failed", partial(unit.jobs.fail, code="c", message="m"))):
            unit.jobs.claim("w1", lease_s=60, job_id=ids[key])
            end(ids[key], "w1")
        unit.commit()
    late, early = (JobRequest("process", f"{n}", recordings[n], {"pack": "new"}) for n in (5, 4))
    again = [replace(one, payload={"pack": "new"}) for one in (raised, leased, done, failed)]
    with database.unit_of_work() as unit:
        more = unit.jobs.enqueue_all([late, *again, early], priority=-5)
        assert unit.jobs.enqueue_all([], priority=0) == {}
        assert unit.jobs.enqueue_all([late], priority=-10) == {"5": more["5"]}
        assert (unit.jobs.waiting(3), unit.jobs.waiting(100)) == (3, 5)
        unit.commit()
    assert {key: more[key] for key in ids} == dict(ids)
    assert more["4"] < more["5"], "the oldest recording first"
    seen = {key: read(database, job_id) for key, job_id in more.items()}
    assert {key: (job.state, job.priority, job.payload["pack"]) for key, job in seen.items()} == {
        "raised": ("queued", -5, "old"),
        "leased": ("leased", -10, "old"),
        "done": ("queued", -5, "new"),
        "failed": ("queued", -5, "new"),
        "4": ("queued", -5, "new"),
        "5": ("queued", -5, "new"),
    }
    assert (seen["failed"].error_code, seen["failed"].attempts) == (None, 0)


def test_who_asks_for_what_is_being_withdrawn_gets_it_queued(database: Database) -> None:
    """Another process withdraws the job between the look at it and the change."""
    (job,) = enqueue(database, "k")
    with database.unit_of_work() as unit:
        unit.session.execute(update(JobRow).values(rank=10))
        unit.commit()
    with database.unit_of_work() as unit:
        changes: list[str] = []

        def withdrawn_first(context: ORMExecuteState) -> None:
            if context.is_update and not changes:
                changes.append("withdrawn")
            elif context.is_update and len(changes) == 1:  # the second: the first found nothing that had ended
                changes.append("now")
                unit.session.connection().exec_driver_sql("UPDATE jobs SET state = 'withdrawn'")

        event.listen(unit.session, "do_orm_execute", withdrawn_first)
        asked = unit.jobs.enqueue("process", "k", job.recording_id, {}, priority=0)
        unit.commit()
    assert changes == ["withdrawn", "now"]
    assert (asked.id, asked.state, asked.priority) == (job.id, JobState.QUEUED, 0)
