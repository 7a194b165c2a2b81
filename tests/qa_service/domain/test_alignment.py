"""Words meet speech: each in at most one utterance, none where nobody speaks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.alignment import AlignmentOptions, build_conversation, roles_of, turns_of
from qa_service.domain.conversation import Conversation, EngineRun, SpeakerRole, SpeakerSpeech, Transcript, Word
from qa_service.domain.timeline import TimeSpan, intersection, total_s, union
from tests.builders import AGENT, CUSTOMER, UNKNOWN, overlay, speech, transcript, utterance, words

OPTIONS = AlignmentOptions(utterance_pause_s=0.75, word_slack_s=0.5)


def align(channels: Sequence[SpeakerSpeech], *heard: Transcript, language: str = "zh") -> Conversation:
    return build_conversation(
        duration_s=60.0,
        language=language,
        speech=channels,
        transcripts=heard,
        simplified=lambda raw, language: raw.replace("謝", "谢") if language == "zh" else raw,
        overlay=overlay,
        role_source="metadata",
        overlap_measurable=True,
        provenance=[EngineRun("asr", "fake", "fake", "1", "cpu")],
        options=OPTIONS,
    )


def texts(call: Conversation) -> list[str]:
    return [u.text for u in call.utterances]


# --- pauses -----------------------------------------------------------------------------------------------


def test_a_pause_as_long_as_the_limit_stays_inside_an_utterance() -> None:
    channel = speech(AGENT, (0, 1), (1.75, 2.75))
    call = align([channel], transcript([*words("您好", 0.25), *words("再见", 2.0)]))
    assert texts(call) == ["您好再见"]
    assert call.utterances[0].span == TimeSpan(0, 2.75)
    assert call.speech == (channel,)  # the tight speech is kept beside it


def test_a_longer_pause_splits() -> None:
    call = align([speech(AGENT, (0, 1), (1.875, 2.875))], transcript([*words("您好", 0.25), *words("再见", 2.0)]))
    assert texts(call) == ["您好", "再见"]
    assert [u.span for u in call.utterances] == [TimeSpan(0, 1), TimeSpan(1.875, 2.875)]
    assert [u.index for u in call.utterances] == [0, 1]
    assert [t.utterances for t in call.turns] == [(0, 1)]


# --- words and speech -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "kept"),
    [(0.375, True), (0.25, False), (1.0, True), (2.375, True), (2.5, False), (30.0, False)],
)
def test_a_word_counts_when_its_middle_is_close_to_speech(start: float, kept: bool) -> None:
    """Speech from 1 to 2 s, slack 0.5 s, a word of 0.25 s: its middle may lie from 0.5 to 2.5 s."""
    word = Word("谢", start, start + 0.25, 0.9)
    call = align([speech(AGENT, (1, 2))], transcript([word]))
    assert texts(call) == (["谢"] if kept else [])


def test_thanks_invented_in_silence_is_nobodys() -> None:
    heard = transcript([*words("您好", 1.0), *words("謝謝觀看", 20.0)])
    assert texts(align([speech(AGENT, (1, 1.5))], heard)) == ["您好"]


def test_words_without_any_speech() -> None:
    assert align([speech(AGENT)], transcript(words("您好"))).utterances == ()


def test_speech_without_words_or_with_punctuation_only_is_no_utterance() -> None:
    heard = transcript([Word("。", 3.0, 3.25, 0.9), Word(" ", 3.25, 3.5, 0.9)])
    call = align([speech(AGENT, (0, 1), (3, 4))], heard)
    assert call.utterances == ()
    assert total_s(call.speech_of(AGENT)) == 2


def test_a_word_between_two_utterances_goes_to_the_nearer() -> None:
    channel = speech(AGENT, (0, 1), (2, 3))
    for start, expected in ((1.125, ["您再", "见"]), (1.625, ["您", "再见"])):
        middle = Word("再", start, start + 0.25, 0.9)
        heard = transcript([Word("您", 0.5, 0.75, 0.9), middle, Word("见", 2.25, 2.5, 0.9)])
        assert texts(align([channel], heard)) == expected


def test_words_of_one_channel_never_reach_the_other() -> None:
    call = align(
        [speech(AGENT, (0, 1)), speech(CUSTOMER, (0.25, 1))],
        transcript(words("您好"), channel=0),
        transcript(words("喂喂", 0.25), channel=1),
    )
    assert [(u.role, u.channel, u.text) for u in call.utterances] == [(AGENT, 0, "您好"), (CUSTOMER, 1, "喂喂")]


# Eighths of a second keep every comparison exact; each word has its own character, so it can be counted.
CHANNEL = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 24)).map(lambda p: TimeSpan(p[0] / 8, (p[0] + p[1]) / 8)),
    max_size=6,
)
HEARD = st.lists(st.tuples(st.integers(0, 240), st.integers(0, 8)), max_size=15)


@given(CHANNEL, CHANNEL, HEARD, HEARD)
def test_every_word_near_speech_is_in_exactly_one_utterance(
    first: list[TimeSpan], second: list[TimeSpan], a: list[tuple[int, int]], b: list[tuple[int, int]]
) -> None:
    channels = [
        SpeakerSpeech(channel, role, union(found))
        for channel, (role, found) in enumerate([(AGENT, first), (CUSTOMER, second)])
    ]
    said = [
        [Word(chr(0x4E00 + 100 * channel + i), at / 8, (at + n) / 8, 0.9) for i, (at, n) in enumerate(heard)]
        for channel, heard in enumerate([a, b])
    ]
    call = align(channels, transcript(said[0], channel=0), transcript(said[1], channel=1))

    placed = Counter(word for u in call.utterances for word in u.words)
    for channel, heard_words in zip(channels, said, strict=True):
        joined = union(channel.spans, bridge_s=0.75)
        for word in heard_words:
            middle = (word.start + word.end) / 2
            near = any(span.start - 0.5 <= middle <= span.end + 0.5 for span in joined)
            assert placed[word] == near
    for u in call.utterances:
        assert u.text == u.raw_text == "".join(w.text for w in u.words)
        assert [u.text[o] for o in u.word_offsets] == [w.text for w in u.words]
        assert list(u.words) == sorted(u.words, key=lambda w: w.start)
        assert u.span in union(channels[u.channel].spans, bridge_s=0.75)
    assert [u.index for u in call.utterances] == list(range(len(call.utterances)))
    assert [u.start for u in call.utterances] == sorted(u.start for u in call.utterances)
    assert [i for turn in call.turns for i in turn.utterances] == list(range(len(call.utterances)))


# --- several speakers of one channel ----------------------------------------------------------------------


def shared(*speakers: tuple[SpeakerRole, Sequence[tuple[float, float]], Sequence[Word]]) -> Conversation:
    """A call on channel 0 of speakers with their speech and words."""
    return align(
        [replace(speech(role, *edges, channel=0), speaker=n) for n, (role, edges, _) in enumerate(speakers)],
        *(replace(transcript(said), speaker=n) for n, (_, _, said) in enumerate(speakers)),
    )


def confidences(call: Conversation, role: SpeakerRole) -> list[float]:
    return [word.confidence for u in call.spoken_by(role) for word in u.words]


def test_words_said_at_once_on_one_channel_are_doubtful() -> None:
    """From 2 to 3 s both speak; a word is at its middle, and one that was doubtful anyway is not made surer."""
    agent = [Word("您", 1.5, 2.0, 0.9), Word("好", 1.75, 2.25, 0.9), Word("吗", 2.5, 3.0, 0.25)]
    customer = [Word("我", 2.5, 3.25, 0.9), Word("想", 2.75, 3.25, 0.9)]
    call = shared((AGENT, [(0, 3)], agent), (CUSTOMER, [(2, 5)], customer))
    assert confidences(call, AGENT) == [0.9, OPTIONS.overlap_confidence, 0.25]
    assert confidences(call, CUSTOMER) == [OPTIONS.overlap_confidence, 0.9]


def test_doubt_about_words_is_doubt_about_their_utterance() -> None:
    call = shared((AGENT, [(0, 4)], words("您好请讲", 0.5)), (CUSTOMER, [(0, 4)], words("喂", 3.0)))
    assert call.spoken_by(AGENT)[0].confidence == pytest.approx(OPTIONS.overlap_confidence)


def test_words_said_at_once_on_separate_channels_are_as_sure_as_ever() -> None:
    call = align(
        [speech(AGENT, (0, 3)), speech(CUSTOMER, (0, 3))],
        transcript(words("您好", 1.0), channel=0),
        transcript(words("喂喂", 1.0), channel=1),
    )
    assert {w.confidence for u in call.utterances for w in u.words} == {0.9}


def test_speakers_of_one_channel_keep_their_number_and_their_words() -> None:
    call = shared(
        (CUSTOMER, [(0, 1)], words("喂喂")),
        (AGENT, [(1, 2), (4, 5)], [*words("您好", 1.0), *words("再见", 4.0)]),
        (UNKNOWN, [(2.5, 3.5)], words("等等", 2.5)),
    )
    assert [(u.role, u.channel, u.speaker, u.text) for u in call.utterances] == [
        (CUSTOMER, 0, 0, "喂喂"),
        (AGENT, 0, 1, "您好"),
        (UNKNOWN, 0, 2, "等等"),
        (AGENT, 0, 1, "再见"),
    ]
    assert call.channels == 1


@given(CHANNEL, CHANNEL, HEARD, HEARD, st.booleans())
def test_only_words_within_overlap_lose_confidence(
    first: list[TimeSpan],
    second: list[TimeSpan],
    a: list[tuple[int, int]],
    b: list[tuple[int, int]],
    separate: bool,
) -> None:
    found = [union(first), union(second)]
    said = [[Word("好", at / 8, (at + n) / 8, 0.9) for at, n in sorted(heard)] for heard in (a, b)]
    speakers = [
        SpeakerSpeech(n if separate else 0, role, spans, None, n)
        for n, (role, spans) in enumerate(zip((AGENT, CUSTOMER), found, strict=True))
    ]
    heard = [
        replace(transcript(w, channel=s.channel), speaker=s.speaker) for s, w in zip(speakers, said, strict=True)
    ]
    both = intersection(*found)
    for u in align(speakers, *heard).utterances:
        for word in u.words:
            at_once = any(span.contains((word.start + word.end) / 2) for span in both)
            assert word.confidence == (OPTIONS.overlap_confidence if at_once and not separate else 0.9)


# --- text -------------------------------------------------------------------------------------------------


def test_text_is_simplified_and_the_raw_text_kept() -> None:
    said = align([speech(AGENT, (0, 1))], transcript(words("謝謝您"))).utterances[0]
    assert (said.text, said.raw_text) == ("谢谢您", "謝謝您")
    assert len(said.text) == len(said.raw_text)
    assert said.overlay.folded == "谢谢你"
    assert said.quote(2, 3) == "您"


def test_numbers_are_found_in_the_text() -> None:
    said = align([speech(AGENT, (0, 3))], transcript(words(" 謝謝8,640元"))).utterances[0]
    (amount,) = said.numbers
    assert (said.text[amount.start : amount.end], amount.value, amount.unit) == ("8,640元", "8640", "CNY")


def test_an_utterance_is_in_the_language_of_most_of_its_words() -> None:
    chinese, english = words("好的", 1.0), words(" thank you very much", 1.5)
    (segment,) = transcript(chinese).segments
    heard = Transcript(
        0,
        "zh",
        (
            segment,
            replace(segment, words=english, language="en"),
            replace(segment, words=words("謝謝", 8.0), language="zh"),
        ),
    )
    call = align([speech(AGENT, (0.5, 3.0), (8.0, 9.0))], heard)
    assert [(u.text, u.language) for u in call.utterances] == [("好的 thank you very much", "en"), ("谢谢", "zh")]
    assert [call.foreign(u) for u in call.utterances] == [True, False]
    assert call.languages == pytest.approx({"zh": 1.0 / 3.5, "en": 2.5 / 3.5})
    assert list(call.languages) == ["zh", "en"]


def test_script_follows_the_language_of_the_utterance() -> None:
    (segment,) = transcript(words("謝謝")).segments
    heard = Transcript(0, "en", (replace(segment, language="zh"),))
    assert texts(align([speech(AGENT, (0, 1))], heard, language="en")) == ["谢谢"]


def test_a_call_in_one_language_is_wholly_in_it() -> None:
    call = align([speech(AGENT, (0, 1))], transcript(words("您好 OK")))
    assert call.languages == {"zh": 1.0}
    assert align([speech(AGENT, (0, 1))]).languages == {"zh": 1.0}


def test_the_space_before_the_first_word_goes_and_the_others_stay() -> None:
    heard = transcript(words(" thank you"), language="en")
    said = align([speech(AGENT, (0, 1))], heard, language="en").utterances[0]
    assert said.text == "thank you"
    assert [w.text for w in said.words] == ["thank", " you"]
    assert said.word_offsets == (0, 5)


def test_confidence_weighs_words_by_their_length() -> None:
    heard = transcript([Word("好", 0, 0.25, 0.5), Word("，", 0.25, 0.25, 0.0), Word(" thanks", 0.25, 0.75, 0.75)])
    said = align([speech(AGENT, (0, 1))], heard).utterances[0]
    assert said.confidence == pytest.approx((0.5 * 1 + 0.75 * 6) / 7)


# --- turns and roles --------------------------------------------------------------------------------------


def test_consecutive_utterances_of_a_role_are_one_turn() -> None:
    said = [
        utterance("您好", 0.0, 1.0, index=0),
        utterance("我是小王", 2.0, 6.0, index=1),
        utterance("嗯", 3.0, 3.5, role=CUSTOMER, index=2),
        utterance("请讲", 7.0, 8.0, index=3),
    ]
    assert [(t.role, t.span, t.utterances) for t in turns_of(said)] == [
        (AGENT, TimeSpan(0, 6), (0, 1)),
        (CUSTOMER, TimeSpan(3, 3.5), (2,)),
        (AGENT, TimeSpan(7, 8), (3,)),
    ]


def test_a_turn_ends_with_its_last_word_not_its_last_utterance() -> None:
    said = [utterance("一二三四", 0.0, 5.0, index=0), utterance("嗯", 1.0, 2.0, channel=1, index=1)]
    assert turns_of(said)[0].span == TimeSpan(0, 5)


def test_speakers_who_start_together_are_ordered_alike_on_either_channel() -> None:
    for agent, customer in ((0, 1), (1, 0)):
        call = align(
            [speech(AGENT, (0, 1), channel=agent), speech(CUSTOMER, (0, 1), channel=customer)],
            transcript(words("您好"), channel=agent),
            transcript(words("喂喂"), channel=customer),
        )
        assert [u.role for u in call.utterances] == [AGENT, CUSTOMER]


@pytest.mark.parametrize(
    ("channels", "agent_channel", "roles"),
    [
        (2, 0, (AGENT, CUSTOMER)),
        (2, 1, (CUSTOMER, AGENT)),
        (2, None, (UNKNOWN, UNKNOWN)),
        (2, 2, (UNKNOWN, UNKNOWN)),
        (1, 0, (UNKNOWN,)),
        (1, None, (UNKNOWN,)),
    ],
)
def test_roles_come_from_the_metadata_or_stay_unknown(
    channels: int, agent_channel: int | None, roles: tuple[SpeakerRole, ...]
) -> None:
    assert roles_of(channels, agent_channel) == roles


def test_the_recognisers_doubts_are_kept() -> None:
    """Those of a window whose words were struck, too."""
    heard = transcript(words("您好", 1.0))
    struck = replace(
        heard.segments[0],
        words=(),
        no_speech_probability=0.8,
        attempt=2,
        span=TimeSpan(5.0, 7.0),
        struck="no speech",
    )
    call = align([speech(AGENT, (1.0, 2.0))], replace(heard, segments=(*heard.segments, struck)))
    first, second = call.segments
    assert (first.channel, first.start, first.end, first.words, first.struck) == (0, 1.0, 1.5, 2, None)
    assert (first.average_log_probability, first.no_speech_probability) == (-0.25, 0.01)
    assert (second.start, second.end, second.words, second.struck) == (5.0, 7.0, 0, "no speech")
    assert (second.no_speech_probability, second.attempt) == (0.8, 2)
