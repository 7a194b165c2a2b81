"""Batch runs: every recording of a selection once, whoever fills them and however often they are interrupted."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

import pytest
import structlog
from sqlalchemy import select, update

from qa_service.db.rows import BatchRunJobRow, BatchRunRow, ConversationRow, EvaluationRow, JobRow
from qa_service.domain.batch_runs import BatchRun, BatchState, Waiting
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.errors import ConflictError, NotFoundError, TransientError
from qa_service.ports import BATCH_PRIORITY, Cost, JobState, StoredEvaluation
from qa_service.services import batch_runs
from qa_service.services.batch_runs import SETTLING, BatchRuns, Nightly, Room
from qa_service.services.plans import Planner
from tests.clocks import ManualClock
from tests.fakes import DURATION_S, HUMMING, SILENT, FakeRules, Workplace

SHANGHAI = ZoneInfo("Asia/Shanghai")
TEN_PM = Nightly(time_of_day(22), SHANGHAI)


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


@pytest.fixture
def made(workplace: Workplace, clock: ManualClock) -> Callable[..., BatchRuns]:
    def make(
        *, jobs: int = 1000, has_space: Callable[[], bool] = lambda: True, nightly: Nightly | None = None
    ) -> BatchRuns:
        return BatchRuns(
            units=workplace.database.unit_of_work,
            planner=lambda: Planner(hear=workplace.hear, evaluate=workplace.evaluate),
            room=Room(jobs, has_space),
            nightly=nightly,
            clock=clock,
        )

    return make


@pytest.fixture
def runs(made: Callable[..., BatchRuns]) -> BatchRuns:
    return made()


def receive(workplace: Workplace, *contents: bytes, team: str | None = None) -> list[int]:
    told = CallMetadata(team=team) if team else None
    return [
        workplace.ingest.receive(workplace.file(f"{content.decode()}.wav", content), told).recording.id
        for content in contents
    ]


def calls(count: int, name: str = "call") -> list[bytes]:
    return [f"{name} {number}".encode() for number in range(count)]


def requested(runs: BatchRuns, clock: ManualClock, **selection: object) -> BatchRun:
    """A run of what was received before now."""
    clock.advance(1)
    run, new = runs.request(**selection)  # type: ignore[arg-type]
    assert new
    return run


def look(runs: BatchRuns, run: BatchRun) -> BatchRun:
    runs.look_after()
    return runs.get(run.id)


def work(workplace: Workplace, owner: str = "worker") -> int:
    """Everything that is due."""
    done = 0
    while ended := sum(1 for _ in workplace.jobs(owner).run_due()):
        done += ended
    return done


def states(workplace: Workplace) -> list[str]:
    with workplace.database.unit_of_work(read_only=True) as unit:
        return list(unit.session.scalars(select(JobRow.state).order_by(JobRow.id)))


def test_a_run_scores_what_was_received_and_says_what_came_of_it(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    workplace.packs["rules-zh"].outcome = Outcome.NOT_MET
    receive(workplace, *calls(3), SILENT, HUMMING)
    run = requested(runs, clock)
    assert (run.expected, run.state, run.tally.selected) == (5, BatchState.FILLING, 0)
    run = look(runs, run)
    assert (run.state, run.tally.queued, run.left) == (BatchState.RUNNING, 5, 5)
    work(workplace)
    clock.advance(30)
    run = look(runs, run)
    assert (run.state, run.ended_at, run.left) == (BatchState.DONE, clock.now(), 0)
    tally = run.tally
    assert (tally.scored, tally.failures) == (3, {"silent_audio": 1, "no_words": 1})
    assert (tally.flagged, tally.undetermined, tally.audio_s) == (3, 0, 3 * DURATION_S)
    assert tally.cpu_s > 0
    assert tally.gpu_s == 0
    assert run.active_s == 30
    assert run.audio_hours_per_hour == pytest.approx(3 * DURATION_S / 30)
    assert {code for _, _, code in runs.failures(run.id, 10)} == {"silent_audio", "no_words"}


def test_a_call_without_a_score_is_undetermined(workplace: Workplace, runs: BatchRuns, clock: ManualClock) -> None:
    workplace.packs["rules-zh"].outcome = Outcome.UNDETERMINED
    receive(workplace, b"call")
    run = requested(runs, clock)
    runs.look_after()
    work(workplace)
    assert look(runs, run).tally.undetermined == 1


def test_what_is_as_it_should_be_is_not_queued(workplace: Workplace, runs: BatchRuns, clock: ManualClock) -> None:
    receive(workplace, *calls(3))
    first = requested(runs, clock)
    runs.look_after()
    work(workplace)
    assert look(runs, first).state is BatchState.DONE
    receive(workplace, b"new")
    run = requested(runs, clock)
    assert run.id != first.id
    run = look(runs, run)
    assert (run.tally.up_to_date, run.tally.queued) == (3, 1)
    assert states(workplace) == ["done"] * 3 + ["queued"]


def test_changed_rules_metadata_and_engines_are_something_to_do(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    receive(workplace, b"call")

    def queued() -> int:
        count = look(runs, requested(runs, clock)).tally.queued
        work(workplace)
        runs.look_after()
        return count

    assert queued() == 1
    assert queued() == 0
    workplace.packs["rules-zh"] = FakeRules("rules-zh", "sha256:changed")
    assert queued() == 1
    receive(workplace, b"call", team="one")
    assert queued() == 1
    workplace.transcriber.model = "large"
    assert queued() == 1
    assert queued() == 0
    assert workplace.transcriber.heard == [b"call"] * 2


def test_rules_that_are_changed_back_are_something_to_do(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    """The job of that evaluation is done, and yet another one is the call's latest."""
    receive(workplace, b"call")
    for digest in ("sha256:a", "sha256:b", "sha256:a"):
        workplace.packs["rules-zh"] = FakeRules("rules-zh", digest)
        run = look(runs, requested(runs, clock))
        assert run.tally.queued == 1
        work(workplace)
        assert look(runs, run).tally.scored == 1
    with workplace.database.unit_of_work(read_only=True) as unit:
        latest = unit.evaluations.latest(1)
    assert latest is not None
    assert latest.ruleset_digest == "sha256:a"


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_no_more_wait_than_the_queue_may_hold(
    workplace: Workplace,
    made: Callable[..., BatchRuns],
    clock: ManualClock,
    limit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_runs, "PAGE", 5)
    runs = made(jobs=limit)
    receive(workplace, *calls(23))
    run = look(runs, requested(runs, clock))
    seen = []
    while run.ended_at is None:
        seen.append(states(workplace).count("queued"))
        if run.state is BatchState.FILLING:
            assert run.waiting is Waiting.QUEUE_FULL
        assert sum(1 for _ in workplace.jobs().run_due()) > 0
        run = look(runs, run)
    assert max(seen) < limit + 5
    assert (run.state, run.tally.scored, run.waiting) == (BatchState.DONE, 23, None)
    assert len(workplace.transcriber.heard) == 23


