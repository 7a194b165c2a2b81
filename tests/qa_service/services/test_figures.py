"""What changed is counted now and then, for a while, and all of it on request."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from qa_service.db.rows import AgentDayRow, CallRow
from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING
from qa_service.domain.call import CallMetadata
from qa_service.domain.figures import FigureFilter, Grouping
from qa_service.services import figures
from qa_service.services.figures import COUNTED_EACH_S, COUNTED_FOR_S, Figures
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site


class Passing:
    """A time of its own that passes with each look."""

    def __init__(self, *, each_s: float = 0.0) -> None:
        self.now_s, self.each_s = 0.0, each_s

    def __call__(self) -> float:
        self.now_s += self.each_s
        return self.now_s


def made(database: Database, clock: ManualClock, passing: Passing) -> Figures:
    return Figures(
        units=database.unit_of_work,
        units_to_read=database.unit_of_work,
        clock=clock,
        zone=ZoneInfo("UTC"),
        now_s=passing,
    )


def calls_of(database: Database, clock: ManualClock, *agents: str) -> None:
    site = Site(database)
    for agent in agents:
        told = CallMetadata(agent_id=agent, started_at=clock.now())
        site.call(f"{agent} {clock.now().isoformat()}", metadata=told)


def seen(service: Figures) -> list[tuple[str | None, int]]:
    wanted = FigureFilter(service.today() - timedelta(days=9), service.today() + timedelta(days=1))
    found = service.scores(wanted, EVERYTHING, by=(Grouping.AGENT,))
    return [(line.keys[0], line.totals.calls) for line in found.lines]


def test_what_changed_is_gathered_before_it_is_counted_again(database: Database, clock: ManualClock) -> None:
    passing = Passing()
    service = made(database, clock, passing)
    calls_of(database, clock, "1", "2")
    assert service.look_after() == 3  # the two, and nobody's, whose calls they were when they came
    calls_of(database, clock, "3")
    assert service.look_after() == 0
    wanted = FigureFilter(service.today(), service.today() + timedelta(days=1))
    assert service.faults(wanted, EVERYTHING).waiting == 2
    passing.now_s += COUNTED_EACH_S
    assert service.look_after() == 2
    assert seen(service) == [("1", 1), ("2", 1), ("3", 1)]
    assert service.scores(wanted, EVERYTHING).waiting == 0


def test_a_long_history_is_counted_in_pieces(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "COUNTED_AT_ONCE", 2)
    service = made(database, clock, Passing(each_s=COUNTED_FOR_S / 2.5))
    calls_of(database, clock, *"123456789")
    assert service.look_after() == 4
    assert service.look_after() == 4  # at once, because there is more
    assert service.look_after() == 2


def test_a_day_that_changed_often_does_not_end_the_counting(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first marks are of few days: there are others behind them."""
    monkeypatch.setattr(figures, "COUNTED_AT_ONCE", 2)
    monkeypatch.setattr("qa_service.db.figures._MARKS_EACH", 1)
    service = made(database, clock, Passing())
    calls_of(database, clock, *"1234")
    assert service.look_after() >= 5
    assert seen(service) == [("1", 1), ("2", 1), ("3", 1), ("4", 1)]


def test_who_counts_ends_while_calls_go_on_changing(postgresql_url: str, clock: ManualClock) -> None:
    """Not on SQLite, which gives numbers again."""
    database = Database(postgresql_url, clock=clock)
    database.upgrade()
    service = made(database, clock, Passing())
    calls_of(database, clock, "1")
    counts: list[int] = []

    def another(done: int) -> None:
        counts.append(done)
        calls_of(database, clock, f"{len(counts)} more")
        assert len(counts) < 5

    assert service.recount(told=another) == 2
    assert service.recount() == 2  # nobody's again, and the one that came meanwhile
    database.dispose()


def test_changes_without_a_mark_are_found_and_old_ones_on_request(database: Database, clock: ManualClock) -> None:
    passing = Passing()
    service = made(database, clock, passing)
    calls_of(database, clock, "1")
    clock.advance(timedelta(days=8).total_seconds())
    calls_of(database, clock, "1")
    service.look_after()
    with database.unit_of_work() as unit:
        unit.session.execute(update(CallRow).values(agent_id="2"))
        unit.commit()
    passing.now_s += 3600.0
    service.look_after()
    assert seen(service) == [("1", 1), ("2", 1)]
    done: list[int] = []
    assert service.recount(everything=True, told=done.append) == done[-1] > 2
    assert seen(service) == [("2", 2)]
    with database.unit_of_work() as unit:
        unit.session.execute(update(AgentDayRow).values(calls=7))
        unit.commit()
    assert service.recount() == 0
    assert service.recount(everything=True) == 2
    assert seen(service) == [("2", 2)]
