"""Kleene's laws: unknown is never decided by anything but the known parts."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.results import Evidence
from rules.verdict import FALSE, TRUE, Verdict, at_least, conjunction, disjunction, negation, unknown

evidence = st.lists(st.builds(Evidence, st.integers(0, 9).map(float), st.integers(10, 19).map(float)), max_size=2)
verdicts = st.builds(
    lambda value, found: Verdict(value, tuple(found), "some_reason" if value is None else ""),
    st.sampled_from((True, False, None)),
    evidence,
)
lists = st.lists(verdicts, max_size=5)


def possible(verdict: Verdict) -> tuple[bool, ...]:
    return (True, False) if verdict.value is None else (verdict.value,)


def decided(answers: set[bool]) -> bool | None:
    return answers.pop() if len(answers) == 1 else None


@given(lists)
def test_a_combination_is_what_every_completion_agrees_on(given_: list[Verdict]) -> None:
    completions = list(product(*map(possible, given_)))
    assert conjunction(given_).value is decided({all(c) for c in completions})
    assert disjunction(given_).value is decided({any(c) for c in completions})


@given(st.integers(1, 6), lists)
def test_at_least_is_what_every_completion_agrees_on(count: int, given_: list[Verdict]) -> None:
    completions = product(*map(possible, given_))
    assert at_least(count, given_).value is decided({sum(c) >= count for c in completions})


@given(lists)
def test_de_morgan(given_: list[Verdict]) -> None:
    assert negation(conjunction(given_)).value is disjunction(map(negation, given_)).value
    assert negation(disjunction(given_)).value is conjunction(map(negation, given_)).value


@given(verdicts)
def test_negating_twice_changes_nothing(verdict: Verdict) -> None:
    assert negation(negation(verdict)) == verdict


@given(lists, st.randoms())
def test_order_does_not_matter(given_: list[Verdict], random: object) -> None:
    shuffled = list(given_)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for combine in (conjunction, disjunction):
        one, other = combine(given_), combine(shuffled)
        assert (one.value, one.evidence) == (other.value, other.evidence)


@given(lists)
def test_unknown_says_why_and_evidence_is_sorted(given_: list[Verdict]) -> None:
    for verdict in (conjunction(given_), disjunction(given_), at_least(2, given_)):
        assert (verdict.reason != "") is (verdict.value is None)
        assert list(verdict.evidence) == sorted(verdict.evidence, key=lambda e: (e.start, e.end))


def test_the_deciding_parts_give_the_evidence() -> None:
    mine, other = Evidence(1.0, 2.0), Evidence(3.0, 4.0)
    assert disjunction([Verdict(True, (mine,)), Verdict(False, (other,))]).evidence == (mine,)
    assert conjunction([Verdict(True, (mine,)), Verdict(False, (other,))]).evidence == (other,)
    assert conjunction([unknown("one", (mine,)), Verdict(True, (other,))]) == unknown("one", (mine,))


def test_of_nothing() -> None:
    assert conjunction([]) == TRUE
    assert disjunction([]) == FALSE
