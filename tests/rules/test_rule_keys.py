"""What a rule says besides its question: exceptions, grades, open items, status, and who looks at doubt."""

from pathlib import Path

import pytest

from qa_service.domain.results import Outcome
from qa_service.errors import RulePackError
from tests.rules.builders import judged, rule_set

FORBIDS = "forbid: {phrase: {any: [不归我管]}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer 0-2: 您好\nagent 3-5: 不归我管", (Outcome.NOT_MET, "")),
        ("customer 0-2: 测试一下\nagent 3-5: 不归我管", (Outcome.NOT_APPLICABLE, "excepted")),
        ("customer 0-2 (0.2): 测试一下\nagent 3-5: 不归我管", (Outcome.UNDETERMINED, "low_confidence")),
        ("customer 0-2 (0.2): 测试一下\nagent 3-5: 您好", (Outcome.MET, "")),
    ],
)
def test_an_exception_lifts_the_rule(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    result = judged(tmp_path, FORBIDS + "unless: {phrase: {role: customer, any: [测试一下]}}", text)
    assert (result.outcome, result.reason) == expected


EACH = """\
for_each: {phrase: {role: customer, any: [我要投诉]}}
unless: {phrase: {role: customer, any: [开玩笑], scope: {after_s: 5}}}
require: {phrase: {any: [抱歉], scope: {after: true}}}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer 0-2: 我要投诉\nagent 3-5: 好的", Outcome.NOT_MET),
        ("customer 0-4: 我要投诉，开玩笑的\nagent 5-6: 好的", Outcome.NOT_APPLICABLE),
        (
            "customer 0-4: 我要投诉，开玩笑的\nagent 5-6: 好的\ncustomer 20-22: 我要投诉\nagent 23-24: 好",
            Outcome.NOT_MET,
        ),
        ("customer 0-2: 我要投诉\ncustomer 2-4 [unheard]:\nagent 5-6: 好的", Outcome.UNDETERMINED),
        ("customer 0-2: 我要投诉\ncustomer 3-4 (0.2): 开玩笑\nagent 5-6: 好的", Outcome.UNDETERMINED),
    ],
)
def test_an_exception_lifts_single_occurrences(tmp_path: Path, text: str, expected: Outcome) -> None:
    assert judged(tmp_path, EACH, text).outcome is expected


GRADED = """\
for_each: {phrase: {role: customer, any: [投诉]}}
require: {phrase: {any: [抱歉]}}
grades:
  1: {phrase: {role: customer, any: [投诉]}}
  2: {phrase: {role: customer, any: [总公司]}}
  3: {phrase: {role: customer, any: [媒体]}}
"""


@pytest.mark.parametrize(
    ("said", "grade"), [("投诉你", 1), ("投诉到总公司", 2), ("投诉到总公司，找媒体", 3), ("您好", None)]
)
def test_the_highest_grade_that_holds(tmp_path: Path, said: str, grade: int | None) -> None:
    assert judged(tmp_path, GRADED, f"customer 0-3: {said}\nagent 4-5: 抱歉").grade == grade


def test_a_grade_in_doubt_is_not_given(tmp_path: Path) -> None:
    text = "customer 0-3: 我要投诉\ncustomer 4-6 (0.2): 找媒体\nagent 7-8: 抱歉"
    assert judged(tmp_path, GRADED, text).grade == 1


PROMISES = "opens: {item: promise, within_days: 3}\n"


def test_what_a_kept_rule_leaves_to_be_done(tmp_path: Path) -> None:
    result = judged(tmp_path, PROMISES + "require: {phrase: {any: [给您回电]}}", "agent 0-3: 明天给您回电")
    (item,) = result.opens
    assert (item.item, item.due_days, item.evidence.quote) == ("promise", 3, "明天给您回电")


def test_every_occurrence_leaves_its_own_item(tmp_path: Path) -> None:
    body = PROMISES + "for_each: {phrase: {role: customer, any: [查一下]}}\n"
    body += "require: {phrase: {any: [给您回电], scope: {after_s: 5}}}"
    text = "customer 0-2: 查一下\nagent 3-5: 给您回电\ncustomer 20-22: 查一下\nagent 23-25: 给您回电\n"
    assert [item.evidence.start for item in judged(tmp_path, body, text).opens] == [3.0, 23.0]
    assert [item.evidence.start for item in judged(tmp_path, body, text + "customer 40-42: 查一下").opens] == [
        3.0,
        23.0,
    ]


def test_nothing_is_left_by_what_was_not_said(tmp_path: Path) -> None:
    assert judged(tmp_path, PROMISES + "require: {phrase: {any: [给您回电]}}", "agent 0-3: 您好").opens == ()


def test_a_shadow_rule_is_recorded_and_never_scored(tmp_path: Path) -> None:
    live = judged(tmp_path, FORBIDS, "agent 0-2: 不归我管")
    shadow = judged(tmp_path, FORBIDS + "status: shadow", "agent 0-2: 不归我管")
    assert (live.scored, live.needs_a_person) == (True, True)
    assert (shadow.outcome, shadow.scored, shadow.needs_a_person) == (Outcome.NOT_MET, False, False)


def test_whether_doubt_goes_to_a_person(tmp_path: Path) -> None:
    text = "agent 0-2 (0.2): 不归我管"
    assert judged(tmp_path, FORBIDS, text).needs_a_person
    ignored = judged(tmp_path, FORBIDS + "unknown: ignore", text)
    assert ignored.outcome is Outcome.UNDETERMINED
    assert not ignored.needs_a_person
    assert judged(tmp_path, FORBIDS + "unknown: ignore", "agent 0-2: 不归我管").needs_a_person


def test_only_a_critical_rule_is_critical_to_somebody(tmp_path: Path) -> None:
    with pytest.raises(RulePackError, match="critical_to"):
        rule_set(tmp_path, {"asked": FORBIDS + "critical_to: customer"})
