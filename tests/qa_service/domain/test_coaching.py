"""Who needs coaching in what; the steps of an action."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.access import CallOwner
from qa_service.domain.causes import Cause
from qa_service.domain.coaching import (
    BY_HAND,
    STEPS,
    ActionState,
    ActionStep,
    Judged,
    NeedPolicy,
    RuleInfo,
    Shared,
    find_needs,
    follow,
    may_follow,
    narrowed,
)
from qa_service.domain.figures import FaultTotals
from qa_service.domain.results import Severity

LI = CallOwner("V", "A", "1024")
RULES = {
    rule: RuleInfo(rule, rule.title(), severity, module)
    for rule, severity, module in (
        ("opening", Severity.MAJOR, "script-wording"),
        ("closing", Severity.MINOR, "script-wording"),
        ("argue", Severity.CRITICAL, "courtesy"),
        ("tone", Severity.MAJOR, None),
    )
}
POLICY = NeedPolicy()


def judged(
    rule: str = "opening",
    faults: int = 6,
    confirmed: int = 3,
    cause: Cause = Cause.SPECIAL,
    owner: CallOwner = LI,
) -> Judged:
    return Judged(owner, rule, FaultTotals(40, faults, confirmed), cause=cause)


def test_rules_of_one_module_are_one_need_the_gravest_first() -> None:
    (need,) = find_needs([judged("closing"), judged("opening"), judged("tone")], [], RULES, POLICY)
    assert (need.owner, need.module) == (LI, "script-wording")
    assert [rule.rule for rule in need.rules] == ["opening", "closing"]
    assert need.priority == 3 * (3 + 0.5 * 3) + 1 * (3 + 0.5 * 3), "unreviewed faults count half"


def test_a_common_cause_lands_on_nobodys_list() -> None:
    mine = judged(cause=Cause.COMMON, faults=40, confirmed=40)
    assert find_needs([mine], [], RULES, POLICY) == ()
    grave = judged("argue", cause=Cause.COMMON)
    assert find_needs([grave], [], RULES, POLICY) == (), "however grave it is"
    shared = Shared(CallOwner("V", "A", "1024"), "opening", FaultTotals(400, 200, 100), agents=10)
    (need,) = find_needs([mine], [shared], RULES, POLICY)
    assert need.owner == CallOwner("V", "A"), "it is the team's"
    assert need.rules[0].cause is Cause.COMMON
    assert need.priority == pytest.approx(3 * 150 / 10), "what one of its agents would gain"
    (site,) = find_needs([], [replace(shared, owner=CallOwner())], RULES, POLICY)
    assert (site.key, site.owner) == (("site", "script-wording"), CallOwner())


@pytest.mark.parametrize(
    ("rule", "confirmed", "needed"),
    [("opening", 1, False), ("opening", 2, True), ("argue", 0, False), ("argue", 1, True)],
)
def test_with_too_few_calls_only_what_people_confirmed_counts(rule: str, confirmed: int, needed: bool) -> None:
    few = judged(rule, faults=6, confirmed=confirmed, cause=Cause.TOO_FEW)
    assert bool(find_needs([few], [], RULES, POLICY)) is needed


@pytest.mark.parametrize(("peer_faults", "needed"), [(0, True), (59, True), (60, False), (200, False)])
def test_with_too_few_calls_nobody_is_named_for_what_others_do_as_often(peer_faults: int, needed: bool) -> None:
    few = judged(faults=6, confirmed=6, cause=Cause.TOO_FEW)  # of 40
    among = replace(few, peers=FaultTotals(400, peer_faults))
    assert bool(find_needs([among], [], RULES, POLICY)) is needed


def test_who_has_no_fault_or_no_name_needs_nothing() -> None:
    assert find_needs([judged(faults=0, confirmed=0)], [], RULES, POLICY) == ()
    assert find_needs([judged(owner=CallOwner("V", "A"))], [], RULES, POLICY) == ()


def test_a_need_keeps_only_what_can_be_heard() -> None:
    (need,) = find_needs([judged("closing"), judged("opening")], [], RULES, POLICY)
    left = narrowed(need, ["closing", "something else"], POLICY)
    assert left is not None
    assert [rule.rule for rule in left.rules] == ["closing"]
    assert left.priority == pytest.approx(4.5)
    assert narrowed(need, [], POLICY) is None


@given(
    st.lists(
        st.builds(
            judged,
            st.sampled_from(sorted(RULES)),
            st.integers(0, 40),
            st.just(0),
            st.sampled_from(Cause),
            st.sampled_from([LI, CallOwner("V", "A", "7"), CallOwner(None, None, "8")]),
        ),
        unique_by=lambda each: (each.owner, each.rule),
    )
)
def test_needs_are_unique_ordered_and_of_special_causes_where_nothing_is_confirmed(found: list[Judged]) -> None:
    needs = find_needs(found, [], RULES, POLICY)
    assert len({need.key for need in needs}) == len(needs)
    assert [need.priority for need in needs] == sorted((need.priority for need in needs), reverse=True)
    assert all(rule.cause is Cause.SPECIAL and rule.now.faults for need in needs for rule in need.rules)
    assert find_needs(reversed(found), [], RULES, POLICY) == needs, "the order of the figures does not matter"


def test_no_state_is_skipped() -> None:
    state, way = ActionState.PROPOSED, []
    for step in (
        *(ActionStep.ASSIGN, ActionStep.HOLD, ActionStep.ACKNOWLEDGE, ActionStep.ASSESS, ActionStep.CLOSE),
    ):
        after = follow(state, step)
        assert after is not None
        state = after
        way.append(state.value)
    assert way == ["assigned", "held", "acknowledged", "assessed", "closed"]
    assert follow(ActionState.PROPOSED, ActionStep.HOLD) is None
    assert follow(ActionState.ASSIGNED, ActionStep.ACKNOWLEDGE) is None, "nothing to acknowledge before it is held"
    assert follow(ActionState.ASSIGNED, ActionStep.WITHDRAW) is None, "what a person took on stays"


def test_what_has_ended_stays_ended() -> None:
    for state in (ActionState.CLOSED, ActionState.DISMISSED):
        assert {STEPS[key] for key in STEPS if key[0] is state} == {state}
        assert may_follow(state) == (ActionStep.NOTE,)
    assert {to for (_, step), to in STEPS.items() if step is ActionStep.FAIL} == {ActionState.ASSIGNED}
    assert set(BY_HAND) < set(ActionStep)
