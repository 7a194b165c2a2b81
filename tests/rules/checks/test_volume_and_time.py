"""Raised voices, slow answers, and when a call may be made."""

from datetime import datetime
from pathlib import Path

import pytest

from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome, RuleResult
from qa_service.errors import RulePackError
from tests.rules.builders import judged, rule_set

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED
CALM = "agent 0-20: 您好很高兴为您服务请问有什么可以帮您\n"


def shouts(folder: Path, text: str, settings: str = "") -> RuleResult:
    return judged(folder, f"forbid: {{volume: {{{settings}}}}}", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CALM + "agent 30-33 [-10 dB]: 我说过了不行", (NOT_MET, "")),
        (CALM + "agent 30-31 [-10 dB]: 不行", (MET, "")),  # one loud word
        (CALM + "agent 30-33 [-13 dB]: 我说过了不行", (UNDETERMINED, "near_threshold")),
        (CALM + "agent 30-33 [-16 dB]: 我说过了不行", (MET, "")),
        (CALM + "customer 30-33 [-5 dB]: 我说过了不行", (MET, "")),
        ("agent 0-3 [-5 dB]: 我说过了不行", (UNDETERMINED, "level_unknown")),
        ("agent 0-30 [-5 dB]: 我说过了不行", (MET, "")),  # a loud line
        ("unknown 0-30: 您好\nunknown 30-33 [-5 dB]: 不行", (UNDETERMINED, "role_unknown")),
        ("customer 0-3: 您好", (MET, "")),
    ],
)
def test_shouting(tmp_path: Path, text: str, expected: tuple[Outcome, str]) -> None:
    result = shouts(tmp_path, text)
    assert (result.outcome, result.reason) == expected


def test_where_the_voice_is_raised(tmp_path: Path) -> None:
    (evidence,) = shouts(tmp_path, CALM + "agent 30-33 [-10 dB]: 我说过了不行").evidence
    assert (evidence.start, evidence.end, evidence.note) == (30.0, 33.0, "10 dB above their own level")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer 0-3: 在吗\nagent 9-10: 在", [(3.0, 9.0)]),
        ("customer 0-3: 在吗\nagent 7-10: 在", []),
        ("agent 0-3: 在吗\ncustomer 9-10: 在", []),
        ("customer 0-3: 在吗\ncustomer 9-10: 喂\nagent 11-12: 在", []),
        ("agent 0-3: 您说\nagent 9-10: 在吗", []),
    ],
)
def test_latency(tmp_path: Path, text: str, expected: list[tuple[float, float]]) -> None:
    result = judged(tmp_path, "forbid: {latency: {longer_than_s: 5}}", text)
    assert [(e.start, e.end) for e in result.evidence] == expected
    assert result.outcome is (NOT_MET if expected else MET)


HOURS = "require: {call_time: {from_time: '08:00', to_time: '21:00', days: [1, 2, 3, 4, 5]}}"


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ("2026-11-20T08:00:00+08:00", MET),
        ("2026-11-20T20:59:59+08:00", MET),
        ("2026-11-20T21:00:00+08:00", NOT_MET),
        ("2026-11-20T07:59:59+08:00", NOT_MET),
        ("2026-11-21T12:00:00+08:00", NOT_MET),  # a Saturday
        (None, UNDETERMINED),
    ],
)
def test_call_hours(tmp_path: Path, started: str | None, expected: Outcome) -> None:
    metadata = CallMetadata(started_at=datetime.fromisoformat(started) if started else None)
    assert judged(tmp_path, HOURS, "agent 0-1: 您好", metadata=metadata).outcome is expected


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("from_time: '21:00', to_time: '08:00'", "is not after"),
        ("from_time: '8:00'", "from_time"),
        ("days: [0]", "1 \\(Monday\\)"),
    ],
)
def test_hours_that_mean_nothing(tmp_path: Path, settings: str, fault: str) -> None:
    with pytest.raises(RulePackError, match=fault):
        rule_set(tmp_path, {"asked": f"require: {{call_time: {{{settings}}}}}"})


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", (MET, "")), ("3", (NOT_MET, "")), ("x", (UNDETERMINED, "metadata_not_a_number:extra.contacts"))],
)
def test_a_column_that_the_product_does_not_know(
    tmp_path: Path, value: str, expected: tuple[Outcome, str]
) -> None:
    body = "require: {metadata: {field: extra.contacts, below: 3}}"
    result = judged(tmp_path, body, "agent 0-1: 您好", metadata=CallMetadata(extra=(("contacts", value),)))
    assert (result.outcome, result.reason) == expected
    missing = judged(tmp_path, body, "agent 0-1: 您好")
    assert (missing.outcome, missing.reason) == (UNDETERMINED, "metadata_unknown:extra.contacts")


def test_occurrences_that_cannot_be_told_say_why(tmp_path: Path) -> None:
    body = "for_each: {volume: {}}\nrequire: {phrase: {any: [抱歉], scope: {after_s: 9}}}"
    result = judged(tmp_path, body, "agent 0-3 [-5 dB]: 我说过了不行")
    assert (result.outcome, result.reason) == (UNDETERMINED, "level_unknown")
