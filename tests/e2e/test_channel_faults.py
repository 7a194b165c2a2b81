"""Faults of the channels, heard: the same findings as without them, or none at all."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tests.cli import json_lines, qa
from tests.corpus import example_call
from tests.e2e.runs import Run, by_call, outcomes, starts

pytestmark = pytest.mark.engine

LEAK_DB = -10.0
LATE = 160  # samples at 8 kHz: 20 ms


def test_swapped_leaking_and_dead_channels(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    samples, rate_hz = sf.read(example_call("zh04"), dtype="float32", always_2d=True)
    rate = rate_hz // 8000
    copy = 10 ** (LEAK_DB / 20) * np.roll(samples[:, ::-1], LATE * rate, axis=0)
    agent_dead = samples * np.array([0.0, 1.0], np.float32)
    for name, made in (
        ("swapped", samples[:, ::-1]),
        ("leaking", samples + copy),
        ("dead", agent_dead),
    ):
        sf.write(folder / f"{name}.wav", made.clip(-1, 1), rate_hz, subtype="PCM_16")
    done = qa("score", folder, "--format", "json", data=tmp_path / "data", QA_AGENT_CHANNEL="0")
    assert done.returncode == 0, done.stderr
    lines = by_call(json_lines(done.stdout))
    whole = run.calls["zh04"]
    faults = {name: line["conversation"]["faults"] for name, line in lines.items()}
    assert [fault["kind"] for fault in faults["swapped"]] == ["swapped"]
    assert lines["swapped"]["conversation"]["role_source"] == "script cues"
    assert faults["swapped"][0]["quotes"]
    assert [(fault["kind"], fault["channel"]) for fault in faults["leaking"]] == [
        ("cross_talk", 0),
        ("cross_talk", 1),
    ]
    assert all(abs(fault["value"] - LEAK_DB) < 1.5 for fault in faults["leaking"])
    for name in ("swapped", "leaking"):
        assert outcomes(lines[name]) == outcomes(whole), name
        for rule in ("interruption", "customer-interruption"):
            assert starts(lines[name], rule) == pytest.approx(starts(whole, rule), abs=0.3), name
        assert lines[name]["metrics"]["overlap_s"] == pytest.approx(whole["metrics"]["overlap_s"], abs=1.0)
    assert [(fault["kind"], fault["channel"]) for fault in faults["dead"]] == [("dead", 0)]
    assert "not_met" not in outcomes(lines["dead"]).values()
    assert lines["dead"]["evaluation"]["score"] is None
