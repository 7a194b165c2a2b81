"""What reviewers of one session said, compared with what they agreed on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.agreement import Scale, Value
from qa_service.domain.calibration import (
    MACHINE,
    Answer,
    Criterion,
    Place,
    by_place,
    consensus,
    deviation,
    undecided,
    value_fault,
)

NOMINAL, ORDINAL, INTERVAL = Scale
A, B, C, D = (Place(number, "closing") for number in range(4))


def said(place: Place, user: int | None, value: Value) -> Answer:
    return Answer(place, user, value)


def test_the_last_answer_of_each_holds() -> None:
    first, second, other = said(A, 1, "met"), said(A, 1, "not_met"), said(A, 2, "met")
    assert by_place([first, other, second]) == {A: {1: second, 2: other}}
    assert by_place([]) == {}


def test_what_all_said_is_agreed_and_what_was_decided_goes_before_it() -> None:
    given = by_place(
        [
            *(said(A, 1, "met"), said(A, 2, "met"), said(A, MACHINE, "not_met")),
            *(said(B, 1, "met"), said(B, 2, "not_met")),
            *(said(C, 1, "met"), said(C, MACHINE, "met")),
            said(D, MACHINE, "met"),
        ]
    )
    assert consensus(given, {}) == {A: "met"}, "one alone, or with the machine, is no consensus"
    assert undecided(given, {A: "met"}) == (B, C), "of what no person answered nothing need be decided"
    assert consensus(given, {A: "not_applicable", B: "met"}) == {A: "not_applicable", B: "met"}


@pytest.mark.parametrize(
    ("scale", "said", "agreed", "direction"),
    [
        (NOMINAL, "not_met", "met", "stricter"),
        (NOMINAL, "not_met", "not_applicable", "stricter"),
        (NOMINAL, "met", "not_met", "milder"),
        (NOMINAL, "undetermined", "not_met", "milder"),
        (NOMINAL, "not_applicable", "met", "otherwise"),
        (NOMINAL, "undetermined", "met", "otherwise"),
        (NOMINAL, "not_met", "not_met", "same"),
        (ORDINAL, 3.0, 1.0, "stricter"),
        (ORDINAL, 1.0, 2.0, "milder"),
        (INTERVAL, 60.0, 80.0, "stricter"),
        (INTERVAL, 90.0, 80.0, "milder"),
        (INTERVAL, 80.0, 80.0, "same"),
    ],
)
def test_directions(scale: Scale, said: Value, agreed: Value, direction: str) -> None:
    found = deviation(7, [(scale, said, agreed)])
    counts = {name: getattr(found, name) for name in ("same", "stricter", "milder", "otherwise")}
    assert counts == {**dict.fromkeys(counts, 0), direction: 1}
    assert (found.user_id, found.calls) == (7, 1)


def test_a_bias_is_one_that_chance_hardly_gives() -> None:
    strict = [(NOMINAL, "not_met", "met")]
    mild = [(NOMINAL, "met", "not_met")]
    assert deviation(1, strict * 5).chance == pytest.approx(2 / 2**5)
    assert deviation(1, mild * 6 + [(NOMINAL, "met", "met")] * 30).chance == pytest.approx(2 / 2**6)
    assert deviation(1, strict * 3 + mild * 3).chance == 1.0
    assert deviation(1, []).chance == 1.0


def test_points_are_apart_on_average() -> None:
    assert deviation(1, [(INTERVAL, 70.0, 80.0), (INTERVAL, 84.0, 80.0)]).difference == -3.0
    assert deviation(1, [(NOMINAL, "met", "met")]).difference is None


outcomes = st.sampled_from(["met", "not_met", "not_applicable", "undetermined"])


@given(st.lists(st.tuples(st.just(NOMINAL), outcomes, outcomes)))
def test_whoever_is_stricter_makes_the_other_milder(pairs: list[tuple[Scale, Value, Value]]) -> None:
    one, other = deviation(1, pairs), deviation(2, [(scale, b, a) for scale, a, b in pairs])
    assert (one.stricter, one.milder, one.same) == (other.milder, other.stricter, other.same)
    assert one.same + one.stricter + one.milder + one.otherwise == one.calls == len(pairs)
    assert one.chance == other.chance


@pytest.mark.parametrize(
    ("scale", "value", "good"),
    [
        (NOMINAL, "met", True),
        (NOMINAL, "undetermined", True),
        (NOMINAL, "good", False),
        (NOMINAL, 1.0, False),
        (ORDINAL, 2.0, True),
        (INTERVAL, 0.0, True),
        (INTERVAL, "80", False),
        (INTERVAL, True, False),
        (INTERVAL, float("nan"), False),
        (INTERVAL, float("inf"), False),
    ],
)
def test_what_is_an_answer(scale: Scale, value: Value, good: bool) -> None:
    assert (value_fault(Criterion("closing", scale), value) is None) is good
