"""From the judge's evaluation to a row and a verdict; and a call written under a condition."""

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf

from benchmarks import truth
from benchmarks.robustness import BARRED, DEFAULT, Outcome, judged, outcome, told, verdict, write_call
from tests.corpus import ROOT

MEASURED = Outcome(found=6, missed=2, false=("argue zh01",), undetermined=1, decided=9, error_rates={"zh": 0.1})


def line(name: str, *results: dict[str, Any]) -> dict[str, Any]:
    return {"recording": {"path": f"x/{name}.stereo.flac"}, "results": list(results)}


def result(rule: str, state: str = "not_met", *evidence: dict[str, Any]) -> dict[str, Any]:
    return {"rule": rule, "outcome": state, "evidence": list(evidence)}


def outcomes(**false: int) -> dict[str, Outcome]:
    rules = {name.replace("_", "-"): tuple(f"argue zh{n}" for n in range(count)) for name, count in false.items()}
    return {name: Outcome(5, 0, found, 0, 5, {}) for name, found in rules.items()}


def test_precision_recall_and_f1() -> None:
    assert MEASURED.precision == pytest.approx(6 / 7)
    assert MEASURED.recall == pytest.approx(6 / 8)
    assert MEASURED.f1 == pytest.approx(12 / 15)
    assert Outcome(0, 0, (), 0, 0, {}).f1 is None


def test_what_was_not_judged_is_not_missed() -> None:
    evaluation = {
        "overall": {"tp": 3, "fp": 1, "fn": 2},
        "errors": ["fp argue zh02", "fn dead-air zh07 (missing)", "fn opening zh03 (undetermined)"],
        "speech": {"error_rate": {"zh": {"role_free": 0.25, "by_role": 0.3}}},
    }
    lines = [line("zh03", result("opening", "undetermined"), result("privacy", "not_applicable"), result("argue"))]
    assert outcome(evaluation, lines) == Outcome(3, 1, ("argue zh02",), 1, 2, {"zh": 0.25})


def test_results_that_cannot_be_judged_are_taken_out() -> None:
    full = line("zh03", result("dead-air"), result("opening"))
    assert judged(full, frozenset({"dead-air"})) == line("zh03", result("opening"))
    assert len(full["results"]) == 2


def test_more_false_findings_at_10_db_than_on_clean_audio_miss_the_bar() -> None:
    assert verdict(outcomes(clean=1, babble_10=1, office_10=2, babble_5=9)) == [
        "office-10: 2 false findings, 1 on clean audio"
    ]
    assert verdict(outcomes(clean=1, babble_10=1)) == []
    assert verdict(outcomes(babble_10=1)) == []


def test_the_barred_conditions_are_measured_by_default() -> None:
    assert {"clean", *BARRED} <= set(DEFAULT)


def test_a_false_finding_is_told_with_its_evidence() -> None:
    lines = [
        line("zh02", result("argue", "met")),
        line("zh01", result("argue", "not_met", {"start": 3.0, "end": 4.26, "quote": "你听我说"})),
    ]
    assert told("gsm", "argue zh01", lines) == "gsm: argue in zh01: 3.0–4.3 s 你听我说"


@pytest.mark.parametrize(("condition", "speed"), [("mulaw", 1.0), ("fast-20", 1.2)])
def test_a_damaged_call_has_its_truth_beside_it(tmp_path: Path, condition: str, speed: float) -> None:
    folder, name = ROOT / "tests" / "data" / "calls" / "ordinary", "mz05"
    unjudged = write_call((folder, name), condition, tmp_path)
    known, written = truth.read(folder, name, "truth"), truth.read(tmp_path, name, "truth")
    assert sf.info(tmp_path / f"{name}.stereo.flac").duration == pytest.approx(known["duration"] / speed, abs=0.05)
    assert written["utterances"][-1]["end"] == pytest.approx(known["utterances"][-1]["end"] / speed)
    assert [u["text"] for u in written["utterances"]] == [u["text"] for u in known["utterances"]]
    assert json.loads((tmp_path / f"{name}.expected.json").read_text("utf-8"))["outcomes"]
    assert ("speech-rate" in unjudged) == (speed != 1.0)
