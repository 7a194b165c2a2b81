"""The example calls, scored once for all end-to-end tests."""

import time

import pytest

from tests.cli import qa
from tests.e2e.runs import EXAMPLES, Run, Store


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """``qa score examples/calls`` on an empty data directory."""
    data = tmp_path_factory.mktemp("score") / "data"
    started = time.monotonic()
    done = qa("score", EXAMPLES, "--format", "json", data=data, timeout_s=600)
    assert done.returncode == 0, done.stderr
    return Run(Store(data), done.stdout, done.stderr, time.monotonic() - started)
