"""Calls in several languages: each stretch of speech is recognised in its own."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.asr.languages import LanguageOptions, by_language, dominant, stretches, told_by
from models.asr.recogniser import WhisperRecogniser
from models.asr.runtime import Encoded
from qa_service.domain.call import MIXED
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import SpeechActivity, SpokenCall
from tests.builders import spans
from tests.models.asr.fake_runtime import SCALE, FakeRuntime, saying
from tests.signals import ArrayAudio

OPTIONS = LanguageOptions()
LANGUAGES = ("zh", "en")


# --- what is listened to ----------------------------------------------------------------------------------


def test_an_utterance_is_listened_to_by_itself() -> None:
    speech = spans((0, 1), (1.5, 3), (5, 5.5), (8, 20))
    heard = [window.pieces[0].span for window in stretches(speech, OPTIONS)]
    assert heard == list(spans((0, 3), (8, 16)))  # the third is too short, the fourth long enough after 8 s


@pytest.mark.parametrize(
    ("probabilities", "language"),
    [
        ({"zh": 0.95, "en": 0.01}, "zh"),
        ({"zh": 0.02, "en": 0.3, "cy": 0.6}, "en"),  # of the languages that may be spoken
        ({"zh": 0.45, "en": 0.26}, None),
        ({"cy": 1.0}, None),
        ({}, None),
    ],
)
def test_a_language_is_told_where_it_is_certain(probabilities: Mapping[str, float], language: str | None) -> None:
    assert told_by(probabilities, LANGUAGES, OPTIONS) == language


def test_a_short_word_is_in_the_language_of_the_nearest_utterance() -> None:
    speech = spans((0, 3), (4, 4.5), (9, 9.5), (11, 14))
    told = [(TimeSpan(0, 3), "zh"), (TimeSpan(11, 14), "en")]
    assert by_language(speech, told, "zh", OPTIONS) == {
        "zh": spans((0, 3), (4, 4.5)),
        "en": spans((9, 9.5), (11, 14)),
    }
    assert by_language(speech, (), "en", OPTIONS) == {"en": speech}


edges = st.lists(st.floats(0, 60), min_size=2, max_size=24, unique=True).map(sorted)


@given(edges=edges, told=st.lists(st.tuples(st.floats(0, 60), st.sampled_from(LANGUAGES)), max_size=5))
def test_all_speech_is_in_one_language_each(edges: list[float], told: list[tuple[float, str]]) -> None:
    speech = tuple(TimeSpan(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False))
    found = by_language(speech, [(TimeSpan(t, t + 2), code) for t, code in told], "zh", OPTIONS)
    assert sorted(span for part in found.values() for span in part) == sorted(speech)


def test_the_dominant_language_is_what_most_is_spoken_in() -> None:
    speakers = [{"zh": spans((0, 4))}, {"en": spans((0, 3), (4, 7)), "zh": spans((8, 9))}]
    assert dominant(speakers, LANGUAGES) == "en"
    assert dominant([], LANGUAGES) == "zh"


# --- recognition ------------------------------------------------------------------------------------------


class Bilingual(FakeRuntime):
    """Numbers from 500 on are English."""

    def language_probabilities(self, encoded: Sequence[Encoded]) -> list[Mapping[str, float]]:
        shares = []
        for window in encoded:
            spoken = np.round(window[window > 0] * SCALE)
            shares.append(float((spoken >= 500).mean()) if len(spoken) else 0.5)
        return [{"zh": 1 - share, "en": share} for share in shares]


def call(*said: Sequence[int], language: str | None = None) -> SpokenCall:
    """Of each channel utterances of 2 s, 2 s apart, one number each."""
    longest = max(map(len, said))
    audio = np.stack(
        [
            saying([n for number in [*ns, *[0] * (longest - len(ns))] for n in [number] * 4 + [0] * 4])
            for ns in said
        ]
    )
    speakers = tuple(
        SpeechActivity(channel, tuple(TimeSpan(4.0 * i, 4.0 * i + 2) for i in range(len(ns))), -20.0)
        for channel, ns in enumerate(said)
    )
    return SpokenCall(ArrayAudio(audio), speakers, language)


def heard(one: SpokenCall) -> tuple[str, list[list[tuple[int, str]]]]:
    """The call's language, and of each speaker the numbers that were heard, in time, each with its language."""
    transcripts = WhisperRecogniser(Bilingual()).transcribe([one])[0]
    (language,) = {transcript.language for transcript in transcripts}
    return language, [
        [
            (int(word.text), code)
            for word, code in sorted(
                ((word, segment.language) for segment in transcript.segments for word in segment.words),
                key=lambda pair: pair[0].start,
            )
        ]
        for transcript in transcripts
    ]


@pytest.mark.parametrize("language", [MIXED, None])
def test_each_utterance_of_a_mixed_call_is_recognised_in_its_language(language: str | None) -> None:
    found = heard(call([101, 601, 602, 102], [603, 604, 605], language=language))
    assert found == (
        "en",
        [[(101, "zh"), (601, "en"), (602, "en"), (102, "zh")], [(603, "en"), (604, "en"), (605, "en")]],
    )


def test_a_told_language_is_used_for_all() -> None:
    assert heard(call([101, 601], [602], language="zh")) == ("zh", [[(101, "zh"), (601, "zh")], [(602, "zh")]])


@pytest.mark.parametrize("numbers", [[101, 102, 103], [601, 602, 603]])
def test_a_call_in_one_language_is_heard_alike_whether_it_may_be_mixed_or_not(numbers: list[int]) -> None:
    assert heard(call(numbers, numbers[::-1])) == heard(call(numbers, numbers[::-1], language=MIXED))


def test_speech_in_one_language_on_all_channels_is_not_listened_to_twice() -> None:
    runtime = Bilingual()
    WhisperRecogniser(runtime).transcribe([call([101, 102], [103])])
    assert sum(windows for windows, _ in runtime.encoded) == 2


def test_a_mixed_call_leaves_the_others_of_its_batch_alone() -> None:
    together = WhisperRecogniser(Bilingual()).transcribe(
        [call([101, 601]), call([102]), call([602], language=MIXED)]
    )
    alone = [
        WhisperRecogniser(Bilingual()).transcribe([one])[0]
        for one in (call([101, 601]), call([102]), call([602], language=MIXED))
    ]
    assert list(together) == alone


def test_windows_hold_all_speech_of_a_mixed_call() -> None:
    _, ((*numbers,),) = heard(call([n for i in range(8) for n in (101 + i, 601 + i)]))
    assert [number for number, _ in numbers] == [n for i in range(8) for n in (101 + i, 601 + i)]


def test_who_changes_languages_late_is_found_out() -> None:
    """The fullest window of either speaker is Mandarin; the last one of the first speaker is not."""
    chinese = [101 + i for i in range(14)]
    language, (agent, customer) = heard(call([*chinese, 601, 602, 603], chinese))
    assert language == "zh"
    assert agent == [*((n, "zh") for n in chinese), (601, "en"), (602, "en"), (603, "en")]
    assert {code for _, code in customer} == {"zh"}
