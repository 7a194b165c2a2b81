"""A simulated half-year in the store adds up to what was simulated and decided, on both databases."""

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from qa_service.db.calls import place_call
from qa_service.db.rows import CallRow
from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING
from qa_service.domain.figures import FaultTotals, FigureFilter, Grouping, Period
from tests.clocks import ManualClock
from tests.simulation.half_year import HalfYear, simulate
from tests.simulation.store import Written, write

EVER = FigureFilter(date(2026, 1, 1), date(2027, 1, 1))


@pytest.fixture
def database(database_url: str, clock: ManualClock) -> Iterator[Database]:
    database = Database(database_url, clock=clock, zone=ZoneInfo("Asia/Shanghai"))
    database.upgrade()
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def year() -> HalfYear:
    """Of about 2,500 calls."""
    return simulate(11, agents=16, teams=4, days=42, calls_a_day=5)


def counted(database: Database, year: HalfYear, reviewed: float) -> Written:
    written = write(database, year, reviewed=reviewed)
    with database.unit_of_work() as unit:
        while unit.figures.recount(limit=100):
            pass
        unit.commit()
    return written


def faults_kept(database: Database) -> dict[tuple[str | None, date, str], FaultTotals]:
    with database.unit_of_work(read_only=True) as unit:
        lines = unit.figures.faults(EVER, EVERYTHING, by=(Grouping.AGENT,), period=Period.DAY)
    return {(line.keys[0], line.starts, line.rule): line.totals for line in lines}


def test_without_reviews_it_is_what_was_simulated(database: Database, year: HalfYear) -> None:
    written = counted(database, year, reviewed=0.0)
    assert written.calls == len(year) > 2_000
    kept = faults_kept(database)
    assert kept == {
        (row.agent, row.day, row.rule): FaultTotals(row.calls, row.faults) for row in year.totals.rows()
    }
    scores = {call.number: call.score for call in year.calls()}
    with database.unit_of_work(read_only=True) as unit:
        stored = dict(unit.session.execute(select(CallRow.recording_id, CallRow.final_score)).all())
    assert {number for number, score in scores.items() if score is None} == {
        number for number, score in stored.items() if score is None
    }
    assert all(stored[number] == pytest.approx(score, abs=1e-4) for number, score in scores.items() if score)


def test_with_reviews_it_is_what_people_made_of_it(database: Database, year: HalfYear) -> None:
    written = counted(database, year, reviewed=0.4)
    assert written.verdicts > 500
    kept = faults_kept(database)
    assert {key: [t.calls, t.faults, t.confirmed] for key, t in kept.items()} == written.faults
    with database.unit_of_work(read_only=True) as unit:
        lines = unit.figures.scores(EVER, EVERYTHING, by=(Grouping.AGENT,), period=Period.DAY)
        (whole,) = unit.figures.scores(EVER, EVERYTHING)
    assert {(line.keys[0], line.starts): line.totals.calls for line in lines} == {
        key: calls for key, (calls, _, _) in written.scores.items()
    }
    for line in lines:
        assert line.keys[0] is not None
        _, scored, points = written.scores[line.keys[0], line.starts]
        assert (line.totals.scored, line.totals.points) == (scored, pytest.approx(points))
    assert whole.totals.by_day.days == sum(scored > 0 for _, scored, _ in written.scores.values())


def test_rows_are_as_the_product_writes_them(database: Database, year: HalfYear) -> None:
    """Placing a call again changes nothing."""
    write(database, year, reviewed=0.4)
    with database.unit_of_work() as unit:
        rows = unit.session.scalars(select(CallRow).where(CallRow.recording_id <= 60)).all()
        before = [{column.key: getattr(row, column.key) for column in CallRow.__table__.columns} for row in rows]
        for row in rows:
            place_call(unit.session, row.recording_id)
        after = [{column.key: getattr(row, column.key) for column in CallRow.__table__.columns} for row in rows]
        assert after == before
        assert any(row.score != row.final_score for row in rows)
        sheet = unit.verdicts.sheet(rows[0].recording_id)
        assert sheet.scorecard is not None
        assert len(sheet.evaluation.results) == len(year.totals.rules)
