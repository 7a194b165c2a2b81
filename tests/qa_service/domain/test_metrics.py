"""Conversation metrics: every definition at its thresholds, and the laws that hold for any call.

Times are multiples of 1/8 s: exact in binary, so a threshold is met exactly or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.alignment import AlignmentOptions, build_conversation
from qa_service.domain.call import CallMetadata, HangupSide
from qa_service.domain.conversation import Conversation, SpeakerRole, SpeakerSpeech, Transcript, Word
from qa_service.domain.metrics import (
    ConversationMetrics,
    Interruption,
    InterruptionOutcome,
    MetricOptions,
    RoleMetrics,
    Silence,
    measure,
    says_something,
)
from qa_service.domain.timeline import TimeSpan, total_s, union
from tests.builders import (
    AGENT,
    CUSTOMER,
    UNKNOWN,
    conversation,
    overlay,
    spans,
    speech,
    transcript,
    utterance,
    words,
)

OPTIONS = MetricOptions()
SUCCESSFUL, UNSUCCESSFUL = InterruptionOutcome.SUCCESSFUL, InterruptionOutcome.UNSUCCESSFUL

Edges = tuple[float, float]


def measured(call: Conversation, **metadata: object) -> ConversationMetrics:
    return measure(call, replace(CallMetadata(), **metadata), OPTIONS)  # type: ignore[arg-type]


def of(call: Conversation, role: SpeakerRole) -> RoleMetrics:
    found = measured(call).of(role)
    assert found is not None
    return found


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


# --- interruptions ----------------------------------------------------------------------------------------


def interruptions(
    customer: Sequence[Edges], agent: Edges, said: str = "我来帮您查", **conversation_options: bool
) -> tuple[Interruption, ...]:
    """The agent starts while the customer speaks."""
    call = conversation(
        *(utterance("我上个月买的那个", start, end, role=CUSTOMER) for start, end in customer),
        *([utterance(said, *agent)] if said else []),
        channels=[speech(AGENT, agent), speech(CUSTOMER, *customer)],
        **conversation_options,  # type: ignore[arg-type]
    )
    return measured(call).interruptions


def interruption(customer: Sequence[Edges], agent: Edges, said: str = "我来帮您查") -> Interruption:
    found = interruptions(customer, agent, said)
    assert len(found) == 1
    return found[0]


def test_an_interruption() -> None:
    assert interruption([(0, 5)], (4, 8)) == Interruption(
        role=AGENT, overlap=TimeSpan(4, 5), outcome=SUCCESSFUL, violation=True, utterances=(1,)
    )


def test_the_customer_interrupts_too() -> None:
    call = conversation(utterance("您好我是客服", 0, 5), utterance("你先听我说", 3, 9, role=CUSTOMER))
    assert [(i.role, i.overlap, i.violation) for i in measured(call).interruptions] == [
        (CUSTOMER, TimeSpan(3, 5), True)
    ]


@pytest.mark.parametrize(
    ("start", "events"),
    [(4.5, []), (4.375, [False]), (4.125, [False]), (4.0, [True])],
    ids=["0.5 s: none", "0.625 s: event", "0.875 s: event", "1.0 s: violation"],
)
def test_overlap_thresholds(start: float, events: list[bool]) -> None:
    assert [i.violation for i in interruptions([(0, 5)], (start, 8))] == events


@pytest.mark.parametrize(("since", "violation"), [(3.0, True), (3.125, False)])
def test_the_other_must_have_held_the_floor_for_a_second(since: float, violation: bool) -> None:
    assert interruption([(since, 6)], (4, 8)).violation is violation


def test_who_starts_at_the_same_moment_interrupts_nobody() -> None:
    assert interruptions([(0, 5)], (0, 5)) == ()


def test_who_starts_as_the_other_ends_interrupts_nobody() -> None:
    assert interruptions([(0, 5)], (5, 8)) == ()


def test_a_short_pause_does_not_give_up_the_floor() -> None:
    """The customer breathes from 3 to 3.5 s; the agent starts in the breath."""
    found = interruption([(0, 3), (3.5, 6)], (3.25, 8))
    assert (found.overlap, found.violation) == (TimeSpan(3.25, 6), True)
    assert interruptions([(0, 3), (3.625, 6)], (3.25, 8))[0].role is CUSTOMER  # a longer one does


def test_speaking_inside_the_others_sentence_is_no_success() -> None:
    found = interruption([(0, 9)], (4, 6))
    assert (found.overlap, found.outcome, found.violation) == (TimeSpan(4, 6), UNSUCCESSFUL, True)


@pytest.mark.parametrize(("until", "outcome"), [(6.0, SUCCESSFUL), (5.875, UNSUCCESSFUL)])
def test_success_is_a_second_of_the_floor(until: float, outcome: InterruptionOutcome) -> None:
    assert interruption([(0, 5)], (4, until)).outcome is outcome


@pytest.mark.parametrize(("back", "outcome"), [(6.0, SUCCESSFUL), (5.875, UNSUCCESSFUL)])
def test_a_floor_taken_back_within_the_second_was_not_won(back: float, outcome: InterruptionOutcome) -> None:
    found = next(i for i in interruptions([(0, 5), (back, 7)], (4, 9)) if i.role is AGENT)
    assert found.outcome is outcome


@pytest.mark.parametrize("said", ["嗯", "嗯嗯，对对，是的", "好的，我知道"])
def test_a_backchannel_is_an_event_and_no_violation(said: str) -> None:
    assert interruption([(0, 5)], (4, 8), said).violation is False


def test_nothing_recognised_is_indeterminate() -> None:
    found = interruption([(0, 5)], (4, 8), said="")
    assert (found.violation, found.utterances) == (None, ())


def test_nothing_recognised_of_too_short_an_overlap_is_no_violation() -> None:
    assert interruption([(0, 5)], (4.25, 8), said="").violation is False


@pytest.mark.parametrize("whose", [AGENT, CUSTOMER])
def test_nobody_interrupts_noise_that_was_taken_for_speech(whose: SpeakerRole) -> None:
    """The detector finds both speaking from 0 to 4 s, the recogniser one of them's words before or after only."""
    said = {AGENT: utterance("我来帮您查", 2, 6), CUSTOMER: utterance("我上个月买的那个", 0, 4, role=CUSTOMER)}
    quiet = words(said[whose].text, 4.5 if whose is AGENT else 0.0, word_s=0.2)
    said[whose] = replace(said[whose], words=quiet)
    sure, unsure = (
        measured(conversation(*utterances, channels=[speech(AGENT, (2, 6)), speech(CUSTOMER, (0, 4))]))
        for utterances in (
            (utterance("我来帮您查", 2, 6), utterance("我上个月买的那个", 0, 4, role=CUSTOMER)),
            tuple(said.values()),
        )
    )
    assert [i.violation for i in sure.interruptions] == [True]
    assert [i.violation for i in unsure.interruptions] == [None]


