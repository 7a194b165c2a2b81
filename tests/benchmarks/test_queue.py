"""The queue among many rows: nothing walks what is finished, and work grows with work."""

import pytest

from benchmarks.queue import Measured, database, growth, measure, table

FEW, MANY = 500, 10_000


@pytest.fixture(scope="module")
def measured(postgresql_server: str) -> list[Measured]:
    both = []
    for rows in (FEW, MANY):
        with database(postgresql_server, f"queue_{rows}") as store:
            both.append(measure(store, rows, times=20, waiting=50))
    return both


def test_no_operation_walks_what_is_finished(measured: list[Measured]) -> None:
    """By rows that are read, not by time: whatever else the machine does, they are the same."""
    _, many = measured
    walked = {name: read for name, read in many.rows_read.items() if read >= MANY / 2}
    assert walked == {}


def test_the_table(measured: list[Measured]) -> None:
    head, _, *lines = table(measured)
    assert head == "| ms a transaction | 500 rows | 10,000 rows | ratio | rows read |"
    assert len(lines) == len(measured[0].seconds) == 11


def test_ten_times_the_recordings_take_no_more_than_ten_times_the_time(postgresql_server: str) -> None:
    few, many = growth(postgresql_server, 8, times=1)
    assert 0 < few < many < 10.5 * few
