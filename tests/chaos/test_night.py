"""Bad nights, made short; ``make chaos`` lives through the long ones."""

import tempfile
from pathlib import Path

import pytest

from tests.brokers import RABBITMQ
from tests.chaos.story import Morning, Night, tell

pytestmark = pytest.mark.slow

SCRIPTED = Night(recordings=100, workers=3, kills=12, broker_restarts=2, database_restarts=1, limit_s=240)
REAL = Night(
    recordings=16,
    workers=2,
    kills=4,
    broker_restarts=1,
    database_restarts=1,
    limit_s=600,
    broker="rabbitmq",
    engine="real",
)


def _lived_through(night: Night) -> Morning:
    # Not under pytest's folder: a socket's path is limited, and the server's own account must be able to reach it.
    with tempfile.TemporaryDirectory(prefix="qa-night-", ignore_cleanup_errors=True) as folder:
        return tell(night, Path(folder))


def test_every_recording_is_scored_once() -> None:
    morning = _lived_through(SCRIPTED)
    assert morning.faults(SCRIPTED) == []
    assert morning.attempts > SCRIPTED.recordings  # it was a bad one: work was begun that was not finished


@pytest.mark.engine
@pytest.mark.skipif(not RABBITMQ.exists(), reason="needs Debian's rabbitmq-server")
def test_every_recording_is_scored_once_by_real_engines_on_rabbitmq() -> None:
    morning = _lived_through(REAL)
    assert morning.faults(REAL) == []
    assert morning.attempts > REAL.recordings
