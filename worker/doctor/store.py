"""The database: reached, of this version, writable, and of one time with us."""

from collections.abc import Iterator
from pathlib import Path

from qa_service.adapters.clock import SystemClock
from qa_service.adapters.disks import NETWORK, disk_of, try_writing
from qa_service.db.engine import parse_url, sqlite_path
from qa_service.db.inspection import Inspection, SchemaState
from qa_service.db.session import Database
from qa_service.services.diagnosis import Finding, failed, ok, together, warning
from qa_service.settings import Settings

CLOCK_SKEW_S = 2.0


def database(settings: Settings) -> Finding:
    """Nothing is made or upgraded: that is the commands' work, under the service's account."""
    file = sqlite_path(parse_url(settings.resolved_database_url))
    around = [] if file is None else list(_around(file))
    found = inspected(settings)
    if found is None:
        return together([ok(f"SQLite, {file} is made by the first command that needs it"), *around])
    return together([*told(found, lease_s=settings.lease_s), *around])


def told(found: Inspection, *, lease_s: float) -> Iterator[Finding]:
    """What there is to say of a database that answers, whose leases last ``lease_s``."""
    yield ok(found.server)
    yield from _schema(found)
    yield from _writing(found)
    yield from _skew(found, lease_s)


def inspected(settings: Settings) -> Inspection | None:
    """See ``Database.inspect``."""
    database = Database(settings.resolved_database_url, clock=SystemClock())
    try:
        return database.inspect()
    finally:
        database.dispose()


def _schema(found: Inspection) -> Iterator[Finding]:
    if found.schema is SchemaState.NEWER:
        yield failed(
            f"its schema {found.revision} is newer than this version's {found.head}",
            "install the version that upgraded it, or restore a backup from before its upgrade",
        )
    elif found.schema is SchemaState.BEHIND:
        yield warning(f"its schema {found.revision} is behind this version's {found.head}", "run qa db upgrade")
    elif found.schema is SchemaState.EMPTY:
        yield warning(
            "it has no tables", "run qa db upgrade; if calls were scored before, correct QA_DATABASE_URL instead"
        )
    else:
        yield ok(f"schema {found.revision}")


def _writing(found: Inspection) -> Iterator[Finding]:
    if found.writing_fault is not None:
        yield failed(
            f"it cannot be written ({found.writing_fault})",
            "give the account the right to write, and see that it is no standby and nothing holds its lock",
        )


def _skew(found: Inspection, lease_s: float) -> Iterator[Finding]:
    """Leases are times that machines compare: a clock that is off by much of one takes jobs from their owners."""
    if found.clock_ahead_s is None:
        return
    off_s = abs(found.clock_ahead_s)
    measured = f"its clock is {off_s:.1f} s {'ahead of' if found.clock_ahead_s > 0 else 'behind'} ours"
    remedy = "set both machines' clocks by NTP"
    if off_s > max(CLOCK_SKEW_S, lease_s / 2):
        yield failed(measured, remedy)
    elif off_s > CLOCK_SKEW_S:
        yield warning(measured, remedy)
    else:
        yield ok(measured)


def _around(file: Path) -> Iterator[Finding]:
    """SQLite writes its log beside the file, and shares memory with other processes by it."""
    try:
        try_writing(file.parent)
        kind = disk_of(file.parent).kind
    except OSError as error:
        yield failed(
            f"{file.parent} cannot be written ({error.strerror or error})",
            "give the service's account the folder, or set QA_DATABASE_URL",
        )
        return
    if kind in NETWORK:
        yield warning(
            f"it lies on a network disk ({kind}), where SQLite's locks do not hold between machines",
            "keep it on a local disk, or use PostgreSQL",
        )
