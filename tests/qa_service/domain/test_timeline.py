"""Span algebra: the laws of sets, half-open, on hand-made and random spans."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.timeline import TimeSpan, clip, difference, gaps, hull, intersection, total_s, union
from tests.builders import spans

# Eighths of a second: sums and differences are exact, so the laws hold to the last bit.
TIMES = st.integers(0, 400).map(lambda n: n / 8)
SPANS = st.tuples(TIMES, TIMES).map(lambda pair: TimeSpan(min(pair), max(pair)))
SETS = st.lists(SPANS, max_size=8)
EDGES = [n / 16 for n in range(802)]  # every edge and every middle between two neighbouring edges


def covered(found: tuple[TimeSpan, ...] | list[TimeSpan]) -> set[float]:
    return {time_s for time_s in EDGES if any(span.contains(time_s) for span in found)}


def is_normal(found: tuple[TimeSpan, ...]) -> bool:
    """Sorted, none empty, none touching another."""
    return all(s.duration_s > 0 for s in found) and all(a.end < b.start for a, b in pairwise(found))


# --- one span ---------------------------------------------------------------------------------------------


def test_a_span_is_half_open() -> None:
    span = TimeSpan(1.0, 2.0)
    assert span.contains(1.0)
    assert span.contains(1.999)
    assert not span.contains(2.0)
    assert not TimeSpan(1.0, 1.0).contains(1.0)


def test_duration_and_middle() -> None:
    assert TimeSpan(1.5, 4.0).duration_s == 2.5
    assert TimeSpan(1.5, 4.0).middle == 2.75


@pytest.mark.parametrize("edges", [(2.0, 1.0), (math.nan, 1.0), (1.0, math.nan)])
def test_a_span_that_ends_before_it_starts(edges: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="ends before it starts"):
        TimeSpan(*edges)


@pytest.mark.parametrize(
    ("other", "expected"),
    [((3.0, 5.0), 1.0), ((0.0, 9.0), 3.0), ((2.0, 2.5), 0.5), ((4.0, 5.0), 0.0), ((7.0, 8.0), 0.0)],
)
def test_shared_seconds(other: tuple[float, float], expected: float) -> None:
    span, other_span = TimeSpan(1.0, 4.0), TimeSpan(*other)
    assert span.overlap_s(other_span) == other_span.overlap_s(span) == expected


# --- by hand ----------------------------------------------------------------------------------------------


def test_touching_spans_are_one() -> None:
    assert union(spans((2, 3), (0, 1), (1, 2))) == spans((0, 3))


def test_a_gap_of_the_bridge_is_filled_and_a_longer_one_is_not() -> None:
    assert union(spans((0, 1), (1.5, 2), (2.625, 3)), bridge_s=0.5) == spans((0, 2), (2.625, 3))


def test_an_empty_span_is_no_time_and_bridges_nothing() -> None:
    assert union(spans((1, 1))) == ()
    assert union(spans((0, 0.5), (1, 1)), bridge_s=0.5) == spans((0, 0.5))
    assert union(spans((0, 0.5), (1, 1), (1.5, 2)), bridge_s=0.5) == spans((0, 0.5), (1.5, 2))


def test_a_span_inside_another_does_not_shorten_it() -> None:
    assert union(spans((0, 10), (2, 3), (4, 5))) == spans((0, 10))


def test_touching_spans_share_nothing() -> None:
    assert intersection(spans((0, 1)), spans((1, 2))) == ()


def test_a_difference_cuts_out_the_middle() -> None:
    assert difference(spans((0, 10)), spans((2, 3), (5, 6))) == spans((0, 2), (3, 5), (6, 10))


def test_gaps_reach_the_edges() -> None:
    assert gaps(spans((2, 3), (8, 12)), TimeSpan(0, 10)) == spans((0, 2), (3, 8))


def test_hull() -> None:
    assert hull(spans((4, 5), (1, 2), (3, 9))) == TimeSpan(1, 9)
    with pytest.raises(ValueError, match="no spans"):
        hull(())


# --- the laws ---------------------------------------------------------------------------------------------


@given(SETS)
def test_union_covers_the_same_time(a: list[TimeSpan]) -> None:
    assert is_normal(union(a))
    assert covered(union(a)) == covered(a)
    assert union(union(a)) == union(a) == union(reversed(a))


@given(SETS, SETS)
def test_intersection_is_the_common_time(a: list[TimeSpan], b: list[TimeSpan]) -> None:
    found = intersection(a, b)
    assert is_normal(found)
    assert covered(found) == covered(a) & covered(b)
    assert found == intersection(b, a)


@given(SETS, SETS)
def test_difference_is_the_rest(a: list[TimeSpan], b: list[TimeSpan]) -> None:
    found = difference(a, b)
    assert is_normal(found)
    assert covered(found) == covered(a) - covered(b)


@given(SETS, SETS)
def test_totals_add_up(a: list[TimeSpan], b: list[TimeSpan]) -> None:
    common = total_s(intersection(a, b))
    assert total_s([*a, *b]) == total_s(a) + total_s(b) - common
    assert total_s(difference(a, b)) == total_s(a) - common


@given(SETS, SPANS)
def test_gaps_and_clipped_spans_fill_the_frame(a: list[TimeSpan], within: TimeSpan) -> None:
    assert total_s(gaps(a, within)) + total_s(clip(a, within)) == within.duration_s
    assert union([*gaps(a, within), *clip(a, within)]) == union([within])


@given(SETS, st.integers(0, 16).map(lambda n: n / 8))
def test_bridging_fills_exactly_the_short_gaps(a: list[TimeSpan], bridge_s: float) -> None:
    bridged = union(a, bridge_s=bridge_s)
    filled = difference(bridged, a)
    assert difference(a, bridged) == ()
    assert all(gap.duration_s <= bridge_s for gap in filled)
    assert all(y.start - x.end > bridge_s for x, y in pairwise(bridged))
    if a and total_s(a):
        assert hull(bridged) == hull(union(a))


@given(SETS, SETS, TIMES)
def test_shifting_the_time_shifts_the_result(a: list[TimeSpan], b: list[TimeSpan], by_s: float) -> None:
    def shifted(some: list[TimeSpan] | tuple[TimeSpan, ...]) -> list[TimeSpan]:
        return [TimeSpan(s.start + by_s, s.end + by_s) for s in some]

    for operation in (intersection, difference):
        assert list(operation(shifted(a), shifted(b))) == shifted(operation(a, b))