def test_an_interruption_by_doubtful_words_cannot_be_told() -> None:
    call = conversation(
        utterance("我上个月买的那个", 0, 4, role=CUSTOMER), utterance("我来帮您查", 2, 6, confidence=0.4)
    )
    assert [i.violation for i in measured(call).interruptions] == [None]


def test_the_end_of_the_own_sentence_is_not_what_one_interrupts_with() -> None:
    """The agent ends a sentence at 4 s, the customer has begun at 3 s, the agent hums at 4.75 s: one utterance of
    the agent (0.75 s of pause), of which only the hum interrupts."""
    sentence = [Word(c, i / 2, (i + 1) / 2, 0.9) for i, c in enumerate("请说您的订单号吧")]
    hum = [Word("嗯", 5.0, 5.5, 0.9), Word("嗯", 5.5, 6.0, 0.9)]
    call = build(
        [speech(AGENT, (0, 4), (4.75, 6)), speech(CUSTOMER, (3, 8))],
        [transcript([*sentence, *hum]), transcript([Word("我", 3.0, 8.0, 0.9)], channel=1)],
    )
    assert [u.text for u in call.utterances] == ["请说您的订单号吧嗯嗯", "我"]
    found = [i for i in measured(call).interruptions if i.role is AGENT]
    assert [(i.overlap, i.violation, i.utterances) for i in found] == [(TimeSpan(4.75, 6), False, (0,))]


def test_on_a_single_track_overlap_is_kept_and_convicts_nobody() -> None:
    call = conversation(utterance("我想退货", 0, 5, role=CUSTOMER), utterance("我来帮您查", 3, 8))
    mono = measured(replace(call, overlap_measurable=False))
    assert not mono.interruptions_measurable
    assert [(i.role, i.overlap, i.violation) for i in mono.interruptions] == [(AGENT, TimeSpan(3, 5), None)]
    assert mono.overlaps == (TimeSpan(3, 5),)
    stereo = measured(call)
    assert stereo.interruptions_measurable
    assert [i.violation for i in stereo.interruptions] == [True]


