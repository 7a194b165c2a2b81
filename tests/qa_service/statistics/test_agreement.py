"""Agreement: published examples, laws, and intervals that hold what they promise."""

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from qa_service.domain.agreement import Agreement, Scale, Value
from qa_service.statistics.agreement import MIN_CALLS, agreement
from tests.corpus import ROOT

Answers = dict[int, dict[int, Value]]


def by_call(raters: Sequence[Sequence[Value | None]]) -> Answers:
    """Answers from a row for each rater; None: not judged."""
    calls = range(len(raters[0]))
    return {
        call: {number: said for number, row in enumerate(raters) if (said := row[call]) is not None}
        for call in calls
    }


# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", data of sections A to D.
BINARY = by_call([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]])
NAMES = by_call([list("aabbdcccedda"), list("babbbccceddd")])
FOUR = by_call(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
)


@pytest.mark.parametrize(
    ("answers", "scale", "alpha"),
    [
        (BINARY, Scale.NOMINAL, 0.095),
        (NAMES, Scale.NOMINAL, 0.692),
        (FOUR, Scale.NOMINAL, 0.743),
        (FOUR, Scale.ORDINAL, 0.815),
        (FOUR, Scale.INTERVAL, 0.849),
    ],
)
def test_alpha_as_published(answers: Answers, scale: Scale, alpha: float) -> None:
    measured = agreement(answers, scale=scale).alpha
    assert measured.value == pytest.approx(alpha, abs=0.0005)
    assert measured.interval is not None
    assert alpha in measured.interval


def test_kappa_as_published() -> None:
    """Fleiss (1981), "Statistical methods for rates and proportions", table 13.1: two raters, 100 patients."""
    table = {
        ("p", "p"): 75,
        ("p", "n"): 1,
        ("p", "o"): 4,
        ("n", "p"): 5,
        ("n", "n"): 4,
        ("n", "o"): 1,
        ("o", "o"): 10,
    }
    said = [pair for pair, times in table.items() for _ in range(times)]
    (pair,) = agreement(by_call([[one for one, _ in said], [other for _, other in said]])).pairs
    assert (pair.first, pair.second, pair.calls, pair.agreement) == (0, 1, 100, pytest.approx(0.89))
    assert pair.kappa.value == pytest.approx(0.676, abs=0.0005)
    # The book's standard error for an interval, 0.087, gives 0.505 to 0.847.
    assert pair.kappa.interval is not None
    assert pair.kappa.interval.low == pytest.approx(0.505, abs=0.05)
    assert pair.kappa.interval.high == pytest.approx(0.847, abs=0.05)


rows = st.integers(2, 30).flatmap(
    lambda calls: st.tuples(*(st.lists(st.sampled_from("abc"), min_size=calls, max_size=calls) for _ in range(2)))
)


@given(rows)
def test_kappa_is_that_of_another_implementation(raters: tuple[list[str], list[str]]) -> None:
    (pair,) = agreement(by_call(raters), resamples=10).pairs
    if len({*raters[0], *raters[1]}) == 1:
        assert pair.kappa.value is None
    else:
        assert pair.kappa.value == pytest.approx(cohen_kappa_score(*raters))


answers_of_raters = st.dictionaries(
    st.integers(0, 30), st.dictionaries(st.integers(1, 5), st.integers(0, 3).map(float), min_size=1), min_size=1
)


@given(answers_of_raters, st.sampled_from(Scale), st.randoms())
def test_whose_answer_it_is_and_in_which_order_changes_no_alpha(
    answers: Answers, scale: Scale, random: object
) -> None:
    turned = {
        call: {9 - rater: value for rater, value in reversed(given.items())} for call, given in answers.items()
    }
    assert (
        agreement(turned, scale=scale, resamples=50).alpha == agreement(answers, scale=scale, resamples=50).alpha
    )


@given(answers_of_raters, st.sampled_from(Scale))
def test_a_call_that_one_rater_judged_says_nothing(answers: Answers, scale: Scale) -> None:
    alone = {100: {1: 2.0}}
    assert agreement({**answers, **alone}, scale=scale, resamples=50).alpha == (
        agreement(answers, scale=scale, resamples=50).alpha
    )


