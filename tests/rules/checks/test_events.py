"""Silences and waits, interruptions, speech."""

from pathlib import Path

import pytest

from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.domain.timeline import TimeSpan
from tests.rules.builders import judged

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED

# --- silences ---------------------------------------------------------------------------------------------


def waits(
    folder: Path, settings: str, text: str, *holds: tuple[float, float], duration_s: float | None = None
) -> list[tuple[float, float]]:
    metadata = CallMetadata(hold_spans=tuple(TimeSpan(*hold) for hold in holds))
    result = judged(folder, f"forbid: {{silence: {{{settings}}}}}", text, metadata=metadata, duration_s=duration_s)
    assert result.outcome is (NOT_MET if result.evidence else MET)
    return [(e.start, e.end) for e in result.evidence]


@pytest.mark.parametrize(("start", "end"), [(6.0, 16.0), (6.1, 16.1), (22.2, 32.2), (59.9, 69.9)])
def test_exactly_the_threshold_is_not_longer(tmp_path: Path, start: float, end: float) -> None:
    assert waits(tmp_path, "longer_than_s: 10", f"agent 1-{start}: 好的\nagent {end}-99: 好的") == []
    assert waits(tmp_path, "longer_than_s: 9.99", f"agent 1-{start}: 好的\nagent {end}-99: 好的") == [(start, end)]


def test_before_the_first_and_after_the_last_words_is_no_silence(tmp_path: Path) -> None:
    assert waits(tmp_path, "longer_than_s: 10", "agent 30-31: 好的", duration_s=90.0) == []


def test_either_speaker_ends_a_silence(tmp_path: Path) -> None:
    assert waits(tmp_path, "", "agent 0-1: 好的\ncustomer 9-10: 喂\nagent 18-19: 好的") == []
    assert waits(tmp_path, "", "agent 0-1: 好的\ncustomer 9-10 [unheard]:\nagent 18-19: 好的") == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [("silence", [(51.0, 70.0)]), ("hold", [(5.0, 50.0)]), ("wait", [(5.0, 70.0)])],
)
def test_sources(tmp_path: Path, source: str, expected: list[tuple[float, float]]) -> None:
    text = "agent 0-5: 好的\nsystem 50-51 [unheard]:\nagent 70-71: 好的"
    assert waits(tmp_path, f"source: {source}", text, (5.0, 50.0)) == expected


def test_without_holds_two_silences_stay_two(tmp_path: Path) -> None:
    text = "agent 0-5: 好的\ncustomer 20-21: 喂\nagent 40-41: 好的"
    assert waits(tmp_path, "source: wait", text) == [(5.0, 20.0), (21.0, 40.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent 0-5: 您好\nagent 17-18: 好的\nagent 20-31: 好的\nagent 40-41: 好的", NOT_MET),
        ("agent 0-5: 您好\nagent 14-18: 好的\nagent 29-31: 好的\nagent 45-46: 好的", MET),
    ],
)
def test_a_silence_in_a_place(tmp_path: Path, text: str, expected: Outcome) -> None:
    """Of the silences longer than five seconds the first, whether it is longer than ten."""
    first = "anchor: {silence: {longer_than_s: 5}}"
    body = f"forbid: {{silence: {{longer_than_s: 10, scope: {{around_s: 1, {first}}}}}}}"
    assert judged(tmp_path, body, text).outcome is expected


def test_a_silence_where_the_place_is_in_doubt(tmp_path: Path) -> None:
    place = "scope: {after: true, anchor: {phrase: {any: [稍等]}}}"
    text = "agent 0-5 ({}): 请您稍等\nagent 17-18: 好的"
    body = f"forbid: {{silence: {{longer_than_s: 10, {place}}}}}"
    assert judged(tmp_path, body, text.format(0.9)).outcome is NOT_MET
    assert judged(tmp_path, body, text.format(0.5)).reason == "situation_unsure"
    assert judged(tmp_path, body, "agent 0-5: 您好\nagent 17-18: 好的").outcome is MET


# --- interruptions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "text", "expected"),
    [
        ("agent", "customer 0-8: 我想退货\nagent 5-9: 已经超过七天了", (NOT_MET, "")),
        ("customer", "customer 0-8: 我想退货\nagent 5-9: 已经超过七天了", (MET, "")),
        ("any", "customer 0-8: 我想退货\nagent 5-9: 已经超过七天了", (NOT_MET, "")),
        ("agent", "customer 0-8: 我想退货\nagent 5-6.5: 嗯嗯好的", (MET, "")),
        ("agent", "customer 0-8: 我想退货\nagent 5-9 [unheard]:", (UNDETERMINED, "low_recognition")),
        ("customer", "customer 0-8: 我想退货\nagent 5-9 [unheard]:", (MET, "")),
        ("agent", "customer 0-8: 我想退货\nunknown 5-9: 已经超过七天了", (UNDETERMINED, "role_unknown")),
    ],
)
def test_interruptions(tmp_path: Path, role: str, text: str, expected: tuple[Outcome, str]) -> None:
    result = judged(tmp_path, f"forbid: {{interruption: {{role: {role}}}}}", text)
    assert (result.outcome, result.reason) == expected


