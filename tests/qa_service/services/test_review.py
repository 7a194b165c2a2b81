"""Reviewing on a real store: who holds a call decides, decisions add up to the final score, nothing is lost."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from qa_service.db.rows import CallRow, EvaluationRow, FinalScoreRow, ReviewItemRow, VerdictRow
from qa_service.db.session import Database
from qa_service.domain.access import Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.queueing import QueueKind
from qa_service.domain.results import Outcome
from qa_service.domain.review import Cause, Decision, FindingState, Origin
from qa_service.errors import ConflictError, InputError, NotFoundError, QAError
from qa_service.services.findings import NOTE_CHARACTERS
from qa_service.services.review import QueueOrder, Review
from tests.clocks import ManualClock
from tests.qa_service.reviewing import ALL, CARD, Site, found, results

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED
CLAIM_S = 1800.0


@pytest.fixture
def site(database: Database) -> Site:
    return Site(database)


@pytest.fixture
def review(database: Database, clock: ManualClock) -> Review:
    return Review(units=database.unit_of_work, units_to_read=database.unit_of_work, clock=clock, claim_s=CLAIM_S)


@pytest.fixture
def inspector(site: Site) -> Principal:
    return site.person("inspector", Role.INSPECTOR)


@pytest.fixture
def other(site: Site) -> Principal:
    return site.person("other", Role.INSPECTOR)


def refused(act: Callable[[], object], error: type[QAError], code: str) -> None:
    with pytest.raises(error) as caught:
        act()
    assert caught.value.code == code


def columns(site: Site, recording_id: int) -> CallRow:
    with site.database.unit_of_work(read_only=True) as unit:
        return unit.session.get_one(CallRow, recording_id)


# --- what is in the queue ---------------------------------------------------------------------------------


def test_flagged_calls_are_queued_by_what_looking_is_worth(
    site: Site, review: Review, inspector: Principal
) -> None:
    minor = site.call("minor", results(closing=NOT_MET))
    critical = site.call("critical", results(argue=NOT_MET))
    doubt = site.call("doubt", results(opening=UNDETERMINED))
    site.call("clean", results())
    complaint = site.call("complaint", (*results(), found("complaint", MET, grade=1)))
    page = review.queue(inspector)
    assert [call.item.recording_id for call in page.calls] == [complaint, critical, doubt, minor]
    assert page.next is None
    assert {call.item.kind for call in page.calls} == {QueueKind.FLAGGED}
    head, *rest = page.calls
    assert head.item.due_at < rest[0].item.due_at == rest[-1].item.due_at
    assert (head.item.grade, head.to_review) == (1, 0)


def test_pages_follow_each_other(site: Site, review: Review, inspector: Principal) -> None:
    calls = {site.call(f"call {number}") for number in range(5)}
    seen: list[int] = []
    after, pages = None, 0
    while True:
        page = review.queue(inspector, after=after, limit=2)
        seen += [call.item.recording_id for call in page.calls]
        pages += 1
        if (after := page.next) is None:
            break
    assert (pages, len(seen), set(seen)) == (3, 5, calls)


def test_unflagged_calls_are_drawn_with_the_probability_that_is_stored(
    site: Site, review: Review, inspector: Principal
) -> None:
    looked_at = site.call("clean", results(), policy=ALL)
    (call,) = review.queue(inspector, kind=QueueKind.RANDOM).calls
    assert (call.item.recording_id, call.item.inclusion_probability) == (looked_at, 1.0)
    assert review.queue(inspector, kind=QueueKind.FLAGGED).calls == ()


def test_an_evaluation_without_its_scorecard_is_queued_when_it_is_scored_again(site: Site) -> None:
    old = site.call("old", card=None)
    assert site.item(old) is None
    with site.database.unit_of_work() as unit:
        known = unit.evaluations.latest(old)
        assert known is not None
        unit.evaluations.ask_for(known, scorecard=CARD)
        unit.review.place(old, site.policy)
        unit.commit()
    item = site.item(old)
    assert item is not None
    assert item.evaluation_id == known.id


def test_the_queue_ends_at_the_scope(site: Site, review: Review) -> None:
    inside = site.call("in", metadata=CallMetadata(team="A", vendor="V"))
    outside = site.call("out", metadata=CallMetadata(team="B", vendor="W"))
    unknown = site.call("unknown")
    for scope in (
        Scope(teams=frozenset({"A"})),
        Scope(vendor="V"),
        Scope(vendor="V", teams=frozenset({"A", "B"})),
    ):
        who = site.person(f"in {scope}", Role.INSPECTOR, scope=scope)
        assert [call.item.recording_id for call in review.queue(who).calls] == [inside]
        for recording_id in (outside, unknown, 999):
            refused(lambda: review.claim(who, recording_id), NotFoundError, "recording_not_found")  # noqa: B023
            refused(lambda: review.sheet(who, recording_id), NotFoundError, "recording_not_found")  # noqa: B023
        claimed = review.claim_next(who)
        assert claimed is not None
        assert claimed.recording_id == inside
        assert review.claim_next(who) is None
        review.release(who, inside)


def test_metadata_that_comes_late_moves_the_call_to_another_scope(site: Site, review: Review) -> None:
    call = site.call("call", metadata=CallMetadata(team="A"))
    with site.database.unit_of_work() as unit:
        unit.metadata.put(call, CallMetadata(team="B"))
        unit.commit()
    assert review.queue(site.person("a", Role.INSPECTOR, scope=Scope(teams=frozenset({"A"})))).calls == ()
    assert review.queue(site.person("b", Role.INSPECTOR, scope=Scope(teams=frozenset({"B"})))).calls != ()


# --- claims -----------------------------------------------------------------------------------------------


def test_a_call_is_held_by_one_until_the_claim_runs_out(
    site: Site, review: Review, inspector: Principal, other: Principal, clock: ManualClock
) -> None:
    call = site.call("call")
    claimed = review.claim_next(inspector)
    assert claimed is not None
    assert (claimed.recording_id, claimed.claimed_by) == (call, inspector.user_id)
    assert review.claim_next(other) is None
    refused(lambda: review.claim(other, call), ConflictError, "review_claimed")
    assert [line.claimed_by_name for line in review.queue(inspector, mine=True).calls] == ["Inspector"]
    assert review.queue(other, mine=True).calls == ()
    clock.advance(CLAIM_S - 1)
    review.renew(inspector, call)
    clock.advance(CLAIM_S - 1)
    assert review.claim_next(other) is None
    clock.advance(1)
    taken = review.claim_next(other)
    assert taken is not None
    for act in (review.renew, review.release, review.finish):
        refused(lambda: act(inspector, call), ConflictError, "claim_missing")  # noqa: B023


def test_a_claim_that_ran_out_and_that_nobody_took_still_holds(
    site: Site, review: Review, inspector: Principal, clock: ManualClock
) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    clock.advance(10 * CLAIM_S)
    review.decide(inspector, site.finding(call).id, Decision.CONFIRM)
    again = review.claim(inspector, call)
    assert again.claim_expires_at == clock.now() + timedelta(seconds=CLAIM_S)


def test_a_released_call_goes_to_the_next(
    site: Site, review: Review, inspector: Principal, other: Principal
) -> None:
    call = site.call("call")
    review.claim_next(inspector)
    review.release(inspector, call)
    taken = review.claim_next(other)
    assert taken is not None
    assert taken.recording_id == call


def test_an_assigned_call_is_its_inspectors_until_it_is_due(
    site: Site, review: Review, inspector: Principal, other: Principal, clock: ManualClock
) -> None:
    call = site.call("call")
    review.assign(site.person("manager", Role.MANAGER), call, inspector.user_id)
    assert review.claim_next(other) is None
    item = site.item(call)
    assert item is not None
    clock.advance((item.due_at - clock.now()).total_seconds())
    assert review.claim_next(other) is not None


def test_nobody_reviews_calls_of_their_own(site: Site, review: Review) -> None:
    call = site.call("call", metadata=CallMetadata(agent_id="7"))
    agent = site.person("agent", Role.AGENT, scope=Scope(agent_id="7"))
    assert review.claim_next(agent) is None
    refused(lambda: review.claim(agent, call), ConflictError, "own_call")


def test_two_hundred_calls_are_claimed_once_each_by_many_at_once(database: Database, clock: ManualClock) -> None:
    site = Site(database)
    calls = {site.call(f"call {number}") for number in range(200)}
    people = [site.person(f"inspector {number}", Role.INSPECTOR) for number in range(8)]
    claimed: dict[int, list[int]] = {who.user_id: [] for who in people}
    errors: list[BaseException] = []

    def work(who: Principal) -> None:
        review = Review(
            units=database.unit_of_work, units_to_read=database.unit_of_work, clock=clock, claim_s=CLAIM_S
        )
        try:
            while (item := review.claim_next(who)) is not None:
                claimed[who.user_id].append(item.recording_id)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(who,)) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [recording_id for mine in claimed.values() for recording_id in mine]
    assert errors == []
    assert len(taken) == len(calls)
    assert set(taken) == calls


# --- verdicts and the final score -------------------------------------------------------------------------


def test_a_rejected_finding_gives_its_points_back(site: Site, review: Review, inspector: Principal) -> None:
    call = site.call("call")
    assert columns(site, call).score == columns(site, call).final_score == 60.0
    review.claim(inspector, call)
    sheet = review.decide(inspector, site.finding(call).id, Decision.REJECT, reason="misheard", note=" 说了 ")
    assert sheet.evaluation.evaluation.score == 60.0
    assert [(s.number, s.evaluation.score, s.cause, s.user_name) for s in sheet.scores] == [
        (1, 100.0, Cause.REVIEW, "Inspector")
    ]
    (verdict,) = sheet.verdicts
    assert (verdict.decision, verdict.reason, verdict.note) == (Decision.REJECT, "misheard", "说了")
    row = columns(site, call)
    assert (row.score, row.final_score, row.to_review, row.worst) == (60.0, 100.0, 0, 0)


def test_a_confirmed_fault_changes_no_score_and_a_confirmed_doubt_does(
    site: Site, review: Review, inspector: Principal
) -> None:
    call = site.call("call", results(opening=NOT_MET, closing=UNDETERMINED))
    machine = columns(site, call).score
    review.claim(inspector, call)
    assert review.decide(inspector, site.finding(call).id, Decision.CONFIRM).scores == ()
    sheet = review.decide(inspector, site.finding(call, "closing").id, Decision.CONFIRM)
    assert machine == pytest.approx(100 * 30 / 70)
    assert [score.evaluation.score for score in sheet.scores] == [30.0]
    assert [score.evaluation.coverage for score in sheet.scores] == [1.0]


def test_a_rejected_fatal_fault_frees_the_call(site: Site, review: Review, inspector: Principal) -> None:
    call = site.call("call", results(argue=NOT_MET))
    assert (columns(site, call).final_score, columns(site, call).fatal) == (0.0, True)
    review.claim(inspector, call)
    review.decide(inspector, site.finding(call, "argue").id, Decision.REJECT, reason="not_applicable")
    assert (columns(site, call).final_score, columns(site, call).fatal) == (100.0, False)


def test_who_thinks_again_adds_another_verdict(site: Site, review: Review, inspector: Principal) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    finding = site.finding(call).id
    review.decide(inspector, finding, Decision.REJECT, reason="other")
    sheet = review.decide(inspector, finding, Decision.CORRECT, start=3.0, end=4.0)
    assert [verdict.decision for verdict in sheet.verdicts] == [Decision.REJECT, Decision.CORRECT]
    assert [score.evaluation.score for score in sheet.scores] == [100.0, 60.0]
    assert sheet.findings[0].state is FindingState.CONFIRMED
    assert columns(site, call).final_score == 60.0


def test_a_missed_fault_is_added(site: Site, review: Review, inspector: Principal) -> None:
    call = site.call("call", results(), policy=ALL)
    review.claim(inspector, call)
    sheet = review.add(inspector, call, "closing", start=2.0, end=3.5, note="没有道别")
    (finding,) = sheet.findings
    assert (finding.origin, finding.state) == (Origin.HUMAN, FindingState.CONFIRMED)
    assert sheet.scores[-1].evaluation.score == 70.0
    refused(lambda: review.add(inspector, call, "closing", start=2.0, end=3.5), ConflictError, "finding_exists")
    refused(
        lambda: review.add(inspector, call, "nothing", start=2.0, end=3.5), NotFoundError, "rule_result_not_found"
    )
    review.finish(inspector, call)
    assert review.queue(inspector).calls == ()


def test_what_is_not_scored_is_no_missed_fault(site: Site, review: Review, inspector: Principal) -> None:
    opening, closing, argue = results(opening=NOT_MET, argue=NOT_MET)
    call = site.call("call", (opening, closing, replace(argue, same_event_as="opening")))
    review.claim(inspector, call)
    refused(lambda: review.add(inspector, call, "argue", start=1.0, end=2.0), ConflictError, "finding_not_scored")
    assert len(site.sheet(call).findings) == 1
    review.decide(inspector, site.finding(call).id, Decision.REJECT, reason="other")
    # What counted the event is no fault: now it is one of its own.
    sheet = review.add(inspector, call, "argue", start=1.0, end=2.0)
    assert sheet.scores[-1].evaluation.fatal


def test_a_verdict_without_its_reason_or_place_changes_nothing(
    site: Site, review: Review, inspector: Principal
) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    finding = site.finding(call)
    for act in (
        lambda: review.decide(inspector, finding.id, Decision.REJECT),
        lambda: review.decide(inspector, finding.id, Decision.CORRECT, start=1.0, end=12.6),  # 12.5 s long
        lambda: review.decide(inspector, finding.id, Decision.ADD, start=1.0, end=2.0),
        lambda: review.add(inspector, call, "closing", start=2.0, end=2.0),
    ):
        refused(act, InputError, "verdict_invalid")
    refused(
        lambda: review.decide(inspector, finding.id, Decision.CONFIRM, note="x" * (NOTE_CHARACTERS + 1)),
        InputError,
        "note_too_long",
    )
    assert site.sheet(call).findings == (finding,)
    assert site.count(VerdictRow) == 0


def test_only_who_holds_the_call_decides(
    site: Site, review: Review, inspector: Principal, other: Principal
) -> None:
    call = site.call("call")
    finding = site.finding(call).id
    refused(lambda: review.decide(inspector, finding, Decision.CONFIRM), ConflictError, "claim_missing")
    review.claim(inspector, call)
    refused(lambda: review.decide(other, finding, Decision.CONFIRM), ConflictError, "claim_missing")
    refused(lambda: review.add(other, call, "closing", start=1.0, end=2.0), ConflictError, "claim_missing")
    refused(lambda: review.decide(inspector, 999, Decision.CONFIRM), NotFoundError, "finding_not_found")
    assert site.count(VerdictRow) == 0


def test_a_finding_that_changed_since_it_was_read_is_not_decided(
    site: Site, review: Review, inspector: Principal
) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    read = site.finding(call)
    review.decide(inspector, read.id, Decision.CONFIRM, version=read.version)
    refused(
        lambda: review.decide(inspector, read.id, Decision.REJECT, reason="other", version=read.version),
        ConflictError,
        "stale_version",
    )
    assert site.finding(call).state is FindingState.CONFIRMED


def test_a_call_is_done_when_nothing_is_left_open(site: Site, review: Review, inspector: Principal) -> None:
    call = site.call("call", results(opening=NOT_MET, closing=UNDETERMINED))
    review.claim(inspector, call)
    review.decide(inspector, site.finding(call).id, Decision.CONFIRM)
    refused(lambda: review.finish(inspector, call), ConflictError, "findings_open")
    review.decide(inspector, site.finding(call, "closing").id, Decision.REJECT, reason="said_otherwise")
    done = review.finish(inspector, call, note="ok")
    assert (done.done_by, done.note, done.claimed_by) == (inspector.user_id, "ok", None)
    refused(lambda: review.claim(inspector, call), ConflictError, "review_ended")
    refused(lambda: review.finish(inspector, call), ConflictError, "claim_missing")


def test_decisions_are_only_ever_added(site: Site, review: Review, inspector: Principal) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    review.decide(inspector, site.finding(call).id, Decision.REJECT, reason="other")
    for table in (VerdictRow.__tablename__, FinalScoreRow.__tablename__):
        with pytest.raises(DBAPIError, match="only ever added"), site.database.unit_of_work() as unit:
            unit.session.execute(text(f"UPDATE {table} SET recording_id = recording_id"))


# --- calls that are scored again --------------------------------------------------------------------------


def test_decisions_hold_for_the_same_finding_of_the_next_evaluation(
    site: Site, review: Review, inspector: Principal
) -> None:
    call = site.call("call", results(opening=NOT_MET, closing=UNDETERMINED))
    review.claim(inspector, call)
    review.decide(inspector, site.finding(call).id, Decision.REJECT, reason="misheard")
    review.add(inspector, call, "argue", start=1.0, end=2.0)
    site.call("call", results(opening=NOT_MET, closing=NOT_MET), key="again")
    sheet = site.sheet(call)
    assert {f.result.rule: f.state for f in sheet.findings} == {
        "opening": FindingState.REJECTED,
        "closing": FindingState.OPEN,
        "argue": FindingState.CONFIRMED,
    }
    carried = [verdict for verdict in sheet.verdicts if verdict.carried_from is not None]
    assert [(v.decision, v.cause, v.user_id) for v in carried] == [
        (Decision.REJECT, Cause.CARRIED, inspector.user_id),
        (Decision.ADD, Cause.CARRIED, inspector.user_id),
    ]
    assert sheet.scores[-1].cause is Cause.EVALUATION
    assert sheet.scores[-1].evaluation_id == sheet.evaluation.id
    assert columns(site, call).final_score == 0.0
    # Whoever held the call still does, and decides about what is new.
    review.decide(inspector, site.finding(call, "closing").id, Decision.CONFIRM)
    review.finish(inspector, call)


def test_other_evidence_is_decided_anew(site: Site, review: Review, inspector: Principal) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    old = site.finding(call)
    review.decide(inspector, old.id, Decision.REJECT, reason="misheard")
    review.finish(inspector, call)
    site.call("call", results(opening=NOT_MET, at=5.0), key="again")
    assert site.finding(call).state is FindingState.OPEN
    assert columns(site, call).final_score == 60.0
    item = site.item(call)
    assert item is not None
    assert (item.state, item.done_by) == ("waiting", None)
    refused(
        lambda: (review.claim(inspector, call), review.decide(inspector, old.id, Decision.CONFIRM)),
        ConflictError,
        "finding_superseded",
    )


def test_a_call_that_is_done_stays_done_when_everything_was_decided(
    site: Site, review: Review, inspector: Principal
) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    review.decide(inspector, site.finding(call).id, Decision.CONFIRM)
    review.finish(inspector, call)
    site.call("call", key="again")
    item = site.item(call)
    assert item is not None
    assert item.state == "done"


def test_a_call_that_is_done_comes_back_with_a_graver_complaint(
    site: Site, review: Review, inspector: Principal
) -> None:
    call = site.call("call", (*results(), found("complaint", MET, grade=1)))
    review.claim(inspector, call)
    review.finish(inspector, call)
    site.call("call", (*results(), found("complaint", MET, grade=1)), key="the same")
    assert review.queue(inspector).calls == ()
    site.call("call", (*results(), found("complaint", MET, grade=3)), key="graver")
    assert [line.item.grade for line in review.queue(inspector).calls] == [3]


def test_the_newest_decision_wins_however_evaluations_take_turns(
    site: Site, review: Review, inspector: Principal, clock: ManualClock
) -> None:
    call = site.call("call", key="a")
    review.claim(inspector, call)
    review.decide(inspector, site.finding(call).id, Decision.CONFIRM)
    clock.advance(1)
    site.call("call", key="b")
    clock.advance(1)
    review.decide(inspector, site.finding(call).id, Decision.REJECT, reason="other")
    clock.advance(1)
    site.call("call", results(opening=NOT_MET, at=5.0), key="c")
    clock.advance(1)
    site.call("call", key="a")
    assert site.finding(call).state is FindingState.REJECTED
    assert site.count(EvaluationRow) == 3
    assert columns(site, call).final_score == 100.0
    verdicts = site.count(VerdictRow)
    site.call("call", key="a")
    assert site.count(VerdictRow) == verdicts


def test_a_call_in_which_nothing_is_found_any_more_leaves_the_queue(
    site: Site, review: Review, inspector: Principal, clock: ManualClock
) -> None:
    call = site.call("call")
    first = site.item(call)
    assert first is not None
    clock.advance(86_400)
    site.call("call", results(closing=NOT_MET), key="again")
    item = site.item(call)
    assert item is not None
    assert item.due_at == first.due_at  # waiting never begins anew
    site.call("call", results(), key="clean")
    assert site.item(call) is None
    site.call("call", key="")
    review.claim(inspector, call)
    site.call("call", results(), key="clean")
    assert site.item(call) is not None
    review.finish(inspector, call)


# --- learning ---------------------------------------------------------------------------------------------


def test_verdicts_teach_the_order(site: Site, review: Review, inspector: Principal, clock: ManualClock) -> None:
    for number in range(6):
        call = site.call(f"settled {number}", results(opening=NOT_MET))
        review.claim(inspector, call)
        review.decide(inspector, site.finding(call).id, Decision.CONFIRM)
        review.finish(inspector, call)
    known = site.call("known", results(opening=NOT_MET))
    item = site.item(known)
    assert item is not None
    assert item.value == pytest.approx(3.0 * (7 / 8) * (1 / 8))
    clock.advance(60)
    for number in range(3):
        call = site.call(f"wrong {number}", results(opening=NOT_MET, at=2.0))
        review.claim(inspector, call)
        review.decide(inspector, site.finding(call).id, Decision.REJECT, reason="rule_wrong")
        review.finish(inspector, call)
    order = QueueOrder(units=site.database.unit_of_work, policy=site.policy)
    assert [order.look_after(), order.look_after()] == [1, 0]
    moved = site.item(known)
    assert moved is not None
    assert moved.value == pytest.approx(3.0 * (7 / 11) * (4 / 11))
    assert moved.rank < item.rank


def test_a_verdict_that_replaces_another_counts_once(site: Site, review: Review, inspector: Principal) -> None:
    call = site.call("call")
    review.claim(inspector, call)
    finding = site.finding(call).id
    for decision, reason in ((Decision.CONFIRM, ""), (Decision.REJECT, "other"), (Decision.CONFIRM, "")):
        review.decide(inspector, finding, decision, reason=reason)
    next_call = site.call("next")
    item = site.item(next_call)
    assert item is not None
    assert item.value == pytest.approx(3.0 * (2 / 3) * (1 / 3))


def test_items_are_one_a_recording(site: Site) -> None:
    for key in ("a", "b", "a"):
        site.call("call", key=key)
    assert site.count(ReviewItemRow) == 1
