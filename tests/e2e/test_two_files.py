"""A stereo call as two mono files: the same findings, whichever way the two are said to be one call."""

import csv
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf

from tests.cli import json_lines, qa
from tests.corpus import example_call
from tests.e2e.runs import EXAMPLES, Run, Store, by_call, outcomes, starts

pytestmark = pytest.mark.engine

NEAR_S = 0.1
HEARD = {"unfriendly-customer"}
"""Rules of which these calls have places that are barely sure; what is measured must agree in every place."""


def split(name: str, folder: Path, ends: tuple[str, str]) -> None:
    """Both channels of an example call as WAV files of their own."""
    samples, rate_hz = sf.read(example_call(name), dtype="float32", always_2d=True)
    for channel, end in enumerate(ends):
        sf.write(folder / f"{name}{end}.wav", samples[:, channel], rate_hz, subtype="FLOAT")


def told(name: str) -> dict[str, str]:
    """The example's row of metadata."""
    with (EXAMPLES / "call_metadata.csv").open(encoding="utf-8", newline="") as table:
        return next(row for row in csv.DictReader(table) if row["file"].startswith(name))


def write_rows(folder: Path, *rows: dict[str, str]) -> None:
    with (folder / "call_metadata.csv").open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, dict.fromkeys(column for row in rows for column in row))
        writer.writeheader()
        writer.writerows(rows)


def findings(line: dict[str, Any]) -> dict[str, list[float]]:
    return {rule: starts(line, rule) for rule, outcome in outcomes(line).items() if outcome == "not_met"}


def test_two_files_are_scored_as_their_stereo_call(run: Run, tmp_path: Path) -> None:
    folder, store = tmp_path / "calls", Store(tmp_path / "data")
    folder.mkdir()
    split("zh04", folder, ("-out", "-in"))
    split("en02", folder, (".agent", ".customer"))
    # One by the ending of its names, one by its row; that one the other way round.
    swapped = {"second_file": "en02.agent.wav", "agent_channel": "1"}
    write_rows(
        folder,
        told("zh04") | {"file": "zh04-out.wav"},
        told("en02") | {"file": "en02.customer.wav"} | swapped,
    )
    done = qa("score", folder, "--format", "json", data=store.data, QA_LEG_SUFFIXES="-out,-in")
    assert done.returncode == 0, done.stderr
    lines = by_call(json_lines(done.stdout))
    assert [
        (Path(line["recording"]["path"]).name, Path(line["recording"]["second_path"]).name)
        for line in lines.values()
    ] == [("en02.customer.wav", "en02.agent.wav"), ("zh04-out.wav", "zh04-in.wav")]
    for name, line in lines.items():
        stereo = run.calls[name[:4]]
        assert outcomes(line) == outcomes(stereo)
        for rule, moments in findings(stereo).items():
            found = findings(line)[rule]
            both = [moment for moment in moments if any(abs(moment - other) <= NEAR_S for other in found)]
            # Rounding to 16 bits moves a word's confidence a little: one place may pass the border of being sure.
            assert both, rule
            assert max(len(moments), len(found)) - len(both) <= (1 if rule in HEARD else 0), rule
        assert line["evaluation"]["score"] == pytest.approx(stereo["evaluation"]["score"], abs=0.1)
        assert line["metrics"]["talk_s"] == pytest.approx(stereo["metrics"]["talk_s"], abs=0.5)
        assert line["recording"]["channels"] == 2
        assert line["conversation"]["role_source"] == stereo["conversation"]["role_source"]
    assert store.counts()["recordings"] == 2
    assert len(store.blobs()) == 4