def test_a_certain_interruption_beside_an_unclear_one(tmp_path: Path) -> None:
    text = "customer 0-20: 我想退货\nagent 5-8 [unheard]:\nagent 12-15: 已经超过七天了"
    result = judged(tmp_path, "forbid: {interruption: {}}", text)
    assert [(e.start, e.end, e.quote, e.note) for e in result.evidence] == [
        (12.0, 15.0, "已经超过七天了", "3.0 s overlap, unsuccessful")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer 0-8: 我想退货\nagent 5-9: 已经超过七天了", (NOT_MET, "")),
        ("customer 0-8: 我想退货\nagent 5-9: 已经超过七天了\nagent 10-12: 抱歉您请说", (MET, "")),
        ("customer 0-8: 我想退货\nagent 9-12: 已经超过七天了", (Outcome.NOT_APPLICABLE, "situation_absent")),
        ("customer 0-8: 我想退货\nagent 5-9 [unheard]:\nagent 10-12: 您请说", (UNDETERMINED, "low_recognition")),
        ("unknown 0-8: 我想退货\nagent 5-9: 已经超过七天了", (UNDETERMINED, "role_unknown")),
    ],
)
def test_what_follows_an_interruption(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    body = "for_each: {interruption: {}}\nrequire: {phrase: {any: [抱歉], scope: {after_s: 10}}}"
    result = judged(tmp_path, body, text)
    assert (result.outcome, result.reason) == expected


@pytest.mark.parametrize(
    ("role", "text", "evidence"),
    [
        ("agent", "customer 0-8: 我想退货\nagent 8-9: 已经超过七天了", []),
        ("agent", "customer 0-8: 我想退货\nagent 5-9: 已经超过七天了", [(5.0, 8.0, "已经超过七天了")]),
        ("agent", "customer 0-8: 我想退货\nagent 7.5-9: 已经超过七天了", []),  # half a second is no event
        ("customer", "customer 0-8: 我想退货\nagent 5-9: 已经超过七天了", []),
        ("agent", "customer 0-8: 我想退货\nagent 5-9 [unheard]:", [(5.0, 8.0, "")]),
        (
            "any",
            "customer 0-8: 我想退货\nagent 5-10: 嗯嗯\ncustomer 8.75-11: 那怎么办",
            [(5.0, 8.0, "嗯嗯"), (8.75, 10.0, "那怎么办")],
        ),
    ],
)
def test_on_one_channel_an_interruption_is_left_open_with_what_overlaps(
    tmp_path: Path, role: str, text: str, evidence: list[tuple[float, float, str]]
) -> None:
    result = judged(tmp_path, f"forbid: {{interruption: {{role: {role}}}}}", text, overlap_measurable=False)
    assert (result.outcome, result.reason) == (UNDETERMINED, "overlap_not_measurable")
    assert [(e.start, e.end, e.quote) for e in result.evidence] == evidence
    assert result.needs_a_person == bool(evidence)


def test_unknown_roles_come_before_overlap_that_cannot_be_measured(tmp_path: Path) -> None:
    text = "unknown 0-8: 我想退货\nagent 5-9: 已经超过七天了"
    result = judged(tmp_path, "forbid: {interruption: {}}", text, overlap_measurable=False)
    assert (result.outcome, result.reason, result.evidence) == (UNDETERMINED, "role_unknown", ())


# --- speech -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "text", "expected"),
    [
        ("", "agent 0-2 [unheard]:", NOT_MET),
        ("", "customer 0-2: 好", MET),
        ("longer_than_s: 3", "agent 0-2: 好\nagent 5-6: 好", MET),
        ("longer_than_s: 3", "agent 0-2: 好\nagent 5-6.5: 好", NOT_MET),
        ("scope: {from_s: 3}", "agent 0-2: 好\ncustomer 5-6: 好", MET),
        ("scope: {from_s: 1}", "agent 0-2: 好\ncustomer 5-6: 好", NOT_MET),
        ("", "unknown 0-2: 好", UNDETERMINED),
        ("role: any", "unknown 0-2: 好", NOT_MET),
    ],
)
def test_speech(tmp_path: Path, settings: str, text: str, expected: Outcome) -> None:
    assert judged(tmp_path, f"forbid: {{speech: {{{settings}}}}}", text).outcome is expected


def test_each_stretch_of_speech_is_an_occurrence(tmp_path: Path) -> None:
    body = "for_each: {speech: {role: customer}}\nrequire: {speech: {scope: {after_s: 3}}}"
    answered = "customer 0-2: 喂\nagent 3-4: 您好\n"
    assert judged(tmp_path, body, answered).outcome is MET
    result = judged(tmp_path, body, answered + "customer 10-12: 喂\nagent 30-31: 您好")
    assert result.outcome is NOT_MET
    assert [(e.start, e.end) for e in result.evidence] == [(10.0, 12.0)]
