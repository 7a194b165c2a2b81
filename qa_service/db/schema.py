"""Bring a database to the schema of this code.

Guarantee: safe when several processes start at once, on an empty database as well; a failed migration leaves the
database as it was. A database of a newer version is left alone.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from qa_service.db.engine import open_engine, sqlite_path
from qa_service.errors import ConfigurationError

_ADVISORY_LOCK = 0x71615F73  # "qa_s": any number, the same in every process

# Alembic keeps the running migration in module globals.
_upgrading = threading.Lock()


def upgrade(engine: Engine) -> None:
    """Run the missing migrations.

    Raises:
        ConfigurationError: ``database_newer``.
    """
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


def migrations(connection: Connection) -> Config:
    """Alembic's configuration for the migrations of this package, also for writing new ones."""
    config = Config()
    config.set_main_option("script_location", "qa_service.db:migrations")
    config.attributes["connection"] = connection
    return config


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
    config = migrations(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
    if unknown:
        raise ConfigurationError(
            "database_newer",
            f"the database was upgraded by a newer version (revision {', '.join(sorted(unknown))}): "
            "install that version, or restore a backup from before its upgrade",
        )
    command.upgrade(config, "head")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # closing the file releases the lock, as does the death of the process
