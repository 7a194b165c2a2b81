"""Conversation metrics: every definition at its thresholds.

Times are multiples of 1/8 s: exact in binary, so a threshold is met exactly or not at all.
"""

from dataclasses import replace

import pytest

from qa_service.domain.call import HangupSide
from qa_service.domain.metrics import (
    Silence,
)
from qa_service.domain.timeline import TimeSpan
from tests.builders import (
    AGENT,
    CUSTOMER,
    UNKNOWN,
    conversation,
    spans,
    speech,
    utterance,
    words,
)
from tests.qa_service.domain.measuring import measured, of

# --- talk -------------------------------------------------------------------------------------------------


def test_talk_ratio_is_the_union_of_a_roles_speech_over_the_duration() -> None:
    call = conversation(
        channels=[speech(AGENT, (0, 4), (2, 6), (10, 12), level_dbfs=-21.5), speech(CUSTOMER, (5, 8))],
        duration_s=32.0,
    )
    agent, customer = of(call, AGENT), of(call, CUSTOMER)
    assert (agent.speech, agent.speech_s, agent.talk_ratio) == (spans((0, 6), (10, 12)), 8.0, 0.25)
    assert (customer.speech_s, customer.talk_ratio) == (3.0, 3 / 32)
    assert (agent.level_dbfs, customer.level_dbfs) == (-21.5, None)
    metrics = measured(call)
    assert (metrics.talk, metrics.overlaps, metrics.overlap_s) == (TimeSpan(0, 12), spans((5, 6)), 1.0)


def test_nobody_speaks() -> None:
    metrics = measured(conversation())
    assert (metrics.talk, metrics.silences, metrics.interruptions, metrics.latencies) == (None, (), (), ())
    agent = metrics.of(AGENT)
    assert agent is not None
    assert (agent.speech_s, agent.talk_ratio, agent.speech_rate_per_min) == (0.0, 0.0, None)
    assert (agent.turn_count, agent.longest_monologue) == (0, None)


def test_an_unknown_role_has_no_metrics_rather_than_zeros() -> None:
    metrics = measured(conversation(channels=[speech(UNKNOWN, (0, 5))]))
    assert metrics.roles == ()
    assert metrics.of(AGENT) is None
    assert metrics.talk == TimeSpan(0, 5)


def test_a_recording_without_duration_has_no_ratio() -> None:
    assert of(conversation(duration_s=0.0), AGENT).talk_ratio is None


def test_turns_and_the_longest_monologue() -> None:
    call = conversation(
        utterance("您好请问什么事", 0, 2),
        utterance("我想退货", 3, 5, role=CUSTOMER),
        utterance("好的请稍等", 6, 8),
        utterance("我帮您查一下", 9, 12),
        utterance("谢谢", 13, 14, role=CUSTOMER),
    )
    agent = of(call, AGENT)
    assert (agent.turn_count, agent.longest_monologue) == (2, TimeSpan(6, 12))
    assert of(call, CUSTOMER).turn_count == 2


def test_the_telephony_facts_pass_through() -> None:
    metrics = measured(conversation(), hangup_side=HangupSide.CUSTOMER, ring_count=4)
    assert (metrics.hangup_side, metrics.ring_count) == (HangupSide.CUSTOMER, 4)
    assert (measured(conversation()).hangup_side, measured(conversation()).ring_count) == (None, None)


# --- speech rate ------------------------------------------------------------------------------------------


def test_rate_is_characters_and_words_over_the_minutes_of_speech() -> None:
    """Seven characters in 2 s and three characters and three words in 1 s: 13 in 3 s are 260 a minute."""
    call = conversation(utterance("您好，我是小王。呢", 0, 2), utterance("请按 OK key 吧 now", 4, 5))
    assert of(call, AGENT).speech_rate_per_min == 260.0


def test_pauses_inside_an_utterance_are_not_speech() -> None:
    call = conversation(utterance("一二三四五六", 0, 3), channels=[speech(AGENT, (0, 1), (1.5, 2), (2.5, 3))])
    assert of(call, AGENT).speech_rate_per_min == 180.0  # 6 in 2 s


def test_utterances_under_five_characters_are_skipped_with_their_time() -> None:
    call = conversation(utterance("一二三四五", 0, 1), utterance("谢谢您呢", 5, 25))
    assert of(call, AGENT).speech_rate_per_min == 300.0
    assert of(conversation(utterance("谢谢您呢", 5, 6)), AGENT).speech_rate_per_min is None


def test_what_is_said_in_another_language_has_no_part_in_the_rate() -> None:
    """Words a minute are not characters a minute."""
    foreign = replace(utterance("how may I help you today", 10, 20), language="en")
    call = conversation(utterance("一二三四五", 0, 1), foreign)
    assert of(call, AGENT).speech_rate_per_min == 300.0
    assert of(call, AGENT).speech_s == 11.0


def test_unrecognised_speech_does_not_slow_the_rate() -> None:
    call = conversation(utterance("一二三四五", 0, 1), channels=[speech(AGENT, (0, 1), (30, 50))])
    assert of(call, AGENT).speech_rate_per_min == 300.0


