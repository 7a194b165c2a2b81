"""A copy of a SQLite database, while others read and write it.

Guarantee: what is there under the target's name is whole, of one moment, and was checked; nobody is kept waiting.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from qa_service.db.engine import parse_url, sqlite_path
from qa_service.errors import ConfigurationError, TransientError


def backup(url: str, target: Path) -> None:
    """Copy the database to the new file ``target``.

    Raises:
        ConfigurationError: ``backup_unsupported`` (not SQLite), ``backup_target`` (it is there already, or nothing
            can be written there), ``database_unavailable`` (there is no database).
        TransientError: ``backup_failed``.
    """
    source = sqlite_path(parse_url(url))
    if source is None:
        raise ConfigurationError(
            "backup_unsupported",
            "this copies SQLite databases: back up PostgreSQL with pg_dump or its own archiving",
        )
    if not source.is_file():
        raise ConfigurationError("database_unavailable", f"there is no database at {source}: set QA_DATA_DIR")
    if target.exists():
        raise ConfigurationError("backup_target", f"{target} is there already: name a new file")
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        _copy(source, part)
        part.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise ConfigurationError(
            "backup_target", f"{target} cannot be written ({error.strerror}): name a file on a disk with room"
        ) from error
    except sqlite3.Error as error:
        raise TransientError(
            "backup_failed", f"the database could not be copied ({error}): check the disks of both, and try again"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    # Made here because sqlite3 says no more than that it cannot open; for the owner alone: it holds what was said.
    target.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading:
        # All pages in one transaction that reads: of one moment, and in WAL mode nobody waits for it.
        with closing(sqlite3.connect(target)) as writing:
            reading.backup(writing, pages=-1)
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            faults = [row[0] for row in writing.execute("PRAGMA quick_check(3)")]
        if faults != ["ok"]:
            raise sqlite3.DatabaseError("; ".join(faults))
    _sync(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
