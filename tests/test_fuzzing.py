"""The fuzz cases: reproducible, of every format, and with headers that are really reached."""

import io
import random
import subprocess
import sys
from pathlib import Path

import av
import pytest

from tests.corpus import ROOT
from tests.fuzz_fields import FIELDS, repair_ogg_checksums
from tests.fuzzing import MAX_BYTES, MUTATIONS, case_of, clips
from tests.recordings import FORMATS

CASES = 600


def test_a_seed_is_one_case_on_every_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzzing", "7", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    case = case_of(7)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict(case.files)
    assert str(case) in done.stdout


def test_every_format_is_damaged_in_every_way() -> None:
    cases = [case_of(seed) for seed in range(CASES)]
    assert {case.steps[0] for case in cases} == set(FORMATS)
    assert len({case.files for case in cases}) > 0.98 * CASES
    assert all(len(data) <= MAX_BYTES for case in cases for _, data in case.files)
    for kind in ("named", "declared as", "tracks", "one side", "checksums repaired", "became", "followed by"):
        assert any(step.startswith(kind) or kind in step for case in cases for step in case.steps), kind


@pytest.mark.parametrize("mutate", dict.fromkeys(MUTATIONS), ids=lambda mutate: mutate.__name__.strip("_"))
def test_every_mutation_changes_the_file(mutate: object) -> None:
    assert callable(mutate)
    for clip in clips():
        changed = 0
        for seed in range(8):
            data = bytearray(clip.data)
            mutate(random.Random(seed), data)
            changed += data != clip.data
        assert changed, clip.format
        empty = bytearray()
        mutate(random.Random(0), empty)  # what is left of a file may be nothing


def test_every_header_field_is_in_some_recording() -> None:
    """A marker that is nowhere would be a mutation that never happens."""
    missing = [
        fields.marker
        for fields in FIELDS
        if not any(fields.marker in clip.data and clip.data.startswith(fields.start) for clip in clips())
    ]
    assert missing == []


def test_repaired_pages_are_read_again() -> None:
    clip = next(clip for clip in clips() if clip.format == "ogg-opus")
    data = bytearray(clip.data)
    repair_ogg_checksums(data)
    assert data == clip.data
    at = data.index(b"OpusHead") + 9
    data[at] ^= 3  # the channel count
    with pytest.raises(av.error.FFmpegError):
        av.open(io.BytesIO(data)).close()
    repair_ogg_checksums(data)
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.audio