@pytest.mark.parametrize(("confidence", "rate"), [(0.76, 300.0), (0.74, None)])
def test_words_that_were_not_heard_right_make_no_rate(confidence: float, rate: float | None) -> None:
    call = conversation(utterance("一二三四五", 0, 1, confidence=confidence))
    assert of(call, AGENT).speech_rate_per_min == rate


def test_words_that_were_lost_make_no_rate() -> None:
    """Ten seconds of speech, five words in the last of them."""
    said = words("一二三四五", 9.0, word_s=0.2)
    call = conversation(replace(utterance("一二三四五", 0, 10), words=said))
    assert of(call, AGENT).speech_rate_per_min is None


def test_on_a_single_track_words_said_at_once_count_for_nobodys_rate() -> None:
    """The recogniser gives them to both. The agent says eight characters in 4 s with a pause from 1 to 2 s, and is
    alone for the first second; the customer says six in 3 s and is alone for the last one."""
    call = conversation(
        utterance("一二三四五六七八", 0, 4),
        utterance("五六七八九十", 2, 5, role=CUSTOMER),
        channels=[speech(AGENT, (0, 1), (2, 4)), speech(CUSTOMER, (2, 5))],
    )
    assert (of(call, AGENT).speech_rate_per_min, of(call, CUSTOMER).speech_rate_per_min) == (160.0, 120.0)
    mono = replace(call, overlap_measurable=False)
    assert (of(mono, AGENT).speech_rate_per_min, of(mono, CUSTOMER).speech_rate_per_min) == (120.0, 120.0)


def test_who_is_never_alone_on_a_single_track_has_no_rate() -> None:
    call = conversation(utterance("一二三四五六", 1, 3), utterance("五六七八九十", 0, 5, role=CUSTOMER))
    assert of(call, AGENT).speech_rate_per_min == 180.0
    assert of(replace(call, overlap_measurable=False), AGENT).speech_rate_per_min is None


# --- dead air and holds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pause_s", "expected"),
    [
        (3.0, None),
        (3.125, (False, False)),
        (5.0, (False, False)),
        (5.125, (True, False)),
        (10.0, (True, False)),
        (10.125, (True, True)),
    ],
)
def test_silence_thresholds(pause_s: float, expected: tuple[bool, bool] | None) -> None:
    call = conversation(channels=[speech(AGENT, (1, 2)), speech(CUSTOMER, (2 + pause_s, 20))])
    found = measured(call).silences
    if expected is None:
        assert found == ()
    else:
        assert found == (Silence(TimeSpan(2, 2 + pause_s), AGENT, CUSTOMER, *expected),)
        assert measured(call).dead_air_s == pause_s


def test_ring_and_hangup_tail_are_not_dead_air() -> None:
    call = conversation(channels=[speech(AGENT, (20, 25)), speech(CUSTOMER, (25, 30))], duration_s=60.0)
    assert measured(call).silences == ()


def test_speech_of_anybody_ends_a_silence_recognised_or_not() -> None:
    call = conversation(channels=[speech(AGENT, (0, 2), (10, 12)), speech(CUSTOMER, (5, 7))])
    assert measured(call).silences == ()


def test_a_hold_is_not_dead_air() -> None:
    call = conversation(channels=[speech(AGENT, (0, 10), (42, 45)), speech(CUSTOMER, (45, 46))])
    metrics = measured(call, hold_spans=spans((14, 40)))
    assert [(s.span, s.previous_role, s.next_role) for s in metrics.silences] == [
        (TimeSpan(10, 14), AGENT, AGENT)  # 4 s before the hold; the 2 s after it are no dead air
    ]
    assert (metrics.holds, metrics.hold_s) == (spans((14, 40)), 26.0)


def test_holds_are_cut_to_the_recording_and_counted_once() -> None:
    metrics = measured(conversation(duration_s=30.0), hold_spans=spans((5, 15), (10, 20), (25, 40)))
    assert (metrics.holds, metrics.hold_s) == (spans((5, 20), (25, 30)), 20.0)


# --- response latency -------------------------------------------------------------------------------------


def test_latency_runs_from_the_end_of_the_others_turn() -> None:
    call = conversation(
        utterance("您好", 0, 2),
        utterance("我想退货", 3, 5, role=CUSTOMER),
        utterance("好的", 5, 6),
        utterance("谢谢", 5.5, 8, role=CUSTOMER),
    )
    found = measured(call).latencies
    assert [(x.role, x.span) for x in found] == [(CUSTOMER, TimeSpan(2, 3)), (AGENT, TimeSpan(5, 5))]


def test_a_backchannel_inside_a_longer_turn_is_answered_by_nobody() -> None:
    call = conversation(
        utterance("您的订单已经发货了", 0, 10), utterance("嗯", 3, 4, role=CUSTOMER), utterance("请查收", 12, 14)
    )
    assert measured(call).latencies == ()


def test_unrecognised_speech_in_between_makes_the_latency_unknown() -> None:
    call = conversation(
        utterance("我想退货", 0, 5, role=CUSTOMER),
        utterance("好的", 9, 10),
        channels=[speech(AGENT, (6, 7), (9, 10)), speech(CUSTOMER, (0, 5))],
    )
    assert measured(call).latencies == ()