@given(answers_of_raters, st.sampled_from((Scale.ORDINAL, Scale.INTERVAL)))
def test_no_unit_of_points_matters(answers: Answers, scale: Scale) -> None:
    scaled: Answers = {c: {r: 10 * float(v) - 7 for r, v in given.items()} for c, given in answers.items()}
    before, after = (agreement(each, scale=scale, resamples=50).alpha.value for each in (answers, scaled))
    assert after == (None if before is None else pytest.approx(before))


@given(answers_of_raters)
def test_order_or_distance_of_two_values_is_only_a_difference(answers: Answers) -> None:
    two: Answers = {c: {r: float(float(v) > 1) for r, v in given.items()} for c, given in answers.items()}
    alphas = [agreement(two, scale=scale, resamples=50).alpha.value for scale in Scale]
    assert alphas == [None if alphas[0] is None else pytest.approx(alphas[0])] * 3


def test_the_same_answers_give_the_same_intervals() -> None:
    assert agreement(FOUR) == agreement(dict(reversed(FOUR.items())))


def test_nobody_judged_the_same_call() -> None:
    nothing = agreement({1: {1: "met"}, 2: {2: "met"}})
    assert (nothing.calls, nothing.agreement, nothing.alpha.value) == (0, None, None)
    (pair,) = nothing.pairs
    assert (pair.calls, pair.agreement, pair.kappa.value, pair.kappa.interval) == (0, None, None, None)
    assert agreement({}) == Agreement(0, None, nothing.alpha, ())


def test_without_variation_nothing_can_be_told() -> None:
    """All agree that the rule was met in every call: 100 %, and no α, which would have to compare with chance."""
    alike = agreement({call: {1: "met", 2: "met", 3: "met"} for call in range(50)})
    assert (alike.agreement, alike.alpha.value, alike.alpha.interval) == (1.0, None, None)
    assert [pair.kappa.value for pair in alike.pairs] == [None] * 3


def test_too_few_calls_have_no_interval() -> None:
    few = {call: {1: "met" if call % 2 else "not_met", 2: "met" if call % 3 else "not_met"} for call in range(20)}
    ten = {call: few[call] for call in range(MIN_CALLS)}
    nine = {call: few[call] for call in range(MIN_CALLS - 1)}
    assert agreement(ten).alpha.interval is not None
    assert agreement(nine).alpha.interval is None
    assert agreement(nine).alpha.value is not None


def test_agreement_in_every_call_is_no_proof_of_agreement() -> None:
    def interval(calls: int) -> float:
        alike = agreement({call: dict.fromkeys((1, 2), "met" if call % 2 else "not_met") for call in range(calls)})
        assert alike.alpha.value == 1.0
        assert alike.alpha.interval is not None
        assert alike.alpha.interval.high == 1.0
        return alike.alpha.interval.low

    assert 0.3 < interval(10) < interval(40) < interval(400) < 1.0
    points = {call: dict.fromkeys((1, 2), float(call % 2)) for call in range(40)}
    assert agreement(points, scale=Scale.INTERVAL).alpha.interval is None


def test_a_rule_that_is_broken_once_has_no_interval() -> None:
    """A third of the resamples have no such call: what they would say is nothing."""
    once = {call: {1: "met", 2: "met"} for call in range(30)} | {30: {1: "met", 2: "not_met"}}
    measured = agreement(once).alpha
    assert measured.value == pytest.approx(0.0, abs=0.02)
    assert measured.interval is None


def test_intervals_hold_the_truth() -> None:
    """20 calls, three raters who are right in 95 % of them: α is 0.779 in the long run (measured on 40,000)."""
    random = np.random.default_rng(7)
    held = told = 0
    for _ in range(150):
        truth = random.random(20) < 0.3
        right = random.random((20, 3)) < 0.95
        answers: Answers = {c: {r: float(truth[c] == right[c, r]) for r in range(3)} for c in range(20)}
        interval = agreement(answers, resamples=300).alpha.interval
        told += interval is not None
        held += interval is not None and 0.779 in interval
    assert told > 140
    assert held / told > 0.9


def test_importing_it_loads_no_library() -> None:
    code = "import sys, qa_service.statistics.agreement; sys.exit('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
