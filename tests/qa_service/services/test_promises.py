"""Promises on a real store: made in calls, kept by later ones, in whatever order they are scored."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from qa_service.db.rows import PromiseRow, WebhookDeliveryRow
from qa_service.db.session import Database
from qa_service.domain.access import Principal, Role, Scope
from qa_service.domain.call import CallMetadata, Direction, Purpose
from qa_service.domain.conversation import Conversation
from qa_service.domain.promises import PromiseDecision, PromisePolicy, PromiseState
from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult, Severity
from qa_service.domain.review import Decision, Reason
from qa_service.domain.webhooks import WebhookEvent
from qa_service.errors import ConflictError, InputError, NotFoundError, QAError
from qa_service.ports.promises import Promise
from qa_service.services.aftercare import Aftercare
from qa_service.services.promise_watch import PromiseWatch
from qa_service.services.promises import Promises
from qa_service.services.review import Review
from tests import builders as said
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site

S = PromiseState
FRIDAY = datetime(2026, 2, 27, 8, 0, tzinfo=UTC)
CALL = CallMetadata(
    agent_id="7", team="A", customer_ref="C-1", direction=Direction.INBOUND, started_at=FRIDAY, vendor="V"
)
REPLY = replace(CALL, direction=Direction.OUTBOUND, purpose=Purpose.REPLY, started_at=FRIDAY + timedelta(days=1))
ANSWERED = RuleResult("call-back", "回复电话", Outcome.MET, Severity.MINOR)
HEARD = said.conversation(
    said.utterance("您好，给您回电", 0.0, 3.0), said.utterance("好的谢谢你们回电", 4.0, 7.0, role=said.CUSTOMER)
)
UNHEARD = said.conversation(said.utterance("您好，给您回电", 0.0, 3.0))


def promising(outcome: Outcome = Outcome.MET, items: tuple[str, ...] = ("promise",)) -> RuleResult:
    opens = tuple(OpenItem(item, 3, Evidence(1.0, 2.0, quote="三天内给您回电")) for item in items)
    return RuleResult("cannot-answer-now", "不能当场答复", outcome, Severity.MAJOR, (), opens=opens)


@dataclass
class Bench:
    site: Site
    clock: ManualClock
    promises: Promises
    watch: PromiseWatch
    care: Aftercare
    manager: Principal
    agent: Principal

    def scored(
        self,
        name: str,
        metadata: CallMetadata,
        *results: RuleResult,
        key: str = "",
        heard: Conversation = HEARD,
    ) -> int:
        """A scored call that nobody has looked at yet."""
        return self.site.call(name, results, metadata=metadata, key=key, heard=heard)

    def call(self, name: str, metadata: CallMetadata, *results: RuleResult, key: str = "") -> int:
        recording_id = self.scored(name, metadata, *results, key=key)
        self.care.look_after()
        return recording_id

    @property
    def all(self) -> tuple[Promise, ...]:
        return self.promises.page(self.manager, states=tuple(S), limit=200)

    @property
    def only(self) -> Promise:
        (one,) = self.all
        return one

    @property
    def state(self) -> PromiseState:
        return self.promises.state(self.only)

    def decide(self, decision: PromiseDecision, note: str = "问过客户") -> None:
        self.promises.decide(self.manager, self.only.id, decision, note)
        self.care.look_after()


@pytest.fixture
def bench(database: Database, clock: ManualClock) -> Bench:
    clock.set(FRIDAY + timedelta(hours=1))
    site = Site(database)
    units = database.unit_of_work
    watch = PromiseWatch(units=units, units_to_read=units, clock=clock, policy=PromisePolicy())
    return Bench(
        site,
        clock,
        Promises(units=units, units_to_read=units, clock=clock),
        watch,
        Aftercare(units=units, units_to_read=units, looks=(watch.look_at,), clock=clock),
        site.person("manager", Role.MANAGER),
        site.person("agent", Role.AGENT, scope=Scope(agent_id="7")),
    )


def refused(act: Callable[[], object], code: str, error: type[QAError] = ConflictError) -> None:
    with pytest.raises(error) as caught:
        act()
    assert caught.value.code == code


def test_a_later_call_keeps_it(bench: Bench) -> None:
    made = bench.call("made", CALL, promising())
    assert (bench.only.recording_id, bench.only.item, bench.state) == (made, "promise", S.OPEN)
    assert bench.only.due_at == datetime(2026, 3, 3, tzinfo=UTC)
    reply = bench.call("reply", REPLY, ANSWERED)
    assert (bench.state, bench.only.followed_by, bench.only.kept_late) == (S.KEPT, reply, False)
    full = bench.promises.get(bench.agent, bench.only.id)
    assert [evidence.quote for evidence in full.evidence] == ["三天内给您回电"]


def test_the_third_day_without_one_flags_it_once(bench: Bench) -> None:
    bench.call("made", CALL, promising())
    bench.clock.set(bench.only.due_at - timedelta(seconds=1))
    bench.watch.look_after()
    assert bench.state is S.OPEN
    bench.clock.advance(1)
    with bench.site.database.unit_of_work(read_only=True) as unit:
        assert len(unit.promises.overdue(bench.clock.now(), 10)) == 1
    with bench.site.database.unit_of_work() as unit:
        events = [WebhookEvent.PROMISE_OVERDUE]
        unit.webhooks.add("t", "https://t.example", events, salt="s", key_id="k", by=bench.manager.user_id)
        unit.commit()
    bench.watch.look_after()
    bench.watch.look_after()
    assert bench.site.count(WebhookDeliveryRow) == 1
    assert bench.state is S.OVERDUE
    with bench.site.database.unit_of_work(read_only=True) as unit:
        assert unit.promises.overdue(bench.clock.now(), 10) == ()


def test_what_was_kept_late_is_told_so(bench: Bench) -> None:
    bench.call("made", CALL, promising())
    bench.call("reply", replace(REPLY, started_at=bench.only.due_at), ANSWERED)
    assert (bench.state, bench.only.kept_late) == (S.KEPT, True)


def test_a_call_that_was_scored_late_clears_the_flag(bench: Bench) -> None:
    bench.call("made", CALL, promising())
    bench.clock.advance(timedelta(days=5))
    bench.watch.look_after()
    assert bench.state is S.OVERDUE
    bench.call("reply", REPLY, ANSWERED)
    assert (bench.state, bench.only.kept_late) == (S.KEPT, False)


def test_nobody_was_reached(bench: Bench) -> None:
    bench.call("made", CALL, promising())
    bench.scored("reply", REPLY, ANSWERED, heard=UNHEARD)
    bench.care.look_after()
    assert bench.state is S.OPEN


def test_what_may_have_kept_it_waits_for_a_person(bench: Bench) -> None:
    bench.call("made", CALL, promising())
    maybe = bench.call("maybe", replace(REPLY, purpose=None))
    assert (bench.state, bench.only.followed_by) == (S.CONFIRM, maybe)
    bench.clock.advance(timedelta(days=5))
    bench.watch.look_after()
    assert bench.state is S.CONFIRM  # a doubt accuses nobody
    bench.decide(PromiseDecision.KEPT)
    assert bench.state is S.KEPT


def test_without_a_reference_nobody_can_follow_it(bench: Bench) -> None:
    made = bench.call("made", replace(CALL, customer_ref=None), promising())
    bench.call("reply", replace(REPLY, customer_ref=None), ANSWERED)
    bench.clock.advance(timedelta(days=9))
    assert bench.state is S.UNKNOWN
    with bench.site.database.unit_of_work() as unit:
        unit.metadata.put(made, CALL)
        unit.commit()
    bench.care.look_after()
    assert bench.state is S.OVERDUE
    bench.call("other reply", REPLY, ANSWERED)
    assert bench.state is S.KEPT


def test_a_call_that_moves_to_another_customer_keeps_it_no_more(bench: Bench) -> None:
    bench.call("made", CALL, promising())
    reply = bench.call("reply", REPLY, ANSWERED)
    with bench.site.database.unit_of_work() as unit:
        unit.metadata.put(reply, replace(REPLY, customer_ref="C-2"))
        unit.commit()
    bench.care.look_after()
    assert (bench.state, bench.only.followed_by) == (S.OPEN, None)


def test_scoring_again_finds_it_once_or_no_more(bench: Bench) -> None:
    bench.call("made", CALL, promising(items=("promise", "promise")))
    bench.call("made", CALL, promising(), key="again")
    assert bench.site.count(PromiseRow) == 1
    bench.call("made", CALL, promising(items=()), key="third")
    assert bench.all == ()
    bench.call("made", CALL, promising(), key="fourth")
    assert bench.state is S.OPEN


def test_what_a_reviewer_says_was_no_promise_is_none(bench: Bench) -> None:
    made = bench.call("made", CALL, promising(Outcome.NOT_MET))
    review = Review(
        units=bench.site.database.unit_of_work,
        units_to_read=bench.site.database.unit_of_work,
        clock=bench.clock,
        claim_s=1800.0,
    )
    review.claim(bench.manager, made)
    finding = bench.site.finding(made, "cannot-answer-now").id
    review.decide(bench.manager, finding, Decision.REJECT, reason=Reason.NOT_APPLICABLE)
    bench.care.look_after()
    assert bench.all == ()


def test_people_settle_and_take_back(bench: Bench) -> None:
    bench.call("made", CALL, promising())
    refused(lambda: bench.decide(PromiseDecision.REOPEN), "promise_decision_refused")
    refused(lambda: bench.decide(PromiseDecision.KEPT, " "), "reason_missing", InputError)
    bench.decide(PromiseDecision.BROKEN)
    refused(lambda: bench.decide(PromiseDecision.WITHDRAWN), "promise_decision_refused")
    bench.call("reply", REPLY, ANSWERED)
    assert bench.state is S.BROKEN  # no call changes what people said
    bench.decide(PromiseDecision.REOPEN)
    assert bench.state is S.KEPT
    decisions = bench.promises.get(bench.manager, bench.only.id).decisions
    assert [one.decision.value for one in decisions] == ["broken", "reopen"]


def test_settling_one_makes_the_other_clear(bench: Bench) -> None:
    first = bench.call("first", CALL, promising())
    bench.call("second", replace(CALL, started_at=FRIDAY + timedelta(hours=1)), promising())
    bench.call("reply", REPLY, ANSWERED)
    assert {bench.promises.state(one) for one in bench.all} == {S.CONFIRM}
    (one,) = (promise for promise in bench.all if promise.recording_id == first)
    bench.promises.decide(bench.manager, one.id, PromiseDecision.WITHDRAWN, "客户说不用了")
    bench.care.look_after()
    assert {bench.promises.state(one) for one in bench.all} == {S.WITHDRAWN, S.KEPT}


def test_other_items_are_closed_by_people(bench: Bench) -> None:
    bench.call("made", CALL, promising(items=("do-not-call",)))
    bench.call("reply", REPLY, ANSWERED)
    assert bench.state is S.OPEN


def test_agents_see_their_own(bench: Bench) -> None:
    bench.call("own", CALL, promising())
    bench.call("other", replace(CALL, agent_id="8", customer_ref="C-2"), promising())
    (own,) = bench.promises.page(bench.agent, states=tuple(S))
    other = next(one for one in bench.all if one.id != own.id)
    refused(lambda: bench.promises.get(bench.agent, other.id), "promise_not_found", NotFoundError)
    assert len(bench.promises.page(bench.manager, states=tuple(S), agent_id="8", team="A")) == 1


@pytest.mark.parametrize("seed", range(4))
def test_order_never_matters(bench: Bench, seed: int) -> None:
    """Calls of two customers are scored in another order, some twice, looked at now and then: all stands as if
    they had come one after the other."""
    hours = iter(range(100))

    def at(metadata: CallMetadata, customer: str, **more: object) -> CallMetadata:
        when = FRIDAY + timedelta(hours=next(hours))
        return replace(metadata, customer_ref=customer, started_at=when, **more)  # type: ignore[arg-type]

    calls: list[tuple[str, CallMetadata, tuple[RuleResult, ...]]] = [
        ("a", at(CALL, "C-1"), (promising(),)),
        ("b", at(CALL, "C-2"), (promising(),)),
        ("c", at(REPLY, "C-1", purpose=None), ()),
        ("d", at(REPLY, "C-1"), (ANSWERED,)),
        ("e", at(CALL, "C-1"), (promising(),)),
        ("f", at(CALL, "C-2"), (promising(),)),
        ("g", at(REPLY, "C-2"), (ANSWERED, promising())),
        ("h", at(REPLY, "C-1", purpose=Purpose.SALES), ()),
    ]
    expected = {
        ("a", "promise"): (S.KEPT, "d"),
        ("b", "promise"): (S.CONFIRM, "g"),
        ("e", "promise"): (S.OPEN, None),
        ("f", "promise"): (S.CONFIRM, "g"),
        ("g", "promise"): (S.OPEN, None),
    }
    chance = random.Random(seed)
    order = [*calls, *chance.sample(calls, 3)]
    chance.shuffle(order)
    names: dict[int, str] = {}
    for number, (name, metadata, results) in enumerate(order):
        names[bench.scored(name, metadata, *results, key=str(number))] = name
        if chance.random() < 0.4:
            bench.care.look_after()
    bench.care.look_after()
    found = {
        (names[one.recording_id], one.item): (
            bench.promises.state(one),
            None if one.followed_by is None else names[one.followed_by],
        )
        for one in bench.all
    }
    assert found == expected
