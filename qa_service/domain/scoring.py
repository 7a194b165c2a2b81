"""Scorecards: weighted rule results to a score, or to the honest answer that there is none.

Guarantee: pure. Not applicable, undetermined, style and twice-counted results leave the denominator; the
evaluation says which share of the applicable weight was determined (*coverage*) and has no score under the
scorecard's floor. Bonus points are added to a score, never taken from one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qa_service.domain.results import Outcome, RuleResult


class Fatal(StrEnum):
    """What a violation zeroes (一票否决): nothing, its section, or the whole call."""

    NONE = "none"
    SECTION = "section"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class ScorecardItem:
    """One criterion: the rule, its weight in points, and whether breaking it is fatal.

    With ``bonus`` the points are of the score's 100, added where the rule is met and otherwise nothing.
    """

    rule: str
    points: float
    fatal: Fatal = Fatal.NONE
    bonus: bool = False


@dataclass(frozen=True, slots=True)
class ScorecardSection:
    name: str
    title: str
    items: tuple[ScorecardItem, ...]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The form. ``coverage_floor`` in [0, 1]: under it an evaluation carries no score."""

    name: str
    coverage_floor: float
    sections: tuple[ScorecardSection, ...]


@dataclass(frozen=True, slots=True)
class SectionScore:
    """Points of one section. ``score`` in [0, 100], None when nothing in it was determined."""

    name: str
    title: str
    score: float | None
    earned: float
    determined: float
    applicable: float
    fatal: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A scorecard filled for one recording.

    ``raw_score`` is the score before fatal findings are applied. Both hold the ``bonus``, up to 100 in all.
    """

    scorecard: str
    score: float | None
    raw_score: float | None
    coverage: float
    fatal: bool
    sections: tuple[SectionScore, ...]
    bonus: float = 0.0


def fill(scorecard: Scorecard, results: Sequence[RuleResult]) -> Evaluation:
    """Fill ``scorecard`` from rule results; rules without a result count as not applicable."""
    by_rule = {result.rule: result for result in results}
    sections = tuple(_fill_section(section, by_rule) for section in scorecard.sections)
    applicable = sum(section.applicable for section in sections)
    determined = sum(section.determined for section in sections)
    coverage = determined / applicable if applicable else 0.0
    earned = sum(section.earned for section in sections)
    fatal_call = any(
        item.fatal is Fatal.CALL and _violated(by_rule.get(item.rule))
        for section in scorecard.sections
        for item in section.items
    )
    raw = sum(_earned(section, by_rule) for section in scorecard.sections)
    bonus = sum(_met_points(section, by_rule, bonus=True) for section in scorecard.sections)
    withheld = not determined or coverage < scorecard.coverage_floor
    return Evaluation(
        scorecard=scorecard.name,
        score=None if withheld else 0.0 if fatal_call else min(100.0, 100.0 * earned / determined + bonus),
        raw_score=None if withheld else min(100.0, 100.0 * raw / determined + bonus),
        coverage=coverage,
        fatal=fatal_call or any(section.fatal for section in sections),
        sections=sections,
        bonus=bonus,
    )


def _fill_section(section: ScorecardSection, by_rule: dict[str, RuleResult]) -> SectionScore:
    counted = [
        (item, by_rule[item.rule])
        for item in section.items
        if not item.bonus and item.rule in by_rule and _counts(by_rule[item.rule])
    ]
    applicable = sum(item.points for item, r in counted if r.outcome is not Outcome.NOT_APPLICABLE)
    determined = sum(item.points for item, r in counted if r.outcome in (Outcome.MET, Outcome.NOT_MET))
    fatal = any(item.fatal is not Fatal.NONE and _violated(by_rule.get(item.rule)) for item in section.items)
    earned = 0.0 if fatal else _earned(section, by_rule)
    return SectionScore(
        name=section.name,
        title=section.title,
        score=100.0 * earned / determined if determined else None,
        earned=earned,
        determined=determined,
        applicable=applicable,
        fatal=fatal,
    )


def _earned(section: ScorecardSection, by_rule: dict[str, RuleResult]) -> float:
    return _met_points(section, by_rule, bonus=False)


def _met_points(section: ScorecardSection, by_rule: dict[str, RuleResult], *, bonus: bool) -> float:
    return sum(
        item.points
        for item in section.items
        if item.bonus is bonus and (r := by_rule.get(item.rule)) and _counts(r) and r.outcome is Outcome.MET
    )


def _counts(result: RuleResult) -> bool:
    return result.scored and result.same_event_as is None


def _violated(result: RuleResult | None) -> bool:
    return result is not None and _counts(result) and result.outcome is Outcome.NOT_MET
