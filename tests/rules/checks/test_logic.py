"""Combinations of conditions that have occurrences."""

from pathlib import Path

import pytest

from qa_service.domain.results import Outcome
from qa_service.errors import RulePackError
from tests.rules.builders import judged, rule_set

EITHER = "for_each: {any: [{phrase: {any: [转接]}}, {phrase: {role: customer, any: [换人]}}]}\n"
ASKED = "require: {phrase: {any: [可以吗], scope: {before_s: 5, after_s: 5}}}"


@pytest.mark.parametrize(
    ("text", "outcome", "quotes"),
    [
        ("agent 0-2: 您好", Outcome.NOT_APPLICABLE, []),
        ("agent 0-2: 给您转接可以吗", Outcome.MET, ["给您转接可以吗", "给您转接可以吗"]),
        ("agent 0-2: 给您转接\ncustomer 20-22: 怎么换人了", Outcome.NOT_MET, ["给您转接", "怎么换人了"]),
        ("customer 20-22: 怎么换人了\nagent 30-32: 给您转接", Outcome.NOT_MET, ["怎么换人了", "给您转接"]),
        ("agent 0-2: 怎么换人了", Outcome.NOT_APPLICABLE, []),
        ("customer 0-2 (0.2): 怎么换人了", Outcome.UNDETERMINED, ["怎么换人了"]),
    ],
)
def test_the_occurrences_of_any_are_those_of_each(
    tmp_path: Path, text: str, outcome: Outcome, quotes: list[str]
) -> None:
    result = judged(tmp_path, EITHER + ASKED, text)
    assert (result.outcome, [evidence.quote for evidence in result.evidence]) == (outcome, quotes)


def test_why_one_of_them_cannot_be_told(tmp_path: Path) -> None:
    body = EITHER.replace("{phrase: {any: [转接]}}", "{volume: {}}") + ASKED
    result = judged(tmp_path, body, "agent 0-3 [-5 dB]: 我说过了不行\ncustomer 4-5: 怎么换人了")
    assert (result.outcome, result.reason) == (Outcome.UNDETERMINED, "level_unknown")


def test_what_has_no_occurrences_cannot_be_one_of_them(tmp_path: Path) -> None:
    body = "for_each: {any: [{phrase: {any: [转接]}}, {metric: {name: duration_s, above: 9}}]}\n" + ASKED
    with pytest.raises(RulePackError, match="occurrences"):
        rule_set(tmp_path, {"asked": body})
