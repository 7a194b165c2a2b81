"""Services on a real store with fake engines."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from qa_service.db.session import Database
from qa_service.services.batch_runs import BatchRuns, Nightly, Room
from qa_service.services.plans import Planner
from tests.clocks import ManualClock
from tests.fakes import Workplace


@pytest.fixture
def workplace(database: Database, tmp_path: Path) -> Workplace:
    return Workplace(database, tmp_path)


@pytest.fixture
def quiet_logs() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


@pytest.fixture
def made(workplace: Workplace, clock: ManualClock) -> Callable[..., BatchRuns]:
    def make(
        *, jobs: int = 1000, has_space: Callable[[], bool] = lambda: True, nightly: Nightly | None = None
    ) -> BatchRuns:
        return BatchRuns(
            units=workplace.database.unit_of_work,
            planner=lambda: Planner(hear=workplace.hear, evaluate=workplace.evaluate),
            room=Room(jobs, has_space),
            nightly=nightly,
            clock=clock,
        )

    return make


@pytest.fixture
def runs(made: Callable[..., BatchRuns]) -> BatchRuns:
    return made()
