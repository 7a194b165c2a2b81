"""Decisions over machine results: what they make of a score, which steps a finding may take."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity
from qa_service.domain.review import (
    CLEARED,
    STEPS,
    Decision,
    FindingState,
    Reason,
    Ruling,
    Step,
    apply,
    can_be_added,
    final,
    follow,
    may_follow,
    ruling_fault,
)
from qa_service.domain.scoring import Fatal, Scorecard, ScorecardItem, ScorecardSection, fill

RULES = ("a", "b", "c", "d")
MET, NOT_MET = Outcome.MET, Outcome.NOT_MET
DURATION_S = 60.0


@st.composite
def cards(draw: st.DrawFn) -> Scorecard:
    items = tuple(
        ScorecardItem(rule, draw(st.floats(1, 50)), draw(st.sampled_from(Fatal)), bonus=draw(st.booleans()))
        for rule in RULES
    )
    split = draw(st.integers(0, len(items)))
    sections = (ScorecardSection("s", "S", items[:split]), ScorecardSection("t", "T", items[split:]))
    return Scorecard("card", draw(st.floats(0, 1)), sections)


@st.composite
def judged(draw: st.DrawFn) -> tuple[RuleResult, ...]:
    return tuple(
        RuleResult(
            rule,
            rule,
            draw(st.sampled_from(Outcome)),
            Severity.MINOR,
            scored=draw(st.booleans()),
            same_event_as=draw(st.sampled_from([None, None, *RULES])),
        )
        for rule in RULES
    )


decided = st.sampled_from([Decision.CONFIRM, Decision.REJECT, Decision.CORRECT, Decision.ADD])
rulings = st.lists(
    st.builds(Ruling, rule=st.sampled_from(RULES), decision=decided, reason=st.sampled_from(Reason)), max_size=4
)


@given(cards(), judged())
def test_without_decisions_the_final_score_is_the_machines(
    card: Scorecard, results: tuple[RuleResult, ...]
) -> None:
    assert final(card, results, []) == fill(card, results)


@given(cards(), judged(), rulings, st.sampled_from(RULES), st.sampled_from(Reason))
def test_rejecting_never_lowers_a_score(
    card: Scorecard, results: tuple[RuleResult, ...], others: list[Ruling], rule: str, reason: Reason
) -> None:
    others = [ruling for ruling in others if ruling.rule != rule]
    # What is rejected is a finding: a fault or a doubt, scored, of an event that nothing else counts.
    results = tuple(
        replace(r, scored=True, same_event_as=None, outcome=NOT_MET if r.outcome is MET else r.outcome)
        if r.rule == rule
        else replace(r, same_event_as=None)
        for r in results
    )
    before = final(card, results, others).score
    after = final(card, results, [*others, Ruling(rule, Decision.REJECT, reason)]).score
    if before is not None and after is not None:
        assert after >= before - 1e-9


@given(cards(), judged(), rulings)
def test_the_same_decisions_make_the_same_score_in_any_order_of_rules(
    card: Scorecard, results: tuple[RuleResult, ...], said: list[Ruling]
) -> None:
    last = list({ruling.rule: ruling for ruling in said}.values())
    assert final(card, results, said) == final(card, results, last[::-1])


@given(judged(), rulings)
def test_what_nobody_decided_is_the_machines(results: tuple[RuleResult, ...], said: list[Ruling]) -> None:
    touched = {ruling.rule for ruling in said}
    for before, after in zip(results, apply(results, said), strict=True):
        assert (before is after) == (before.rule not in touched)


def test_a_corrected_fault_is_where_the_person_heard_it() -> None:
    result = RuleResult("a", "a", NOT_MET, Severity.MINOR, (Evidence(1.0, 2.0),))
    (moved,) = apply([result], [Ruling("a", Decision.CORRECT, "", 5.0, 6.0)])
    (kept,) = apply([result], [Ruling("a", Decision.CONFIRM)])
    assert moved.evidence == (Evidence(5.0, 6.0),)
    assert kept == result


def test_an_event_counts_once_until_what_counted_it_is_rejected() -> None:
    first = RuleResult("a", "a", NOT_MET, Severity.MINOR)
    second = RuleResult("b", "b", NOT_MET, Severity.MINOR, same_event_as="a")
    rejected, said = Ruling("a", Decision.REJECT, Reason.OTHER), Ruling("b", Decision.ADD, "", 1.0, 2.0)
    assert not can_be_added(second, [])
    assert can_be_added(second, [rejected])
    assert not can_be_added(replace(second, scored=False), [rejected])
    assert [r.same_event_as for r in apply([first, second], [rejected, said])] == [None, None]
    assert [r.same_event_as for r in apply([first, second], [said])] == [None, "a"]


@pytest.mark.parametrize(
    "ruling",
    [
        Ruling("a", Decision.REJECT),
        Ruling("a", Decision.REJECT, "because"),
        Ruling("a", Decision.REJECT, Reason.OTHER, 1.0, 2.0),
        Ruling("a", Decision.CORRECT),
        Ruling("a", Decision.CORRECT, "", 1.0),
        Ruling("a", Decision.CORRECT, "", 2.0, 2.0),
        Ruling("a", Decision.CORRECT, "", -1.0, 2.0),
        Ruling("a", Decision.CORRECT, "", 1.0, 60.5),
        Ruling("a", Decision.CORRECT, "", float("nan"), 2.0),
        Ruling("a", Decision.CORRECT, "", 1.0, float("inf")),
        Ruling("a", Decision.CONFIRM, "", None, 2.0),
        Ruling("a", Decision.ADD),
    ],
)
def test_a_decision_without_its_reason_or_place_is_told(ruling: Ruling) -> None:
    assert ruling_fault(ruling, DURATION_S)


@pytest.mark.parametrize(
    "ruling",
    [
        Ruling("a", Decision.CONFIRM),
        Ruling("a", Decision.CONFIRM, "", 1.0, 2.0),
        Ruling("a", Decision.REJECT, Reason.NOT_APPLICABLE),
        Ruling("a", Decision.ADD, "", 0.0, DURATION_S),
    ],
)
def test_a_whole_decision_is_taken(ruling: Ruling) -> None:
    assert ruling_fault(ruling, DURATION_S) is None


def test_an_open_doubt_is_nothing_to_dispute_until_somebody_confirms_it() -> None:
    for step, outcome in itertools.product((Step.DISPUTE, Step.ACKNOWLEDGE), Outcome):
        allowed = follow(FindingState.OPEN, step, outcome=outcome) is not None
        assert allowed == (outcome is NOT_MET)
        assert follow(FindingState.CONFIRMED, step, outcome=outcome) is not None


def test_every_state_can_be_reached_and_the_last_ones_are_the_last() -> None:
    reached = {FindingState.OPEN}
    while len(more := reached | {after for (before, _), after in STEPS.items() if before in reached}) > len(
        reached
    ):
        reached = more
    assert reached == set(FindingState)
    ends = {state for state in FindingState if not may_follow(state)}
    assert ends == {FindingState.OVERTURNED, FindingState.APPEAL_UPHELD, FindingState.APPEAL_OVERTURNED}


def test_no_decision_without_advice_and_no_second_appeal() -> None:
    for state in FindingState:
        decides = {Step.UPHOLD, Step.OVERTURN} & set(may_follow(state))
        assert bool(decides) == (state in (FindingState.ADVISED, FindingState.APPEALED))
    once = [state for state in FindingState if Step.APPEAL in may_follow(state)]
    assert once == [FindingState.UPHELD]


@given(st.lists(st.sampled_from(Step), max_size=30), st.sampled_from([NOT_MET, Outcome.UNDETERMINED]))
def test_no_path_skips_a_state(steps: list[Step], outcome: Outcome) -> None:
    state, path = FindingState.OPEN, [FindingState.OPEN]
    for step in steps:
        state = follow(state, step, outcome=outcome) or state
        path.append(state)
    if {FindingState.UPHELD, FindingState.OVERTURNED} & set(path):
        assert {FindingState.DISPUTED, FindingState.ADVISED} <= set(path)
    if {FindingState.APPEAL_UPHELD, FindingState.APPEAL_OVERTURNED} & set(path):
        assert {FindingState.UPHELD, FindingState.APPEALED} <= set(path)
    assert state.stands == (state not in CLEARED)
