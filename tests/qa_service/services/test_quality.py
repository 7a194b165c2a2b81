"""How good rules are, on a real store: from what people decide to a rule that is withdrawn."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from qa_service.db.rows import (
    QualityMeasurementRow,
    ReviewItemRow,
    RuleFiguresRow,
    ShadowDecisionRow,
    ShadowProposalRow,
)
from qa_service.db.session import Database
from qa_service.domain.access import Principal, Role
from qa_service.domain.lifecycle import RuleState, RuleVersion
from qa_service.domain.proportions import share
from qa_service.domain.quality import QualityPolicy, RuleAt, RuleFigures
from qa_service.domain.queueing import ReviewPolicy
from qa_service.domain.results import Outcome
from qa_service.domain.review import Decision
from qa_service.errors import ConflictError, NotFoundError
from qa_service.services.approvals import RuleApprovals
from qa_service.services.quality import RuleQuality
from qa_service.services.review import Review
from tests.clocks import ManualClock
from tests.qa_service.reviewing import ALL, Site, results
from tests.worker.containers import FakeContainer

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED
CONFIRM, REJECT = Decision.CONFIRM, Decision.REJECT
OPENING = RuleAt("service-zh", "opening", "sha256:o1")
CLOSING = RuleAt("service-zh", "closing", "sha256:c1")
ZONE = ZoneInfo("Asia/Shanghai")


@dataclass
class Shop:
    """A site with an inspector, whose rule set ``d`` is kept with its versions."""

    site: Site
    review: Review
    quality: RuleQuality
    approvals: RuleApprovals
    inspector: Principal
    manager: Principal
    clock: ManualClock

    def judged(self, name: str, decision: Decision, *, outcome: Outcome = NOT_MET) -> int:
        """A call with a finding of the rule ``opening``, decided and finished."""
        call = self.site.call(name, results(opening=outcome))
        self.review.claim(self.inspector, call)
        span = {"start": 0.5, "end": 1.0} if decision is CONFIRM and outcome is UNDETERMINED else {}
        reason = "misheard" if decision is REJECT else ""
        self.review.decide(self.inspector, self.site.finding(call).id, decision, reason=reason, **span)
        self.review.finish(self.inspector, call)
        return call

    def listened(self, name: str, *, missed: str | None = None, policy: ReviewPolicy = ALL) -> int:
        """A call without findings, drawn at random and heard; ``missed``: the rule that had missed a fault."""
        call = self.site.call(name, results(), policy=policy)
        self.review.claim(self.inspector, call)
        if missed is not None:
            self.review.add(self.inspector, call, missed, start=0.5, end=1.0)
        self.review.finish(self.inspector, call)
        return call

    def measure(self, key: str = "now") -> dict[RuleAt, RuleFigures]:
        assert self.quality.measure(key, until=self.clock.now() + timedelta(seconds=1))
        measured = self.quality.latest()
        assert measured is not None
        return {figures.of: figures for figures in measured.figures}


@pytest.fixture
def shop(database: Database, clock: ManualClock) -> Shop:
    site = Site(database)
    read = partial(database.unit_of_work, read_only=True)
    approvals = RuleApprovals(units=database.unit_of_work, as_shipped=lambda _: ())
    with database.unit_of_work() as unit:
        unit.rule_versions.note("d", [RuleVersion(of.pack, of.rule, of.digest, "{}") for of in (OPENING, CLOSING)])
        unit.commit()
    quality = RuleQuality(
        units=database.unit_of_work,
        units_to_read=read,
        approvals=approvals,
        policy=QualityPolicy(min_verdicts=4, weeks=8, recent_weeks=2),
        clock=clock,
        zone=ZONE,
    )
    return Shop(
        site,
        Review(units=database.unit_of_work, units_to_read=read, clock=clock, claim_s=1800.0),
        quality,
        approvals,
        site.person("inspector", Role.INSPECTOR),
        site.person("manager", Role.MANAGER),
        clock,
    )


def test_figures_of_a_rule_from_what_people_decided(shop: Shop) -> None:
    for number in range(5):
        shop.judged(f"right {number}", CONFIRM)
    shop.judged("wrong", REJECT)
    shop.judged("doubt", CONFIRM, outcome=UNDETERMINED)
    shop.judged("no doubt", REJECT, outcome=UNDETERMINED)
    shop.site.call("waiting")
    shop.listened("clean")
    shop.listened("missed", missed="closing")
    found = shop.measure()
    assert found.keys() == {OPENING, CLOSING}
    opening, closing = found[OPENING], found[CLOSING]
    assert (opening.precision, opening.doubts) == (share(5, 6), share(1, 2))
    assert opening.weeks == ((0, 0),) * 7 + ((6, 5),)
    assert opening.in_force
    assert opening.missed is not None
    # 8 of 9 flagged calls and both unflagged ones were heard; none held a missed opening.
    assert (opening.missed.heard, opening.missed.found) == (10, 0)
    assert opening.recall is not None
    assert (opening.recall.value, opening.recall.interval.high) == (1.0, 1.0)
    assert opening.recall.interval.low < 1.0
    assert (closing.precision.total, closing.recall) == (0, None)
    assert closing.missed is not None
    assert (closing.missed.found, closing.missed.calls) == (1, pytest.approx(1.0))


def test_unflagged_calls_stand_for_those_that_nobody_heard(shop: Shop) -> None:
    """Every other call is drawn: the misses that were found are half of those that there are."""
    policy = ReviewPolicy(random_share=0.5, seed="s")
    drawn = [
        call for n in range(40) if shop.site.item(call := shop.site.call(f"call {n}", results(), policy=policy))
    ]
    assert 10 < len(drawn) < 30
    for number, call in enumerate(drawn):
        shop.review.claim(shop.inspector, call)
        if number < 4:
            shop.review.add(shop.inspector, call, "opening", start=0.5, end=1.0)
        shop.review.finish(shop.inspector, call)
    missed = shop.measure()[OPENING].missed
    assert missed is not None
    assert (missed.heard, missed.found) == (len(drawn), 4)
    assert missed.calls == pytest.approx(8.0)


def test_the_last_decision_counts(shop: Shop) -> None:
    call = shop.site.call("one")
    shop.review.claim(shop.inspector, call)
    finding = shop.site.finding(call).id
    shop.review.decide(shop.inspector, finding, CONFIRM)
    shop.review.decide(shop.inspector, finding, REJECT, reason="misheard")
    assert shop.measure()[OPENING].precision == share(0, 1)


def test_what_a_person_added_and_took_back_was_not_missed(shop: Shop) -> None:
    call = shop.site.call("clean", results(), policy=ALL)
    shop.review.claim(shop.inspector, call)
    shop.review.add(shop.inspector, call, "closing", start=0.5, end=1.0)
    shop.review.decide(shop.inspector, shop.site.finding(call, "closing").id, REJECT, reason="misheard")
    shop.review.finish(shop.inspector, call)
    assert CLOSING not in shop.measure()


def test_each_version_has_its_own_figures(shop: Shop, database: Database) -> None:
    shop.judged("old", REJECT)
    with database.unit_of_work() as unit:
        unit.rule_versions.note("d2", [RuleVersion("service-zh", "opening", "sha256:o2", "{}")])
        unit.commit()
    new = shop.judged("new", CONFIRM)
    unknown = shop.judged("unknown", CONFIRM)
    with database.unit_of_work() as unit:  # as if other rule sets had evaluated them
        for call, ruleset in ((new, "d2"), (unknown, "from before")):
            evaluation = unit.evaluations.latest(call)
            assert evaluation is not None
            unit.session.connection().exec_driver_sql(
                f"UPDATE evaluations SET ruleset_digest = '{ruleset}' WHERE id = {evaluation.id}"
            )
        unit.commit()
    found = shop.measure()
    assert {of.digest: figures.precision for of, figures in found.items() if of.rule == "opening"} == {
        "sha256:o1": share(0, 1),
        "sha256:o2": share(1, 1),
        "from before": share(1, 1),
    }
    assert {of.digest: figures.in_force for of, figures in found.items()}["from before"] is False


def test_weeks_and_what_is_too_old(shop: Shop) -> None:
    shop.judged("too old", REJECT)
    shop.clock.advance(timedelta(weeks=4).total_seconds())
    shop.judged("four weeks ago", CONFIRM)
    shop.clock.advance(timedelta(weeks=4).total_seconds())
    shop.judged("now", REJECT)
    opening = shop.measure()[OPENING]
    assert opening.weeks == ((0, 0),) * 3 + ((1, 1),) + ((0, 0),) * 3 + ((1, 0),)
    assert opening.drift is not None
    assert (opening.drift.recent, opening.drift.before) == (share(0, 1), share(1, 1))
    assert not opening.drift.fallen


def test_measured_once_a_day_by_whoever_is_first(shop: Shop, database: Database) -> None:
    shop.judged("one", CONFIRM)
    shop.clock.advance(1)
    assert shop.quality.look_after()
    assert not shop.quality.look_after()
    others = RuleQuality(
        units=database.unit_of_work,
        units_to_read=partial(database.unit_of_work, read_only=True),
        approvals=shop.approvals,
        policy=QualityPolicy(),
        clock=shop.clock,
        zone=ZONE,
    )
    assert not others.look_after()
    shop.clock.advance(timedelta(days=1).total_seconds())
    _at_once(others.look_after, shop.quality.look_after)
    assert shop.site.count(QualityMeasurementRow) == 2
    assert shop.site.count(RuleFiguresRow) == 2
    history = shop.quality.history("service-zh", "opening")
    assert [figures.precision for _, figures in history] == [share(1, 1)] * 2
    assert history[0][0] - history[1][0] == timedelta(days=1)


def test_who_finds_another_counting_leaves_it_to_them_and_looks_again(shop: Shop, database: Database) -> None:
    with database.unit_of_work(read_only=True) as counting:
        alone = counting.quality.alone()
        on_one_machine = counting.session.get_bind().dialect.name == "sqlite"
        assert alone
        assert shop.quality.look_after() is on_one_machine
    assert shop.quality.look_after() is not on_one_machine
    assert shop.site.count(QualityMeasurementRow) == 1


def test_workers_measure_beside_their_duty(tmp_path: Path, clock: ManualClock) -> None:
    container = FakeContainer(tmp_path)
    container.clock = clock
    for _ in range(2):
        container.duty.look_after()
    measured = container.quality.latest()
    assert measured is not None
    assert (measured.until, measured.figures) == (clock.now(), ())


def falling_short(shop: Shop) -> int:
    """A proposal for the rule ``opening``."""
    for number in range(6):
        shop.judged(f"call {number}", CONFIRM if number < 3 else REJECT)
    assert shop.measure()[OPENING].short
    (proposal,) = shop.quality.proposals()
    assert (proposal.of, proposal.precision, proposal.accepted) == (OPENING, share(3, 6), None)
    return proposal.id


def test_a_rule_that_falls_short_is_proposed_and_nothing_else_happens(shop: Shop, database: Database) -> None:
    falling_short(shop)
    shop.measure("again")
    assert shop.site.count(ShadowProposalRow) == 1
    with database.unit_of_work() as unit:
        assert unit.rule_versions.states("service-zh") == {}


def test_a_manager_accepts_and_the_version_is_withdrawn(shop: Shop, database: Database) -> None:
    proposal = falling_short(shop)
    decided = shop.quality.decide(shop.manager, proposal, accept=True, note=" 误判太多 ")
    assert (decided.accepted, decided.decided_by, decided.note) == (True, shop.manager.user_id, "误判太多")
    with database.unit_of_work() as unit:
        assert unit.rule_versions.states("service-zh") == {("opening", "sha256:o1"): RuleState.RETIRED}
        (event_,) = [e for e in unit.audit.page(before=None, limit=9) if e.action == "shadow.decide"]
    assert (event_.user_id, event_.detail["accepted"]) == (shop.manager.user_id, True)
    (step,) = shop.approvals.history("service-zh")
    assert (step.by, step.note) == ("manager", "误判太多")
    assert shop.quality.proposals() == ()
    assert [each.id for each in shop.quality.proposals(undecided=False)] == [proposal]


def test_a_declined_rule_is_proposed_again_for_new_verdicts(shop: Shop, database: Database) -> None:
    declined = falling_short(shop)
    shop.quality.decide(shop.manager, declined, accept=False)
    with database.unit_of_work() as unit:
        assert unit.rule_versions.states("service-zh") == {}
    shop.clock.advance(timedelta(weeks=1).total_seconds())
    shop.measure("the same verdicts")
    assert shop.quality.proposals() == ()
    for number in range(4):
        shop.judged(f"later {number}", REJECT)
    shop.measure("new ones")
    (again,) = shop.quality.proposals()
    assert again.precision == share(0, 4)
    assert shop.site.count(ShadowProposalRow) == 2


def test_a_proposal_is_decided_once(shop: Shop) -> None:
    proposal = falling_short(shop)
    errors = _at_once(
        lambda: shop.quality.decide(shop.manager, proposal, accept=True),
        lambda: shop.quality.decide(shop.manager, proposal, accept=False),
    )
    assert [error.code for error in errors if isinstance(error, ConflictError)] == ["shadow_proposal_decided"]
    assert shop.site.count(ShadowDecisionRow) == 1
    (decided,) = shop.quality.proposals(undecided=False)
    assert len(shop.approvals.history("service-zh")) == decided.accepted
    with pytest.raises(NotFoundError) as caught:
        shop.quality.decide(shop.manager, proposal + 1, accept=True)
    assert caught.value.code == "shadow_proposal_not_found"


def test_measuring_asks_no_more_of_a_larger_site(shop: Shop, database: Database) -> None:
    def statements() -> int:
        seen: list[str] = []
        with database.unit_of_work(read_only=True) as unit:
            connection = unit.session.connection()
            event.listen(connection, "before_cursor_execute", lambda *args: seen.append(args[2]))
            now = shop.clock.now() + timedelta(seconds=1)
            unit.quality.records(edges=QualityPolicy().edges(now), until=now)
        return len(seen)

    shop.judged("one", CONFIRM)
    few = statements()
    for number in range(5):
        shop.judged(f"more {number}", REJECT)
        shop.listened(f"heard {number}", missed="closing")
    assert statements() == few == 5
    assert shop.site.count(ReviewItemRow) == 11


def _at_once(*acts: Callable[[], object]) -> list[Exception]:
    start, errors = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
        except ConflictError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
