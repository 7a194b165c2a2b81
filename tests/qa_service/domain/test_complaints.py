"""Complaints: no step is skipped, no machine loses one, clocks run in working days."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.complaints import (
    BY_MACHINE,
    LEVELS,
    NO_COMPLAINT,
    STEPS,
    Change,
    ComplaintPolicy,
    ComplaintState,
    ComplaintStep,
    Missing,
    change_of,
    follow,
    may_follow,
    missing,
)

FRIDAY = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
S, C = ComplaintStep, ComplaintState


def test_the_way_of_a_valid_complaint() -> None:
    state = C.RAISED
    for step in (S.ACCEPT, S.APOLOGISE, S.VERIFY, S.HANDLE, S.FOLLOW_UP, S.CORRECT):
        after = follow(state, step)
        assert after is not None, (state, step)
        state = after
    assert state is C.CORRECTED


@pytest.mark.parametrize("step", [S.VERIFY, S.HANDLE, S.CORRECT, S.CLOSE])
def test_no_step_is_skipped(step: ComplaintStep) -> None:
    assert follow(C.RAISED, step) is None


def test_what_is_over_stays_over() -> None:
    assert {state for (state, _), _ in STEPS.items()} == {*C} - {C.CORRECTED, C.CLOSED}
    assert may_follow(C.CORRECTED) == ()


def test_nobody_is_offered_a_step_of_the_machine() -> None:
    offered = {step for state in C for step in may_follow(state)}
    assert offered.isdisjoint(step.value for step in BY_MACHINE)
    assert "accept" in offered


@pytest.mark.parametrize(
    ("step", "level", "valid", "done", "lacking"),
    [
        (S.APOLOGISE, 3, None, (), Missing.AUTHORITY),
        (S.HANDLE, 3, True, (S.ACCEPT,), Missing.AUTHORITY),
        (S.HANDLE, 3, True, (S.AUTHORITY,), None),
        (S.APOLOGISE, 2, None, (), None),
        (S.CORRECT, 1, True, (), None),
        (S.CORRECT, 1, False, (), Missing.NOT_VALID),
        (S.CLOSE, 1, True, (), Missing.VALID),
        (S.CLOSE, 2, False, (), Missing.REPORT),
        (S.CORRECT, 3, True, (S.AUTHORITY,), Missing.REPORT),
        (S.CORRECT, 3, True, (S.REPORT,), None),
    ],
)
def test_what_a_level_demands(
    step: ComplaintStep,
    level: int,
    valid: bool | None,
    done: tuple[ComplaintStep, ...],
    lacking: Missing | None,
) -> None:
    assert missing(step, level=level, valid=valid, done=done) is lacking


def test_clocks() -> None:
    policy = ComplaintPolicy()
    assert policy.respond_by(FRIDAY) == FRIDAY + timedelta(minutes=30)
    # Two working days after Friday: Monday, Tuesday; until the end of Tuesday.
    assert policy.due(FRIDAY) == datetime(2026, 11, 25, tzinfo=UTC)


def test_whose_it_is() -> None:
    policy = ComplaintPolicy(owners={(1, ""): "wang", (1, "B"): "li", (2, ""): "zhao"})
    assert [policy.owner(1, team) for team in (None, "A", "B")] == ["wang", "wang", "li"]
    assert (policy.owner(2, "B"), policy.owner(3, "B")) == ("zhao", None)


def change(
    *,
    state: ComplaintState | None = C.RAISED,
    level: int = 2,
    proposed: int | None = None,
    grade: int | None = 2,
    denied: bool = False,
    by_hand: bool = False,
    touched: bool = False,
    dropped_by_machine: bool = False,
) -> Change | None:
    return change_of(
        state=state,
        level=level,
        proposed=proposed,
        grade=grade,
        denied=denied,
        by_hand=by_hand,
        touched=touched,
        dropped_by_machine=dropped_by_machine,
    )


def test_what_an_evaluation_changes() -> None:
    assert change(state=None) is Change.RAISE
    assert change(state=None, grade=None) is None
    assert change(state=None, denied=True) is None
    assert change() is None
    assert change(grade=3) is Change.REGRADE
    assert change(grade=3, touched=True) is Change.PROPOSE
    assert change(grade=3, by_hand=True) is Change.PROPOSE
    assert change(grade=1) is Change.PROPOSE
    assert change(grade=1, proposed=1) is None
    assert change(proposed=1) is Change.PROPOSE  # the proposal is taken back
    assert change(grade=None) is Change.PROPOSE
    assert change(grade=None, proposed=NO_COMPLAINT) is None
    assert change(grade=1, by_hand=True) is None


def test_what_a_rejection_changes() -> None:
    assert change(denied=True) is Change.DROP
    assert change(denied=True, by_hand=True) is None
    assert change(denied=True, touched=True) is Change.PROPOSE
    assert change(state=C.ACCEPTED, denied=True, touched=True) is Change.PROPOSE
    assert change(state=C.NOT_RAISED, dropped_by_machine=True) is Change.REINSTATE
    assert change(state=C.NOT_RAISED) is None  # a person dropped it


@given(
    state=st.sampled_from([*C]),
    level=st.sampled_from(LEVELS),
    proposed=st.none() | st.sampled_from((0, *LEVELS)),
    grade=st.none() | st.sampled_from(LEVELS),
    denied=st.booleans(),
    by_hand=st.booleans(),
    touched=st.booleans(),
    dropped=st.booleans(),
)
def test_no_machine_loses_or_lowers_a_complaint(
    state: ComplaintState,
    level: int,
    proposed: int | None,
    grade: int | None,
    denied: bool,
    by_hand: bool,
    touched: bool,
    dropped: bool,
) -> None:
    what = change_of(
        state=state,
        level=level,
        proposed=proposed,
        grade=grade,
        denied=denied,
        by_hand=by_hand,
        touched=touched,
        dropped_by_machine=dropped,
    )
    if what is Change.DROP:
        assert (state, touched, by_hand, denied) == (C.RAISED, False, False, True)
    if what is Change.REGRADE:
        assert grade is not None
        assert grade > level
        assert not touched
    if touched or by_hand:
        assert what in (None, Change.PROPOSE, Change.REINSTATE)
