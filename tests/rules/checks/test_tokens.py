"""Words in a row, with the forms that they take and others between them."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.results import Outcome, RuleResult
from qa_service.errors import RulePackError
from rules.checks.tokens import Program, parsed, tokens_of
from tests.rules.builders import judged, rule_set

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED


def of(result: RuleResult) -> tuple[Outcome, str]:
    return result.outcome, result.reason


def english(folder: Path, wording: str, text: str, more: str = "") -> RuleResult:
    return judged(folder, f"forbid: {{tokens: {{wordings: ['{wording}']{more}}}}}", text, language="en")


def mandarin(folder: Path, question: str, wording: str, text: str) -> RuleResult:
    return judged(folder, f"{question}: {{tokens: {{wordings: ['{wording}']}}}}", text)


@pytest.mark.parametrize(
    ("wording", "text", "found"),
    [
        ("<guarantee> profits", "We're guaranteeing profits", True),
        ("<guarantee> profits", "Guaranteed: profits!", True),
        ("<guarantee> profits", "a guarantor profits", False),
        ("<guarantee> profits", "We guarantee you profits", False),
        ("<guarantee> {0-2} profits", "We guarantee you the profits", True),
        ("<guarantee> {0-2} profits", "We guarantee you all the profits", False),
        ("<guarantee> {1-2} profits", "We guarantee profits", False),
        ("<guarantee> {0-2 without no|never} profits", "We guarantee you no profits", False),
        ("i|we (will|do) <promise>", "We do promise", True),
        ("i|we (will|do) <promise>", "we never promise", False),
        ("i|we (will not) <promise>", "I will not promise", True),
        ("i|we (will not) <promise>", "I will promise", False),
        ("dont|never mind", "don't mind", True),
        ("art is long", "the start is long", False),
        ("e-mail|fax <we>|you", "send an e-mail you", None),
    ],
)
def test_english(tmp_path: Path, wording: str, text: str, found: bool | None) -> None:
    if found is None:
        with pytest.raises(RulePackError, match="it has one form only"):
            english(tmp_path, wording, f"agent 0-5: {text}")
    else:
        assert of(english(tmp_path, wording, f"agent 0-5: {text}")) == (NOT_MET if found else MET, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-5: 我保证您一定能赚", (NOT_MET, "")),
        ("agent 0-5: 我承诺你赚钱", (NOT_MET, "")),
        ("agent 0-5: 我保证您不赔也不赚", (MET, "")),
        ("agent 0-5: 我保证您用了这个APP一定能赚", (MET, "")),
        ("agent 0-5: 我保证您用APP能赚", (NOT_MET, "")),  # one word, not three letters
        ("customer 0-5: 你保证我一定能赚", (MET, "")),
        ("agent 0-2: 我保证您\nagent 2.2-5: 一定能赚", (NOT_MET, "")),  # one turn
        ("agent 0-2: 我保证您\ncustomer 2.1-2.4: 嗯\nagent 2.5-5: 一定能赚", (MET, "")),
        ("agent 0-5 (0.3): 我保证您一定能赚", (UNDETERMINED, "low_confidence")),
        ("agent 0-1: 您好\nagent 2-9 [unheard]:", (UNDETERMINED, "low_recognition")),
        ("unknown 0-5: 我保证您一定能赚", (UNDETERMINED, "role_unknown")),
    ],
)
def test_mandarin_is_forbidden(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    assert of(mandarin(tmp_path, "forbid", "保证|承诺 {0-5 without 不} 赚", text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-5: 有什么可以帮到您", (MET, "")),
        ("agent 0-5 (0.5): 有什么可以帮到您", (MET, "")),
        ("agent 0-5: 请问您贵姓", (NOT_MET, "")),
        ("agent 0-1: 您好\nagent 2-9 [unheard]:", (UNDETERMINED, "low_recognition")),
    ],
)
def test_mandarin_is_asked_for(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    assert of(mandarin(tmp_path, "require", "什么|怎么 {0-3} 帮|为 (到|了) 你", text)) == expected


def test_evidence_is_the_clause_at_the_time_of_its_words(tmp_path: Path) -> None:
    text = "agent 0-10: Well, thank you. We are guaranteeing you a profit. Anything else?"
    (evidence,) = english(tmp_path, "<guarantee> {0-2} profit", text).evidence
    assert evidence.quote == "We are guaranteeing you a profit."
    assert 3.0 < evidence.start < evidence.end < 8.5
    assert evidence.confidence == 0.9


HARMLESS = (
    ", not_preceded_by: [not, never], not_followed_by: [unless], except_in: [guarantee the profits], reach: 8"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-5: we do guarantee big profits", (NOT_MET, "")),
        ("agent 0-5: we do not guarantee big profits", (MET, "")),
        ("agent 0-5: it is not me, we guarantee big profits", (NOT_MET, "")),  # out of reach
        ("agent 0-5: guarantee big profits unless it falls", (MET, "")),
        ("agent 0-5: we guarantee the profits", (MET, "")),
        (
            "agent 0-2: we do\nagent 2.1-2.5 (0.4): not\nagent 2.6-6: guarantee big profits",
            (UNDETERMINED, "low_confidence"),
        ),
    ],
)
def test_exceptions(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    assert of(english(tmp_path, "<guarantee> {0-2} profits", text, HARMLESS)) == expected


def test_overlapping_wordings_are_one_occurrence(tmp_path: Path) -> None:
    body = "forbid: {tokens: {wordings: ['退 {0-3} 款', 退全款, 全 款], times: 2}}"
    assert judged(tmp_path, body, "agent 0-5: 退全款").outcome is MET
    assert judged(tmp_path, body, "agent 0-5: 退全款，退你款").outcome is NOT_MET


def test_it_can_stand_in_for_each_and_as_anchor(tmp_path: Path) -> None:
    body = (
        "for_each: {tokens: {role: customer, wordings: ['不 {0-2} 要']}}\n"
        "forbid: {tokens: {wordings: ['再 {0-2} 想'], scope: {after_s: 10}}}"
    )
    assert judged(tmp_path, body, "customer 0-2: 我不想要\nagent 3-5: 您再好好想想").outcome is NOT_MET
    assert judged(tmp_path, body, "customer 0-2: 好的\nagent 3-5: 您再好好想想").outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("wording", "fault"),
    [
        ("{0-3} profit", "must begin and end with a word"),
        ("profit {0-3}", "must begin and end with a word"),
        ("(a) profit", "must begin and end with a word"),
        ("", "must begin and end with a word"),
        ("a {3} b", "write {0-3}"),
        ("a {3-1} b", "is no number of words from 0 to 20"),
        ("a {0-21} b", "is no number of words from 0 to 20"),
        ("a {0-0} b", "is no number of words from 0 to 20"),
        ("a {0-3 without 保证} b", "single words"),
        ("a {0-3 b", "{ stands alone"),
        ("a ({0-3}) b", "does not hold a word"),
        ("a () b", "does not hold a word"),
        ("a|| b", "is not a word"),
        ("a ... b", "is not a word"),
        ("a <保证> b", "not an English word"),
        ("a <Promise> b", "not an English word"),
        ("a <sold> b", "a form of sell"),
        ("a <> b", "not an English word"),
        (" ".join("abcdefghijklm"), "13 parts: at most 12"),
        ("a" * 501, "501 characters"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, wording: str, fault: str) -> None:
    with pytest.raises(RulePackError, match="pack_invalid") as caught:
        rule_set(tmp_path, {"asked": f"forbid: {{tokens: {{wordings: ['{wording}']}}}}"})
    assert fault in str(caught.value)


WORDS = st.sampled_from(["a", "b", "c", "甲", "乙"])


@given(st.lists(WORDS, min_size=1, max_size=12), WORDS, WORDS, WORDS, st.integers(0, 3), st.integers(0, 3))
def test_what_is_found_is_what_the_wording_says(
    said: list[str], first: str, last: str, never: str, low: int, more: int
) -> None:
    high = max(1, low + more)
    text = " ".join(said)
    found = list(Program([f"{first} {{{low}-{high} without {never}}} {last}"]).search(text))
    expected = any(
        said[i] == first and said[j] == last and low <= j - i - 1 <= high and never not in said[i + 1 : j]
        for i in range(len(said))
        for j in range(i + 1, len(said))
    )
    assert bool(found) is expected
    for _, start, end in found:
        inside = tokens_of(text[start:end])
        assert (inside[0], inside[-1]) == (first, last)
        assert never not in inside[1:-1]


def test_hostile_wordings_take_no_time() -> None:
    wordings = ["a " + "{0-20} " * 10 + "b", "a " + "{0-20} (a) " * 5 + "b"]
    begin = time.perf_counter()
    found = list(Program(wordings).search("a " * 5000))
    assert time.perf_counter() - begin < 5.0
    assert found == []


def test_elements_of_a_wording() -> None:
    one_of, gap, optional, last = parsed("我|我们 {0-2 without 不} (一定) 能")
    assert one_of.words == ("我", "我们")
    assert (gap.low, gap.high, gap.without) == (0, 2, frozenset("不"))
    assert (optional.words, optional.fixed, last.fixed) == (("一定",), False, True)
