"""Two stages at once: nothing is made too early, nothing is lost and nothing stays behind."""

import threading
import time
from collections.abc import Generator

import pytest

from qa_service.services.pipeline import made_ahead


def numbers(upto: int, made: list[int], closed: list[bool]) -> Generator[int, None, None]:
    try:
        for number in range(upto):
            made.append(number)
            yield number
    finally:
        closed.append(True)


def test_items_come_in_order_and_the_next_is_made_meanwhile() -> None:
    made: list[int] = []
    dropped: list[int] = []
    closed: list[bool] = []
    with made_ahead(numbers(5, made, closed), stop=threading.Event(), drop=dropped.append) as items:
        for item in items:
            time.sleep(0.02)
            assert made == list(range(min(item + 2, 5)))
    assert (made, dropped, closed) == (list(range(5)), [], [True])


def test_nothing_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []
    with made_ahead(numbers(5, made, []), stop=threading.Event(), drop=print):
        time.sleep(0.05)
    assert made == []


def test_what_nobody_took_is_dropped() -> None:
    made: list[int] = []
    dropped: list[int] = []
    closed: list[bool] = []
    stop = threading.Event()
    with made_ahead(numbers(5, made, closed), stop=stop, drop=dropped.append) as items:
        assert next(items) == 0
        time.sleep(0.05)
    assert (made, dropped, closed, stop.is_set()) == ([0, 1], [1], [True], True)


def test_what_is_still_being_made_at_the_end_is_dropped() -> None:
    dropped: list[int] = []

    def slow() -> Generator[int, None, None]:
        yield 0
        time.sleep(0.3)
        yield 1

    with made_ahead(slow(), stop=threading.Event(), drop=dropped.append) as items:
        assert next(items) == 0
        time.sleep(0.1)  # it is at it by now
    assert dropped == [1]


def test_an_exception_of_the_maker_reaches_the_taker() -> None:
    def broken() -> Generator[int, None, None]:
        yield 0
        raise ZeroDivisionError

    taken = []
    with (
        pytest.raises(ZeroDivisionError),
        made_ahead(broken(), stop=threading.Event(), drop=print) as items,
    ):
        taken.extend(items)
    assert not [thread for thread in threading.enumerate() if thread.name == "prepare-ahead"]


def test_an_exception_of_the_taker_stops_the_maker() -> None:
    made: list[int] = []
    closed: list[bool] = []

    def take() -> None:
        with made_ahead(numbers(5, made, closed), stop=threading.Event(), drop=lambda _: None) as items:
            next(items)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take()
    assert len(made) <= 2
    assert closed == [True]
