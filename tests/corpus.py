"""Where the recorded calls are that tests listen to."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Test calls that nothing has been learnt from. What holds of every call is tested on them too; what a seed draws
# is drawn from the others, so that a new call does not draw the others anew.
UNLEARNT = "after"


def example_call(name: str) -> Path:
    """An example call shipped with the project: stereo, agent on the left.

    Fails, rather than skips: a checkout without its examples is broken.
    """
    found = sorted((ROOT / "examples" / "calls").glob(f"{name}.stereo.*"))
    if not found:
        pytest.fail(f"examples/calls/{name}.stereo.* is missing: check out the example calls", pytrace=False)
    return found[0]


def corpus_dir() -> Path:
    """The folder of the test calls that are not shipped; skips the test where it is absent."""
    folder = ROOT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("no test calls in ../shared/corpus")
    return folder
