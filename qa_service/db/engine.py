"""Database engines: one place that knows how SQLite and PostgreSQL differ.

Guarantee: transactions really begin. On SQLite a transaction that may write takes the write lock at its first
statement and waits for it; it never fails half-way because another process wrote in between.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from qa_service.errors import ConfigurationError

BUSY_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10
READ_ONLY = "qa_read_only"
_EXAMPLES = "sqlite:////var/lib/qa/qa.db or postgresql://user:password@host/database"


def parse_url(url: str) -> URL:
    """The URL with its driver. Plain ``postgresql://`` (and ``postgres://``) means psycopg 3.

    Raises:
        ConfigurationError: ``database_unavailable`` for anything that is no SQLite file or PostgreSQL server.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The URL itself stays out of the message: it may hold a password.
        raise _unusable("the database URL cannot be read") from error
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    elif parsed.drivername == "sqlite":
        parsed = parsed.set(drivername="sqlite+pysqlite")
    if parsed.drivername not in ("postgresql+psycopg", "sqlite+pysqlite"):
        raise _unusable(f"the database kind {parsed.drivername!r} is not supported")
    if parsed.drivername == "sqlite+pysqlite" and sqlite_path(parsed) is None:
        # Every connection would see its own empty database.
        raise _unusable("a SQLite database in memory cannot be shared")
    return parsed


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite URL; None for PostgreSQL and for databases in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return None if url.database.startswith("file:") else Path(url.database)


def open_engine(url: URL) -> Engine:
    """An engine that connects on first use. Errors and logs never show parameters: they hold transcript text."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,  # a restarted server must not cost a request
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
        )
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigurationError(
            "database_unavailable",
            "PostgreSQL needs its driver: install the extra qa-service[postgres]",
        ) from error


def read_only(engine: Engine) -> Engine:
    """The same engine and pool with transactions that cannot write, and on SQLite wait for no writer."""
    options = {READ_ONLY: True}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    return engine.execution_options(**options)


def _set_up_sqlite(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    del record
    assert isinstance(connection, sqlite3.Connection)
    # The driver begins a transaction only before INSERT, UPDATE and DELETE, and with a plain BEGIN; its own
    # handling is therefore switched off. https://docs.sqlalchemy.org/en/20/dialects/sqlite.html
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # In WAL mode this can lose the last commits on power failure, never corrupt: a job then runs again.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    """Begin, with the write lock unless the transaction only reads.

    A plain BEGIN takes the lock at the first write. When another process has written since the first read, that
    fails at once with "database is locked", however long the timeout is: waiting could not make the read true.
    """
    if connection.get_execution_options().get(READ_ONLY):
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("PRAGMA query_only = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _unusable(what: str) -> ConfigurationError:
    return ConfigurationError("database_unavailable", f"{what}: give a URL such as {_EXAMPLES}")
