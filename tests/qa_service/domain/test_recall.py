"""Recall from a random slice: by hand, laws, and a simulated site of which everything is known."""

import math
import random
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.proportions import share, wilson
from qa_service.domain.recall import Heard, heard_one, missed, recall

probabilities = st.floats(0.001, 1.0)
slices = st.lists(st.tuples(probabilities, st.booleans()), min_size=1, max_size=60).map(
    lambda calls: reduce(add, (heard_one(p, missed=miss) for p, miss in calls))
)


def test_by_hand() -> None:
    """One call of 10 and three of 2 each: 16 calls, of which the two that hold a miss stand for 12."""
    kind = reduce(add, [heard_one(0.1, missed=True), heard_one(0.5, missed=True)])
    kind = reduce(add, [heard_one(0.5, missed=False)] * 2, kind)
    assert kind == Heard(16.0, 4, 16.0, 112.0, 2, 12.0, 104.0)
    assert kind.share == 0.75
    assert kind.variance == pytest.approx((0.25**2 * 104 + 0.75**2 * 8) / 256)
    assert kind.effective_size == pytest.approx(256 / 112)
    absent = missed([kind])
    assert absent is not None
    assert (absent.calls, absent.heard, absent.found) == (12.0, 4, 2)
    # 90 findings of which 9 of 10 judged were right are 81 faults; 81 of 93 were found.
    found = recall([(90, share(9, 10))], [kind])
    assert found is not None
    assert found.value == pytest.approx(81 / 93)


def test_what_was_drawn_and_not_heard_yet_counts_as_a_call() -> None:
    waiting = heard_one(0.25, missed=False, done=False)
    absent = missed([heard_one(0.25, missed=True) + heard_one(0.25, missed=False) + waiting])
    assert absent is not None
    assert (absent.calls, absent.heard) == (6.0, 2)


@given(st.integers(1, 200), st.integers(0, 200), probabilities)
def test_calls_drawn_alike_are_a_plain_share(calls: int, misses: int, probability: float) -> None:
    misses = min(misses, calls)
    kind = reduce(add, [heard_one(probability, missed=number < misses) for number in range(calls)])
    absent = missed([kind])
    assert absent is not None
    plain = wilson(misses / calls, calls)
    assert absent.calls * probability == pytest.approx(misses)
    assert (absent.interval.low, absent.interval.high) == pytest.approx(
        (plain.low * kind.population, plain.high * kind.population), abs=1e-6
    )


@given(slices, st.floats(1, 100))
def test_a_slice_a_tenth_as_large_of_ten_times_the_calls(kind: Heard, times: float) -> None:
    """Which share of calls holds a miss does not depend on how many calls there are."""
    larger = Heard(
        kind.population * times,
        kind.calls,
        kind.weight * times,
        kind.weight_squares * times**2,
        kind.missed,
        kind.missed_weight * times,
        kind.missed_weight_squares * times**2,
    )
    one, other = missed([kind]), missed([larger])
    assert one is not None
    assert other is not None
    assert other.calls == pytest.approx(one.calls * times)
    assert other.interval.high == pytest.approx(one.interval.high * times)


@given(slices)
def test_kinds_that_are_alike_are_one_kind_with_more_calls(kind: Heard) -> None:
    apart, together = missed([kind, kind]), missed([kind + kind])
    assert apart is not None
    assert together is not None
    assert apart.calls == pytest.approx(together.calls)
    assert apart.interval.low == pytest.approx(together.interval.low)
    assert apart.interval.high == pytest.approx(together.interval.high)


@given(slices, st.integers(1, 1000), st.integers(0, 50), st.integers(1, 50))
def test_recall_is_within_its_interval(kind: Heard, flagged: int, right: int, judged: int) -> None:
    precision = share(min(right, judged), judged)
    found = recall([(flagged, precision)], [kind])
    if found is None:
        assert precision.count == kind.missed == 0
        return
    assert 0 <= found.interval.low <= found.value + 1e-12
    assert found.value <= found.interval.high + 1e-12 <= 1 + 1e-9