def test_overlap_counts_every_pair_of_speakers() -> None:
    channels = [
        speech(AGENT, (0, 5)),
        replace(speech(CUSTOMER, (3, 8), channel=0), speaker=1),
        replace(speech(SpeakerRole.SYSTEM, (7, 9), channel=0), speaker=2),
    ]
    assert measured(conversation(channels=channels)).overlaps == (TimeSpan(3, 5), TimeSpan(7, 8))


def test_unknown_roles_are_not_measurable() -> None:
    call = conversation(channels=[speech(UNKNOWN, (0, 5)), speech(UNKNOWN, (3, 8), channel=1)])
    metrics = measured(call)
    assert not metrics.interruptions_measurable
    assert metrics.interruptions == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("我来查", False),
        ("我来查询", True),
        ("好的，我来查", False),
        ("好的好的，嗯，我来查询", True),
        ("知道了知道了", False),
        ("uh-huh, right, I see", False),
        ("yeah, sorry", False),
        ("yeah, sorry sir", True),
        ("Right away sir", True),
        ("rightly so", True),  # a backchannel is a whole word
        ("OK我来查询", True),
        ("OK我来查", False),
        ("138 1234 5678", True),  # eleven spoken digits
        ("好的，1234", True),
        ("123", False),
        ("我是小", False),
    ],
)
def test_what_is_left_without_backchannels(text: str, expected: bool) -> None:
    assert says_something(text, OPTIONS) is expected


def test_thresholds_are_options() -> None:
    call = conversation(utterance("我想退货", 0, 5, role=CUSTOMER), utterance("我来查", 4.25, 8))
    strict = MetricOptions(interruption_overlap_s=0.75, interruption_min_characters=3)
    assert [i.violation for i in measure(call, CallMetadata(), OPTIONS).interruptions] == [False]
    assert [i.violation for i in measure(call, CallMetadata(), strict).interruptions] == [True]


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


# --- laws -------------------------------------------------------------------------------------------------


def build(
    channels: Sequence[SpeakerSpeech], heard: Sequence[Transcript], *, duration_s: float = 60.0
) -> Conversation:
    return build_conversation(
        duration_s=duration_s,
        language="zh",
        speech=channels,
        transcripts=heard,
        simplified=lambda raw, _: raw,
        overlay=overlay,
        role_source="metadata",
        overlap_measurable=True,
        provenance=(),
        options=AlignmentOptions(utterance_pause_s=0.75),
    )


Grid = list[tuple[int, int, str]]
# Pauses and lengths in eighths of a second, with what is said in each stretch ("" is not recognised).
STRETCHES: st.SearchStrategy[Grid] = st.lists(
    st.tuples(
        st.integers(1, 40), st.integers(1, 40), st.sampled_from(["", "嗯", "好的", "我来查询", "我想退货谢谢"])
    ),
    max_size=6,
)
LAST_S = 6 * 80 / 8


@dataclass(frozen=True, slots=True)
class Call:
    """A drawn call: spans and words of both roles, before they become a conversation."""

    agent: tuple[tuple[TimeSpan, str], ...]
    customer: tuple[tuple[TimeSpan, str], ...]

    def conversation(self, *, agent_channel: int = 0, by_s: float = 0.0, cut: bool = False) -> Conversation:
        channels, heard = [], []
        for role, stretches in ((AGENT, self.agent), (CUSTOMER, self.customer)):
            channel = agent_channel if role is AGENT else 1 - agent_channel
            edges: list[Edges] = []
            said: list[Word] = []
            for span, text in stretches:
                start, middle, end = span.start + by_s, span.middle + by_s, span.end + by_s
                edges += [(start, middle), (middle, end)] if cut else [(start, end)]
                step = span.duration_s / 8  # up to six words and a rest, exact in binary
                said += [Word(c, start + i * step, start + (i + 1) * step, 0.9) for i, c in enumerate(text)]
            channels.append(speech(role, *edges, channel=channel))
            heard.append(transcript(said, channel=channel))
        if agent_channel:
            channels.reverse()
            heard.reverse()
        return build(channels, heard, duration_s=LAST_S + by_s)


