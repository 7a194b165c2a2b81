"""Stored calls for the commands on rules."""

from pathlib import Path

import pytest

from benchmarks.stored_calls import SyntheticCall, synthetic_calls
from qa_service.adapters.clock import SystemClock
from qa_service.db.session import Database
from qa_service.ports import StoredConversation
from qa_service.settings import load_settings
from tests.qa_service.db import builders
from worker.container import Container

CALLS = 3


@pytest.fixture
def stored(data: Path, monkeypatch: pytest.MonkeyPatch) -> list[SyntheticCall]:
    """Stored calls, scored but for the last."""
    monkeypatch.setenv("QA_DATA_DIR", str(data))
    database = Database(f"sqlite:///{data / 'qa.db'}", clock=SystemClock())
    database.upgrade()
    calls = list(synthetic_calls(CALLS, utterances=12))
    kept: list[tuple[StoredConversation, SyntheticCall]] = []
    for call in calls:
        recording = builders.add_recording(database, call.name.encode(), call.name)
        with database.unit_of_work() as unit:
            unit.metadata.put(recording.id, call.metadata)
            added = unit.conversations.add(call.name, recording.id, call.conversation, elapsed_s=1.0)
            unit.commit()
        kept.append((added, call))

    container = Container(load_settings())
    for conversation, call in kept[:-1]:
        container.evaluate.evaluate(conversation, call.metadata)
    container.database.dispose()
    database.dispose()
    return calls
