"""When a measurement is a fault, and what a fault makes of a conversation."""

from dataclasses import replace

import pytest

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.faults import (
    MEASURES,
    ChannelFault,
    ChannelInspection,
    ChannelSignal,
    FaultKind,
    FaultOptions,
    channel_faults,
    hold_one_mixture,
    leaked,
)
from qa_service.domain.timeline import TimeSpan
from tests.builders import AGENT, CUSTOMER, conversation, spans, speech, utterance

FINE = ChannelSignal(peak_dbfs=-6.0)
OPTIONS = FaultOptions(
    same_share=0.75,
    same_level_db=8.0,
    leakage_db=-24.0,
    dead_dbfs=-75.0,
    clipped_share=0.25,
    speech_dbfs=-45.0,
    evidence=2,
)


def found(
    *channels: ChannelSignal,
    share: float = 0.0,
    louder_db: float = 0.0,
    speech_dbfs: tuple[float | None, ...] = (-20.0, -20.0),
    separate: bool = True,
) -> list[tuple[FaultKind, int | None, float | None]]:
    inspection = ChannelInspection(channels or (FINE, FINE), share, louder_db)
    faults = channel_faults(inspection, speech_dbfs=speech_dbfs, separate=separate, options=OPTIONS)
    return [(f.kind, f.channel, f.value) for f in faults]


def test_nothing_is_wrong() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("signal", "kind", "value"),
    [
        (replace(FINE, leakage_db=-24.0), FaultKind.CROSS_TALK, -24.0),
        (replace(FINE, peak_dbfs=-75.5), FaultKind.DEAD, -75.5),
        (replace(FINE, peak_dbfs=None), FaultKind.DEAD, None),
        (replace(FINE, clipped_share=0.25), FaultKind.CLIPPING, 0.25),
    ],
)
def test_a_channel_over_its_limit(signal: ChannelSignal, kind: FaultKind, value: float | None) -> None:
    assert found(FINE, signal) == [(kind, 1, value)]
    assert found(signal, FINE) == [(kind, 0, value)]


@pytest.mark.parametrize(
    "signal",
    [
        replace(FINE, leakage_db=-24.5),
        replace(FINE, peak_dbfs=-75.0),
        replace(FINE, clipped_share=0.24),
    ],
)
def test_a_channel_under_its_limit(signal: ChannelSignal) -> None:
    assert found(FINE, signal) == []


def test_the_level_is_that_of_the_speech() -> None:
    assert found(speech_dbfs=(-45.5, -45.0)) == [(FaultKind.LOW_LEVEL, 0, -45.5)]
    assert found(speech_dbfs=(None, -20.0)) == []


def test_where_one_channel_holds_both_the_other_is_missed_by_nobody() -> None:
    """The known "stereo" recorder: an empty channel beside the mixture, or the mixture twice."""
    signals = (FINE, ChannelSignal(peak_dbfs=None, leakage_db=-3.0))
    assert found(*signals, separate=False) == []
    assert found(*signals, separate=False, share=0.75) == [(FaultKind.SAME_AUDIO, None, 0.75)]
    assert found(FINE, FINE, separate=False, share=0.74) == []


def test_the_only_speakers_leak_is_cross_talk_and_no_second_recording_of_it() -> None:
    assert found(FINE, replace(FINE, leakage_db=-12.0), share=1.0, louder_db=12.0) == [
        (FaultKind.CROSS_TALK, 1, -12.0)
    ]


def test_faults_come_by_kind_then_channel() -> None:
    bad = ChannelSignal(peak_dbfs=-1.0, leakage_db=-6.0, clipped_share=0.5)
    kinds = [(kind, channel) for kind, channel, _ in found(bad, bad)]
    assert kinds == [(k, c) for k in (FaultKind.CROSS_TALK, FaultKind.CLIPPING) for c in (0, 1)]


def test_evidence_is_the_longest_in_order_of_time() -> None:
    signal = replace(FINE, leakage_db=-6.0, leaked=spans((1.0, 2.0), (2.5, 5.0), (10.0, 11.0), (20.0, 25.0)))
    (fault,) = channel_faults(
        ChannelInspection((FINE, signal)), speech_dbfs=(-20.0, -20.0), separate=True, options=OPTIONS
    )
    assert fault.spans == spans((1.0, 5.0), (20.0, 25.0))


@pytest.mark.parametrize(
    ("share", "louder_db", "one", "expected"),
    [
        (0.74, 0.0, False, (spans((1.0, 2.0)), ())),
        (0.75, 7.9, True, ((), ())),
        (0.75, -7.9, True, ((), ())),
        (0.75, 8.0, False, ((), spans((0.0, 60.0)))),
        (0.75, -8.0, False, (spans((0.0, 60.0)), ())),
    ],
)
def test_what_is_leaked(
    share: float, louder_db: float, one: bool, expected: tuple[tuple[TimeSpan, ...], ...]
) -> None:
    inspection = ChannelInspection((replace(FINE, leaked=spans((1.0, 2.0))), FINE), share, louder_db)
    assert hold_one_mixture(inspection, OPTIONS) is one
    assert leaked(inspection, duration_s=60.0, options=OPTIONS) == expected


def test_one_channel_leaks_nothing() -> None:
    assert leaked(ChannelInspection((FINE,)), duration_s=60.0, options=OPTIONS) == ((),)


def test_every_kind_has_a_measure() -> None:
    assert set(MEASURES) == set(FaultKind)


def test_whoever_is_on_a_dead_channel_is_not_heard() -> None:
    call = conversation(
        utterance("您好", 0.0, 2.0), channels=[speech(AGENT, (0.0, 2.0), channel=1), speech(CUSTOMER, channel=0)]
    )
    assert call.unheard_roles == frozenset()
    dead = ChannelFault(FaultKind.DEAD, 0)
    assert replace(call, faults=(dead,)).unheard_roles == {CUSTOMER}
    assert replace(call, faults=(replace(dead, channel=1),)).unheard_roles == {AGENT}
    assert (
        replace(call, faults=(replace(dead, kind=FaultKind.LOW_LEVEL),)).unheard_roles == frozenset[SpeakerRole]()
    )
