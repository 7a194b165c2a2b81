"""Complaints on a real store: what the machine raises, what people do, and what is never lost or doubled."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from qa_service.db.rows import CallMarkRow, ComplaintRow, ComplaintStepRow, WebhookDeliveryRow
from qa_service.db.session import Database
from qa_service.domain.access import CallOwner, Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.complaints import OPEN, ComplaintPolicy, ComplaintState, ComplaintStep
from qa_service.domain.results import Outcome, RuleResult
from qa_service.domain.review import Decision, Reason
from qa_service.domain.webhooks import WebhookEvent
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError, QAError
from qa_service.ports.complaints import Complaint
from qa_service.services.aftercare import Aftercare
from qa_service.services.complaint_watch import ComplaintWatch
from qa_service.services.complaints import ComplaintInFull, Complaints, Raised, StepAsked
from qa_service.services.review import Review
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site, found, results

S, C = ComplaintStep, ComplaintState
CALL = CallMetadata(agent_id="7", agent_name="王芳", team="A", vendor="V", customer_ref="C-1")
OWN = Scope(teams=frozenset({"A"}))


def complains(grade: int | None, outcome: Outcome = Outcome.NOT_MET) -> tuple[RuleResult, ...]:
    return (*results(), found("complaint", outcome, grade=grade))


@dataclass
class Bench:
    """A site with a supervisor of team A, a regional manager, and calls."""

    site: Site
    clock: ManualClock
    complaints: Complaints
    watch: ComplaintWatch
    care: Aftercare
    review: Review
    supervisor: Principal
    regional: Principal
    other: Principal

    def call(
        self, name: str = "call", grade: int | None = 1, *, key: str = "", metadata: CallMetadata = CALL
    ) -> int:
        said = replace(metadata, started_at=metadata.started_at or self.clock.now())
        call = self.site.call(name, complains(grade), key=key, metadata=said)
        self.care.look_after()
        return call

    @property
    def all(self) -> tuple[Complaint, ...]:
        return self.complaints.page(self.regional, states=tuple(C), limit=200)

    @property
    def only(self) -> Complaint:
        (one,) = self.all
        return one

    def take(self, step: ComplaintStep, who: Principal | None = None, **what: object) -> ComplaintInFull:
        asked = StepAsked(step, **{"note": "说明", **what})  # type: ignore[arg-type]
        return self.complaints.take(who or self.supervisor, self.only.id, asked)

    def rule_out(self, call: int, reason: Reason) -> None:
        self.review.claim(self.regional, call)
        finding = self.site.finding(call, "complaint")
        self.review.decide(self.regional, finding.id, Decision.REJECT, reason=reason)
        self.care.look_after()

    def confirm(self, call: int) -> None:
        finding = self.site.finding(call, "complaint")
        self.review.decide(self.regional, finding.id, Decision.CONFIRM)
        self.care.look_after()


@pytest.fixture
def bench(database: Database, clock: ManualClock) -> Bench:
    site = Site(database)
    units = database.unit_of_work
    policy = ComplaintPolicy(owners={(1, "A"): "supervisor", (2, ""): "regional", (3, ""): "nobody"})
    watch = ComplaintWatch(units=units, units_to_read=units, clock=clock, policy=policy)
    return Bench(
        site,
        clock,
        Complaints(units=units, units_to_read=units, clock=clock, policy=policy),
        watch,
        Aftercare(units=units, units_to_read=units, looks=(watch.look_at,), clock=clock),
        Review(units=units, units_to_read=units, clock=clock, claim_s=1800.0),
        site.person("supervisor", Role.LEADER, scope=OWN),
        site.person("regional", Role.MANAGER),
        site.person("other", Role.LEADER, scope=Scope(teams=frozenset({"B"}))),
    )


def refused(act: Callable[[], object], code: str, error: type[QAError] = ConflictError) -> None:
    with pytest.raises(error) as caught:
        act()
    assert caught.value.code == code


def test_from_the_call_to_what_was_corrected(bench: Bench) -> None:
    call = bench.call(grade=2)
    raised = bench.only
    assert (raised.recording_id, raised.level, raised.state, raised.rule) == (call, 2, C.RAISED, "complaint")
    assert (raised.owner_id, raised.of) == (bench.regional.user_id, CallOwner("V", "A", "7"))
    assert (raised.respond_by - raised.raised_at, raised.customer_ref) == (timedelta(minutes=30), "C-1")
    bench.clock.advance(600)
    bench.take(S.ACCEPT, bench.regional)
    bench.take(S.APOLOGISE, bench.regional)
    bench.take(S.VERIFY, bench.regional, valid=True, cause="cannot-answer-now")
    bench.take(S.HANDLE, bench.regional)
    follow_up = bench.call("back", None)
    bench.take(S.FOLLOW_UP, bench.regional, recording_id=follow_up)
    refused(lambda: bench.take(S.CORRECT, bench.regional), "complaint_step_missing")
    bench.take(S.REPORT, bench.regional, note="报告" * 5000)
    done = bench.take(S.CORRECT, bench.regional)
    end = done.complaint
    assert (end.state, end.valid, end.cause) == (C.CORRECTED, True, "cannot-answer-now")
    assert end.responded_at == end.raised_at + timedelta(minutes=10)
    assert end.ended_at == end.handled_at == end.responded_at
    assert [step.step for step in done.steps] == [
        *(S.ACCEPT, S.APOLOGISE, S.VERIFY, S.HANDLE, S.FOLLOW_UP, S.REPORT, S.CORRECT)
    ]
    assert {step.user_name for step in done.steps} == {"Regional"}
    assert done.steps[4].recording_id == follow_up
    assert [evidence.quote for evidence in done.evidence] == ["您好"]


def test_scoring_again_raises_nothing_twice(bench: Bench) -> None:
    bench.call()
    bench.call(key="again")
    assert bench.site.count(ComplaintRow) == 1
    assert bench.site.count(ComplaintStepRow) == 0
    assert bench.site.count(CallMarkRow) == 0


def test_a_graver_level_holds_until_somebody_works_on_it(bench: Bench) -> None:
    bench.call(grade=1)
    assert bench.only.owner_id == bench.supervisor.user_id
    bench.call(grade=2, key="again")
    assert (bench.only.level, bench.only.owner_id, bench.only.touched) == (2, bench.regional.user_id, False)
    bench.take(S.ACCEPT, bench.regional)
    bench.call(grade=3, key="third")
    assert (bench.only.level, bench.only.proposed_level) == (2, 3)
    bench.take(S.REGRADE, bench.regional, level=3)
    assert (bench.only.level, bench.only.proposed_level) == (3, None)
    # The site names nobody who could answer level 3: it stays whose it was.
    assert bench.only.owner_id == bench.regional.user_id


def test_a_lower_level_is_only_proposed(bench: Bench) -> None:
    bench.call(grade=2)
    bench.call(grade=1, key="again")
    assert (bench.only.level, bench.only.proposed_level) == (2, 1)
    bench.call(grade=None, key="third")
    assert (bench.only.level, bench.only.proposed_level, bench.only.state) == (2, 0, C.RAISED)
    bench.call(grade=2, key="fourth")
    assert (bench.only.level, bench.only.proposed_level) == (2, None)


def test_what_a_reviewer_rules_out_is_not_raised_and_comes_back(bench: Bench) -> None:
    call = bench.call()
    bench.rule_out(call, Reason.NOT_APPLICABLE)
    assert (bench.only.state, bench.only.ended_at is not None) == (C.NOT_RAISED, True)
    bench.call(key="again")
    assert bench.only.state is C.NOT_RAISED  # the verdict was carried over
    bench.confirm(call)
    assert (bench.only.state, bench.only.ended_at) == (C.RAISED, None)


def test_a_rejected_fault_leaves_the_complaint(bench: Bench) -> None:
    """The agent did apologise: no fault, and the customer complained all the same."""
    bench.rule_out(bench.call(), Reason.SAID_OTHERWISE)
    assert bench.only.state is C.RAISED


def test_what_somebody_works_on_is_not_taken_back(bench: Bench) -> None:
    call = bench.call()
    bench.take(S.ACCEPT)
    bench.rule_out(call, Reason.NOT_APPLICABLE)
    assert (bench.only.state, bench.only.proposed_level) == (C.ACCEPTED, 0)


def test_what_a_person_dropped_stays_dropped(bench: Bench) -> None:
    bench.call()
    bench.take(S.DROP)
    bench.call(grade=3, key="again")
    assert bench.only.state is C.NOT_RAISED
    bench.take(S.REINSTATE)
    assert bench.only.state is C.RAISED


def test_calls_of_long_ago_raise_nothing(bench: Bench) -> None:
    bench.call(metadata=replace(CALL, started_at=bench.clock.now() - timedelta(days=31)))
    assert bench.all == ()


def test_an_unscored_grade_raises_nothing(bench: Bench) -> None:
    tried = replace(found("complaint", Outcome.NOT_MET, grade=3), scored=False, unscored="shadow")
    bench.site.call("call", (*results(), tried), metadata=replace(CALL, started_at=bench.clock.now()))
    bench.care.look_after()
    assert bench.all == ()


def test_it_follows_the_call_to_another_team(bench: Bench) -> None:
    call = bench.call()
    with bench.site.database.unit_of_work() as unit:
        unit.metadata.put(call, replace(CALL, team="B", customer_ref="C-2"))
        unit.commit()
    bench.care.look_after()
    assert (bench.only.of.team, bench.only.customer_ref, bench.only.version) == ("B", "C-2", 2)
    assert bench.complaints.page(bench.supervisor, states=OPEN) == ()
    refused(lambda: bench.complaints.get(bench.supervisor, bench.only.id), "complaint_not_found", NotFoundError)


def test_it_is_its_owners_to_accept(bench: Bench) -> None:
    bench.call(grade=2)
    refused(lambda: bench.take(S.ACCEPT), "complaint_not_own")
    owner = bench.complaints.assign(bench.supervisor, bench.only.id, bench.supervisor.user_id)
    assert owner.complaint.owner_name == "Supervisor"
    assert bench.take(S.ACCEPT).complaint.state is C.ACCEPTED


def test_nobody_is_made_owner_who_could_not_see_it(bench: Bench) -> None:
    bench.call()
    agent = bench.site.person("agent", Role.AGENT, scope=Scope(agent_id="7"))
    for user in (bench.other, agent):
        refused(
            lambda user=user: bench.complaints.assign(bench.regional, bench.only.id, user.user_id),  # type: ignore[misc]
            "complaint_owner_unfit",
            InputError,
        )


def test_level_three_speaks_with_the_authority_first(bench: Bench) -> None:
    bench.call(grade=3)
    assert bench.only.owner_id is None  # whom the site names has no account
    assert bench.take(S.ACCEPT).complaint.owner_id == bench.supervisor.user_id
    refused(lambda: bench.take(S.APOLOGISE), "complaint_step_missing")
    bench.take(S.AUTHORITY)
    bench.take(S.APOLOGISE)


def test_a_complaint_that_is_not_valid_is_closed(bench: Bench) -> None:
    bench.call()
    bench.take(S.ACCEPT)
    refused(lambda: bench.take(S.VERIFY), "complaint_step_incomplete", InputError)
    refused(lambda: bench.take(S.VERIFY, valid=True), "complaint_step_incomplete", InputError)
    bench.take(S.VERIFY, valid=False)
    bench.take(S.HANDLE)
    refused(lambda: bench.take(S.CORRECT), "complaint_step_missing")
    assert bench.take(S.CLOSE).complaint.state is C.CLOSED
    refused(lambda: bench.take(S.VERIFY, valid=True, cause="x"), "complaint_transition_refused")


def test_steps_that_the_machine_takes_are_nobodys(bench: Bench) -> None:
    bench.call()
    for step in (S.PROPOSE, S.ESCALATE, S.ASSIGN):
        refused(lambda step=step: bench.take(step), "complaint_transition_refused")  # type: ignore[misc]
    refused(lambda: bench.take(S.REGRADE, level=4), "complaint_level_unknown", InputError)
    refused(lambda: bench.take(S.DROP, note=" "), "reason_missing", InputError)


def test_by_hand_without_a_recording(bench: Bench) -> None:
    raised = Raised(2, "客户来信", customer_ref="C-9", of=CallOwner(team="A"))
    made = bench.complaints.raise_(bench.supervisor, raised).complaint
    assert (made.recording_id, made.raised_by, made.what) == (None, bench.supervisor.user_id, "客户来信")
    outside = replace(raised, of=CallOwner(team="B"))
    refused(lambda: bench.complaints.raise_(bench.supervisor, outside), "outside_scope", PermissionDeniedError)


def test_by_hand_while_the_machine_raises_it(bench: Bench) -> None:
    """Whoever comes second is told so: what they wrote must not vanish."""
    answers: list[str] = []

    def by_hand() -> None:
        try:
            bench.complaints.raise_(bench.supervisor, Raised(3, "投诉到主管部门", recording_id=call))
        except QAError as error:
            answers.append(error.code)
        else:
            answers.append("raised")

    call = bench.site.call("call", complains(1), metadata=replace(CALL, started_at=bench.clock.now()))
    with bench.site.database.unit_of_work() as unit:
        bench.watch.look_at(unit, [call])
        second = threading.Thread(target=by_hand)
        second.start()
        second.join(0.5)  # it waits for the transaction
        assert second.is_alive()
        unit.commit()
    second.join()
    assert answers == ["complaint_exists"]
    assert bench.only.level == 1


def test_whom_it_is_about_stays_where_the_call_does_not_say(bench: Bench) -> None:
    call = bench.call(grade=None, metadata=replace(CALL, customer_ref=None))
    bench.complaints.raise_(bench.supervisor, Raised(2, "来信", recording_id=call, customer_ref="C-77"))
    bench.call(grade=None, key="again", metadata=replace(CALL, customer_ref=None))
    assert bench.only.customer_ref == "C-77"


def test_by_hand_about_a_recording_once(bench: Bench) -> None:
    call = bench.call(grade=None)
    raised = Raised(1, "客户后来写信投诉", recording_id=call)
    made = bench.complaints.raise_(bench.supervisor, raised).complaint
    assert (made.of.agent_id, made.customer_ref, made.agent_name) == ("7", "C-1", "王芳")
    refused(lambda: bench.complaints.raise_(bench.supervisor, raised), "complaint_exists")
    bench.call(grade=None, key="again")
    assert (bench.only.state, bench.only.proposed_level) == (C.RAISED, None)  # what a person says stays
    refused(lambda: bench.complaints.raise_(bench.other, raised), "recording_not_found", NotFoundError)


def test_follow_up_calls_are_with_the_same_customer(bench: Bench) -> None:
    bench.call()
    other = bench.call("other", None, metadata=replace(CALL, customer_ref="C-2"))
    refused(lambda: bench.take(S.FOLLOW_UP, recording_id=other), "customer_other")


def test_clocks_that_run_out_are_told_once(bench: Bench) -> None:
    bench.call()
    bench.watch.look_after()
    bench.clock.advance(timedelta(minutes=30))
    assert len(bench.complaints.page(bench.regional, states=OPEN, overdue=True)) == 1
    bench.watch.look_after()
    bench.watch.look_after()
    bench.clock.set(bench.only.due_at)
    bench.watch.look_after()
    bench.watch.look_after()
    steps = bench.complaints.get(bench.regional, bench.only.id).steps
    assert [(step.step, step.note, step.user_id) for step in steps] == [
        (S.ESCALATE, "response", None),
        (S.ESCALATE, "handling", None),
    ]
    assert not bench.only.touched


def test_other_systems_are_told_without_words(bench: Bench) -> None:
    with bench.site.database.unit_of_work() as unit:
        events = [WebhookEvent.COMPLAINT_RAISED, WebhookEvent.COMPLAINT_OVERDUE]
        unit.webhooks.add("t", "https://t.example", events, salt="s", key_id="k", by=bench.regional.user_id)
        unit.commit()
    bench.call()
    bench.call(key="again")
    bench.clock.advance(timedelta(days=9))
    bench.watch.look_after()
    bench.watch.look_after()
    with bench.site.database.unit_of_work(read_only=True) as unit:
        rows = unit.session.scalars(select(WebhookDeliveryRow).order_by(WebhookDeliveryRow.id)).all()
    told = [(row.event, row.data["complaint_id"], row.data.get("clock")) for row in rows]
    assert told == [
        ("complaint.raised", bench.only.id, None),
        ("complaint.overdue", bench.only.id, "response"),
        ("complaint.overdue", bench.only.id, "handling"),
    ]
    assert {key for row in rows for key in row.data} == {"complaint_id", "level", "respond_by", "clock"}


def test_a_deleted_recording_leaves_the_complaint(bench: Bench) -> None:
    call = bench.call()
    bench.take(S.ACCEPT)
    with bench.site.database.unit_of_work() as unit:
        for table, column in (
            *(("review_items", "recording_id"), ("latest_evaluations", "recording_id")),
            *(("calls", "recording_id"), ("evaluations", "recording_id"), ("conversations", "recording_id")),
            *(("call_metadata", "recording_id"), ("recordings", "id")),
        ):
            unit.session.execute(text(f"DELETE FROM {table} WHERE {column} = :call"), {"call": call})
        unit.commit()
    assert (bench.only.recording_id, bench.only.state) == (None, C.ACCEPTED)


def test_the_database_refuses_to_change_a_step(bench: Bench) -> None:
    bench.call()
    bench.take(S.ACCEPT)
    with bench.site.database.unit_of_work() as unit, pytest.raises(DBAPIError, match="only ever added"):
        unit.session.execute(text("UPDATE complaint_steps SET note = 'x'"))


def test_two_owners_at_once_accept_once(bench: Bench) -> None:
    bench.call()
    ends: list[str] = []

    def accept() -> None:
        try:
            bench.take(S.ACCEPT)
            ends.append("done")
        except ConflictError as error:
            ends.append(error.code)

    threads = [threading.Thread(target=accept) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["complaint_transition_refused"] * 3 + ["done"]


def test_a_stale_version_changes_nothing(bench: Bench) -> None:
    bench.call()
    seen = bench.only.version
    bench.take(S.APOLOGISE)
    refused(
        lambda: bench.complaints.take(bench.supervisor, bench.only.id, StepAsked(S.ACCEPT), version=seen),
        "stale_version",
    )


def test_the_month(bench: Bench) -> None:
    since, until = bench.clock.now() - timedelta(days=1), bench.clock.now() + timedelta(days=1)
    bench.call("one", 2)
    bench.call("two", 1, metadata=replace(CALL, team="B", vendor="W"))
    dropped = bench.call("three", 1)
    (third,) = (one for one in bench.all if one.recording_id == dropped)
    bench.complaints.take(bench.regional, third.id, StepAsked(S.DROP, "不是投诉"))
    month = bench.complaints.analysis(bench.regional, since=since, until=until)
    assert (month.all.complaints, sorted(month.by_level), sorted(month.by_team)) == (2, [1, 2], ["A", "B"])
    own = bench.complaints.analysis(bench.supervisor, since=since, until=until)
    assert (own.all.complaints, sorted(own.by_vendor)) == (1, ["V"])
