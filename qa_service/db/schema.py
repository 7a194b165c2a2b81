"""The schema of this code, and bringing a database to it.

Guarantee: safe when several processes start at once, on an empty database as well; a failed migration leaves the
database as it was. A database of a newer version is left alone.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

from qa_service.db.engine import open_engine, read_only, sqlite_path
from qa_service.errors import ConfigurationError

REVISION: Final = "0027"
"""Of the newest migration. Said here too (a test compares the two), because asking Alembic takes loading it and
every migration: a third of a second at the start of each command, which finds nothing to do but once."""

_ADVISORY_LOCK = 0x71615F73  # "qa_s": any number, the same in every process

# Alembic keeps the running migration in module globals.
_upgrading = threading.Lock()


def revision(connection: Connection) -> str:
    """Of the tables; empty where there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def upgrade(engine: Engine) -> None:
    """Run the missing migrations.

    Raises:
        ConfigurationError: ``database_newer``.
    """
    if _nothing_to_do(engine):
        return
    engine.dispose()  # on SQLite a connection from before goes on with the journal mode from before
    with _upgrading:
        path = sqlite_path(engine.url)
        if path is None:
            with engine.begin() as connection:
                # Held to the end of the transaction: one process migrates, the others then find nothing to do.
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                _migrate(connection)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(path.name + ".lock")):
            _upgrade_sqlite(engine)


def _nothing_to_do(engine: Engine) -> bool:
    path = sqlite_path(engine.url)
    if path is not None and not path.exists():
        return False  # connecting would make it
    with (engine if path is None else read_only(engine)).connect() as connection:  # SQLite: without the write lock
        if path is not None and connection.execute(text("PRAGMA journal_mode")).scalar() != "wal":
            return False
        return revision(connection) == REVISION


def _upgrade_sqlite(engine: Engine) -> None:
    # An engine of its own, because its connection must not check foreign keys: copying a table drops the old
    # one, and dropping a table deletes its rows, which cascades.
    own = open_engine(engine.url)
    try:
        with own.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            # Outside any transaction, where SQLite ignores neither. The journal mode stays in the file; it is
            # set here, under the lock, because two processes that switch it at once are not made to wait.
            driver.execute("PRAGMA foreign_keys = OFF")
            driver.execute("PRAGMA journal_mode = WAL")
            with connection.begin():
                _migrate(connection)
                broken = connection.execute(text("PRAGMA foreign_key_check")).first()
                if broken is not None:
                    raise RuntimeError(f"a migration broke the foreign keys of table {broken[0]}")
    finally:
        own.dispose()


def _migrate(connection: Connection) -> None:
    from qa_service.db import migrating  # with Alembic, which most processes never need

    current = revision(connection)
    if current and current not in migrating.revisions(connection):
        raise ConfigurationError(
            "database_newer",
            f"the database was upgraded by a newer version (revision {current}): "
            "install that version, or restore a backup from before its upgrade",
        )
    migrating.to_newest(connection)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # closing the file releases the lock, as does the death of the process
