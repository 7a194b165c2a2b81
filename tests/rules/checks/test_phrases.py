"""Phrases: who, where, how often, how well heard, and the exceptions."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from qa_service.domain.alignment import AlignmentOptions
from qa_service.domain.results import Outcome
from rules.cases import dialogue
from rules.loader import shipped_packs
from tests.rules.builders import judged, results, rule_set

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED


def require(folder: Path, check: str, text: str, **more: str) -> tuple[Outcome, str]:
    result = judged(folder, f"require: {{phrase: {{{check}}}}}", text, **more)  # type: ignore[arg-type]
    return result.outcome, result.reason


def forbid(folder: Path, check: str, text: str, **more: str) -> tuple[Outcome, str]:
    result = judged(folder, f"forbid: {{phrase: {{{check}}}}}", text, **more)  # type: ignore[arg-type]
    return result.outcome, result.reason


# --- who and how often ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("any: [您好]", NOT_MET),
        ("any: [您好], role: customer", MET),
        ("any: [您好], role: any", MET),
        ("any: [喂, 您好]", MET),
        ("any: [您好, 谢谢], times: 2, role: customer", MET),
        ("any: [您好, 谢谢], times: 3, role: any", NOT_MET),
    ],
)
def test_who_and_how_often(tmp_path: Path, check: str, expected: Outcome) -> None:
    assert require(tmp_path, check, "agent 0-2: 喂\ncustomer 3-5: 您好，谢谢")[0] is expected


def test_words_of_any_role_need_no_roles(tmp_path: Path) -> None:
    assert require(tmp_path, "any: [您好], role: any", "unknown 0-2: 您好")[0] is MET
    assert require(tmp_path, "any: [您好]", "unknown 0-2: 您好") == (UNDETERMINED, "role_unknown")


@pytest.mark.parametrize("pack", ["service-zh", "service-en"])
def test_words_said_at_once_on_one_channel_convict_nobody_and_count_for_their_speaker(
    tmp_path: Path, pack: str
) -> None:
    """Whose they are cannot be told, in any shipped pack."""
    recognition = YAML(typ="safe").load(shipped_packs()[pack] / "pack.yaml").get("recognition", {})
    settings = f"recognition: {json.dumps(recognition)}\n"
    said = f"agent 0-9 ({AlignmentOptions().overlap_confidence}): 您好"
    assert forbid(tmp_path / "a", "any: [您好]", said, settings=settings) == (UNDETERMINED, "low_confidence")
    assert require(tmp_path / "b", "any: [您好]", said, settings=settings)[0] is MET


# --- where ------------------------------------------------------------------------------------------------

TEXT = "agent 10-12: 一号\nagent 20-22: 二号\nagent 40-42: 三号"


@pytest.mark.parametrize(
    ("scope", "phrase", "expected"),
    [
        ("first_s: 12", "二号", MET),  # counted from the role's first words
        ("first_s: 9", "二号", NOT_MET),
        ("last_s: 22", "二号", MET),
        ("last_s: 19", "二号", NOT_MET),
        ("first_utterances: 2", "二号", MET),
        ("first_utterances: 2", "三号", NOT_MET),
        ("last_utterances: 2", "二号", MET),
        ("last_utterances: 2", "一号", NOT_MET),
        ("first_s: 15, last_s: 25", "二号", MET),
    ],
)
def test_where(tmp_path: Path, scope: str, phrase: str, expected: Outcome) -> None:
    assert require(tmp_path, f"any: [{phrase}], scope: {{{scope}}}", TEXT)[0] is expected


@pytest.mark.parametrize(
    ("scope", "phrase", "expected"),
    [
        ("before: true", "一号", MET),
        ("before: true", "三号", NOT_MET),
        ("after: true", "三号", MET),
        ("after: true", "一号", NOT_MET),
        ("before_s: 3", "二号", MET),
        ("before_s: 3", "一号", NOT_MET),
        ("after_s: 3", "三号", MET),
        ("after_s: 3", "二号", NOT_MET),
        ("before_s: 20, after_s: 3", "一号", MET),
        ("before_s: 20, after_s: 3", "三号", MET),
    ],
)
def test_around_an_occurrence(tmp_path: Path, scope: str, phrase: str, expected: Outcome) -> None:
    # Words in the middle of each other's way would be found by sound: 一号 and 二号 differ enough.
    body = f"for_each: {{silence: {{}}}}\nrequire: {{phrase: {{any: [{phrase}], scope: {{{scope}}}}}}}"
    assert judged(tmp_path, body, TEXT).outcome is expected


# --- how well heard ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confidence", "required", "forbidden"),
    [
        ("0.9", (MET, ""), (NOT_MET, "")),
        ("0.4", (MET, ""), (UNDETERMINED, "low_confidence")),
        ("0.2", (UNDETERMINED, "low_confidence"), (UNDETERMINED, "low_confidence")),
    ],
)
def test_confidence_of_the_words(
    tmp_path: Path, confidence: str, required: tuple[Outcome, str], forbidden: tuple[Outcome, str]
) -> None:
    text = f"agent 0-2 ({confidence}): 神经病啊\nagent 3-30: 好的"
    assert require(tmp_path, "any: [神经病]", text) == required
    assert forbid(tmp_path, "any: [神经病]", text) == forbidden


@pytest.mark.parametrize(
    ("unheard_s", "required", "forbidden"),
    [
        (0.0, NOT_MET, MET),
        (0.4, NOT_MET, MET),
        (2.0, UNDETERMINED, MET),
        (4.0, UNDETERMINED, MET),
        (20.0, UNDETERMINED, UNDETERMINED),
    ],
)
def test_share_of_speech_that_was_recognised(
    tmp_path: Path, unheard_s: float, required: Outcome, forbidden: Outcome
) -> None:
    text = "agent 0-8: 好的" + (f"\nagent 9-{9 + unheard_s} [unheard]:" if unheard_s else "")
    assert require(tmp_path, "any: [神经病]", text)[0] is required
    assert forbid(tmp_path, "any: [神经病]", text)[0] is forbidden


def test_what_is_asked_for_may_hide_where_nothing_was_understood(tmp_path: Path) -> None:
    """Two bad seconds in a minute of good ones leave the mean high."""
    text = (
        "agent 0-30: 您的话费是五十元，已经为您查到了\nagent 31-33 (0.3): 大概一会\nagent 34-60: 您的余额是三十元"
    )
    assert require(tmp_path, "any: [神经病]", text) == (UNDETERMINED, "low_recognition")
    assert require(tmp_path, "any: [神经病], scope: {first_s: 30}", text)[0] is NOT_MET


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("(0.9): 再延", (NOT_MET, "")),  # surely heard: something else was said
        ("(0.62): 再延", (UNDETERMINED, "maybe_said")),  # half of it, and a rhyme
        ("(0.58): 再头", (UNDETERMINED, "maybe_said")),  # half of it, and a syllable that may be any
        ("(0.62): 再头", (NOT_MET, "")),
        ("(0.62): 都要", (NOT_MET, "")),
    ],
)
def test_nobody_is_accused_of_leaving_out_what_may_have_been_said(
    tmp_path: Path, last: str, expected: tuple[Outcome, str]
) -> None:
    text = f"agent 0-8: 您好\nagent 20-20.8 {last}"
    assert require(tmp_path, "any: [再见]", text) == expected


def test_what_may_have_been_said_accuses_nobody(tmp_path: Path) -> None:
    assert forbid(tmp_path, "any: [再见]", "agent 0-8: 您好\nagent 20-20.8 (0.62): 再延") == (MET, "")


HEDGED = "promise: {phrases: [敢保证], not_preceded_by: [不], not_followed_by: [吗], reach: 4}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-4: 我敢保证", (NOT_MET, "")),
        ("agent 0-4: 我不敢保证", (MET, "")),
        ("agent 0-2 (0.5): 我不\nagent 2.2-4: 敢保证", (UNDETERMINED, "low_confidence")),  # is it there?
        ("agent 0-2 (0.5): 我都\nagent 2.2-4: 敢保证", (UNDETERMINED, "low_confidence")),  # was it there?
        ("agent 0-2 (0.7): 我都\nagent 2.2-4: 敢保证", (NOT_MET, "")),
        ("agent 0-2: 敢保证\nagent 2.2-4 (0.5): 吗", (UNDETERMINED, "low_confidence")),
    ],
)
def test_what_would_make_a_phrase_harmless_must_be_surely_absent(
    tmp_path: Path, text: str, expected: tuple[Outcome, str]
) -> None:
    result = judged(tmp_path, "forbid: {phrase: {lexicon: promise}}", text, lexicons=HEDGED)
    assert (result.outcome, result.reason) == expected


def test_one_doubtful_syllable_does_not_convict(tmp_path: Path) -> None:
    text = "agent 0-2: 你有神\nagent 2.2-2.6 (0.3): 经\nagent 2.8-3.2: 病"
    assert forbid(tmp_path, "any: [神经病]", text) == (UNDETERMINED, "low_confidence")


def test_only_the_scope_must_be_recognised(tmp_path: Path) -> None:
    assert (
        require(tmp_path, "any: [神经病], scope: {first_s: 8}", "agent 0-8: 好的\nagent 9-99 [unheard]:")[0]
        is NOT_MET
    )


def test_a_role_of_which_nothing_was_recognised(tmp_path: Path) -> None:
    text = "agent 0-8 [unheard]:\ncustomer 9-10: 喂喂"
    assert require(tmp_path, "any: [神经病]", text) == (UNDETERMINED, "role_not_heard")
    assert forbid(tmp_path, "any: [神经病]", text) == (UNDETERMINED, "low_recognition")


def test_a_role_that_never_speaks(tmp_path: Path) -> None:
    assert require(tmp_path, "any: [神经病]", "customer 9-10: 喂喂") == (UNDETERMINED, "role_not_heard")
    assert forbid(tmp_path, "any: [神经病]", "customer 9-10: 喂喂") == (MET, "")


# --- sound ------------------------------------------------------------------------------------------------


def test_sound_alone_may_acquit_and_never_convicts(tmp_path: Path) -> None:
    text = "agent 0-2: 你这个神京病"
    assert require(tmp_path, "any: [神经病]", text) == (MET, "")
    assert forbid(tmp_path, "any: [神经病]", text) == (UNDETERMINED, "homophone_only")
    assert require(tmp_path, "any: [神经病], homophones: 'off'", text) == (NOT_MET, "")
    assert forbid(tmp_path, "any: [神经病], homophones: 'off'", text) == (MET, "")
    assert forbid(tmp_path, "any: [神经病], homophones: accept", text) == (NOT_MET, "")


def test_under_not_the_doubt_turns_round(tmp_path: Path) -> None:
    text = "agent 0-2: 你这个神京病"
    refused = judged(tmp_path, "require: {not: {phrase: {any: [神经病]}}}", text)
    assert (refused.outcome, refused.reason) == (UNDETERMINED, "homophone_only")
    excused = judged(tmp_path, "forbid: {not: {phrase: {any: [神经病]}}}", text)
    assert excused.outcome is MET


def test_short_phrases_by_sound(tmp_path: Path) -> None:
    lexicons = "short: [再见]\nshorter: {phrases: [再见], min_sound_characters: 2}"
    assert require(tmp_path, "lexicon: short", "agent 0-2: 好的在见", lexicons=lexicons)[0] is NOT_MET
    assert require(tmp_path, "lexicon: shorter", "agent 0-2: 好的在见", lexicons=lexicons)[0] is MET


# --- exceptions -------------------------------------------------------------------------------------------

LEXICON = """\
bad:
  phrases: [保证]
  not_preceded_by: [不敢]
  not_followed_by: [吗]
  except_in: [保证金]
  reach: 2
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我保证", NOT_MET),
        ("我不敢保证", MET),
        ("不敢说我保证", NOT_MET),  # beyond the reach
        ("您保证吗", MET),
        ("您保证真的吗", NOT_MET),
        ("保证金已经退了", MET),
        ("保证金退了，我保证", NOT_MET),
    ],
)
def test_exceptions(tmp_path: Path, text: str, expected: Outcome) -> None:
    assert forbid(tmp_path, "lexicon: bad", f"agent 0-9: {text}", lexicons=LEXICON)[0] is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i guarantee that", NOT_MET),
        ("sorry i guarantee that", NOT_MET),  # sorry holds no "or"
        ("this or i guarantee that", MET),
        ("nothing i guarantee that", NOT_MET),
        ("not i guarantee that", MET),
    ],
)
def test_latin_exceptions_are_whole_words(tmp_path: Path, text: str, expected: Outcome) -> None:
    lexicons = 'bad: {phrases: [i guarantee], not_preceded_by: ["or ", "not "], reach: 14}'
    asked = forbid(tmp_path, "lexicon: bad", f"agent 0-9: {text}", lexicons=lexicons, language="en")
    assert asked[0] is expected


