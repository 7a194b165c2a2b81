"""Where a check looks."""

from pathlib import Path

import pytest

from qa_service.domain.results import Outcome, RuleResult
from qa_service.errors import RulePackError
from tests.rules.builders import judged, rule_set

TALK = """\
agent 0-2: 您好
customer 3-5: 不需要
agent 6-8: 优惠
customer 9-11: 不需要
agent 12-14: 活动
agent 15-17: 再见
"""


def asked(folder: Path, scope: str, text: str = TALK, word: str = "活动") -> RuleResult:
    return judged(folder, f"require: {{phrase: {{any: [{word}], scope: {{{scope}}}}}}}", text)


ANCHOR = "anchor: {phrase: {role: customer, any: [不需要]}}"


@pytest.mark.parametrize(
    ("scope", "word", "met"),
    [
        ("from_s: 10", "活动", True),
        ("from_s: 10", "优惠", False),
        ("to_s: 10", "优惠", True),
        ("to_s: 10", "活动", False),
        ("from_s: 5, to_s: 10", "优惠", True),
        (f"after: true, {ANCHOR}", "优惠", True),
        (f"after: true, {ANCHOR}, nth: 2", "优惠", False),
        (f"after: true, {ANCHOR}, nth: 2", "活动", True),
        (f"after: true, {ANCHOR}, nth: -1", "优惠", False),
        (f"after: true, {ANCHOR}, nth: 3", "活动", False),
        (f"before: true, {ANCHOR}", "您好", True),
        (f"before: true, {ANCHOR}", "优惠", False),
        (f"around_s: 3, {ANCHOR}", "优惠", True),
        (f"around_s: 3, {ANCHOR}", "活动", False),
        (f"after_utterances: 1, {ANCHOR}", "优惠", True),
        (f"after_utterances: 1, {ANCHOR}", "活动", False),
        (f"after_utterances: 2, {ANCHOR}", "活动", True),
        (f"before_utterances: 1, {ANCHOR}, nth: 2", "优惠", True),
        (f"before_utterances: 1, {ANCHOR}, nth: 2", "您好", False),
    ],
)
def test_scopes(tmp_path: Path, scope: str, word: str, met: bool) -> None:
    assert asked(tmp_path, scope, word=word).outcome is (Outcome.MET if met else Outcome.NOT_MET)


def test_counted_from_something_in_doubt(tmp_path: Path) -> None:
    text = "customer 0-2 (0.2): 不需要\nagent 3-5: 好的"
    result = asked(tmp_path, f"after: true, {ANCHOR}", text)
    assert (result.outcome, result.reason) == (Outcome.UNDETERMINED, "situation_unsure")


def test_counted_from_somebody_who_cannot_be_told(tmp_path: Path) -> None:
    assert asked(tmp_path, f"after: true, {ANCHOR}", "unknown 0-2: 不需要").outcome is Outcome.UNDETERMINED


@pytest.mark.parametrize(
    ("scope", "fault"),
    [
        ("from_s: 9, to_s: 9", "is not after"),
        ("around_s: 3, after_s: 2", "looks both ways"),
        (f"before: true, after: true, {ANCHOR}", "the whole call"),
        (ANCHOR, "to count from it"),
        ("nth: 2", "which is missing"),
        (f"after: true, nth: 0, {ANCHOR}", "counts from 1"),
        ("after: true, anchor: {metric: {name: duration_s, above: 1}}", "has occurrences"),
        ("after: true", "need an occurrence"),
    ],
)
def test_scopes_that_contradict_themselves(tmp_path: Path, scope: str, fault: str) -> None:
    with pytest.raises(RulePackError, match=fault):
        rule_set(tmp_path, {"asked": f"require: {{phrase: {{any: [您好], scope: {{{scope}}}}}}}"})


def test_so_many_as_are_not_there_are_in_no_doubt(tmp_path: Path) -> None:
    """One doubtful hit is not the second."""
    text = "customer 0-2 (0.2): 不需要\nagent 3-5: 活动"
    assert asked(tmp_path, f"after: true, {ANCHOR}, nth: 2", text).outcome is Outcome.NOT_MET
    twice = text + "\ncustomer 6-8: 不需要\nagent 9-11: 活动"
    assert asked(tmp_path, f"after: true, {ANCHOR}, nth: 2", twice).outcome is Outcome.UNDETERMINED


@pytest.mark.parametrize(
    "check",
    ["speech: {", "latency: {longer_than_s: 1, ", "digits: {length: 3, named: [号码], certain_length: 3, "],
)
def test_every_check_with_a_scope_counts_from_another_hit(tmp_path: Path, check: str) -> None:
    text = "customer 0-2: 不需要\nagent 5-8: 号码一二三四"
    scope = "scope: {after: true, anchor: {phrase: {role: customer, any: [WORD]}}}"
    body = f"forbid: {{{check}{scope}}}}}"
    assert judged(tmp_path, body.replace("WORD", "不需要"), text).outcome is Outcome.NOT_MET
    assert judged(tmp_path, body.replace("WORD", "算了吧"), text).outcome is Outcome.MET
