"""What earlier versions left in database and broker is finished by today's worker."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import MetaData, insert, text

from qa_service.db.engine import open_engine, parse_url
from qa_service.db.rows import ConversationRow, EvaluationRow
from tests.brokers import Redis
from tests.fakes import SILENT
from tests.qa_service.db.builders import downgrade
from tests.worker.containers import FakeContainer
from tests.worker.queued import settled
from worker.app import SPEECH, UPKEEP

WRITTEN = Path(__file__).parent.parent / "data" / "upgrades"
CONTENTS = (b"call done", b"call queued", b"call leased", SILENT, b"call put back")


def test_rows_and_messages_of_an_earlier_version_are_drained(
    container: FakeContainer, broker: Redis, start: Callable[..., psutil.Process]
) -> None:
    container.database.upgrade()
    container.database.dispose()
    _restore(json.loads((WRITTEN / "0006.rows.json").read_text("utf-8")), container.settings.resolved_database_url)
    container.database.upgrade()  # qa db upgrade; a worker does it too
    for content in CONTENTS:
        file = container.workplace.file("as it was", content)
        with file.open("rb") as source:
            container.blobs.put(source)
    messages = json.loads((WRITTEN / "0007.messages.json").read_text("utf-8"))
    for queue, waiting in messages.items():
        broker.client().rpush(queue, *(json.dumps(message) for message in waiting))

    start()
    ends = settled(container, [1, 2, 3, 4, 5])
    assert ends == ["done", "done", "done", "silent_audio", "done"]
    assert container.workplace.count(ConversationRow) == 4
    assert container.workplace.count(EvaluationRow) == 4
    assert container.jobs.state(1).attempts == 1  # it was done, and is not done again
    assert container.jobs.state(3).losses == 1
    assert broker.client().llen(UPKEEP) == 0
    assert all(json.loads(left)["headers"]["id"] != messages[SPEECH][0]["headers"]["id"] for left in _left(broker))


def _left(broker: Redis) -> list[bytes]:
    left: list[bytes] = broker.client().lrange(SPEECH, 0, -1)
    return left


def _restore(written: dict[str, Any], url: str) -> None:
    """Put rows into an empty database as they were, in the schema that they were written with."""
    downgrade(url, written["revision"])
    engine = open_engine(parse_url(url))
    tables = MetaData()
    with engine.begin() as connection:
        tables.reflect(connection)
        for name, rows in written["tables"].items():
            connection.execute(
                insert(tables.tables[name]), [{k: _value(v) for k, v in row.items()} for row in rows]
            )
            if "id" in rows[0]:  # the numbers were given by hand: the next one follows them
                sequence = f"pg_get_serial_sequence('{name}', 'id')"
                connection.execute(text(f"SELECT setval({sequence}, {max(row['id'] for row in rows)})"))
    engine.dispose()


def _value(written: object) -> object:
    match written:
        case {"time": str(time)}:
            return datetime.fromisoformat(time).replace(tzinfo=UTC)
        case {"base64": str(content)}:
            return base64.b64decode(content)
        case _:
            return written
