"""Patterns, resembling sentences, questions, entities, repetitions."""

from dataclasses import replace
from pathlib import Path

import pytest

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.faults import ChannelFault, FaultKind
from qa_service.domain.results import Outcome, RuleResult
from qa_service.errors import RulePackError
from rules.cases import dialogue
from tests.rules.builders import judged, results, rule_set

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED


def of(result: RuleResult) -> tuple[Outcome, str]:
    return result.outcome, result.reason


# --- pattern ----------------------------------------------------------------------------------------------

PATTERN = "{pattern: {patterns: '退.{0,4}款'}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-3: 我给您退一部分款", (NOT_MET, "")),
        ("agent 0-3: 退了全部的商品款", (MET, "")),
        ("customer 0-3: 退我款", (MET, "")),
        ("agent 0-3 (0.3): 我给您退款", (UNDETERMINED, "low_confidence")),
        ("agent 0-1: 您好\nagent 2-9 [unheard]:", (UNDETERMINED, "low_recognition")),
        ("unknown 0-3: 退款", (UNDETERMINED, "role_unknown")),
    ],
)
def test_pattern(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    assert of(judged(tmp_path, f"forbid: {PATTERN}", text)) == expected


def test_a_pattern_is_quoted_with_its_words(tmp_path: Path) -> None:
    (evidence,) = judged(tmp_path, f"forbid: {PATTERN}", "agent 0-10: 好的，我给您退全款吧").evidence
    assert evidence.quote == "退全款"
    assert 5.0 < evidence.start < evidence.end <= 10.0


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [("'退('", "is no RE2 pattern"), ("'(?=退)款'", "is no RE2 pattern"), ("'退?'", "matches nothing at all")],
)
def test_patterns_that_mean_nothing_are_refused(tmp_path: Path, pattern: str, fault: str) -> None:
    with pytest.raises(RulePackError, match=fault):
        rule_set(tmp_path, {"asked": f"forbid: {{pattern: {{patterns: {pattern}}}}}"})


def test_a_huge_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RulePackError, match="a pattern of 100000 characters"):
        rule_set(tmp_path, {"asked": f"forbid: {{pattern: {{patterns: {'款' * 100_000}}}}}"})


# --- similar ----------------------------------------------------------------------------------------------

