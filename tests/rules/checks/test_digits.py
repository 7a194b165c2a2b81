"""Numbers read out."""

from pathlib import Path

import pytest

from qa_service.domain.results import Outcome, RuleResult
from tests.rules.builders import judged

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED

DIGITS = "forbid: {digits: {named: [手机, 身份证], harmless: [订单], length: 11, certain_length: 15, reach: 6}}"


def number(folder: Path, text: str) -> RuleResult:
    return judged(folder, DIGITS, text)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("手机号13800138000", (NOT_MET, "")),
        ("手机号138-0013-8000", (NOT_MET, "")),
        ("手机号幺三八零零幺三八零零零", (NOT_MET, "")),
        ("手机号1380013800", (MET, "")),
        ("订单号13800138000", (MET, "")),
        ("身份证订单13800138000", (MET, "")),
        ("号码13800138000", (UNDETERMINED, "unnamed_number")),
        ("手机里面有一个号码是13800138000", (UNDETERMINED, "unnamed_number")),  # beyond the reach
        ("号码321231975123298", (NOT_MET, "")),
        ("手机号要三把零零要三把零零零", (UNDETERMINED, "homophone_only")),
        ("手机号138，好的，00138000", (MET, "")),
        ("身份正咬二咬零咬零一九八把咬酒舞而三斯", (NOT_MET, "")),  # an identity card of 18 digits
        ("手鸡咬二咬零咬零一九八把咬酒舞而三斯", (NOT_MET, "")),
        ("号码咬二咬零咬零一九八把咬酒舞而三斯", (UNDETERMINED, "homophone_only")),
        ("定单咬二咬零咬零一九八把咬酒舞而三斯", (UNDETERMINED, "homophone_only")),
        ("身份证定单咬二咬零咬零一九八把咬酒舞而三斯", (UNDETERMINED, "homophone_only")),
        ("身份正咬二咬零咬零一九八把咬酒", (UNDETERMINED, "homophone_only")),
        ("定单321231975123298", (UNDETERMINED, "unnamed_number")),  # 订单?
        ("手机定单13800138000", (NOT_MET, "")),
    ],
)
def test_numbers(tmp_path: Path, said: str, expected: tuple[Outcome, str]) -> None:
    result = number(tmp_path, f"agent 0-9: {said}")
    assert (result.outcome, result.reason) == expected


def test_names_of_numbers_are_whole_words(tmp_path: Path) -> None:
    body = "forbid: {digits: {named: [cell], length: 9, reach: 20}}"
    assert judged(tmp_path, body, "agent 0-9: your cell is 5551234567", language="en").outcome is NOT_MET
    other = judged(tmp_path, body, "agent 0-9: i cancelled 5551234567", language="en")
    assert other.reason == "unnamed_number"


@pytest.mark.parametrize(("confidence", "expected"), [("0.4", NOT_MET), ("0.2", UNDETERMINED)])
def test_a_number_that_was_hardly_heard_goes_to_a_person(
    tmp_path: Path, confidence: str, expected: Outcome
) -> None:
    result = number(tmp_path, f"agent 0-9 ({confidence}): 手机号13800138000\nagent 10-40: 好的")
    assert (result.outcome, result.reason) == (expected, "low_confidence" if expected is UNDETERMINED else "")


def test_the_certain_number_is_the_evidence(tmp_path: Path) -> None:
    result = number(tmp_path, "agent 0-9: 手机号13800138000，再报一个号码给您是13900139000")
    assert [(e.quote, e.note) for e in result.evidence] == [("13800138000", "number read out")]


def test_numbers_of_others_and_of_nobody(tmp_path: Path) -> None:
    assert number(tmp_path, "customer 0-9: 手机号13800138000").outcome is MET
    assert number(tmp_path, "unknown 0-9: 手机号13800138000").reason == "role_unknown"
    assert number(tmp_path, "agent 0-9 [unheard]:").reason == "low_recognition"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("cell 555 one two three four 67", (NOT_MET, "")),
        ("cell double five 5 oh two three four 67", (NOT_MET, "")),
        ("cell triple five one two three four 67", (NOT_MET, "")),
        ("cell zero one two three four five six seven", (MET, "")),
        ("555 one two three four 67", (UNDETERMINED, "unnamed_number")),
        ("cell 555 one two. For 4567", (UNDETERMINED, "homophone_only")),
        ("cell oh 555 one two three four 6", (MET, "")),
        ("cell 555 one two three four 6 oh", (MET, "")),
        ("cell 555 one two three four 6 for you", (MET, "")),
        ("it is 555 one two for 4567", (MET, "")),  # so and so many for a price
        ("cell 0930 to 1045 0", (MET, "")),
        ("order 555 one two three four 67", (MET, "")),
        ("cell 555 one two three then four 67", (MET, "")),
    ],
)
def test_english_numbers_are_written_in_words_too(
    tmp_path: Path, said: str, expected: tuple[Outcome, str]
) -> None:
    body = "forbid: {digits: {named: [cell], harmless: [order], length: 9, reach: 20}}"
    result = judged(tmp_path, body, f"agent 0-9: {said}", language="en")
    assert (result.outcome, result.reason) == expected


def test_a_number_in_words_is_quoted_whole(tmp_path: Path) -> None:
    body = "forbid: {digits: {named: [cell], length: 9, reach: 20}}"
    result = judged(tmp_path, body, "agent 0-9: your cell is 555 one two three 4567, right", language="en")
    assert [e.quote for e in result.evidence] == ["555 one two three 4567"]
