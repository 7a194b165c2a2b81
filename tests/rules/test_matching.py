"""Finding phrases: by spelling, by sound, with placeholders, across pauses, with their times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.pinyin import sound_key
from rules.cases import dialogue
from rules.index import CallIndex
from rules.matching import Hit, joined
from rules.phrase_book import PhraseBook


def search(text: str, *phrases: str, language: str = "zh") -> dict[str, tuple[Hit, ...]]:
    lists = [(phrase,) for phrase in phrases]
    hits = PhraseBook(lists).search(CallIndex(dialogue(text, language=language)))
    return {one: found for (one,) in lists for found in [hits.of(lists[phrases.index(one)])] if found}


def said(text: str, *phrases: str, language: str = "zh") -> list[tuple[str, bool]]:
    """Quote and whether it was found by spelling, of all hits in one utterance of the agent."""
    found = search(f"agent 0-10: {text}", *phrases, language=language)
    return [(h.quote, h.spelled) for hits in found.values() for h in hits]


# --- spelling and sound -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("您的工号是多少", "工号", [("工号", True)]),
        ("您的公号是多少", "工号", [("公号", False)]),
        ("您的宫号是多少", "工号", [("宫号", False)]),
        ("让您九等了", "久等", [("九等", False)]),
        ("好的在见", "再见", [("在见", False)]),
        ("身份正号码", "身份证号码", [("身份正号码", False)]),
        ("你好", "您好", [("你好", True)]),
        ("請問", "请问", [("請問", False)]),
        ("您的姓名", "工号", []),
        ("再，见！", "再见", [("再，见", True)]),
    ],
)
def test_spelling_and_sound(text: str, phrase: str, expected: list[tuple[str, bool]]) -> None:
    assert said(text, phrase) == expected


def test_a_single_character_is_not_found_by_sound() -> None:
    assert said("号", "好") == []


def test_a_place_found_by_spelling_is_not_reported_by_sound() -> None:
    assert said("再见再见", "再见") == [("再见", True), ("再见", True)]


@pytest.mark.parametrize(
    ("one", "other"), [("zheng", "zen"), ("shi", "si"), ("chang", "can"), ("jing", "jin"), ("gong", "gong")]
)
def test_confusable_sounds(one: str, other: str) -> None:
    assert sound_key(one) == sound_key(other)


def test_distinct_sounds() -> None:
    assert len({sound_key(s) for s in ("gong", "gou", "zong", "hao", "gao", "li", "ni")}) == 7


# --- words and numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("hello there", "hell", False),
        ("go to hell", "hell", True),
        ("Good-bye!", "good bye", True),
        ("don't worry", "dont", True),
        ("this is goodbye", "good", False),
        ("how may i help you today", "may i help", True),
        ("calling from acme bank", "from{any:1-8}bank", True),
        ("calling from acme banking", "from{any:1-8}bank", False),
    ],
)
def test_latin_phrases_match_whole_words(text: str, phrase: str, found: bool) -> None:
    assert bool(said(text, phrase, language="en")) is found


@pytest.mark.parametrize(
    ("text", "found"), [("我要打12345", True), ("拨打12345热线", True), ("订单号8812345066", False)]
)
def test_a_number_is_not_found_in_a_longer_number(text: str, found: bool) -> None:
    assert bool(said(text, "12345")) is found


# --- placeholders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("我是8023号客服", "{digits:3-8}号", ["8023号"]),
        ("我是八零二三号客服", "{digits:3-8}号", ["八零二三号"]),
        ("我叫23号客服", "{digits:3-8}号", []),
        ("我叫拔零尔散号客服", "{digits:3-8}号", ["拔零尔散号"]),
        ("您好怀信通信工号", "您好{any:2-18}工号", ["您好怀信通信工号"]),
        ("您好怀信通信公号", "您好{any:2-18}工号", ["您好怀信通信公号"]),
        ("您好工号", "您好{any:2-18}工号", []),
        ("尾号是 66 77", "尾号{any:0-2}{digits:4-4}", ["尾号是 66 77"]),
    ],
)
def test_placeholders(text: str, phrase: str, expected: list[str]) -> None:
    assert [quote for quote, _ in said(text, phrase)] == expected


def test_signs_of_pattern_languages_mean_nothing() -> None:
    assert said("你你好吗", "[你我]+好吗", "(?:你|我){any:0-2}吗", "你*{any:0-0}吗") == []
    assert said("你好吗", "你.{any:0-1}吗") == [("你好吗", True)]


# --- places -----------------------------------------------------------------------------------------------


def test_times_quote_and_confidence() -> None:
    (hit,) = search("customer 0-1: 喂\nagent 10-20 (0.7): 好的，请您稍等一下，谢谢", "请稍等", "您稍等")["您稍等"]
    assert (hit.span.start, hit.span.end) == (13.0, 16.0)
    assert (hit.quote, hit.utterances, hit.turn) == ("您稍等", (1,), 1)
    assert hit.confidence == pytest.approx(0.7)


def test_a_phrase_is_found_across_a_pause_inside_a_turn() -> None:
    (hit,) = search("agent 0-2: 请您\nagent 4-6: 稍等", "您稍等")["您稍等"]
    assert (hit.span.start, hit.span.end) == (1.0, 6.0)
    assert (hit.quote, hit.utterances) == ("您 … 稍等", (0, 1))


def test_a_phrase_is_not_found_across_speakers() -> None:
    assert search("agent 0-2: 请您\ncustomer 2-3: 嗯\nagent 4-6: 稍等", "您稍等") == {}


def test_latin_words_of_two_utterances_stay_apart() -> None:
    assert search("agent 0-2: good\nagent 4-6: bye now", "goodbye", language="en") == {}
    (hit,) = search("agent 0-2: good\nagent 4-6: bye now", "good bye", language="en")["good bye"]
    assert hit.utterances == (0, 1)


def test_a_phrase_is_as_sure_as_its_weakest_word() -> None:
    (hit,) = search("agent 0-2 (0.2): 请您\nagent 4-6 (0.8): 稍等", "您稍等")["您稍等"]
    assert hit.confidence == 0.2


def test_a_joining_space_is_no_doubt() -> None:
    (hit,) = search("agent 0-2 (0.7): good\nagent 4-6 (0.8): bye", "good bye", language="en")["good bye"]
    assert hit.confidence == 0.7


# --- joining ----------------------------------------------------------------------------------------------


def test_of_overlapping_hits_the_longest_stays() -> None:
    found = search("agent 0-10: 保证赚钱，稳赚", "保证赚", "保证赚钱", "证赚", "稳赚")
    assert [h.phrase for h in joined([h for hits in found.values() for h in hits])] == ["保证赚钱", "稳赚"]


def test_a_spelled_hit_stays_before_a_longer_one_by_sound() -> None:
    found = search("agent 0-10: 请您烧等一下", "等一下", "稍等一下")
    assert [h.phrase for h in joined([h for hits in found.values() for h in hits])] == ["等一下"]


def test_hits_of_different_turns_do_not_join() -> None:
    found = search("agent 0-1: 再见\ncustomer 2-3: 再见", "再见")
    assert len(joined(found["再见"])) == 2


texts = st.text(alphabet="工公宫号好再在见123四五，。 ab", min_size=1, max_size=20).filter(
    lambda t: any(c.isalnum() for c in t)
)


@given(texts)
def test_every_hit_lies_inside_its_utterance(text: str) -> None:
    found = search(f"agent 3-9: {text}", "工号", "再见", "{digits:2-4}", "号{any:0-2}见", "ab")
    for hits in found.values():
        for hit in hits:
            assert 3.0 <= hit.span.start < hit.span.end <= 9.0 + 1e-9
            assert hit.quote in text.strip()
            assert hit.quote


@given(texts)
def test_another_phrase_changes_no_hit(text: str) -> None:
    alone = search(f"agent 3-9: {text}", "工号", "再见")
    beside = search(f"agent 3-9: {text}", "工号", "再见", "好号", "{digits:1-9}", "ab")
    assert {p: beside.get(p) for p in ("工号", "再见")} == {p: alone.get(p) for p in ("工号", "再见")}