@given(st.integers(1, 100), st.integers(0, 99), probabilities)
def test_each_miss_costs_recall(calls: int, misses: int, probability: float) -> None:
    misses = min(misses, calls - 1)

    def value(count: int) -> float:
        kind = reduce(add, [heard_one(probability, missed=number < count) for number in range(calls)])
        found = recall([(50, share(9, 10))], [kind])
        assert found is not None
        return found.value

    assert value(misses + 1) < value(misses)


def test_a_slice_without_a_miss_does_not_say_that_nothing_is_missed() -> None:
    few = recall([(100, share(90, 100))], [reduce(add, [heard_one(0.01, missed=False)] * 20)])
    many = recall([(100, share(90, 100))], [reduce(add, [heard_one(1.0, missed=False)] * 2000)])
    assert few is not None
    assert many is not None
    assert few.value == many.value == few.interval.high == 1.0
    # 20 of 2,000 calls, none with a miss: up to a fifth of them may hold one, several times what was flagged.
    assert few.interval.low < 0.25
    assert few.interval.low < many.interval.low < 1.0


@pytest.mark.parametrize(
    "unheard", [[], [heard_one(0.1, missed=False, done=False)], [heard_one(0.5, missed=True)] * 0]
)
def test_without_a_slice_there_is_no_recall(unheard: list[Heard]) -> None:
    assert missed(unheard) is None
    assert recall([(10, share(10, 10))], unheard) is None


def test_a_kind_that_nobody_has_heard_leaves_all_open() -> None:
    flagged, unflagged = heard_one(1.0, missed=False), heard_one(0.1, missed=False, done=False)
    assert missed([flagged, unflagged]) is None
    assert missed([flagged, Heard(0.0, 0, 0.0, 0.0)]) is not None, "there are no such calls"


def test_doubts_that_were_faults_were_not_missed() -> None:
    """30 faults flagged of which all were right, 40 doubts of which half were faults, 10 misses: 50 of 60."""
    kinds = [reduce(add, [heard_one(0.1, missed=True)] + [heard_one(0.1, missed=False)] * 9)]
    found = recall([(30, share(30, 30)), (40, share(10, 20))], kinds)
    assert found is not None
    assert found.value == pytest.approx(50 / 60)
    certain = recall([(30, share(30, 30)), (40, share(1000, 2000))], kinds)
    assert certain is not None
    assert certain.value == found.value
    assert found.interval.low < certain.interval.low < certain.interval.high < found.interval.high
    assert recall([(30, share(30, 30)), (40, share(0, 0))], kinds) is None, "nobody knows what the doubts are"
    assert recall([(30, share(30, 30)), (0, share(0, 0))], kinds) == recall([(30, share(30, 30))], kinds)


def test_without_findings_or_verdicts_there_is_no_recall() -> None:
    heard = [heard_one(0.1, missed=True)]
    assert recall([(0, share(1, 1))], heard) is None
    assert recall([(5, share(0, 0))], heard) is None


@pytest.mark.parametrize("probability", [0.0, -0.5, 1.5, math.nan])
def test_what_is_no_probability(probability: float) -> None:
    with pytest.raises(ValueError, match="inclusion probability"):
        heard_one(probability, missed=False)


def test_intervals_hold_the_truth() -> None:
    """A site of 4,000 unflagged calls, 3 % with a miss; new agents' calls are drawn more often and hold more.

    Without the weights the estimate would be far too high: the slice is half of new agents.
    """
    draw = random.Random(11)
    calls = [
        (0.10, draw.random() < 0.10) if number % 6 == 0 else (0.02, draw.random() < 0.02) for number in range(4000)
    ]
    truth = sum(miss for _, miss in calls)
    estimates, held, plain = [], 0, []
    for _ in range(400):
        heard = [(p, miss) for p, miss in calls if draw.random() < p]
        absent = missed([reduce(add, (heard_one(p, missed=miss) for p, miss in heard))])
        assert absent is not None
        estimates.append(absent.calls)
        held += truth in absent.interval
        plain.append(4000 * sum(miss for _, miss in heard) / len(heard))
    assert math.fsum(estimates) / 400 == pytest.approx(truth, rel=0.05)
    assert math.fsum(plain) / 400 > 1.4 * truth
    assert held / 400 > 0.93
