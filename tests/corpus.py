"""Where the recorded calls are that tests listen to."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def example_call(name: str) -> Path:
    """An example call shipped with the project: stereo, 8 kHz, agent on the left.

    Fails, rather than skips: a checkout without its examples is broken.
    """
    path = ROOT / "examples" / "calls" / f"{name}.stereo.flac"
    if not path.is_file():
        pytest.fail(
            f"the example call {path.relative_to(ROOT)} is missing: check out examples/calls", pytrace=False
        )
    return path


def corpus_dir() -> Path:
    """The folder of the test calls that are not shipped; skips the test where it is absent."""
    folder = ROOT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("no test calls in ../shared/corpus")
    return folder
