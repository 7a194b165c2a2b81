"""Batch runs: every recording of a selection once, whoever fills them and however often they are interrupted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import structlog
from sqlalchemy import update

from qa_service.db.rows import ConversationRow, EvaluationRow, JobRow
from qa_service.domain.batch_runs import BatchState, Waiting
from qa_service.domain.results import Outcome
from qa_service.errors import ConflictError, TransientError
from qa_service.services import batch_runs
from qa_service.services.batch_runs import BatchRuns
from tests.clocks import ManualClock
from tests.fakes import DURATION_S, HUMMING, SILENT, FakeRules, Workplace
from tests.qa_service.services.batch_runs import calls, latest, look, raise_once, receive, requested, states, work

pytestmark = pytest.mark.usefixtures("quiet_logs")


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
    same, new = runs.request(since=since.astimezone(ZoneInfo("Asia/Shanghai")))
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
