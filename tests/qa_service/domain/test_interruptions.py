"""Who takes the floor from whom, at every threshold.

Times are multiples of 1/8 s: exact in binary, so a threshold is met exactly or not at all.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import SpeakerRole, Word
from qa_service.domain.metrics import (
    Interruption,
    InterruptionOutcome,
    MetricOptions,
    measure,
    says_something,
)
from qa_service.domain.timeline import TimeSpan
from tests.builders import (
    AGENT,
    CUSTOMER,
    UNKNOWN,
    conversation,
    speech,
    transcript,
    utterance,
    words,
)
from tests.qa_service.domain.measuring import OPTIONS, Edges, build, measured

SUCCESSFUL, UNSUCCESSFUL = InterruptionOutcome.SUCCESSFUL, InterruptionOutcome.UNSUCCESSFUL


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