def test_an_exception_heard_by_sound_alone_excuses_nothing(tmp_path: Path) -> None:
    assert forbid(tmp_path, "lexicon: bad", "agent 0-9: 保证今天能到", lexicons=LEXICON)[0] is NOT_MET


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("报一下您的身份正好", MET),
        ("您的身份正好幺二三四", NOT_MET),  # read out, not asked for
        ("您的身份证好幺二三四", NOT_MET),
        ("您的身份证号咬二三四", MET),  # only the exception is heard by sound
    ],
)
def test_what_counts_by_its_sound_is_excepted_by_its_sound(tmp_path: Path, text: str, expected: Outcome) -> None:
    lexicons = 'asks: {phrases: [身份证号], except_in: ["身份证号{digits:4-18}"]}'
    assert require(tmp_path / "a", "lexicon: asks", f"agent 0-9: {text}", lexicons=lexicons)[0] is expected
    forbidden = forbid(tmp_path / "b", "lexicon: asks", f"agent 0-9: {text}", lexicons=lexicons)
    assert forbidden[0] is (NOT_MET if "证号" in text else UNDETERMINED)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (((0.9, "身份证号九九"), (0.9, "零零四")), (NOT_MET, "")),
        (((0.9, "身份证号九九零"), (0.5, "零四")), (NOT_MET, "")),
        (((0.9, "身份证号九九"), (0.5, "零零四")), (UNDETERMINED, "low_confidence")),
        (((0.5, "身份证号"), (0.9, "九九零零四")), (UNDETERMINED, "low_confidence")),
    ],
)
def test_which_digits_a_number_has_need_not_be_sure(
    tmp_path: Path, lines: tuple[tuple[float, str], ...], expected: tuple[Outcome, str]
) -> None:
    text = "\n".join(f"agent {n}-{n + 1} ({sure}): {said}" for n, (sure, said) in enumerate(lines))
    assert forbid(tmp_path, 'any: ["身份证号{digits:4-18}"]', text) == expected


