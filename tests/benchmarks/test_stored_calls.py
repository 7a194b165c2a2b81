"""Synthetic stored calls: the same each time, sound as conversations, and varied enough to be flipped."""

from collections import Counter

from benchmarks.stored_calls import AGENT, synthetic_calls
from qa_service.domain.metrics import MetricOptions, measure
from qa_service.domain.text import fold
from qa_service.pinyin import syllables


def test_the_same_number_gives_the_same_call() -> None:
    first, again = list(synthetic_calls(3)), list(synthetic_calls(5))
    assert first == again[:3]
    assert len({call.name for call in again}) == 5
    assert list(synthetic_calls(3, seed=6)) != first


def test_calls_are_sound_conversations() -> None:
    for call in synthetic_calls(10):
        spoken = call.conversation
        assert 55 <= len(spoken.utterances) <= 66
        assert 700 <= sum(len(u.text) for u in spoken.utterances) <= 1_200
        for utterance in spoken.utterances:
            assert "".join(word.text for word in utterance.words) == utterance.text
            assert all(0 < word.confidence <= 1 for word in utterance.words)
            assert 0 <= utterance.start < utterance.end <= spoken.duration_s
            folded = fold(utterance.text)
            assert (utterance.overlay.folded, utterance.overlay.offsets) == (folded.text, folded.offsets)
            assert len(utterance.overlay.syllables) == len(syllables(folded.text))
        assert {r.role for r in measure(spoken, call.metadata, MetricOptions()).roles} == {
            channel.role for channel in spoken.speech
        }


def test_agents_differ() -> None:
    calls = list(synthetic_calls(60))
    opened = Counter(call.conversation.utterances[0].text.startswith("您好") for call in calls)
    assert min(opened[True], opened[False]) >= 5
    assert len({call.metadata.agent_id for call in calls}) > 20
    assert len({call.metadata.team for call in calls}) == 8
    assert all(call.conversation.utterances[0].role is AGENT for call in calls)
