"""Services on a real store with fake engines."""

from pathlib import Path

import pytest

from qa_service.db.session import Database
from tests.fakes import Workplace


@pytest.fixture
def workplace(database: Database, tmp_path: Path) -> Workplace:
    return Workplace(database, tmp_path)
