"""Explanations: the conditions as they were asked, and the same verdict as the engine's."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.stored_calls import synthetic_calls
from qa_service.domain.call import CallMetadata
from qa_service.domain.metrics import measure
from qa_service.domain.results import Outcome
from qa_service.errors import RulePackError
from rules.cases import dialogue
from rules.engine import RuleSet
from rules.explain import Explained, Explanation, explain
from rules.loader import load_pack, shipped_packs
from tests.rules.builders import results, rule_set

PACK = load_pack(shipped_packs()["service-zh"])


def explained(folder: Path, body: str, text: str) -> Explanation:
    return explain_in(rule_set(folder, {"asked": body}), "asked", text)


def explain_in(rules: RuleSet, name: str, text: str) -> Explanation:
    conversation = dialogue(text, language=rules.language)
    metadata = CallMetadata()
    return explain(rules, name, conversation, measure(conversation, metadata, rules.metric_options), metadata)


def told(condition: Explained) -> tuple[str, str, bool | None]:
    return condition.part, condition.kind, condition.value


def test_conditions_inside_conditions(tmp_path: Path) -> None:
    body = "require:\n  all:\n    - phrase: {any: [您好]}\n    - not: {phrase: {any: [再见], scope: {first_s: 3}}}"
    (require,) = explained(tmp_path, body, "agent 0-2: 您好").conditions
    assert told(require) == ("require", "all", True)
    said, negated = require.inside
    assert told(said) == ("", "phrase", True)
    assert [e.quote for e in said.evidence] == ["您好"]
    assert told(negated) == ("", "not", True)
    assert told(negated.inside[0]) == ("", "phrase", False)
    assert "first_s: 3" in negated.inside[0].settings


def test_what_the_verdict_could_do_without_is_told_too(tmp_path: Path) -> None:
    body = "require:\n  any:\n    - phrase: {any: [您好]}\n    - phrase: {any: [再见]}"
    (require,) = explained(tmp_path, body, "agent 0-2: 您好").conditions
    assert [c.value for c in require.inside] == [True, False]


def test_every_occurrence_is_told(tmp_path: Path) -> None:
    body = (
        "for_each: {phrase: {role: customer, any: [投诉]}}\n"
        "only_when: {phrase: {role: customer, any: [我要], scope: {around_s: 2}}}\n"
        "require: {phrase: {any: [抱歉], scope: {after_s: 5}}}"
    )
    text = "customer 0-2: 我要投诉\nagent 3-5: 抱歉\ncustomer 20-22: 投诉\nagent 40-42: 好的"
    for_each, first, second = explained(tmp_path, body, text).conditions
    assert told(for_each) == ("for_each", "phrase", True)
    assert (first.part, second.part) == ("occurrence 1", "occurrence 2")
    assert [told(c) for c in first.inside] == [("only_when", "phrase", True), ("require", "phrase", True)]
    assert [told(c) for c in second.inside] == [("only_when", "phrase", False), ("require", "phrase", False)]


def test_steps_and_anchors_are_named(tmp_path: Path) -> None:
    body = """
forbid:
  sequence:
    steps:
      - {name: 问候, phrase: {any: [您好]}}
      - name: 推销
        phrase: {any: [活动], scope: {after: true, anchor: {phrase: {role: customer, any: [不用]}}}}
"""
    (forbid,) = explained(tmp_path, body, "agent 0-2: 您好\ncustomer 3-4: 不用\nagent 5-6: 活动").conditions
    assert [told(c) for c in forbid.inside] == [("问候", "phrase", True), ("推销", "phrase", True)]
    assert [told(c) for c in forbid.inside[1].inside] == [("counted from", "phrase", True)]


def test_doubt_is_told_with_its_reason(tmp_path: Path) -> None:
    (forbid,) = explained(tmp_path, "forbid: {phrase: {any: [不归我管]}}", "agent 0-2 (0.3): 不归我管").conditions
    assert (forbid.value, forbid.reason) == (None, "low_confidence")


def test_long_lists_are_shortened(tmp_path: Path) -> None:
    body = "require: {phrase: {any: [一号, 二号, 三号, 四号, 五号]}}"
    (require,) = explained(tmp_path, body, "agent 0-2: 您好").conditions
    assert "… 2 more" in require.settings


def test_a_rule_that_the_pack_has_not() -> None:
    with pytest.raises(RulePackError, match="did you mean 'opening'"):
        explain_in(PACK, "openning", "agent 0-2: 您好")


@given(st.integers(0, 40), st.sampled_from([rule.rule for rule in PACK.rules]))
def test_an_explanation_says_what_the_engine_says(number: int, name: str) -> None:
    (call,) = synthetic_calls(1, utterances=16, seed=number)
    metrics = measure(call.conversation, call.metadata, PACK.metric_options)
    explanation = explain(PACK, name, call.conversation, metrics, call.metadata)
    assert explanation.result == results(PACK, call.conversation, call.metadata)[name]
    asked = {c.part: c.value for c in explanation.conditions}
    if asked.get("applies_when", True) is True and "for_each" not in asked and asked.get("unless", False) is False:
        kept = asked["require"] if "require" in asked else {True: False, False: True, None: None}[asked["forbid"]]
        outcome = explanation.result.outcome
        assert outcome is {True: Outcome.MET, False: Outcome.NOT_MET, None: Outcome.UNDETERMINED}[kept]
    if asked.get("applies_when", True) is False:
        assert explanation.result.outcome is Outcome.NOT_APPLICABLE
