"""Dispute and appeal on a real store: who may take which step when, and what becomes of the score."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from qa_service.db.rows import CallRow, DisputeStepRow, FinalScoreRow
from qa_service.db.session import Database
from qa_service.domain.access import Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.disputes import Terms
from qa_service.domain.results import Outcome
from qa_service.domain.review import Cause, Decision, FindingState, Reason
from qa_service.errors import ConflictError, InputError, NotFoundError, QAError
from qa_service.services.disputes import Dispute, Disputes
from qa_service.services.review import Review
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site, results

NOT_MET, UNDETERMINED = Outcome.NOT_MET, Outcome.UNDETERMINED
CALL = CallMetadata(agent_id="7", team="A")


@dataclass
class Bench:
    """A call with a fault and everybody who may have a say in it."""

    site: Site
    clock: ManualClock
    disputes: Disputes
    review: Review
    call: int
    agent: Principal
    leader: Principal
    reviewer: Principal
    inspector: Principal
    manager: Principal

    @property
    def finding(self) -> int:
        return self.site.finding(self.call).id

    @property
    def state(self) -> FindingState:
        return self.site.finding(self.call).state

    def confirmed(self) -> None:
        self.review.claim(self.reviewer, self.call)
        self.review.decide(self.reviewer, self.finding, Decision.CORRECT, start=3.0, end=4.0)
        self.review.finish(self.reviewer, self.call)

    def pass_until(self, moment: datetime | None) -> None:
        assert moment is not None
        self.clock.advance((moment - self.clock.now()).total_seconds())

    def upheld(self) -> Dispute:
        self.disputes.raise_(self.agent, self.finding, "我说了")
        self.disputes.advise(self.leader, self.finding, supports=False, reason="没有听到")
        return self.disputes.decide(self.inspector, self.finding, uphold=True, reason="确实没说")

    def columns(self) -> CallRow:
        with self.site.database.unit_of_work(read_only=True) as unit:
            return unit.session.get_one(CallRow, self.call)


@pytest.fixture
def bench(database: Database, clock: ManualClock) -> Bench:
    site = Site(database)
    return Bench(
        site,
        clock,
        Disputes(units=database.unit_of_work, units_to_read=database.unit_of_work, clock=clock, terms=Terms()),
        Review(units=database.unit_of_work, units_to_read=database.unit_of_work, clock=clock, claim_s=1800.0),
        site.call("call", metadata=CALL),
        site.person("agent", Role.AGENT, scope=Scope(agent_id="7")),
        site.person("leader", Role.LEADER, scope=Scope(teams=frozenset({"A"}))),
        site.person("reviewer", Role.INSPECTOR),
        site.person("inspector", Role.INSPECTOR),
        site.person("manager", Role.MANAGER),
    )


def refused(act: Callable[[], object], code: str, error: type[QAError] = ConflictError) -> None:
    with pytest.raises(error) as caught:
        act()
    assert caught.value.code == code


def test_from_the_objection_to_the_last_word(bench: Bench) -> None:
    disputes = bench.disputes
    bench.confirmed()
    disputes.raise_(bench.agent, bench.finding, " 我说了 ")
    disputes.advise(bench.leader, bench.finding, supports=False, reason="没有听到")
    first = disputes.decide(bench.inspector, bench.finding, uphold=True, reason="确实没说")
    assert (first.finding.state, bench.columns().final_score) == (FindingState.UPHELD, 60.0)
    disputes.appeal(bench.agent, bench.finding, "请再听一次")
    last = disputes.decide_appeal(
        bench.manager, bench.finding, uphold=False, reason="听到了", code=Reason.MISHEARD
    )
    assert last.finding.state is FindingState.APPEAL_OVERTURNED
    assert [(step.step, step.user_name, step.reason) for step in last.steps] == [
        ("dispute", "Agent", "我说了"),
        ("not_support", "Leader", "没有听到"),
        ("uphold", "Inspector", "确实没说"),
        ("appeal", "Agent", "请再听一次"),
        ("overturn", "Manager", "听到了"),
    ]
    assert [step.number for step in last.steps] == [1, 2, 3, 4, 5]
    sheet = bench.site.sheet(bench.call)
    assert [(v.decision, v.cause, v.start) for v in sheet.verdicts] == [
        (Decision.CORRECT, Cause.REVIEW, 3.0),
        (Decision.CONFIRM, Cause.DISPUTE, 3.0),
        (Decision.REJECT, Cause.APPEAL, None),
    ]
    assert [(s.evaluation.score, s.cause, s.user_name) for s in sheet.scores] == [(100.0, Cause.APPEAL, "Manager")]
    assert sheet.evaluation.evaluation.score == 60.0
    row = bench.columns()
    assert (row.score, row.final_score, row.worst) == (60.0, 100.0, 0)
    for act in (disputes.appeal, disputes.raise_):
        refused(lambda: act(bench.agent, bench.finding, "again"), "finding_transition_refused")  # noqa: B023


def test_steps_cannot_be_skipped(bench: Bench) -> None:
    disputes, finding = bench.disputes, bench.finding
    skip = "finding_transition_refused"
    refused(lambda: disputes.decide(bench.inspector, finding, uphold=True, reason="r"), skip)
    refused(lambda: disputes.advise(bench.leader, finding, supports=True), skip)
    refused(lambda: disputes.appeal(bench.agent, finding, "r"), skip)
    refused(lambda: disputes.withdraw(bench.agent, finding), skip)
    disputes.raise_(bench.agent, finding, "r")
    refused(lambda: disputes.decide(bench.inspector, finding, uphold=True, reason="r"), "advice_pending")
    refused(lambda: disputes.decide_appeal(bench.manager, finding, uphold=True, reason="r"), skip)
    disputes.advise(bench.leader, finding, supports=True)
    refused(lambda: disputes.decide_appeal(bench.manager, finding, uphold=True, reason="r"), skip)
    disputes.decide(bench.inspector, finding, uphold=True, reason="r")
    disputes.appeal(bench.agent, finding, "r")
    refused(lambda: disputes.decide(bench.reviewer, finding, uphold=False, reason="r"), skip)
    assert bench.site.count(DisputeStepRow) == 4
    assert bench.site.count(FinalScoreRow) == 0


def test_whoever_had_a_part_in_it_does_not_decide(bench: Bench) -> None:
    disputes = bench.disputes
    bench.confirmed()
    disputes.raise_(bench.agent, bench.finding, "r")
    disputes.advise(bench.leader, bench.finding, supports=True)
    both = bench.leader.__class__(bench.leader.user_id, "l", frozenset(), Scope(), frozenset(), "session")
    for who in (bench.reviewer, both):
        refused(lambda: disputes.decide(who, bench.finding, uphold=True, reason="r"), "not_independent")  # noqa: B023
    disputes.decide(bench.inspector, bench.finding, uphold=True, reason="r")
    disputes.appeal(bench.agent, bench.finding, "r")
    for who in (bench.reviewer, bench.inspector, both):
        refused(lambda: disputes.decide_appeal(who, bench.finding, uphold=True, reason="r"), "not_independent")  # noqa: B023
    disputes.decide_appeal(bench.manager, bench.finding, uphold=True, reason="r")
    assert bench.state is FindingState.APPEAL_UPHELD


def test_agents_lose_their_time_and_leaders_theirs(bench: Bench) -> None:
    disputes = bench.disputes
    bench.confirmed()
    until = disputes.get(bench.agent, bench.finding).disputable_until
    assert until == datetime.fromisoformat("2026-03-10T00:00:00+00:00")  # five working days
    bench.clock.advance((until - bench.clock.now()).total_seconds() - 1)
    due = disputes.raise_(bench.agent, bench.finding, "r").finding.due_at
    bench.pass_until(due)
    refused(lambda: disputes.advise(bench.leader, bench.finding, supports=True), "deadline_passed")
    decided = disputes.decide(bench.inspector, bench.finding, uphold=True, reason="r")
    assert [(step.step, step.user_id) for step in decided.steps[1:]] == [
        ("lapse", None),
        ("uphold", bench.inspector.user_id),
    ]
    bench.pass_until(decided.finding.due_at)
    refused(lambda: disputes.appeal(bench.agent, bench.finding, "r"), "deadline_passed")
    assert bench.state is FindingState.UPHELD


def test_an_objection_that_comes_too_late_is_refused(bench: Bench) -> None:
    bench.pass_until(bench.disputes.get(bench.agent, bench.finding).disputable_until)
    refused(lambda: bench.disputes.raise_(bench.agent, bench.finding, "r"), "deadline_passed")
    assert bench.disputes.acknowledge(bench.agent, bench.finding).finding.state is FindingState.ACKNOWLEDGED


def test_a_decision_that_comes_late_still_counts(bench: Bench) -> None:
    bench.disputes.raise_(bench.agent, bench.finding, "r")
    advised = bench.disputes.advise(bench.leader, bench.finding, supports=True)
    bench.pass_until(advised.finding.due_at)
    bench.clock.advance(timedelta(days=30).total_seconds())
    bench.disputes.decide(bench.inspector, bench.finding, uphold=False, reason="r", code=Reason.NOT_APPLICABLE)
    assert (bench.state, bench.columns().final_score) == (FindingState.OVERTURNED, 100.0)


def test_an_objection_can_be_taken_back_until_it_is_decided(bench: Bench) -> None:
    bench.disputes.raise_(bench.agent, bench.finding, "r")
    withdrawn = bench.disputes.withdraw(bench.agent, bench.finding)
    assert (withdrawn.finding.state, withdrawn.finding.due_at) == (FindingState.WITHDRAWN, None)
    refused(lambda: bench.disputes.raise_(bench.agent, bench.finding, "r"), "finding_transition_refused")
    assert bench.columns().final_score == 60.0


def test_a_dispute_takes_the_finding_out_of_the_reviewers_hands(bench: Bench) -> None:
    bench.review.claim(bench.reviewer, bench.call)
    bench.disputes.raise_(bench.agent, bench.finding, "r")
    refused(
        lambda: bench.review.decide(bench.reviewer, bench.finding, Decision.CONFIRM), "finding_transition_refused"
    )
    assert (bench.columns().to_review, bench.columns().worst) == (0, 2)
    bench.review.finish(bench.reviewer, bench.call)


def test_only_ones_own_calls_and_teams(bench: Bench) -> None:
    site, finding = bench.site, bench.finding
    agent = site.person("agent 8", Role.AGENT, scope=Scope(agent_id="8"))
    leader = site.person("leader b", Role.LEADER, scope=Scope(teams=frozenset({"B"})))
    for act in (
        lambda: bench.disputes.raise_(agent, finding, "r"),
        lambda: bench.disputes.acknowledge(agent, finding),
        lambda: bench.disputes.get(agent, finding),
        lambda: bench.disputes.advise(leader, finding, supports=True),
        lambda: bench.disputes.get(leader, 999),
        # In scope, but nobody objects in an agent's name.
        lambda: bench.disputes.raise_(bench.leader, finding, "r"),
        lambda: bench.disputes.withdraw(bench.manager, finding),
    ):
        refused(act, "finding_not_found", NotFoundError)
    bench.disputes.raise_(bench.agent, finding, "r")
    assert bench.disputes.page(leader).lines == ()
    assert bench.disputes.page(agent).lines == ()
    for who in (bench.agent, bench.leader, bench.inspector):
        (line,) = bench.disputes.page(who).lines
        assert (line.finding_id, line.state, line.owner.agent_id) == (finding, FindingState.DISPUTED, "7")
    assert bench.disputes.page(bench.inspector, states=frozenset({FindingState.ADVISED})).lines == ()


def test_pages_are_in_the_order_of_deadlines(bench: Bench) -> None:
    calls = [bench.site.call(f"call {number}", metadata=CALL) for number in range(3)]
    for call in reversed(calls):
        bench.disputes.raise_(bench.agent, bench.site.finding(call).id, "r")
        bench.clock.advance(timedelta(days=1).total_seconds())
    first = bench.disputes.page(bench.leader, limit=2)
    second = bench.disputes.page(bench.leader, after=first.next, limit=2)
    assert [line.recording_id for line in (*first.lines, *second.lines)] == calls[::-1]
    assert second.next is None


def test_reasons_are_kept_and_asked_for(bench: Bench) -> None:
    missing = ("reason_missing", InputError)
    refused(lambda: bench.disputes.raise_(bench.agent, bench.finding, "  "), *missing)
    bench.disputes.raise_(bench.agent, bench.finding, "r")
    refused(lambda: bench.disputes.advise(bench.leader, bench.finding, supports=False), *missing)
    bench.disputes.advise(bench.leader, bench.finding, supports=True)
    refused(lambda: bench.disputes.decide(bench.inspector, bench.finding, uphold=True, reason=""), *missing)
    refused(
        lambda: bench.disputes.decide(bench.inspector, bench.finding, uphold=True, reason="x" * 2001),
        "note_too_long",
        InputError,
    )


def test_what_changed_since_it_was_read_is_not_decided(bench: Bench) -> None:
    read = bench.site.finding(bench.call)
    bench.disputes.raise_(bench.agent, read.id, "r", version=read.version)
    refused(
        lambda: bench.disputes.advise(bench.leader, read.id, supports=True, version=read.version), "stale_version"
    )


def test_a_doubt_and_a_call_without_its_scorecard_are_nothing_to_dispute(bench: Bench) -> None:
    doubt = bench.site.call("doubt", results(opening=UNDETERMINED), metadata=CALL)
    old = bench.site.call("old", metadata=CALL, card=None)
    refused(
        lambda: bench.disputes.raise_(bench.agent, bench.site.finding(doubt).id, "r"), "finding_transition_refused"
    )
    refused(lambda: bench.disputes.raise_(bench.agent, bench.site.finding(old).id, "r"), "scorecard_not_kept")


def test_a_call_that_is_scored_again_keeps_its_dispute(bench: Bench) -> None:
    bench.confirmed()
    upheld = bench.upheld()
    before = bench.finding
    bench.site.call("call", metadata=CALL, key="again")
    assert bench.finding != before
    refused(lambda: bench.disputes.appeal(bench.agent, before, "r"), "finding_superseded")
    appealed = bench.disputes.appeal(bench.agent, bench.finding, "请再听一次")
    assert [step.step for step in appealed.steps] == ["dispute", "not_support", "uphold", "carry", "appeal"]
    assert appealed.steps[3].due_at == upheld.finding.due_at
    for who in (bench.reviewer, bench.inspector):
        refused(
            lambda: bench.disputes.decide_appeal(who, bench.finding, uphold=True, reason="r"),  # noqa: B023
            "not_independent",
        )
    bench.clock.advance(1)
    bench.disputes.decide_appeal(bench.manager, bench.finding, uphold=False, reason="r")
    bench.site.call("call", metadata=CALL, key="")
    assert (bench.finding, bench.state) == (before, FindingState.APPEAL_OVERTURNED)
    assert bench.columns().final_score == 100.0
