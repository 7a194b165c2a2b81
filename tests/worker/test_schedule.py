"""What is begun next: large jobs first, few at a time towards the end, each to its own end."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.errors import NotFoundError, QAError, TransientError
from qa_service.ports import Job, JobState
from worker.schedule import POLL_S, Schedule, work_order

TROUBLE = TransientError("database_interrupted", "the database did not answer: check it")


def job(job_id: int, state: JobState = JobState.QUEUED, attempts: int = 0) -> Job:
    return Job(job_id, "score-recording", f"key {job_id}", job_id, {}, state, attempts, None, None, None, None)


class Time:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time() -> Time:
    return Time()


def schedule(count: int, time: Time, *, workers: int = 2, most: int = 8, retries: int = 1) -> Schedule:
    return Schedule([job(n) for n in range(count)], workers=workers, most=most, retries=retries, now=time)


def test_one_worker_is_given_all_in_order(time: Time) -> None:
    one = schedule(10, time, workers=1)
    assert [one.take(), one.take(), one.take()] == [list(range(8)), [8, 9], []]


def test_portions_shrink_towards_the_end(time: Time) -> None:
    several = schedule(40, time, workers=2)
    portions = []
    while jobs := several.take():
        portions.append(len(jobs))
    assert portions == [8, 8, 6, 5, 4, 3, 2, 1, 1, 1, 1]
    assert several.left == 40


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
def test_a_finished_job_is_an_end(time: Time, state: JobState) -> None:
    one = schedule(1, time)
    one.take()
    end = job(0, state, attempts=1)
    assert one.saw(0, end) == end
    assert one.left == 0


def test_a_job_that_was_put_back_is_tried_again_a_few_times(time: Time) -> None:
    one = schedule(1, time, retries=2)
    for attempts in (1, 2):
        assert one.take() == [0]
        assert one.saw(0, job(0, attempts=attempts)) is None
        assert one.waiting
        assert one.take() == [], "not due yet"
        time.now_s += POLL_S
    assert one.take() == [0]
    assert one.saw(0, job(0, attempts=3)) == job(0, attempts=3)
    assert (one.left, one.waiting) == (0, False)


@pytest.mark.parametrize("state", [JobState.LEASED, JobState.QUEUED])
def test_a_job_of_somebody_else_is_waited_for(time: Time, state: JobState) -> None:
    one = schedule(1, time)
    for _ in range(50):
        assert one.take() == [0]
        assert one.saw(0, job(0, state)) is None
        time.now_s += POLL_S
    assert one.left == 1


def test_trouble_of_the_store_is_an_end_when_it_lasts(time: Time) -> None:
    one = schedule(2, time, retries=1)
    gone = NotFoundError("job_not_found", "it is gone: score it again")
    ends: list[Job | QAError | None] = [one.saw(0, TROUBLE), one.saw(1, gone)]
    assert ends == [None, gone]
    assert one.saw(0, TROUBLE) == TROUBLE
    assert one.left == 0


def test_a_dead_workers_jobs_are_tried_again_alone(time: Time) -> None:
    some = schedule(6, time)
    assert some.take() == [0, 1]
    assert some.lost([job(0, attempts=1), job(1, attempts=1)]) == []
    assert [some.take(), some.take(), some.take()] == [[0], [1], [2]]
    assert some.lost([job(1, attempts=2)]) == [1]
    assert some.lost([job(2, attempts=1)]) == []


def test_what_a_dead_worker_had_not_begun_is_no_suspect(time: Time) -> None:
    some = schedule(8, time)
    assert some.take() == [0, 1]
    assert some.lost([job(0, attempts=1), job(1)]) == []
    assert some.take() == [0]
    for _ in range(3):
        assert some.take()[0] == 1
        assert some.lost([job(1)]) == []


@given(sizes=st.lists(st.integers(0, 10**9), max_size=50), workers=st.integers(1, 8))
def test_large_ones_first_and_the_rest_as_it_came(sizes: list[int], workers: int) -> None:
    jobs = [job(n) for n in range(len(sizes))]
    order = [one.id for one in work_order(jobs, dict(enumerate(sizes)), workers=workers)]
    assert sorted(order) == list(range(len(sizes)))
    if workers == 1:
        assert order == sorted(order)
        return
    large = [n for n in order if sizes[n] > sum(sizes) / workers / 16]
    assert order[: len(large)] == large == sorted(large, key=lambda n: -sizes[n])
    assert order[len(large) :] == sorted(order[len(large) :])


def test_an_end_is_told_as_it_was_seen(time: Time) -> None:
    one = schedule(1, time, retries=1)
    failed = replace(job(0, JobState.FAILED, attempts=1), error_code="silent_audio")
    assert one.saw(0, failed) is failed
