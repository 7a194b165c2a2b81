"""The truth of a call played at another speed."""

from typing import Any

import pytest

from benchmarks.truth import at_speed, overlaps_s, pauses_s, undecided_at


def call(*spans: tuple[int, float, float], duration: float = 100.0, rate: float = 200.0) -> dict[str, Any]:
    """Utterances as (channel, start, end)."""
    return {
        "language": "zh-CN",
        "duration": duration,
        "chars_per_min": {"agent": rate, "customer": 300},
        "utterances": [{"channel": c, "role": "agent", "start": s, "end": e, "text": "好"} for c, s, e in spans],
    }


def test_times_shrink_and_rates_grow_with_the_speed() -> None:
    truth = {
        "duration": 60.0,
        "sample_rate": 8000,
        "talk_s": {"agent": 30.0, "customer": 12.0},
        "chars_per_min": {"agent": 250, "customer": 300},
        "thresholds": {"overlap_s": 1.0, "silence_s": 10.0},
        "silences": [{"start": 12.0, "end": 24.0, "dur": 12.0, "before_turn": 7}],
        "utterances": [{"i": 3, "channel": 1, "start": 6.0, "end": 9.0, "text": "好", "cpm": 290}],
    }
    assert at_speed(truth, 1.2) == {
        "duration": pytest.approx(50.0),
        "sample_rate": 8000,
        "talk_s": {"agent": pytest.approx(25.0), "customer": pytest.approx(10.0)},
        "chars_per_min": {"agent": pytest.approx(300), "customer": pytest.approx(360)},
        "thresholds": {"overlap_s": 1.0, "silence_s": 10.0},
        "silences": [
            {"start": pytest.approx(10), "end": pytest.approx(20), "dur": pytest.approx(10), "before_turn": 7}
        ],
        "utterances": [
            {
                "i": 3,
                "channel": 1,
                "start": pytest.approx(5),
                "end": pytest.approx(7.5),
                "text": "好",
                "cpm": pytest.approx(348),
            }
        ],
    }


def test_both_ways_of_writing_when_a_fault_happens_are_scaled() -> None:
    expected = {
        "facts": [
            {"code": "greeting", "occurs": True, "count": 1, "times": [{"turn": 2, "start": 6.0, "end": 9.0}]}
        ],
        "outcomes": [{"rule": "opening", "outcome": "not_met", "times": [[6.0, 9.0]]}],
    }
    scaled = at_speed(expected, 1.2)
    assert scaled["facts"][0]["times"] == [{"turn": 2, "start": pytest.approx(5.0), "end": pytest.approx(7.5)}]
    assert scaled["facts"][0]["occurs"] is True
    assert scaled["facts"][0]["count"] == 1
    assert scaled["outcomes"][0]["times"] == [[pytest.approx(5.0), pytest.approx(7.5)]]


def test_at_its_own_speed_a_call_is_as_it_was() -> None:
    truth = call((0, 1.0, 2.0))
    assert at_speed(truth, 1.0) == truth
    assert undecided_at(truth, 1.0) == frozenset()


def test_pauses_are_where_neither_speaks() -> None:
    truth = call((0, 1, 4), (1, 3, 9), (0, 5, 6), (1, 12, 13))
    assert pauses_s(truth) == [3]


def test_overlaps_are_between_the_sides() -> None:
    assert overlaps_s(call((0, 1, 4), (0, 3, 5), (1, 3.5, 3.9), (1, 6, 7))) == pytest.approx([0.4, 0.4])


@pytest.mark.parametrize(
    ("pause_s", "speed", "undecided"),
    [
        (12.5, 0.8, False),
        (12.5, 1.2, True),  # 10.4 s: too near
        (11.0, 1.2, True),  # 9.2 s: no longer a long silence
        (8.5, 0.8, True),  # 10.6 s: has become one
        (5.0, 0.8, False),
        (63.0, 1.2, True),  # 52 s: no longer a long hold
    ],
)
def test_a_pause_that_passes_a_limit_decides_nothing(pause_s: float, speed: float, undecided: bool) -> None:
    rules = undecided_at(call((0, 1, 2), (0, 2 + pause_s, 3 + pause_s)), speed)
    assert ("dead-air" in rules) == ("hold-notice" in rules) == undecided
    assert "interruption" not in rules


@pytest.mark.parametrize(("overlap_s", "undecided"), [(2.2, False), (1.3, True), (1.1, True), (0.3, False)])
def test_an_overlap_that_passes_the_limit_decides_nothing(overlap_s: float, undecided: bool) -> None:
    rules = undecided_at(call((0, 1, 5), (1, 5 - overlap_s, 8)), 1.2)
    assert ("interruption" in rules) == ("customer-interruption" in rules) == undecided


def test_a_rate_that_leaves_the_clear_band_decides_nothing() -> None:
    assert "speech-rate" in undecided_at(call((0, 1, 2), rate=328), 1.2)
    assert "speech-rate" not in undecided_at(call((0, 1, 2), rate=280), 1.2)


def test_a_length_that_passes_a_limit_decides_nothing() -> None:
    assert "talk-duration" in undecided_at(call((0, 1, 2), duration=260.0), 0.8)
    assert "talk-duration" not in undecided_at(call((0, 1, 2), duration=100.0), 0.8)