def stretches(grid: Grid) -> tuple[tuple[TimeSpan, str], ...]:
    found, clock = [], 0.0
    for pause, length, text in grid:
        start = clock + pause / 8
        clock = start + length / 8
        found.append((TimeSpan(start, clock), text))
    return tuple(found)


CALLS = st.builds(Call, STRETCHES.map(stretches), STRETCHES.map(stretches))


@given(CALLS)
def test_shares_and_totals_add_up(call: Call) -> None:
    metrics = measured(call.conversation())
    agent, customer = metrics.roles
    both = total_s(union([*agent.speech, *customer.speech]))
    assert agent.speech_s + customer.speech_s - metrics.overlap_s == both <= metrics.duration_s
    for role in metrics.roles:
        assert role.talk_ratio is not None
        assert 0.0 <= role.talk_ratio <= 1.0
        assert role.longest_monologue is None or role.longest_monologue.duration_s <= metrics.duration_s
    if metrics.talk:
        assert both + metrics.dead_air_s <= metrics.talk.duration_s
    for found in metrics.interruptions:
        assert found.overlap.duration_s > OPTIONS.overlap_event_s
    assert all(x.span.duration_s >= 0 for x in metrics.latencies)


@given(CALLS)
def test_cutting_speech_in_two_changes_nothing(call: Call) -> None:
    assert measured(call.conversation(cut=True)) == measured(call.conversation())


@given(CALLS)
def test_splitting_utterances_changes_no_total(call: Call) -> None:
    """Every utterance once whole and once as two that touch, cut between two words."""
    whole = call.conversation()
    parts = []
    for u in whole.utterances:
        half = len(u.words) // 2
        at = max(u.start, min(u.end, u.words[half].start))
        cut = u.word_offsets[half]
        pieces = [(u.start, at, u.text[:cut], u.words[:half]), (at, u.end, u.text[cut:], u.words[half:])]
        parts += [
            replace(
                u,
                start=start,
                end=end,
                text=text,
                raw_text=text,
                words=words,
                word_offsets=tuple(range(len(words))),
                overlay=overlay(text),
            )
            for start, end, text, words in pieces
            if words
        ]
    by_turn = {i: n for n, turn in enumerate(whole.turns) for i in turn.utterances}
    parts.sort(key=lambda p: by_turn[p.index])
    turns = [
        replace(whole.turns[n], utterances=tuple(i for i, p in enumerate(parts) if by_turn[p.index] == n))
        for n, _ in groupby(parts, key=lambda p: by_turn[p.index])
    ]
    split = replace(whole, utterances=tuple(replace(p, index=i) for i, p in enumerate(parts)), turns=tuple(turns))

    def totals(metrics: ConversationMetrics) -> ConversationMetrics:
        """Without what names single utterances, and without the rate, which skips short utterances."""
        return replace(
            metrics,
            roles=tuple(replace(r, speech_rate_per_min=None) for r in metrics.roles),
            interruptions=tuple(replace(i, utterances=()) for i in metrics.interruptions),
        )

    assert totals(measured(split)) == totals(measured(whole))


@given(CALLS, st.integers(0, 800).map(lambda n: n / 8))
def test_shifting_the_time_shifts_spans_only(call: Call, by_s: float) -> None:
    def moved(span: TimeSpan) -> TimeSpan:
        return TimeSpan(span.start + by_s, span.end + by_s)

    metrics, later = measured(call.conversation()), measured(call.conversation(by_s=by_s))
    assert later == replace(
        metrics,
        duration_s=metrics.duration_s + by_s,
        talk=moved(metrics.talk) if metrics.talk else None,
        roles=tuple(
            replace(
                r,
                speech=tuple(map(moved, r.speech)),
                talk_ratio=r.speech_s / (metrics.duration_s + by_s),
                longest_monologue=moved(r.longest_monologue) if r.longest_monologue else None,
            )
            for r in metrics.roles
        ),
        overlaps=tuple(map(moved, metrics.overlaps)),
        interruptions=tuple(replace(i, overlap=moved(i.overlap)) for i in metrics.interruptions),
        silences=tuple(replace(s, span=moved(s.span)) for s in metrics.silences),
        latencies=tuple(replace(x, span=moved(x.span)) for x in metrics.latencies),
    )


@given(CALLS)
def test_swapping_the_channels_changes_nothing(call: Call) -> None:
    assert measured(call.conversation(agent_channel=1)) == measured(call.conversation())
