"""The judge of the fuzz run: it passes the decoder that behaves and names what any other did."""

import math
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa_service.errors import InputError, TransientError
from qa_service.ports import AudioSource, DecodedAudio
from tests import fuzz_run
from tests.corpus import ROOT
from tests.fuzz_run import MisbehavedError, Report, documented_codes, judge, run_cases
from tests.fuzzing import Case
from tests.signals import ArrayAudio


class FakeDecoder:
    """Does ``act`` with every file but the first, which warms up."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self._warm = False

    @contextmanager
    def decode(self, source: AudioSource) -> Iterator[DecodedAudio]:
        given = self._act() if self._warm else None
        self._warm = True
        yield ArrayAudio(np.zeros(1600, np.float32) if given is None else given)


def refuse(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def write() -> None:
    os.write(2, b"noise\n")


def case(seed: int) -> Case:
    return Case(seed, (("call.wav", bytes(1000)),), None, None, ("made by hand",))


def run(act: Callable[[], Any]) -> Report:
    return run_cases(range(3), make_decoder=lambda _: FakeDecoder(act), make_case=case)


def faults(act: Callable[[], Any]) -> tuple[str, ...]:
    return run(act).faults


def test_a_decoder_that_behaves() -> None:
    report = run(lambda: None)
    assert (report.counts, report.faults) == ({"audio": 3}, ())
    report = run(refuse(InputError("not_audio", "no: export it")))
    assert (report.counts, report.faults) == ({"not_audio": 3}, ())


@pytest.mark.parametrize(
    ("act", "says"),
    [(refuse(ValueError("x")), "ValueError: x"),
     (refuse(TransientError("storage_unavailable", "disk: free it")), "TransientError"),
     (refuse(InputError("no_such_code", "no: no")), "no_such_code"),
     (refuse(InputError("file_empty", "no bytes: copy it")), "file_empty, which is not true"),
     (refuse(InputError("file_unreadable", "disk: check it")), "file_unreadable, which is not true"),
     (refuse(InputError("not_audio", "two\nlines")), "not_audio with no short line"),
     (refuse(InputError("not_audio", "")), "not_audio with no short line"),
     (lambda: np.full(1600, math.nan, np.float32), "not numbers"),
     (lambda: np.full(1600, 1.5, np.float32), "outside"),
     (lambda: np.zeros((3, 1600), np.float32), "3 channels"),
     (lambda: np.zeros(0, np.float32), "0.0 s of audio"),
     (lambda: np.zeros(16_000 * 100, np.float32), "100.0 s of audio from 1000 bytes"),
     (write, "to stderr"),
     (lambda: warnings.warn("overflow", RuntimeWarning, stacklevel=2), "RuntimeWarning: overflow")],
)  # fmt: skip
def test_each_misbehaviour_is_named(act: Callable[[], Any], says: str) -> None:
    found = faults(act)
    assert len(found) == 3
    assert says in found[0]
    assert "seed 0 (made by hand)" in found[0]


def test_what_is_left_behind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_run, "SETTLE_S", 0.1)
    kept: list[Any] = []
    try:
        (fault,) = faults(lambda: kept.append((tmp_path / "a").open("w")))
        assert "open descriptors grew" in fault
        (fault,) = faults(lambda: kept.append(subprocess.Popen(["sleep", "60"])))
        assert "3 child processes are left" in fault
    finally:
        for thing in kept:
            if isinstance(thing, subprocess.Popen):
                thing.kill()
                thing.wait()
            elif hasattr(thing, "close"):
                thing.close()


def test_memory_that_is_kept_is_named() -> None:
    """In a process of its own: one that has run thousands of tests may give back more in the meantime."""
    # Blocks of more than 32 MiB are new pages always: smaller ones may come from what the allocator kept.
    code = (
        "import numpy as np; from tests.test_fuzz_run import faults; kept = []; "
        "print(faults(lambda: kept.append(np.ones(2**20 * 40, np.uint8))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "memory grew" in done.stdout, done.stderr


def test_a_spool_file_left_behind_is_named() -> None:
    def make(spool: Path) -> FakeDecoder:
        return FakeDecoder(lambda: (spool / "left").touch())

    found = run_cases(range(2), make_decoder=make, make_case=case).faults
    assert len(found) == 2
    assert "left ['left'] in the spool folder" in found[1]


def test_a_slow_decoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_run, "MAX_WALL_S", -1.0)
    with pytest.raises(MisbehavedError, match="took 0 s"):
        judge(FakeDecoder(lambda: None), case(0).write(tmp_path), codes=documented_codes())


def test_the_documented_codes_are_those_of_a_recording() -> None:
    codes = documented_codes()
    assert {"not_audio", "audio_corrupt", "file_empty"} <= codes
    assert "metadata_unreadable" not in codes
