"""The queue's depth, on both databases."""

from dataclasses import replace

from qa_service.db.queue_depth import queue_depth
from qa_service.db.session import Database, SqlUnitOfWork
from qa_service.domain.batch_runs import BatchKind, BatchState, Selection
from qa_service.observing import QueueDepth, RunsUnderWay
from tests.clocks import ManualClock
from tests.qa_service.db import builders


def depth(database: Database, clock: ManualClock) -> QueueDepth:
    with database.unit_of_work(read_only=True) as unit:
        return queue_depth(unit.session, clock.now())


def claimed(unit: SqlUnitOfWork, owner: str) -> int:
    job = unit.jobs.claim(owner, lease_s=60, unsuspected=True)
    assert job is not None
    return job.id


def test_an_empty_queue(database: Database, clock: ManualClock) -> None:
    assert depth(database, clock) == QueueDepth(0, 0, 0, 0, 0, 0, 0.0)


def test_open_jobs_are_counted_by_state_and_ended_ones_not_at_all(database: Database, clock: ManualClock) -> None:
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        for number in range(8):
            unit.jobs.enqueue("process", f"k{number}", recording.id, {})
            clock.advance(10)
        done, failed, later, _gone, _lost = (claimed(unit, "a") for _ in range(5))
        unit.jobs.complete(done, "a")
        unit.jobs.fail(failed, "a", code="audio_corrupt", message="")
        unit.jobs.retry_later(later, "a", delay_s=600, code="storage_full", message="")
        clock.advance(61)  # and with it the leases of two
        claimed(unit, "b")
        claimed(unit, "b")
        unit.commit()
    clock.advance(5)
    seen = depth(database, clock)
    assert (seen.due, seen.later, seen.held, seen.expired) == (1, 1, 2, 2)
    assert (seen.suspected, seen.workers) == (0, 1)
    assert seen.oldest_due_age_s == 10 + 61 + 5, "the eighth, queued ten seconds before the first claim"


def test_jobs_that_a_worker_was_lost_over_are_suspected(database: Database, clock: ManualClock) -> None:
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        unit.jobs.enqueue("process", "k", recording.id, {})
        unit.jobs.claim("a", lease_s=60)
        unit.jobs.free_dead(lambda _: True)
        unit.commit()
    assert depth(database, clock) == QueueDepth(1, 0, 0, 0, 1, 0, 0.0)


def test_batch_runs_are_told_until_they_end(database: Database, clock: ManualClock) -> None:
    began = clock.now()
    with database.unit_of_work() as unit:
        done, _ = unit.batch_runs.add("night 1", BatchKind.NIGHTLY, Selection(clock.now()))
        unit.batch_runs.save(replace(done, state=BatchState.DONE, ended_at=clock.now()))
        clock.advance(3600)
        unit.batch_runs.add("night 2", BatchKind.NIGHTLY, Selection(clock.now()))
        clock.advance(60)
        unit.batch_runs.add("asked for", BatchKind.REQUESTED, Selection(clock.now()))
        unit.batch_runs.add("asked for too", BatchKind.REQUESTED, Selection(clock.now()))
        unit.commit()
    clock.advance(5)
    seen = depth(database, clock)
    assert seen.runs == (RunsUnderWay("nightly", 1, 65.0), RunsUnderWay("requested", 2, 5.0))
    assert seen.night_age_s == (clock.now() - began).total_seconds() - 3600
