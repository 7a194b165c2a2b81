"""What a database is like: looked at without changing anything.

Guarantee: no table, row or file is made; what is tried is rolled back.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from qa_service.db.schema import REVISION, revision
from qa_service.ports import Clock


class SchemaState(StrEnum):
    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Inspection:
    """A database that answers.

    ``server``: name and version. ``revision``: of its tables, empty without any; ``head``: the newest that this
    code knows. ``writing_fault``: why nothing can be written; None when it can. ``clock_ahead_s``: the server's
    clock minus ours; None where it is ours.
    """

    server: str
    schema: SchemaState
    revision: str
    head: str
    writing_fault: str | None
    clock_ahead_s: float | None


def inspect(engine: Engine, reading: Engine, clock: Clock) -> Inspection:
    """Look at the database behind ``engine``; ``reading`` is the same with transactions that cannot write.

    Raises:
        DBAPIError: it cannot be reached or read.
    """
    with reading.connect() as connection:
        server = _server(connection)
        ahead_s = _clock_ahead_s(connection, clock)
        current = revision(connection)
        state = _state(current, connection)
    return Inspection(
        server=server,
        schema=state,
        revision=current,
        head=REVISION,
        writing_fault=_writing_fault(engine, tables=state is not SchemaState.EMPTY),
        clock_ahead_s=ahead_s,
    )


def _state(current: str, connection: Connection) -> SchemaState:
    if not current:
        return SchemaState.EMPTY
    if current == REVISION:
        return SchemaState.CURRENT
    from qa_service.db import migrating  # with Alembic, which most processes never need

    return SchemaState.BEHIND if current in migrating.revisions(connection) else SchemaState.NEWER


def _server(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar_one()}"
    version = str(connection.execute(text("SHOW server_version")).scalar_one())
    return f"PostgreSQL {version.split()[0]}"


def _clock_ahead_s(connection: Connection, clock: Clock) -> float | None:
    if connection.dialect.name == "sqlite":
        return None
    before = clock.now()
    server: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    after = clock.now()
    return (server.astimezone(UTC) - (before + (after - before) / 2)).total_seconds()


def _writing_fault(engine: Engine, *, tables: bool) -> str | None:
    """Why nothing can be written.

    What is tried is rolled back: a change of no row, which needs the right to change rows and waits for nobody's;
    where there are no tables yet, a table, which needs the right to make them.
    """
    statement = (
        "UPDATE recordings SET path = path WHERE id IS NULL" if tables else "CREATE TABLE qa_doctor (id INT)"
    )
    # Back from reading, a pooled connection says READ WRITE of each transaction; a new one asks the server.
    engine.dispose()
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
            connection.rollback()
    except DBAPIError as error:
        return " ".join(str(error.orig).split())
    return None
