"""The database and its units of work.

Guarantee: leaving a unit of work without ``commit`` leaves nothing behind; a database error comes out as a coded
error, without statement parameters.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from qa_service.db import inspection, schema
from qa_service.db.batch_runs import SqlBatchRunRepository
from qa_service.db.conversations import SqlConversationRepository
from qa_service.db.engine import open_engine, parse_url, read_only, sqlite_path
from qa_service.db.history import SqlCallHistory
from qa_service.db.jobs import SqlJobQueue
from qa_service.db.repositories import (
    SqlEvaluationRepository,
    SqlMetadataRepository,
    SqlRecordingRepository,
)
from qa_service.db.rule_versions import SqlRuleVersionRepository
from qa_service.db.sources import SqlSourceRepository
from qa_service.errors import ConfigurationError, TransientError
from qa_service.ports import BATCH_PRIORITY, Clock


class SqlUnitOfWork:
    """One transaction and the repositories on it. ``session`` is for read models of this package."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self.session = session
        self.recordings = SqlRecordingRepository(session, clock)
        self.metadata = SqlMetadataRepository(session, clock)
        self.conversations = SqlConversationRepository(session, clock)
        self.evaluations = SqlEvaluationRepository(session, clock)
        self.rule_versions = SqlRuleVersionRepository(session, clock)
        self.history = SqlCallHistory(session)
        self.jobs = SqlJobQueue(session, clock)
        self.batch_runs = SqlBatchRunRepository(session, clock, rank=-BATCH_PRIORITY)
        self.sources = SqlSourceRepository(session, clock)

    def commit(self) -> None:
        self.session.commit()


class Database:
    """A database by its URL. It connects on first use; make it after forking, not before.

    Args:
        url: ``sqlite:///file.db`` or ``postgresql://…``.
        clock: the time of rows and leases.

    Raises:
        ConfigurationError: ``database_unavailable`` when the URL cannot be used at all.
    """

    def __init__(self, url: str, *, clock: Clock) -> None:
        self._url = parse_url(url)
        self._clock = clock
        self._engine = open_engine(self._url)
        self._reading_engine = read_only(self._engine)

    def upgrade(self) -> None:
        """Create or upgrade the tables; the folder of a SQLite file too. Call it once at the start of a process.

        Raises:
            ConfigurationError: ``database_unavailable``, or ``database_newer`` than this code.
        """
        try:
            schema.upgrade(self._engine)
        except (DBAPIError, OSError) as error:
            raise self._unavailable(error) from error

    def inspect(self) -> inspection.Inspection | None:
        """What it is like, changing nothing; None: a SQLite file that nobody has made yet.

        Raises:
            ConfigurationError: ``database_unavailable``.
        """
        path = sqlite_path(self._url)
        try:
            if path is not None and not path.exists():
                return None  # connecting would make it
            return inspection.inspect(self._engine, self._reading_engine, self._clock)
        except (DBAPIError, OSError) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: DBAPIError | OSError) -> ConfigurationError:
        reason = error.orig if isinstance(error, DBAPIError) else error
        return ConfigurationError(
            "database_unavailable",
            f"cannot use the database {self._url.render_as_string(hide_password=True)} ({reason}): "
            "check the URL, that its server runs and that its folder can be written",
        )

    @contextmanager
    def unit_of_work(self, *, read_only: bool = False) -> Iterator[SqlUnitOfWork]:
        """One transaction, rolled back unless committed. It takes its connection at the first statement.

        Args:
            read_only: on SQLite neither waits for a writer nor holds one up; writing in it fails.

        Raises:
            TransientError: ``database_interrupted``, when the database was busy for too long or went away.
        """
        engine = self._reading_engine if read_only else self._engine
        try:
            with Session(engine, expire_on_commit=False) as session:
                yield SqlUnitOfWork(session, self._clock)
        except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise TransientError(
                "database_interrupted",
                f"the database did not answer ({reason}): check its server and its disk, then run again",
            ) from error

    def ping(self) -> None:
        """Raises TransientError ``database_interrupted`` when the database does not answer."""
        with self.unit_of_work(read_only=True) as unit:
            unit.session.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close all connections."""
        self._engine.dispose()
