"""The format that a recording arrives in changes nothing that is found."""

import csv
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import soxr

from tests.cli import json_lines, qa
from tests.corpus import example_call
from tests.e2e.runs import EXAMPLES, outcomes, starts
from tests.recordings import write_call

pytestmark = pytest.mark.engine

RATE_HZ = 8000
REFERENCE = "wav-s16"
FORMATS = (REFERENCE, "wav-mulaw", "wav-gsm", "amr-nb", "mp3")
NEAR_S = 0.25

Line = dict[str, Any]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Line]:
    """The call with interruptions in each format; GSM and AMR as two files, one a side."""
    folder = tmp_path_factory.mktemp("formats")
    call = example_call("zh04")
    samples, rate_hz = sf.read(call, dtype="float32", always_2d=True)
    samples = np.ascontiguousarray(soxr.resample(samples, rate_hz, RATE_HZ).T)
    with (EXAMPLES / "call_metadata.csv").open(encoding="utf-8", newline="") as file:
        (known,) = (row for row in csv.DictReader(file) if row["file"] == call.name)
    paths = []
    with (folder / "call_metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*known, "second_file"])
        writer.writeheader()
        for name in FORMATS:
            (folder / name).mkdir()
            first, *second = write_call(folder / name, samples, rate_hz=RATE_HZ, format=name).paths
            paths.append(first)
            files = {"file": str(first), "second_file": str(second[0]) if second else ""}
            writer.writerow({**known, **files, "call_id": name})
    metadata = folder / "call_metadata.csv"
    done = qa("score", *paths, "--metadata", metadata, "--format", "json", data=folder / "data", timeout_s=300)
    assert done.returncode == 0, done.stderr
    return dict(zip(FORMATS, json_lines(done.stdout), strict=True))


@pytest.mark.parametrize("format", FORMATS[1:])
def test_the_findings_are_those_of_the_wav(lines: dict[str, Line], format: str) -> None:
    line, reference = lines[format], lines[REFERENCE]
    assert outcomes(line) == outcomes(reference)
    for rule in ("interruption", "customer-interruption"):
        assert starts(line, rule) == pytest.approx(starts(reference, rule), abs=NEAR_S)
    assert line["evaluation"]["score"] == reference["evaluation"]["score"]


@pytest.mark.parametrize("format", FORMATS[1:])
def test_the_call_is_as_long_and_its_sides_are_apart(lines: dict[str, Line], format: str) -> None:
    line, reference = lines[format], lines[REFERENCE]
    assert line["recording"]["channels"] == 2
    assert line["recording"]["duration_s"] == pytest.approx(reference["recording"]["duration_s"], abs=0.1)
    for role in ("agent", "customer"):
        assert line["metrics"]["talk_s"][role] == pytest.approx(reference["metrics"]["talk_s"][role], rel=0.03)


def test_the_wav_has_findings(lines: dict[str, Line]) -> None:
    assert len(starts(lines[REFERENCE], "interruption")) == 2
    assert len(starts(lines[REFERENCE], "customer-interruption")) == 1
