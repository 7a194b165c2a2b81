"""Error rates of words, times and roles, on conversations whose errors are known."""

from typing import Any

import pytest

from benchmarks.speech import Times, spoken_times, word_errors


def utterance(role: str, start: float, end: float, text: str, *, voice: int = 0) -> dict[str, Any]:
    return {"role": role, "channel": 0, "speaker": voice, "start": start, "end": end, "text": text}


def truth(*utterances: dict[str, Any], language: str = "zh-CN", duration: float = 20.0) -> dict[str, Any]:
    return {"language": language, "duration": duration, "utterances": utterances}


SAID = truth(utterance("agent", 0, 4, "您好请讲。"), utterance("customer", 5, 9, "我要退款"))


def test_what_is_heard_as_said_has_no_errors() -> None:
    pytest.importorskip("meeteval", reason="the extra 'evaluation' is not installed")
    errors = word_errors(SAID, SAID["utterances"])
    assert (errors.rate, errors.said) == (0.0, 8)


def test_words_given_to_the_wrong_speaker_are_errors_and_swapped_speakers_are_not() -> None:
    pytest.importorskip("meeteval", reason="the extra 'evaluation' is not installed")
    swapped = [utterance("customer", 0, 4, "您好请讲"), utterance("agent", 5, 9, "我要退款")]
    assert word_errors(SAID, swapped).rate == 0.0
    leaked = [utterance("agent", 0, 9, "您好请讲我要"), utterance("customer", 7, 9, "退款")]
    errors = word_errors(SAID, leaked)
    assert (errors.insertions, errors.deletions, errors.substitutions) == (2, 2, 0)
    assert errors.rate == pytest.approx(4 / 8)


def test_each_voice_without_a_role_stands_for_itself() -> None:
    pytest.importorskip("meeteval", reason="the extra 'evaluation' is not installed")
    voices = [utterance("unknown", 0, 4, "您好请讲", voice=1), utterance("unknown", 5, 9, "我要退款", voice=0)]
    assert word_errors(SAID, voices).rate == 0.0


def test_english_errors_count_words() -> None:
    pytest.importorskip("meeteval", reason="the extra 'evaluation' is not installed")
    said = truth(utterance("agent", 0, 4, "Hello there, sir."), language="en-US")
    errors = word_errors(said, [utterance("agent", 0, 4, "hello that sir")])
    assert (errors.substitutions, errors.said) == (1, 3)


def test_times_of_a_perfect_conversation() -> None:
    times = spoken_times(SAID, SAID["utterances"])
    assert times.diarization_error == 0.0
    assert times.said == pytest.approx(8.0)
    assert times.role_accuracy == 1.0


def test_swapped_roles_are_no_diarization_error_but_wrong_roles() -> None:
    swapped = [utterance("customer", 0, 4, ""), utterance("agent", 5, 9, "")]
    times = spoken_times(SAID, swapped)
    assert times.diarization_error == 0.0
    assert times.role_accuracy == 0.0


def test_missed_false_and_confused_speech_have_no_collar() -> None:
    found = [utterance("agent", 0.2, 4, ""), utterance("agent", 5, 6, ""), utterance("customer", 6, 10, "")]
    times = spoken_times(SAID, found)
    assert times.missed == pytest.approx(0.2)
    assert times.invented == pytest.approx(1.0)
    assert times.confused == pytest.approx(1.0)
    assert times.diarization_error == pytest.approx(2.2 / 8)
    assert times.role_accuracy == pytest.approx(6.8 / 7.8)


def test_speech_of_both_at_once_counts_for_both() -> None:
    both = truth(utterance("agent", 0, 4, ""), utterance("customer", 2, 6, ""))
    times = spoken_times(both, [utterance("agent", 0, 4, ""), utterance("customer", 4, 6, "")])
    assert times.said == pytest.approx(8.0)
    assert times.missed == pytest.approx(2.0)


def test_speech_without_a_role_is_not_counted_as_either() -> None:
    found = [utterance("agent", 0, 4, ""), utterance("unknown", 5, 9, "")]
    times = spoken_times(SAID, found)
    assert times.diarization_error == 0.0
    assert times.role_accuracy == 1.0
    assert times.own_role == pytest.approx(4.0)
    assert spoken_times(SAID, []).role_accuracy is None


def test_calls_add_up() -> None:
    total = Times(said=4.0, missed=1.0) + Times(said=12.0, confused=1.0)
    assert total.diarization_error == pytest.approx(2 / 16)
