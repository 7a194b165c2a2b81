"""Metrics, metadata and other rules' outcomes as conditions."""

from pathlib import Path

import pytest

from qa_service.domain.call import CallMetadata, Direction, HangupSide
from qa_service.domain.results import Outcome
from qa_service.domain.timeline import TimeSpan
from rules.cases import dialogue
from rules.checks.facts import METRICS
from tests.rules.builders import judged, results, rule_set

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED


def require(
    folder: Path,
    check: str,
    text: str = "agent 0-2: 您好",
    metadata: CallMetadata | None = None,
    duration_s: float | None = None,
) -> tuple[Outcome, str]:
    result = judged(folder, f"require: {{{check}}}", text, metadata=metadata, duration_s=duration_s)
    return result.outcome, result.reason


# --- metrics ----------------------------------------------------------------------------------------------

CALL = "agent 10-22: 您好请问有什么可以帮您\ncustomer 20-25: 我想退货\nagent 40-41: 好"
VALUES = {
    "duration_s": ("", 100.0),
    "duration_without_hold_s": ("", 90.0),
    "overlap_s": ("", 2.0),
    "dead_air_s": ("", 4.0),
    "closing_silence_s": ("", 59.0),
    "speech_s": ("role: agent, ", 13.0),
    "talk_ratio": ("role: customer, ", 0.05),
    "speech_rate_per_min": ("role: agent, ", 55.0),
    "turn_count": ("role: agent, ", 2.0),
    "longest_monologue_s": ("role: agent, ", 12.0),
}


def test_every_metric_is_tested() -> None:
    assert VALUES.keys() == METRICS.keys()


@pytest.mark.parametrize(("name", "role", "value"), [(n, r, v) for n, (r, v) in VALUES.items()])
def test_bounds_are_open(tmp_path: Path, name: str, role: str, value: float) -> None:
    metadata = CallMetadata(hold_spans=(TimeSpan(26.0, 36.0),))
    for bounds, expected in {
        f"above: {value - 1e-6}": MET,
        f"below: {value + 1e-6}": MET,
        f"above: {value - 1e-6}, below: {value + 1e-6}": MET,
        f"above: {value + 1e-6}": NOT_MET,
        f"below: {value - 1e-6}": NOT_MET,
    }.items():
        check = f"metric: {{name: {name}, {role}{bounds}}}"
        assert require(tmp_path, check, CALL, metadata, 100.0) == (expected, "")


def test_exactly_the_bound_is_neither_above_nor_below(tmp_path: Path) -> None:
    assert require(tmp_path, "metric: {name: duration_s, above: 300}", duration_s=300.0)[0] is NOT_MET
    assert require(tmp_path, "metric: {name: duration_s, below: 300}", duration_s=300.0)[0] is NOT_MET


@pytest.mark.parametrize(
    ("check", "text", "reason"),
    [
        ("name: speech_s, role: agent, above: 1", "unknown 0-2: 您好", "role_unknown"),
        ("name: speech_s, role: agent, above: 1", "customer 0-2: 您好", "metric_unknown"),
        ("name: speech_rate_per_min, role: agent, above: 1", "agent 0-9 [unheard]:", "metric_unknown"),
        ("name: closing_silence_s, above: 1", "", "metric_unknown"),
    ],
)
def test_an_unknown_metric_stays_unknown(tmp_path: Path, check: str, text: str, reason: str) -> None:
    assert require(tmp_path, f"metric: {{{check}}}", text, duration_s=20.0) == (UNDETERMINED, reason)


def test_evidence_names_the_metric(tmp_path: Path) -> None:
    result = judged(tmp_path, "forbid: {metric: {name: duration_s, above: 5}}", "agent 1-9: 您好")
    assert [(e.start, e.end, e.note) for e in result.evidence] == [(1.0, 9.0, "duration_s 9.0")]


# --- metadata ---------------------------------------------------------------------------------------------

KNOWN = CallMetadata(direction=Direction.OUTBOUND, hangup_side=HangupSide.AGENT, ring_count=5, queue="vip")


@pytest.mark.parametrize(
    ("check", "known", "nothing"),
    [
        ("field: direction, equals: outbound", (MET, ""), (UNDETERMINED, "metadata_unknown:direction")),
        ("field: direction, equals: inbound", (NOT_MET, ""), (UNDETERMINED, "metadata_unknown:direction")),
        ("field: direction, equals: [inbound, outbound]", (MET, ""), (UNDETERMINED, "metadata_unknown:direction")),
        ("field: hangup_side, equals: customer, when_unknown: 'true'", (NOT_MET, ""), (MET, "")),
        ("field: hangup_side, equals: agent, when_unknown: 'false'", (MET, ""), (NOT_MET, "")),
        ("field: ring_count, at_least: 5, when_unknown: 'false'", (MET, ""), (NOT_MET, "")),
        ("field: ring_count, at_least: 6, when_unknown: 'true'", (NOT_MET, ""), (MET, "")),
        ("field: ring_count, equals: 5, when_unknown: 'false'", (MET, ""), (NOT_MET, "")),
        ("field: queue, equals: vip, when_unknown: 'false'", (MET, ""), (NOT_MET, "")),
        ("field: queue, known: true", (MET, ""), (NOT_MET, "")),
        ("field: queue, known: false", (NOT_MET, ""), (MET, "")),
    ],
)
def test_metadata(tmp_path: Path, check: str, known: tuple[Outcome, str], nothing: tuple[Outcome, str]) -> None:
    assert require(tmp_path, f"metadata: {{{check}}}", metadata=KNOWN) == known
    assert require(tmp_path, f"metadata: {{{check}}}") == nothing


# --- other rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "text", "expected"),
    [
        ("not_met", "agent 0-2: 神经病啊", MET),
        ("met", "agent 0-2: 神经病啊", NOT_MET),
        ("met", "agent 0-2: 您好", MET),
        ("met", "unknown 0-2: 您好", UNDETERMINED),
        ("undetermined", "unknown 0-2: 您好", MET),
        ("undetermined", "agent 0-2: 您好", NOT_MET),
    ],
)
def test_another_rules_outcome(tmp_path: Path, outcome: str, text: str, expected: Outcome) -> None:
    rules = rule_set(tmp_path, {
        "asked": f"require: {{rule: {{id: rude, outcome: {outcome}}}}}",
        "rude": "forbid: {phrase: {any: [神经病]}}",
    })  # fmt: skip
    assert results(rules, dialogue(text, language="zh"))["asked"].outcome is expected
