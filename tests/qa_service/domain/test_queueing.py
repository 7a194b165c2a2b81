"""The order of the queue: severity, uncertainty, urgency; complaints first; a slice of what nobody flagged."""

import math
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.queueing import Place, QueueKind, ReviewPolicy, Tally, place
from qa_service.domain.results import Outcome, RuleResult, Severity

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
POLICY = ReviewPolicy()


def result(
    rule: str = "r",
    severity: Severity = Severity.MAJOR,
    outcome: Outcome = Outcome.NOT_MET,
    grade: int | None = None,
    scored: bool = True,
) -> RuleResult:
    return RuleResult(rule, rule, outcome, severity, grade=grade, scored=scored)


def placed(*results: RuleResult, policy: ReviewPolicy = POLICY, **given: object) -> Place | None:
    undecided = {r.rule for r in results if r.outcome in (Outcome.NOT_MET, Outcome.UNDETERMINED)}
    told: dict[str, object] = {"sha256": "x", "since": NOW, "undecided": undecided, "tallies": {}} | given
    return place(policy, results=results, **told)  # type: ignore[arg-type]


def rank(*results: RuleResult, **given: object) -> float:
    there = placed(*results, **given)
    assert there is not None
    return there.rank


def test_a_graver_a_doubted_and_an_older_fault_come_first() -> None:
    assert rank(result(severity=Severity.CRITICAL)) < rank(result()) < rank(result(severity=Severity.MINOR))
    assert rank(result("a"), result("b")) < rank(result("a"))
    sure = {("r", Outcome.NOT_MET): Tally(99, 1)}
    doubted = {("r", Outcome.NOT_MET): Tally(50, 50)}
    assert rank(result(), tallies=doubted) < rank(result(), tallies=sure)
    assert rank(result(), since=NOW - timedelta(days=7)) < rank(result())


def test_a_rule_is_unsure_until_it_was_judged_and_for_each_outcome_apart() -> None:
    told = {("r", Outcome.NOT_MET): Tally(99, 1)}
    assert rank(result(outcome=Outcome.UNDETERMINED), tallies=told) == rank(result())
    assert rank(result(), tallies=told) > rank(result())


def test_a_sure_minor_fault_rises_past_a_grave_one_when_it_waits_long_enough() -> None:
    policy = ReviewPolicy(urgency_days=3.0)
    minor = result(severity=Severity.MINOR)
    grave = rank(result(severity=Severity.CRITICAL), policy=policy)
    assert rank(minor, policy=policy, since=NOW - timedelta(days=2)) > grave
    assert rank(minor, policy=policy, since=NOW - timedelta(days=14)) < grave


def test_complaints_stand_at_the_head_whatever_else_waits() -> None:
    answered_well = result("complaint", outcome=Outcome.MET, grade=1)
    there = placed(answered_well)
    assert there is not None
    assert (there.kind, there.grade, there.inclusion_probability) == (QueueKind.FLAGGED, 1, 1.0)
    assert there.due_at == datetime(2026, 3, 5, tzinfo=UTC)  # two working days
    grave = [result(f"r{number}", Severity.CRITICAL) for number in range(50)]
    assert there.rank < rank(*grave, since=NOW - timedelta(days=1000))
    assert rank(result("complaint", grade=3)) < rank(result("complaint", grade=2))


def test_a_complaint_that_is_not_scored_is_no_complaint() -> None:
    assert placed(result(outcome=Outcome.MET, grade=2, scored=False)) is None


def test_waiting_never_begins_anew() -> None:
    there = placed(result(), due_before=NOW)
    assert there is not None
    assert there.due_at == NOW


def test_nothing_to_look_at_is_no_place_unless_chance_says_so() -> None:
    met = result(outcome=Outcome.MET)
    assert placed(met, policy=ReviewPolicy(random_share=0.0)) is None
    there = placed(met, policy=ReviewPolicy(random_share=1.0))
    assert there is not None
    assert (there.kind, there.inclusion_probability) == (QueueKind.RANDOM, 1.0)
    assert placed(result(), undecided=frozenset(), policy=ReviewPolicy(random_share=0.0)) is None


def test_the_random_slice_is_the_same_every_time_and_of_its_size() -> None:
    digests = [sha256(str(number).encode()).hexdigest() for number in range(20_000)]
    policy, other = ReviewPolicy(random_share=0.05), ReviewPolicy(random_share=0.05, seed="b")
    chosen = {digest for digest in digests if policy.chosen(digest)}
    assert chosen == {digest for digest in digests if policy.chosen(digest)}
    assert abs(len(chosen) - 1000) < 5 * (20_000 * 0.05 * 0.95) ** 0.5
    # Of another seed it is another slice: no more of it in common than chance has it.
    common = sum(other.chosen(digest) for digest in chosen)
    assert common < 120
    wider = ReviewPolicy(random_share=0.1)
    assert all(wider.chosen(digest) for digest in chosen)


counts = st.integers(0, 10_000)


@given(counts, counts)
def test_uncertainty_is_a_variance_that_does_not_know_which_side_is_right(yes: int, no: int) -> None:
    assert 0.0 < Tally(yes, no).uncertainty <= 0.25
    assert abs(Tally(yes, no).uncertainty - Tally(no, yes).uncertainty) < 1e-12


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(0, 60), st.floats(0, 60), st.floats(0.1, 30))
def test_the_order_is_that_of_value_times_urgency_at_any_time(
    value: float, other: float, due: float, other_due: float, days: float
) -> None:
    """The stored rank orders as value times e^((t - due)/τ) does."""
    policy = ReviewPolicy(urgency_days=days)
    ranks = [
        policy.rank(value, NOW + timedelta(days=due), head=False),
        policy.rank(other, NOW + timedelta(days=other_due), head=False),
    ]
    worth = [math.log(value) - due / days, math.log(other) - other_due / days]
    if abs(worth[0] - worth[1]) > 1e-6:
        assert (ranks[0] < ranks[1]) == (worth[0] > worth[1])
