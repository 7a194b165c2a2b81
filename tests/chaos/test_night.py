"""A bad night, made short; ``python -m tests.chaos.story`` is the long one."""

import tempfile
from pathlib import Path

import pytest

from tests.chaos.story import Night, tell

pytestmark = pytest.mark.slow

NIGHT = Night(recordings=100, workers=3, kills=12, broker_restarts=2, database_restarts=1, limit_s=240)


def test_every_recording_is_scored_once() -> None:
    # Not under pytest's folder: a socket's path is limited, and the server's own account must be able to reach it.
    with tempfile.TemporaryDirectory(prefix="qa-night-", ignore_cleanup_errors=True) as folder:
        morning = tell(NIGHT, Path(folder))
    assert morning.faults(NIGHT) == []
    assert morning.attempts > NIGHT.recordings  # it was a bad one: work was begun that was not finished
