"""Nightly batch runs: each recording belongs to one night, whatever the clock and the machine do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from qa_service.db.rows import BatchRunJobRow, BatchRunRow
from qa_service.domain.batch_runs import BatchState, Waiting
from qa_service.services.batch_runs import SETTLING, BatchRuns, Nightly
from tests.clocks import ManualClock
from tests.fakes import Workplace
from tests.qa_service.services.batch_runs import look, receive

SHANGHAI = ZoneInfo("Asia/Shanghai")
TEN_PM = Nightly(time_of_day(22), SHANGHAI)

pytestmark = pytest.mark.usefixtures("quiet_logs")


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
