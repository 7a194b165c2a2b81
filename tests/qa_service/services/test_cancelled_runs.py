"""Cancelling batch runs, and trying failed jobs again."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from qa_service.db.rows import JobRow
from qa_service.domain.batch_runs import BatchRun, BatchState
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import BATCH_PRIORITY, Cost, JobState
from qa_service.services import batch_runs
from qa_service.services.batch_runs import BatchRuns
from tests.clocks import ManualClock
from tests.fakes import HUMMING, SILENT, Workplace
from tests.qa_service.services.batch_runs import calls, look, receive, requested, states, work

pytestmark = pytest.mark.usefixtures("quiet_logs")


def test_cancelling_takes_back_what_nobody_works_on(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    receive(workplace, *calls(3))
    run = look(runs, requested(runs, clock))
    with workplace.database.unit_of_work() as unit:
        leased = unit.jobs.claim("somebody", lease_s=60)
        unit.commit()
    assert leased is not None
    run = runs.cancel(run.id)
    assert (run.state, run.ended_at, run.tally.withdrawn) == (BatchState.CANCELLED, None, 2)
    assert states(workplace) == ["leased", "withdrawn", "withdrawn"]
    with workplace.database.unit_of_work() as unit:
        unit.jobs.complete(leased.id, "somebody")
        unit.commit()
    run = look(runs, run)
    assert (run.ended_at, run.tally.scored) == (clock.now(), 1)
    assert runs.cancel(run.id) == run
    assert work(workplace) == 0
    with pytest.raises(ConflictError):
        runs.retry(run.id)


def test_a_cancelled_run_takes_back_what_its_worker_put_back(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    receive(workplace, b"call")
    run = look(runs, requested(runs, clock))
    with workplace.database.unit_of_work() as unit:
        leased = unit.jobs.claim("somebody", lease_s=60)
        assert leased is not None
        unit.commit()
    runs.cancel(run.id)
    with workplace.database.unit_of_work() as unit:
        unit.jobs.release("somebody")
        unit.commit()
    run = look(runs, run)
    assert (run.ended_at, run.tally.withdrawn, states(workplace)) == (clock.now(), 1, ["withdrawn"])


def test_a_run_that_is_cancelled_while_it_is_filled_selects_nothing_more(
    workplace: Workplace, made: Callable[..., BatchRuns], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = made(jobs=1)
    monkeypatch.setattr(batch_runs, "PAGE", 2)
    receive(workplace, *calls(3))
    run = look(runs, requested(runs, clock))
    assert run.state is BatchState.FILLING
    run = runs.cancel(run.id)
    assert (run.tally.selected, run.tally.withdrawn, run.ended_at) == (2, 2, clock.now())
    assert look(runs, run).tally.selected == 2


def test_what_another_run_wants_stays(workplace: Workplace, runs: BatchRuns, clock: ManualClock) -> None:
    receive(workplace, b"one")
    first = look(runs, requested(runs, clock))
    since = clock.now()
    receive(workplace, b"two")
    both = look(runs, requested(runs, clock, team=None, until=None, since=since - timedelta(days=1)))
    assert (first.tally.queued, both.tally.queued, states(workplace)) == (1, 2, ["queued"] * 2)
    runs.cancel(first.id)
    assert states(workplace) == ["queued"] * 2
    work(workplace)
    assert look(runs, both).tally.scored == 2
    first = runs.get(first.id)
    assert (first.tally.withdrawn, first.tally.scored, first.ended_at is not None) == (1, 0, True)


def test_what_a_person_asked_for_stays(workplace: Workplace, runs: BatchRuns, clock: ManualClock) -> None:
    receive(workplace, b"one", b"two")
    run = look(runs, requested(runs, clock))
    received = workplace.ingest.receive(workplace.file("two.wav", b"two"), None)
    job = workplace.jobs().enqueue(received.recording, received.metadata, pack=None)
    assert job.priority > BATCH_PRIORITY
    runs.cancel(run.id)
    assert states(workplace) == ["withdrawn", "queued"]
    received = workplace.ingest.receive(workplace.file("one.wav", b"one"), None)
    job = workplace.jobs().enqueue(received.recording, received.metadata, pack=None)
    assert (job.state, job.error_code) == (JobState.QUEUED, None)
    assert work(workplace) == 2


def test_what_was_taken_back_while_another_run_came_to_want_it_is_queued_again(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    """Two transactions that do not see each other: one withdraws, the other begins to wait."""
    receive(workplace, b"one")
    run = look(runs, requested(runs, clock))
    with workplace.database.unit_of_work() as unit:
        unit.session.execute(update(JobRow).values(state="withdrawn"))
        unit.commit()
    run = look(runs, run)
    assert (run.state, states(workplace)) == (BatchState.RUNNING, ["queued"])


def test_failed_jobs_are_tried_again_all_or_by_code(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    receive(workplace, SILENT, HUMMING, b"call")
    run = look(runs, requested(runs, clock))
    work(workplace)
    run = look(runs, run)
    assert (run.state, run.tally.failed, run.tally.scored) == (BatchState.DONE, 2, 1)
    assert runs.retry(run.id, code="worker_died")[1] == 0
    run, count = runs.retry(run.id, code="no_words")
    assert (count, run.state, run.ended_at, run.tally.failures) == (
        1,
        BatchState.RUNNING,
        None,
        {"silent_audio": 1},
    )
    work(workplace)
    run = look(runs, run)
    assert (run.state, run.tally.failures) == (BatchState.DONE, {"silent_audio": 1, "no_words": 1})
    assert runs.retry(run.id)[1] == 2
    work(workplace)
    assert look(runs, run).tally.failed == 2


def test_what_a_failure_cost_is_counted_once(workplace: Workplace, runs: BatchRuns, clock: ManualClock) -> None:
    receive(workplace, SILENT)

    def end(cost: Cost) -> BatchRun:
        with workplace.database.unit_of_work() as unit:
            job = unit.jobs.claim("worker", lease_s=60)
            assert job is not None
            unit.jobs.fail(job.id, "worker", code="silent_audio", message="silent", cost=cost)
            unit.commit()
        return look(runs, run)

    run = look(runs, requested(runs, clock))
    run = end(Cost(8.0, 2.0))
    runs.retry(run.id)
    run = end(Cost(1.0, 0.5))
    assert (run.tally.cpu_s, run.tally.gpu_s) == (9.0, 2.5)


def test_a_run_that_is_done_cannot_be_cancelled(runs: BatchRuns, clock: ManualClock) -> None:
    run = look(runs, requested(runs, clock))
    assert run.state is BatchState.DONE
    with pytest.raises(ConflictError) as caught:
        runs.cancel(run.id)
    assert caught.value.code == "batch_run_ended"


def test_an_unknown_run(runs: BatchRuns) -> None:
    for ask in (runs.get, runs.cancel, runs.retry):
        with pytest.raises(NotFoundError) as caught:
            ask(7)
        assert caught.value.code == "batch_run_not_found"
