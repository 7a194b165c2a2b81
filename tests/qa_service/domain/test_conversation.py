"""From a place in the folded text back to the second, the quote and the confidence behind it."""

from dataclasses import replace
from itertools import accumulate

from hypothesis import assume, given
from hypothesis import strategies as st

from qa_service.domain.conversation import SpeakerRole, Utterance, Word
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan
from tests.builders import AGENT, CUSTOMER, UNKNOWN, conversation, overlay, spans, speech, utterance

TOKENS = st.sampled_from(["您", "好", "，", "。", " OK", " don't", " 12", "3", "😀", "工号", " ", ""])


def of_words(texts: list[str]) -> Utterance:
    """Word ``i`` lasts ``[i, i + 0.5)`` and has confidence ``i / 100``."""
    said = tuple(Word(text, float(i), i + 0.5, i / 100) for i, text in enumerate(texts))
    text = "".join(texts)
    return replace(
        utterance(text, 0.0, max(1.0, float(len(texts)))),
        words=said,
        word_offsets=tuple(accumulate((len(w.text) for w in said[:-1]), initial=0)) if said else (),
        overlay=overlay(text),
    )


@st.composite
def places(draw: st.DrawFn) -> tuple[Utterance, int, int]:
    """An utterance and a range of its folded characters that neither starts nor ends on a space."""
    said = of_words(draw(st.lists(TOKENS, min_size=1, max_size=12)))
    folded = said.overlay.folded
    assume(folded)
    start = draw(st.integers(0, len(folded) - 1))
    end = draw(st.integers(start + 1, len(folded)))
    assume(" " not in (folded[start], folded[end - 1]))
    return said, start, end


def behind(said: Utterance, position: int) -> int:
    """The word behind a folded character, found the slow way."""
    owner = [i for i, word in enumerate(said.words) for _ in word.text]
    return owner[said.overlay.offsets[position]]


def test_by_hand() -> None:
    said = of_words(["您", "好", "，", " OK", "吗"])
    assert said.overlay.folded == "你好ok吗"
    assert said.span_of(0, 2) == TimeSpan(0.0, 1.5)
    assert said.span_of(2, 4) == TimeSpan(3.0, 3.5)
    assert said.span_of(1, 5) == TimeSpan(1.0, 4.5)
    assert said.quote(0, 2) == "您好"
    assert said.quote(1, 4) == "好， OK"
    assert [said.confidence_at(i) for i in range(5)] == [0.0, 0.01, 0.03, 0.03, 0.04]


@given(places())
def test_the_time_is_that_of_the_words_behind(place: tuple[Utterance, int, int]) -> None:
    said, start, end = place
    first, last = behind(said, start), behind(said, end - 1)
    assert said.span_of(start, end) == TimeSpan(first, last + 0.5)


@given(places())
def test_the_confidence_is_that_of_the_words_behind(place: tuple[Utterance, int, int]) -> None:
    said, start, end = place
    assert [said.confidence_at(i) for i in range(start, end)] == [behind(said, i) / 100 for i in range(start, end)]


def test_a_doubtful_comma_makes_nothing_doubtful() -> None:
    said = of_words(["您好", "，", "客服"])
    weak = replace(said, words=tuple(replace(w, confidence=0.2 if w.text == "，" else 0.9) for w in said.words))
    assert weak.heard_at(0, 4)[1] == 0.9
    assert of_words(["㎏"]).heard_at(0, 2)[1] == 0.0  # a sign that folds to letters


@given(places())
def test_a_quote_is_verbatim_and_folds_to_what_matched(place: tuple[Utterance, int, int]) -> None:
    said, start, end = place
    quote = said.quote(start, end)
    assert quote in said.text
    assert fold(quote).text == said.overlay.folded[start:end]


@given(st.lists(TOKENS, min_size=1, max_size=12))
def test_the_whole_text_takes_every_word_that_says_something(texts: list[str]) -> None:
    said = of_words(texts)
    audible = [i for i, text in enumerate(texts) if fold(text).text]
    assume(audible)
    whole = said.span_of(0, len(said.overlay.folded))
    assert whole == TimeSpan(audible[0], audible[-1] + 0.5)


def test_an_empty_range_is_the_whole_utterance_without_a_quote() -> None:
    said = utterance("您好", 2.0, 3.0, confidence=0.75)
    assert said.span_of(1, 1) == TimeSpan(2.0, 3.0)
    assert said.quote(1, 1) == ""


def test_words_without_times() -> None:
    said = replace(utterance("您好", 2.0, 3.0, confidence=0.75), words=(), word_offsets=())
    assert said.span_of(0, 1) == TimeSpan(2.0, 3.0)
    assert said.confidence_at(0) == 0.75
    assert said.quote(0, 1) == "您"


def test_a_last_word_that_ends_before_the_first_starts() -> None:
    said = replace(of_words(["您", "好"]), words=(Word("您", 1.0, 1.5, 0.9), Word("好", 0.5, 0.75, 0.9)))
    assert said.span_of(0, 2) == TimeSpan(1.0, 1.0)


def test_speech_of_a_role_is_the_union_over_its_channels() -> None:
    call = conversation(
        channels=[speech(AGENT, (0, 2), (4, 5)), speech(AGENT, (1, 3), channel=1), speech(CUSTOMER, (8, 9))]
    )
    assert call.speech_of(AGENT) == spans((0, 3), (4, 5))
    assert call.speech_of(SpeakerRole.SYSTEM) == ()


def test_what_a_role_said() -> None:
    call = conversation(utterance("您好", 0.0), utterance("你好", 2.0, role=CUSTOMER), utterance("再见", 4.0))
    assert [u.text for u in call.spoken_by(AGENT)] == ["您好", "再见"]
    assert [u.index for u in call.utterances] == [0, 1, 2]


def test_roles_are_known_when_every_channel_has_one() -> None:
    assert conversation(channels=[speech(AGENT), speech(CUSTOMER)]).roles_known
    assert not conversation(channels=[speech(AGENT), speech(UNKNOWN, channel=1)]).roles_known