def test_a_full_disk_is_waited_for(
    workplace: Workplace, made: Callable[..., BatchRuns], clock: ManualClock
) -> None:
    space = [False]
    runs = made(has_space=lambda: space[0])
    receive(workplace, *calls(2))
    run = look(runs, requested(runs, clock))
    assert (run.state, run.waiting, run.tally.selected, run.eta_s) == (
        BatchState.FILLING,
        Waiting.DISK_FULL,
        0,
        None,
    )
    space[0] = True
    run = look(runs, run)
    assert (run.state, run.waiting, run.tally.queued) == (BatchState.RUNNING, None, 2)


def test_the_same_request_continues_until_it_has_ended(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    receive(workplace, b"call")
    since = clock.now() - timedelta(days=1)
    run = requested(runs, clock, since=since)
    clock.advance(60)
    same, new = runs.request(since=since.astimezone(SHANGHAI))
    assert (same.id, new, same.selection.until) == (run.id, False, run.selection.until)
    other, new = runs.request(since=since, team="one")
    assert new
    assert other.id != run.id
    runs.look_after()
    work(workplace)
    runs.look_after()
    later, new = runs.request(since=since)
    assert new
    assert later.id not in (run.id, other.id)


def test_selections(workplace: Workplace, runs: BatchRuns, clock: ManualClock) -> None:
    start = clock.now()
    receive(workplace, b"old", team="one")
    clock.advance(100)
    receive(workplace, b"new", team="one")
    receive(workplace, b"other", team="two")
    receive(workplace, b"nobody's")
    clock.advance(100)

    def selected(**selection: object) -> int:
        run = look(runs, requested(runs, clock, **selection))
        assert run.expected == run.tally.selected
        return run.tally.selected

    assert selected() == 4
    assert selected(since=start) == 4
    assert selected(since=start + timedelta(seconds=1)) == 3
    assert selected(until=start + timedelta(seconds=100)) == 1
    assert selected(team="one") == 2
    assert selected(team="one", since=start + timedelta(seconds=100)) == 1
    assert selected(until=start) == 0
    assert selected(team="O'ne\" ; --") == 0


def test_a_pack_that_is_asked_for_is_used(workplace: Workplace, runs: BatchRuns, clock: ManualClock) -> None:
    receive(workplace, b"call")
    run = requested(runs, clock, pack="rules-en")
    runs.look_after()
    work(workplace)
    assert look(runs, run).tally.scored == 1
    assert look(runs, requested(runs, clock, pack="rules-en")).tally.up_to_date == 1
    assert look(runs, requested(runs, clock)).tally.queued == 1


def test_scoring_again_needs_no_audio_and_leaves_out_what_was_never_heard(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    receive(workplace, *calls(3))
    run = requested(runs, clock)
    runs.look_after()
    work(workplace)
    assert look(runs, run).tally.scored == 3
    receive(workplace, b"never heard")
    workplace.delete_blobs()
    workplace.transcriber.model = "another"  # by which nothing was heard
    workplace.packs["rules-zh"] = FakeRules("rules-zh", "sha256:changed", Outcome.NOT_MET)
    again = look(runs, requested(runs, clock, rescore=True))
    assert (again.tally.queued, again.tally.not_heard, again.tally.up_to_date) == (3, 1, 0)
    work(workplace)
    again = look(runs, again)
    assert (again.tally.scored, again.tally.flagged, again.tally.failures) == (3, 3, {})
    assert len(workplace.transcriber.heard) == 3
    nothing = look(runs, requested(runs, clock, rescore=True))
    assert (nothing.tally.queued, nothing.tally.not_heard, nothing.tally.up_to_date) == (0, 1, 3)
    assert nothing.state is BatchState.DONE


def test_what_is_forced_is_heard_anew_once_and_what_was_heard_before_stays(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    receive(workplace, b"call")
    first = requested(runs, clock)
    runs.look_after()
    work(workplace)
    runs.look_after()
    before = latest(workplace)
    forced = requested(runs, clock, force=True)
    assert forced.id != first.id
    clock.advance(10)
    runs.look_after()
    raise_once(workplace, TransientError("storage_unavailable", "full: free space"))
    work(workplace)
    clock.advance(3600)
    work(workplace)
    assert look(runs, forced).tally.scored == 1
    after = latest(workplace)
    assert (after.key, after.id != before.id) == (before.key, True)
    assert after.conversation_id != before.conversation_id
    assert (workplace.count(ConversationRow), workplace.count(EvaluationRow)) == (2, 2)
    heard = len(workplace.transcriber.heard)
    assert look(runs, requested(runs, clock)).tally.up_to_date == 1, "what was heard anew counts"
    with workplace.database.unit_of_work() as unit:  # the job once more, as a lost worker's
        unit.session.execute(update(JobRow).values(state="queued"))
        unit.commit()
    work(workplace)
    assert len(workplace.transcriber.heard) == heard
    assert latest(workplace).id == after.id


def latest(workplace: Workplace, recording_id: int = 1) -> StoredEvaluation:
    with workplace.database.unit_of_work(read_only=True) as unit:
        found = unit.evaluations.latest(recording_id)
    assert found is not None
    return found


def raise_once(workplace: Workplace, error: Exception) -> None:
    def during(_: bytes) -> None:
        workplace.transcriber.during = lambda _: None
        raise error

    workplace.transcriber.during = during


# Nights -----------------------------------------------------------------------------------------------------


def nights(workplace: Workplace) -> list[tuple[str, datetime | None, datetime]]:
    with workplace.database.unit_of_work(read_only=True) as unit:
        rows = unit.session.scalars(select(BatchRunRow).order_by(BatchRunRow.id))
        return [(row.key.removeprefix("nightly:"), row.since, row.until) for row in rows]


def ten_pm(day: int) -> datetime:
    return datetime(2026, 3, day, 14, tzinfo=UTC)


def test_each_night_begins_where_the_last_one_ended(
    workplace: Workplace, made: Callable[..., BatchRuns], clock: ManualClock
) -> None:
    """The clock begins on 2 March, 17:00 in Shanghai."""
    several = [made(nightly=TEN_PM) for _ in range(3)]

    def until(moment: datetime) -> None:
        clock.advance((moment - clock.now()).total_seconds())
        for runs in several:
            runs.look_after()

    until(ten_pm(2) - timedelta(seconds=1))
    assert [key for key, _, _ in nights(workplace)] == ["2026-03-01"]
    until(ten_pm(2))
    until(ten_pm(2) + timedelta(hours=9))
    assert nights(workplace)[1:] == [("2026-03-02", ten_pm(1), ten_pm(2))]
    until(ten_pm(6) + timedelta(hours=10))  # days in which nobody was there
    assert nights(workplace)[2:] == [("2026-03-06", ten_pm(2), ten_pm(6))]
    until(ten_pm(7))
    assert nights(workplace)[3:] == [("2026-03-07", ten_pm(6), ten_pm(7))]


def test_every_recording_belongs_to_one_night(
    workplace: Workplace, made: Callable[..., BatchRuns], clock: ManualClock
) -> None:
    runs = made(nightly=TEN_PM)
    for number in range(20):
        receive(workplace, f"call {number}".encode())
        clock.advance(13_217)
        runs.look_after()
    clock.advance(86_400 * 3)
    runs.look_after()
    with workplace.database.unit_of_work(read_only=True) as unit:
        links = unit.session.execute(select(BatchRunJobRow.batch_run_id, BatchRunJobRow.job_id)).all()
    assert sorted(job for _, job in links) == list(range(1, 21))
    assert len({run for run, _ in links}) >= 3


def test_what_appears_late_is_not_passed_over(
    workplace: Workplace, made: Callable[..., BatchRuns], clock: ManualClock
) -> None:
    """Received before the night began, and stored a moment after it was looked at."""
    runs = made(nightly=TEN_PM)
    clock.advance((ten_pm(2) - clock.now()).total_seconds() - 1)
    receive(workplace, b"in time")
    runs.look_after()
    clock.advance(1)
    runs.look_after()
    (run, *_) = runs.recent(1)
    assert (run.state, run.waiting, run.tally.selected) == (BatchState.FILLING, Waiting.SETTLING, 0)
    clock.advance(-1)
    receive(workplace, b"late")
    clock.advance(1 + SETTLING.total_seconds())
    run = look(runs, run)
    assert (run.state, run.tally.selected) == (BatchState.RUNNING, 2)


def test_without_a_time_there_are_no_nights(workplace: Workplace, runs: BatchRuns, clock: ManualClock) -> None:
    clock.advance(86_400 * 3)
    assert runs.look_after() == []
    assert nights(workplace) == []


# Cancelling and trying again --------------------------------------------------------------------------------


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


# Trouble ----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """What is not caught."""


@pytest.mark.parametrize("at", [1, 2, 3, 4, 6])
def test_whoever_fills_a_run_may_be_lost_at_any_moment(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(batch_runs, "PAGE", 5)
    receive(workplace, *calls(12))
    run = requested(runs, clock)
    left = [at]

    def dies(*_: object) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    with monkeypatch.context() as patch, workplace.database.unit_of_work() as unit:
        for kind, names in ((type(unit.jobs), ["enqueue_all"]), (type(unit.batch_runs), ["link", "save"])):
            for name in names:
                real = getattr(kind, name)
                patch.setattr(
                    kind,
                    name,
                    lambda self, *given, real=real, **named: (dies(), real(self, *given, **named), dies())[1],
                )
        unit.session.close()
        with pytest.raises(Killed):
            runs.look_after()
    run = look(runs, run)
    assert (run.state, run.tally.queued, len(states(workplace))) == (BatchState.RUNNING, 12, 12)
    work(workplace)
    assert look(runs, run).tally.scored == 12


def test_a_run_that_cannot_go_on_stops_no_other(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock, quiet_logs: list[structlog.typing.EventDict]
) -> None:
    receive(workplace, b"call")
    broken = requested(runs, clock, pack="rules-en")
    sound = requested(runs, clock)

    def load(name: str) -> FakeRules:
        if name == "rules-en":
            raise ConflictError("pack_unknown", "no such pack: name another")
        return workplace.packs[name]

    workplace.evaluate._load_pack = load  # type: ignore[assignment]
    workplace.evaluate._pack_by_language = {"zh": "rules-zh"}
    runs.look_after()
    assert runs.get(sound.id).state is BatchState.RUNNING
    assert runs.get(broken.id).state is BatchState.FILLING
    assert [entry["code"] for entry in quiet_logs if entry["log_level"] == "warning"] == ["pack_unknown"]


def test_time_in_which_nobody_was_there_is_no_work(
    workplace: Workplace, runs: BatchRuns, clock: ManualClock
) -> None:
    receive(workplace, *calls(4))
    run = look(runs, requested(runs, clock))
    (_, *_) = list(workplace.jobs().run_all([1, 2]))
    clock.advance(20)
    run = look(runs, run)
    assert (run.active_s, run.eta_s, run.calls_per_hour) == (20, 20, 360)
    clock.advance(86_400)
    run = look(runs, run)
    assert run.active_s == 80
    assert replace(run, state=BatchState.DONE).eta_s is None
