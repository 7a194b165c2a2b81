"""What follows from calls is looked at once something of them changed, whoever scores them and whoever looks."""

import threading
from collections.abc import Collection
from datetime import timedelta

import pytest
from sqlalchemy import ColumnElement, delete, select, update
from structlog.typing import EventDict

from qa_service.db.rows import CallMarkRow, EvaluationRow, RuleResultRow
from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata, Direction, Purpose
from qa_service.domain.complaints import ComplaintPolicy
from qa_service.domain.promises import PromisePolicy, PromiseState
from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult, Severity
from qa_service.errors import TransientError
from qa_service.ports import UnitOfWork
from qa_service.services.aftercare import AT_ONCE, Aftercare
from qa_service.services.complaint_watch import ComplaintWatch
from qa_service.services.promise_watch import PromiseWatch
from tests import builders as said
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site, found, results

PROMISING = RuleResult(
    "cannot-answer-now",
    "不能当场答复",
    Outcome.MET,
    Severity.MAJOR,
    opens=(OpenItem("promise", 3, Evidence(1.0, 2.0)),),
)
HEARD = said.conversation(
    said.utterance("您好", 0.0, 3.0), said.utterance("好的谢谢你们", 4.0, 7.0, role=said.CUSTOMER)
)


class Watched:
    """A site whose calls are looked at."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.site, self.clock = Site(database), clock
        self.units = database.unit_of_work
        self.complaints = ComplaintWatch(
            units=self.units, units_to_read=self.units, clock=clock, policy=ComplaintPolicy()
        )
        self.promises = PromiseWatch(
            units=self.units, units_to_read=self.units, clock=clock, policy=PromisePolicy()
        )

    def care(self) -> Aftercare:
        return Aftercare(
            units=self.units,
            units_to_read=self.units,
            looks=(self.complaints.look_at, self.promises.look_at),
            clock=self.clock,
        )

    def call(self, name: str, *more: RuleResult, hours: int = 0, customer: str = "C-1", **told: object) -> int:
        metadata = CallMetadata(
            customer_ref=customer,
            started_at=self.clock.now() + timedelta(hours=hours),
            **told,  # type: ignore[arg-type]
        )
        return self.site.call(name, (*results(), *more), metadata=metadata, heard=HEARD)

    def states(self) -> dict[int, PromiseState]:
        with self.units() as unit:
            customers = {f"C-{number}" for number in range(100)}
            promises = unit.promises.of_customers(customers)
            return {one.recording_id: one.state(self.clock.now()) for one in promises}


@pytest.fixture
def watched(database: Database, clock: ManualClock) -> Watched:
    return Watched(database, clock)


def test_nothing_is_lost_when_looking_fails(watched: Watched) -> None:
    call = watched.call("call", PROMISING)

    def fails(unit: UnitOfWork, recording_ids: Collection[int]) -> None:
        watched.promises.look_at(unit, recording_ids)
        raise TransientError("database_interrupted", "the database did not answer: run again")

    broken = Aftercare(units=watched.units, units_to_read=watched.units, looks=(fails,), clock=watched.clock)
    with pytest.raises(TransientError):
        broken.look_after()
    assert watched.states() == {}
    watched.care().look_after()
    assert watched.states() == {call: PromiseState.OPEN}


def test_a_damaged_call_holds_up_no_other(watched: Watched, quiet_logs: list[EventDict]) -> None:
    before = watched.call("before", PROMISING)
    damaged = watched.call("damaged", PROMISING, customer="C-2")
    after = watched.call("after", PROMISING, customer="C-3")
    with watched.units() as unit:
        unit.session.execute(update(RuleResultRow).values(opens=[{"item": 1}]).where(_is_of(damaged)))
        unit.commit()
    watched.care().look_after()
    assert watched.states() == {before: PromiseState.OPEN, after: PromiseState.OPEN}
    assert watched.site.count(CallMarkRow) == 0
    assert [log["recording_id"] for log in quiet_logs if "recording_id" in log] == [damaged]


def _is_of(recording_id: int) -> ColumnElement[bool]:
    evaluations = select(EvaluationRow.id).where(EvaluationRow.recording_id == recording_id)
    return RuleResultRow.evaluation_id.in_(evaluations)


def test_more_than_one_batch(watched: Watched) -> None:
    with watched.units() as unit:
        unit.session.add_all(CallMarkRow(recording_id=number) for number in range(1, AT_ONCE + 2))
        unit.commit()
    watched.care().look_after()
    assert watched.site.count(CallMarkRow) == 0


def test_calls_that_left_no_mark_are_found(watched: Watched) -> None:
    """As a worker of the version before scores them."""
    promised = watched.call("promised", PROMISING)
    graded = watched.call("graded", found("complaint", Outcome.NOT_MET, grade=1), customer="C-2")
    with watched.units() as unit:
        unit.session.execute(delete(CallMarkRow))
        unit.commit()
    care = watched.care()
    care.look_after()
    assert watched.states() == {promised: PromiseState.OPEN}
    with watched.units() as unit:
        assert list(unit.complaints.of_recordings([promised, graded])) == [graded]
    watched.call("later", hours=5, direction=Direction.OUTBOUND, purpose=Purpose.REPLY)
    with watched.units() as unit:
        unit.session.execute(delete(CallMarkRow))
        unit.commit()
    care.look_after()
    assert watched.states() == {promised: PromiseState.OPEN}  # that is looked for once an hour
    watched.care().look_after()
    assert watched.states() == {promised: PromiseState.KEPT}


def test_what_was_looked_at_is_not_marked_again(watched: Watched) -> None:
    watched.call("promised", PROMISING)
    watched.call("graded", found("complaint", Outcome.NOT_MET, grade=1), customer="C-2")
    watched.care().look_after()
    with watched.units() as unit:
        assert unit.call_marks.mark_missed(watched.clock.now() - timedelta(days=2)) == 0


def test_workers_that_score_and_look_at_once_miss_nothing(watched: Watched) -> None:
    """Promise and reply of each customer are scored by different threads while others look."""
    customers = [f"C-{number}" for number in range(12)]
    scored = threading.Event()
    faults: list[BaseException] = []

    def run(work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            faults.append(error)

    def promise() -> None:
        for customer in customers:
            watched.call(f"promise {customer}", PROMISING, customer=customer)

    def reply() -> None:
        for customer in reversed(customers):
            watched.call(f"reply {customer}", hours=1, customer=customer, direction=Direction.OUTBOUND)

    def look() -> None:
        care = watched.care()
        while not scored.is_set():
            care.look_after()

    scoring = [threading.Thread(target=run, args=(work,)) for work in (promise, reply)]
    looking = [threading.Thread(target=run, args=(look,)) for _ in range(2)]
    for thread in (*scoring, *looking):
        thread.start()
    for thread in scoring:
        thread.join()
    scored.set()
    for thread in looking:
        thread.join()
    assert faults == []
    watched.care().look_after()
    assert list(watched.states().values()) == [PromiseState.CONFIRM] * len(customers)