# --- evidence ---------------------------------------------------------------------------------------------


def test_evidence_quotes_the_clause_of_its_own_hit(tmp_path: Path) -> None:
    result = judged(tmp_path, "forbid: {phrase: {any: [我保证]}}", "agent 0-8: 谁说我保证的，那我保证行了吧")
    assert [e.quote for e in result.evidence] == ["谁说我保证的", "那我保证行了吧"]
    assert [e.start for e in result.evidence] == [pytest.approx(8 * 2 / 13), pytest.approx(8 * 7 / 13)]


def test_one_occurrence_an_utterance(tmp_path: Path) -> None:
    body = "for_each: {phrase: {any: [投诉], role: customer}}\nrequire: {phrase: {any: [抱歉]}}"
    text = "customer 0-4: 我要投诉，投诉你\ncustomer 6-8: 就投诉\nagent 9-10: 好的"
    result = judged(tmp_path, body, text)
    assert [e.quote for e in result.evidence] == ["我要投诉", "就投诉"]


# --- another language -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected", "reason"),
    [
        ("require: {phrase: {any: [您好]}}", UNDETERMINED, "other_language"),
        ("require: {phrase: {any: [再见]}}", MET, ""),  # it is there all the same
        ("require: {phrase: {any: [您好], scope: {last_utterances: 1}}}", NOT_MET, ""),  # nothing foreign there
        ("forbid: {digits: {length: 6, named: [手机]}}", UNDETERMINED, "other_language"),
    ],
)
def test_what_is_said_in_another_language_is_not_found_missing(
    tmp_path: Path, body: str, expected: Outcome, reason: str
) -> None:
    said = dialogue("agent 0-8: hello how can I help you today\nagent 10-12: 再见", language="zh")
    mixed = replace(said, utterances=(replace(said.utterances[0], language="en"), said.utterances[1]))
    result = results(rule_set(tmp_path, {"asked": body}), mixed)["asked"]
    assert (result.outcome, result.reason) == (expected, reason)


# --- hot words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected", "reason"),
    [
        ("require: {phrase: {any: [优购商城]}}", MET, ""),
        ("require: {phrase: {any: [商城]}}", MET, ""),
        ("forbid: {phrase: {any: [优购商城]}}", UNDETERMINED, "homophone_only"),
        ("forbid: {phrase: {any: [商城客服]}}", UNDETERMINED, "homophone_only"),
        ("forbid: {phrase: {any: [客服]}}", NOT_MET, ""),  # beside the name, heard as it is written
    ],
)
def test_a_respelled_name_satisfies_and_convicts_nobody(
    tmp_path: Path, body: str, expected: Outcome, reason: str
) -> None:
    said = dialogue("agent 0-4: 您好，优购商城客服", language="zh")
    respelled = replace(said, utterances=(replace(said.utterances[0], respelled=((3, 7),)),))
    result = results(rule_set(tmp_path, {"asked": body}), respelled)["asked"]
    assert (result.outcome, result.reason) == (expected, reason)
