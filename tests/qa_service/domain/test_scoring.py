"""Scores: what counts, what leaves the denominator, and when there is no score."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.results import Outcome, RuleResult, Severity
from qa_service.domain.scoring import Evaluation, Fatal, Scorecard, ScorecardItem, ScorecardSection, fill

MET, NOT_MET = Outcome.MET, Outcome.NOT_MET
NOT_APPLICABLE, UNDETERMINED = Outcome.NOT_APPLICABLE, Outcome.UNDETERMINED


def item(rule: str, points: float, fatal: Fatal = Fatal.NONE) -> ScorecardItem:
    return ScorecardItem(rule, points, fatal)


def section(name: str, *items: ScorecardItem) -> ScorecardSection:
    return ScorecardSection(name, name.title(), items)


def card(*sections: ScorecardSection, coverage_floor: float = 0.6) -> Scorecard:
    return Scorecard("service", coverage_floor, sections)


def result(rule: str, outcome: Outcome) -> RuleResult:
    return RuleResult(rule, rule.title(), outcome, Severity.MINOR)


def filled(scorecard: Scorecard, *results: RuleResult, **outcomes: Outcome) -> Evaluation:
    return fill(scorecard, [*results, *(result(rule, outcome) for rule, outcome in outcomes.items())])


CARD = card(section("script", item("a", 50), item("b", 30)), section("conduct", item("c", 20)))


# --- weights and the denominator --------------------------------------------------------------------------


def test_points_of_what_is_met_over_points_determined() -> None:
    evaluation = filled(CARD, a=MET, b=NOT_MET, c=MET)
    assert evaluation.score == evaluation.raw_score == 70.0
    assert evaluation.coverage == 1.0
    assert not evaluation.fatal
    script, conduct = evaluation.sections
    assert (script.earned, script.determined, script.applicable, script.score) == (50, 80, 80, 62.5)
    assert (conduct.earned, conduct.determined, conduct.applicable, conduct.score) == (20, 20, 20, 100.0)


def test_not_applicable_leaves_the_denominator_and_the_coverage() -> None:
    evaluation = filled(CARD, a=NOT_APPLICABLE, b=MET, c=NOT_MET)
    assert evaluation.score == 60.0  # 30 of 50
    assert evaluation.coverage == 1.0


def test_undetermined_leaves_the_denominator_and_lowers_the_coverage() -> None:
    evaluation = filled(CARD, a=MET, b=UNDETERMINED, c=NOT_MET)
    assert evaluation.score == pytest.approx(100 * 50 / 70)
    assert evaluation.coverage == 0.7


def test_a_rule_without_a_result_is_not_applicable() -> None:
    assert filled(CARD, b=MET, c=NOT_MET) == filled(CARD, a=NOT_APPLICABLE, b=MET, c=NOT_MET)


def test_a_result_that_the_scorecard_does_not_know_changes_nothing() -> None:
    assert filled(CARD, a=MET, b=MET, c=MET, other=NOT_MET) == filled(CARD, a=MET, b=MET, c=MET)


# --- coverage floor ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b", "score"), [(60, 40, 100.0), (59, 41, None)])
def test_under_the_coverage_floor_there_is_no_score(a: float, b: float, score: float | None) -> None:
    evaluation = filled(card(section("s", item("a", a), item("b", b))), a=MET, b=UNDETERMINED)
    assert evaluation.coverage == a / 100
    assert evaluation.score == evaluation.raw_score == score
    assert evaluation.sections[0].score == 100.0  # what was determined is still shown


@pytest.mark.parametrize("outcome", [NOT_APPLICABLE, UNDETERMINED])
def test_nothing_determined_is_no_score_whatever_the_floor(outcome: Outcome) -> None:
    evaluation = filled(card(section("s", item("a", 1)), coverage_floor=0.0), a=outcome)
    assert (evaluation.score, evaluation.raw_score, evaluation.coverage) == (None, None, 0.0)
    assert evaluation.sections[0].score is None


def test_a_fatal_finding_under_the_floor_is_shown_without_a_score() -> None:
    evaluation = filled(card(section("s", item("a", 10, Fatal.CALL), item("b", 90))), a=NOT_MET, b=UNDETERMINED)
    assert evaluation.score is None
    assert evaluation.fatal


# --- fatal ------------------------------------------------------------------------------------------------


def fatal_card(fatal: Fatal) -> Scorecard:
    return card(section("script", item("a", 50), item("b", 30, fatal)), section("conduct", item("c", 20)))


def test_a_fatal_section_finding_zeroes_its_section() -> None:
    evaluation = filled(fatal_card(Fatal.SECTION), a=MET, b=NOT_MET, c=MET)
    assert evaluation.score == 20.0
    assert evaluation.raw_score == 70.0
    assert evaluation.fatal
    assert [(s.score, s.fatal) for s in evaluation.sections] == [(0.0, True), (100.0, False)]


def test_a_fatal_call_finding_zeroes_the_call() -> None:
    evaluation = filled(fatal_card(Fatal.CALL), a=MET, b=NOT_MET, c=MET)
    assert (evaluation.score, evaluation.raw_score, evaluation.fatal) == (0.0, 70.0, True)


@pytest.mark.parametrize("outcome", [MET, NOT_APPLICABLE, UNDETERMINED])
@pytest.mark.parametrize("fatal", [Fatal.SECTION, Fatal.CALL])
def test_only_a_violation_is_fatal(fatal: Fatal, outcome: Outcome) -> None:
    evaluation = filled(fatal_card(fatal), a=MET, b=outcome, c=MET)
    assert not evaluation.fatal
    assert evaluation.score == 100.0


def test_a_fatal_finding_zeroes_without_points_of_its_own() -> None:
    scorecard = card(section("script", item("a", 50), item("b", 0, Fatal.CALL)))
    assert filled(scorecard, a=MET, b=NOT_MET).score == 0.0


# --- bonus ------------------------------------------------------------------------------------------------

BONUS = card(section("script", item("a", 50), item("b", 50)), section("more", ScorecardItem("c", 3, bonus=True)))


@pytest.mark.parametrize(("outcome", "score"), [(MET, 53.0), (NOT_MET, 50.0), (NOT_APPLICABLE, 50.0)])
def test_a_bonus_adds_and_never_takes(outcome: Outcome, score: float) -> None:
    evaluation = filled(BONUS, a=MET, b=NOT_MET, c=outcome)
    assert (evaluation.score, evaluation.raw_score, evaluation.bonus) == (score, score, score - 50)
    assert evaluation.coverage == 1.0


def test_a_bonus_ends_at_100_and_is_none_where_there_is_no_score() -> None:
    assert filled(BONUS, a=MET, b=MET, c=MET).score == 100.0
    assert filled(BONUS, c=MET).score is None
    fatal = card(section("s", item("a", 50), item("b", 50, Fatal.CALL), ScorecardItem("c", 3, bonus=True)))
    evaluation = filled(fatal, a=MET, b=NOT_MET, c=MET)
    assert (evaluation.score, evaluation.raw_score) == (0.0, 53.0)


def test_a_doubtful_bonus_lowers_no_coverage() -> None:
    assert filled(BONUS, a=MET, b=MET, c=UNDETERMINED).coverage == 1.0


# --- what is not scored -----------------------------------------------------------------------------------


def test_an_event_that_another_rule_counts_is_not_scored_twice() -> None:
    twice = replace(result("b", NOT_MET), same_event_as="c")
    evaluation = filled(CARD, twice, a=MET, c=NOT_MET)
    assert evaluation.score == pytest.approx(100 * 50 / 70)
    assert evaluation.coverage == 1.0


def test_an_event_counted_elsewhere_is_not_fatal_again() -> None:
    twice = replace(result("b", NOT_MET), same_event_as="c")
    assert not filled(fatal_card(Fatal.CALL), twice, a=MET, c=MET).fatal


def test_a_result_that_is_recorded_only_is_not_scored() -> None:
    recorded = replace(result("b", NOT_MET), scored=False)
    evaluation = filled(fatal_card(Fatal.CALL), recorded, a=MET, c=MET)
    assert (evaluation.score, evaluation.fatal) == (100.0, False)


def test_style_is_not_scored() -> None:
    polite = replace(result("a", MET), style=(("offer of help", False), ("thanks", None)))
    assert filled(CARD, polite, b=MET, c=MET) == filled(CARD, a=MET, b=MET, c=MET)


# --- laws -------------------------------------------------------------------------------------------------

RULES = "abcdef"
ITEMS = st.fixed_dictionaries(
    {
        rule: st.tuples(st.integers(0, 40).map(lambda n: n / 2), st.sampled_from(Fatal), st.integers(0, 2))
        for rule in RULES
    }
)
RESULTS = st.fixed_dictionaries(
    {rule: st.tuples(st.sampled_from(Outcome), st.booleans(), st.booleans()) for rule in RULES}
)


def a_card(drawn: dict[str, tuple[float, Fatal, int]], floor: float) -> Scorecard:
    return card(
        *(
            section(str(n), *(item(rule, points, fatal) for rule, (points, fatal, at) in drawn.items() if at == n))
            for n in range(3)
        ),
        coverage_floor=floor,
    )


def some_results(drawn: dict[str, tuple[Outcome, bool, bool]]) -> list[RuleResult]:
    return [
        replace(result(rule, outcome), scored=scored, same_event_as="x" if twice else None)
        for rule, (outcome, scored, twice) in drawn.items()
    ]


@given(ITEMS, RESULTS, st.sampled_from([0.0, 0.6, 1.0]))
def test_a_score_lies_between_0_and_100(
    items: dict[str, tuple[float, Fatal, int]],
    results: dict[str, tuple[Outcome, bool, bool]],
    floor: float,
) -> None:
    evaluation = fill(a_card(items, floor), some_results(results))
    assert 0.0 <= evaluation.coverage <= 1.0
    assert (evaluation.score is None) == (evaluation.raw_score is None)
    if evaluation.score is not None and evaluation.raw_score is not None:
        assert 0.0 <= evaluation.score <= evaluation.raw_score <= 100.0
        assert evaluation.coverage >= floor
        if not evaluation.fatal:
            assert evaluation.score == evaluation.raw_score
    assert all(s.score is None or 0.0 <= s.score <= 100.0 for s in evaluation.sections)


@given(ITEMS, RESULTS, st.sampled_from(RULES))
def test_a_violation_that_turns_out_met_never_lowers_the_score(
    items: dict[str, tuple[float, Fatal, int]], results: dict[str, tuple[Outcome, bool, bool]], rule: str
) -> None:
    _, *rest = results[rule]
    before, after = (
        fill(a_card(items, 0.0), some_results({**results, rule: (outcome, rest[0], rest[1])}))
        for outcome in (NOT_MET, MET)
    )
    assert before.coverage == after.coverage
    assert (before.score is None) == (after.score is None)
    if before.score is not None and after.score is not None:
        assert after.score >= before.score