RECORDED = "similar: {to: ['您的问题我已经详细记录下来了'], alike: 75}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-3: 好的，您的问题我已经详细记录下来了", (MET, "")),
        ("agent 0-3: 您这个问题我已经记录下来了啊", (MET, "")),
        ("agent 0-3: 您的闻题我以经祥细纪录下来了", (MET, "")),  # heard by its sound
        ("agent 0-3: 您好", (NOT_MET, "")),
        ("agent 0-3: 好的请您稍等，我帮您查一下订单", (NOT_MET, "")),
        ("agent 0-1: 您好\nagent 2-9 [unheard]:", (UNDETERMINED, "low_recognition")),
    ],
)
def test_similar_is_asked_for(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    assert of(judged(tmp_path, f"require: {{{RECORDED}}}", text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-3: 您的问题我已经详细记录下来了", (NOT_MET, "")),
        ("agent 0-3: 您的闻题我以经祥细纪录下来了", (UNDETERMINED, "homophone_only")),
        ("agent 0-3 (0.4): 您的问题我已经详细记录下来了", (UNDETERMINED, "low_confidence")),
        ("agent 0-3: 您的问题我已经都写下来了", (UNDETERMINED, "near_threshold")),
    ],
)
def test_similar_is_forbidden(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    assert of(judged(tmp_path, f"forbid: {{{RECORDED}}}", text)) == expected


# --- question ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "text", "expected"),
    [
        ("", "customer 0-3: 这个怎么办理\nagent 4-6: 您好", NOT_MET),
        ("", "customer 0-3: 我要办理\nagent 4-6: 可以吗", MET),
        ("role: agent", "customer 0-3: 我要办理\nagent 4-6: 可以吗", NOT_MET),
        ("answered: false, within_s: 5", "customer 0-3: 这个怎么办理\nagent 4-6: 您好", MET),
        ("answered: false, within_s: 5", "customer 0-3: 这个怎么办理\nagent 9-12: 您好", NOT_MET),
        ("answered: true, within_s: 5", "customer 0-3: 这个怎么办理\nagent 9-12: 您好", MET),
        ("answered: true, within_s: 5", "customer 0-3: 这个怎么办理\nagent 2-12 [unheard]:", NOT_MET),
    ],
)
def test_question(tmp_path: Path, settings: str, text: str, expected: Outcome) -> None:
    assert judged(tmp_path, f"forbid: {{question: {{{settings}}}}}", text).outcome is expected


def test_an_english_question_needs_no_mark(tmp_path: Path) -> None:
    body = "forbid: {question: {}}"
    assert judged(tmp_path, body, "customer 0-3: can you help me", language="en").outcome is NOT_MET
    assert judged(tmp_path, body, "customer 0-3: I can help you", language="en").outcome is MET


# --- entity -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        ("phone", "幺三八零零一三八零零零", (NOT_MET, "")),
        ("phone", "13800138000", (NOT_MET, "")),
        ("phone", "一二三四五", (MET, "")),
        ("identity", "11010519491231002X", (NOT_MET, "")),
        ("identity", "110105194912310021", (UNDETERMINED, "check_digit_wrong")),
        ("card", "4111111111111111", (NOT_MET, "")),
        ("card", "4111111111111112", (UNDETERMINED, "check_digit_wrong")),
        ("amount", "一共三百二十元", (NOT_MET, "")),
        ("date", "三月五号", (NOT_MET, "")),
        ("email", "我的邮箱是 wang.li@example.com", (NOT_MET, "")),
        ("email", "我的邮箱是 wangli艾特example点com", (NOT_MET, "")),
        ("plate", "车牌是京A12345", (NOT_MET, "")),
        ("plate", "车牌是京ａ１２３４５", (NOT_MET, "")),
        ("address", "住在海淀区中关村大街二十七号", (NOT_MET, "")),
        ("address", "您说的我都知道了", (MET, "")),
    ],
)
def test_entity(tmp_path: Path, kind: str, said: str, expected: tuple[Outcome, str]) -> None:
    assert of(judged(tmp_path, f"forbid: {{entity: {{kinds: {kind}}}}}", f"agent 0-9: {said}")) == expected


def test_an_entity_is_quoted_and_placed(tmp_path: Path) -> None:
    result = judged(tmp_path, "forbid: {entity: {kinds: [phone]}}", "agent 0-14: 号码是13800138000对吗")
    (evidence,) = result.evidence
    assert (evidence.quote, evidence.note) == ("13800138000", "phone")
    assert 0.0 < evidence.start < evidence.end < 14.0


# --- repeat -----------------------------------------------------------------------------------------------

AGAIN = "agent 0-3: 请您提供一下订单号\nagent 5-8: 请您提供一下订单号吧\n"


def test_the_same_again_and_again(tmp_path: Path) -> None:
    body = "forbid: {repeat: {times: 2}}"
    assert judged(tmp_path, body, AGAIN).outcome is MET
    thrice = judged(tmp_path, body, AGAIN + "agent 10-13: 请您提供订单号")
    assert thrice.outcome is NOT_MET
    assert [e.start for e in thrice.evidence] == [5.0, 10.0]
    assert of(judged(tmp_path, body, AGAIN + "agent 10-13 (0.3): 请您提供订单号")) == (
        UNDETERMINED,
        "low_confidence",
    )
    assert judged(tmp_path, body, "agent 0-1: 好的\nagent 2-3: 好的\nagent 4-5: 好的").outcome is MET


def test_nobody_knows_whether_a_side_that_was_not_recorded_answered(tmp_path: Path) -> None:
    conversation = replace(
        dialogue("customer 0-3: 这个怎么办理\nagent 20-21: 好", language="zh"),
        faults=(ChannelFault(FaultKind.DEAD, 1),),
    )
    rules = rule_set(tmp_path, {"asked": "forbid: {question: {answered: false, within_s: 5}}"})
    (speaker,) = (s for s in conversation.speech if s.channel == 1)
    assert speaker.role is SpeakerRole.AGENT
    result = results(rules, conversation)["asked"]
    assert of(result) == (UNDETERMINED, "channel_dead")
