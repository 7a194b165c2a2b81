"""Steps of a script: all of them, in order, close enough together; and doubt about any of them."""

from pathlib import Path

import pytest

from qa_service.domain.results import Outcome
from qa_service.errors import RulePackError
from tests.rules.builders import judged, rule_set

STEPS = """\
    steps:
      - {name: 问候, phrase: {any: [您好]}}
      - {name: 目的, phrase: {any: [来电是]}}
      - {name: 再见, phrase: {any: [再见]}}
"""


def sequence(settings: str = "") -> str:
    return "require:\n  sequence:\n" + STEPS + (f"    {settings}\n" if settings else "")


@pytest.mark.parametrize(
    ("settings", "text", "expected"),
    [
        ("", "agent 0-2: 您好\nagent 5-7: 来电是回访\nagent 20-22: 再见", (Outcome.MET, "")),
        ("", "agent 0-6: 您好来电是回访再见", (Outcome.MET, "")),
        ("", "agent 0-2: 来电是回访\nagent 5-7: 您好\nagent 20-22: 再见", (Outcome.NOT_MET, "")),
        ("ordered: false", "agent 0-2: 来电是回访\nagent 5-7: 您好\nagent 20-22: 再见", (Outcome.MET, "")),
        ("ordered: false", "agent 0-2: 来电是回访\nagent 20-22: 再见", (Outcome.NOT_MET, "")),
        ("max_gap_s: 10", "agent 0-2: 您好\nagent 5-7: 来电是回访\nagent 20-22: 再见", (Outcome.NOT_MET, "")),
        (
            "max_gap_s: 10",
            "agent 0-2: 您好\nagent 30-32: 您好\nagent 35-37: 来电是回访\nagent 40-42: 再见",
            (Outcome.MET, ""),
        ),
        ("", "agent 0-2: 您好\nagent 20-22: 再见", (Outcome.NOT_MET, "")),
        (
            "",
            "agent 0-2: 您好\nagent 5-7 [unheard]:\nagent 20-22: 再见",
            (Outcome.UNDETERMINED, "low_recognition"),
        ),
        (
            "",
            "agent 0-2: 您好\nagent 5-7 (0.1): 来电是回访\nagent 20-22: 再见",
            (Outcome.UNDETERMINED, "low_confidence"),
        ),
        ("", "unknown 0-6: 您好来电是回访再见", (Outcome.UNDETERMINED, "role_unknown")),
    ],
)
def test_steps(tmp_path: Path, settings: str, text: str, expected: tuple[Outcome, str]) -> None:
    result = judged(tmp_path, sequence(settings), text)
    assert (result.outcome, result.reason) == expected


def test_the_missing_step_is_named(tmp_path: Path) -> None:
    result = judged(tmp_path, sequence(), "agent 0-2: 您好\nagent 20-22: 再见")
    assert [e.note for e in result.evidence] == ["问候", "missing step: 目的"]


def test_the_steps_that_were_done_are_named(tmp_path: Path) -> None:
    result = judged(tmp_path, sequence(), "agent 0-2: 您好\nagent 5-7: 来电是回访\nagent 20-22: 再见")
    assert [(e.note, e.start) for e in result.evidence] == [("问候", 0.0), ("目的", 5.0), ("再见", 20.0)]


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ("[{name: a, phrase: {any: [您好]}}]", "at least 2"),
        ("[{name: a, phrase: {any: [您好]}}, {phrase: {any: [再见]}}]", "steps.1.name: is missing"),
        ("[{name: a, phrase: {any: [您好]}}, {name: b, metric: {name: duration_s, above: 1}}]", "has occurrences"),
        ("[{name: a, phrase: {any: [您好]}}, {name: b, fraze: {any: [您好]}}]", "unknown check"),
    ],
)
def test_steps_that_cannot_be_walked(tmp_path: Path, steps: str, fault: str) -> None:
    with pytest.raises(RulePackError, match=fault):
        rule_set(tmp_path, {"asked": f"require: {{sequence: {{steps: {steps}}}}}"})


def test_a_step_done_too_early_may_have_been_done_again_unheard(tmp_path: Path) -> None:
    text = "agent 0-2: 来电是回访\nagent 5-7: 您好\nagent 10-19 [unheard]:\nagent 20-22: 再见"
    result = judged(tmp_path, sequence(), text)
    assert (result.outcome, result.reason) == (Outcome.UNDETERMINED, "low_recognition")
    heard = text.replace("agent 10-19 [unheard]:", "customer 10-19 [unheard]:")
    assert judged(tmp_path, sequence(), heard).outcome is Outcome.NOT_MET
