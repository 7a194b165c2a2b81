"""Batch runs count every job once, and estimate nothing that they do not know."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.batch_runs import (
    IDLE_S,
    BatchKind,
    BatchRun,
    BatchState,
    JobEnd,
    JobOutcome,
    Selection,
    Tally,
    Waiting,
    active_s,
)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CODES = ("silent_audio", "no_words", "worker_died")
ENDS = st.lists(
    st.builds(
        JobEnd,
        job_id=st.integers(1, 10**6),
        outcome=st.sampled_from(JobOutcome),
        code=st.sampled_from(CODES),
        audio_s=st.integers(0, 3600).map(float),
        has_score=st.booleans(),
        flagged=st.booleans(),
        cpu_s=st.integers(0, 100).map(float),
        gpu_s=st.integers(0, 100).map(float),
    )
)


NOTHING = Tally()


def run(tally: Tally = NOTHING, **changes: object) -> BatchRun:
    made = BatchRun(
        id=1,
        key="k",
        kind=BatchKind.REQUESTED,
        state=BatchState.RUNNING,
        selection=Selection(NOW),
        cursor=None,
        expected=0,
        tally=tally,
        waiting=None,
        created_at=NOW,
        seen_at=NOW,
        ended_at=None,
        active_s=100.0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@given(ENDS, st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_every_job_is_counted_once(ends: list[JobEnd], left: int, up_to_date: int, not_heard: int) -> None:
    tally = Tally(up_to_date=up_to_date, not_heard=not_heard, queued=len(ends) + left)
    for end in ends:
        tally = tally.plus(end)
    outcomes = Counter(end.outcome for end in ends)
    assert (tally.scored, tally.failed, tally.withdrawn) == tuple(outcomes[one] for one in JobOutcome)
    assert tally.worked == len(ends)
    assert run(tally).left == left
    assert run(tally).total == tally.handled + left == up_to_date + not_heard + len(ends) + left
    done = [end for end in ends if end.outcome is JobOutcome.DONE]
    assert tally.audio_s == sum(end.audio_s for end in done)
    assert tally.flagged == sum(end.flagged for end in done)
    assert tally.undetermined == sum(not end.has_score for end in done)
    assert (tally.cpu_s, tally.gpu_s) == (sum(end.cpu_s for end in ends), sum(end.gpu_s for end in ends))
    failed = [end.code or "" for end in ends if end.outcome is JobOutcome.FAILED]
    assert tally.failures == Counter(failed)
    assert tally.without(failed).failures == {}


def test_while_a_run_is_filled_its_size_is_expected() -> None:
    filling = run(Tally(queued=10, scored=5), state=BatchState.FILLING, expected=100)
    assert (filling.total, filling.left) == (100, 95)
    more_than_expected = replace(filling, expected=3)
    assert more_than_expected.total == 10
    assert replace(filling, state=BatchState.RUNNING).total == 10


def test_the_time_left_goes_by_what_was_handled() -> None:
    tally = Tally(up_to_date=20, queued=80, scored=20)
    assert run(tally).eta_s == pytest.approx(60 * 100 / 40)
    assert run(tally).calls_per_hour == pytest.approx(20 / 100 * 3600)


@pytest.mark.parametrize(
    "unknowable",
    [
        run(Tally(queued=10)),
        run(Tally(queued=10, scored=1), waiting=Waiting.DISK_FULL),
        run(Tally(queued=10, scored=10), state=BatchState.DONE),
        run(Tally(queued=10, scored=5), state=BatchState.CANCELLED),
        run(Tally(queued=10, scored=5), active_s=0.0),
    ],
)
def test_what_cannot_be_known_is_not_estimated(unknowable: BatchRun) -> None:
    assert unknowable.eta_s is None


@given(st.floats(-1000, 10**6))
def test_only_time_in_which_somebody_was_there_counts(seconds: float) -> None:
    grown = active_s(run(), NOW + timedelta(seconds=seconds)) - 100
    assert grown == pytest.approx(min(max(seconds, 0), IDLE_S), abs=1e-5)
