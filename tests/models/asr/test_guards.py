"""What is struck as invented, and what is left alone because people say it."""

from dataclasses import replace

import pytest

from models.asr.guards import (
    NO_SPEECH,
    REPEATED_PHRASE,
    REPEATED_SENTENCE,
    STOCK_PHRASE,
    _table,
    guarded,
)
from qa_service.domain.conversation import Segment, Word
from tests.builders import words

SURE = {"no_speech": 0.1, "log_probability": -0.2}
DOUBTFUL = {"no_speech": 0.4, "log_probability": -0.7}


def segment(text: str, start: float = 0.0, *, no_speech: float, log_probability: float) -> Segment:
    return Segment(words(text, start), log_probability, no_speech, 1.0, 0.0)


def left(text: str, *, language: str = "zh", **doubts: float) -> tuple[str, str | None]:
    """The words that stand, and what was struck."""
    (judged,) = guarded([segment(text, **(doubts or SURE))], language=language)
    return "".join(word.text for word in judged.words if word.confidence > 0), judged.struck


@pytest.mark.parametrize(
    ("text", "language", "no_speech", "log_probability"),
    [
        (" Thank you.", "en", 0.80, -0.77),  # over a band
        (" Okay.", "en", 0.56, -0.81),  # over electronic music, AMR
        (" I hope you... I hope you...", "en", 0.72, -0.90),  # over a hummed tune
        (" you", "en", 0.85, -0.84),  # over digital silence
    ],
)
def test_what_whisper_was_seen_to_invent(
    text: str, language: str, no_speech: float, log_probability: float
) -> None:
    assert left(text, language=language, no_speech=no_speech, log_probability=log_probability) == ("", NO_SPEECH)


@pytest.mark.parametrize(
    ("text", "language", "no_speech", "log_probability"),
    [
        (" Yeah.", "en", 0.36, -0.80),  # real windows: the most doubtful of 130
        ("可以好吧好吧那算了。", "zh", 0.21, -0.75),
        ("你们知道吧?", "zh", 0.30, -0.61),
        ("让您久等了", "zh", 0.45, -0.15),
        ("请问有什么可以帮你?", "zh", 0.61, -0.77),  # cut in the middle of the greeting
        ("北京科技馆。", "zh", 0.44, -0.15),
    ],
)
def test_doubtful_speech_stands(text: str, language: str, no_speech: float, log_probability: float) -> None:
    assert left(text, language=language, no_speech=no_speech, log_probability=log_probability) == (text, None)


@pytest.mark.parametrize(
    ("text", "language"), [("谢谢", "zh"), ("謝謝。再見。", "zh"), (" Thank you. Bye.", "en"), (" Okay", "en")]
)
def test_what_is_said_in_calls_too_is_struck_only_in_doubt(text: str, language: str) -> None:
    assert left(text, language=language, **SURE) == (text, None)
    assert left(text, language=language, **DOUBTFUL) == ("", STOCK_PHRASE)


def test_thanks_among_other_words_stand_even_in_doubt() -> None:
    assert left("好的谢谢，我再打过来。", **DOUBTFUL) == ("好的谢谢，我再打过来。", None)


def test_every_phrase_that_nobody_says_is_struck_anywhere() -> None:
    for language, before in (("zh", "请稍等"), ("en", " please hold")):
        for phrase in _table()[language].never:
            space = " " if language == "en" else ""
            assert left(space + phrase, language=language) == ("", STOCK_PHRASE), phrase
            assert left(f"{before}。{space}{phrase}", language=language)[0].rstrip("。.") == before, phrase


def test_phrases_are_found_whatever_the_case_and_punctuation() -> None:
    assert left("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目", **SURE) == ("", STOCK_PHRASE)
    assert left(" Thanks, for WATCHING!", language="en") == ("", STOCK_PHRASE)


def test_a_latin_phrase_is_whole_words() -> None:
    assert left(" it was transcribed byline", language="en") == (" it was transcribed byline", None)


def test_an_unknown_language_has_no_phrases() -> None:
    assert left("谢谢观看", language="fr") == ("谢谢观看", None)
    assert left("谢谢观看", language="fr", no_speech=0.9, log_probability=-0.9) == ("", NO_SPEECH)


# --- repetition -------------------------------------------------------------------------------------------


def test_a_phrase_that_loops_keeps_no_confidence() -> None:
    assert left("您好。" + "我不知道" * 4 + "再见。") == ("您好。" + "再见。", REPEATED_PHRASE)
    assert left(" I don't know" * 5, language="en") == ("", REPEATED_PHRASE)


@pytest.mark.parametrize(
    "text",
    [
        "好好好好好好好好好好好好好好好好",
        "不是不是不是不是不是不是不是不是",
        "88888888888888888888",
        "123123123123123123",
        "我不知道我不知道我不知道",
    ],
)
def test_people_repeat_themselves_too(text: str) -> None:
    assert left(text) == (text, None)


def test_a_sentence_that_comes_again_in_doubtful_windows() -> None:
    windows = [segment("这是我的手机。", 30.0 * n, **DOUBTFUL) for n in range(3)]
    judged = guarded(windows, language="zh")
    assert [s.struck for s in judged] == [REPEATED_SENTENCE] * 3
    assert {word.confidence for s in judged for word in s.words} == {0.0}
    assert guarded(windows[:2], language="zh") == tuple(windows[:2])


def test_a_sentence_that_is_said_again_stands() -> None:
    sure = [segment("请您稍等一下。", 30.0 * n, **SURE) for n in range(4)]
    assert guarded(sure, language="zh") == tuple(sure)
    others = [segment(f"请您稍等一下。{said}", 30.0 * n, **DOUBTFUL) for n, said in enumerate(
        ("我帮您查询这个订单的物流信息。", "这边正在为您联系仓库的同事处理。", "您的退款会在三个工作日内到账。")
    )]  # fmt: skip
    assert guarded(others, language="zh") == tuple(others)


def test_a_guard_never_adds() -> None:
    empty = Segment((), -0.2, 0.9, 1.0, 0.0)
    assert guarded([empty], language="zh") == (empty,)
    assert guarded([], language="zh") == ()


def test_a_hum_is_no_word() -> None:
    """A window of few words, none of which was found in the sound by any way of decoding."""
    hum = replace(segment("Mmm.", no_speech=0.2, log_probability=-1.3), words=(Word("Mmm.", 0.0, 0.02, 0.0),))
    assert guarded([hum], language="en")[0].words == ()
    heard = replace(hum, words=(Word("Mmm.", 0.0, 0.3, 0.4),))
    assert guarded([heard], language="en")[0].words == heard.words
