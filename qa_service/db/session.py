"""The database and its units of work.

Guarantee: leaving a unit of work without ``commit`` leaves nothing behind; a database error comes out as a coded
error, without statement parameters.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, tzinfo

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from qa_service.db import inspection, schema
from qa_service.db.agent_states import SqlAgentStates
from qa_service.db.audit import SqlAuditTrail
from qa_service.db.batch_runs import SqlBatchRunRepository
from qa_service.db.calibration import SqlCalibrationRepository
from qa_service.db.call_details import SqlCallLists
from qa_service.db.call_marks import SqlCallMarks
from qa_service.db.coaching import SqlCoachingRepository
from qa_service.db.complaints import SqlComplaintRepository
from qa_service.db.conversations import SqlConversationRepository
from qa_service.db.directory import SqlDirectory
from qa_service.db.disputes import SqlDisputeRepository
from qa_service.db.draft_cases import SqlDraftCaseRepository
from qa_service.db.engine import open_engine, parse_url, read_only, sqlite_path
from qa_service.db.figures import SqlFigureRepository
from qa_service.db.history import SqlCallHistory
from qa_service.db.imports import SqlImportedFigures, SqlImportLog
from qa_service.db.jobs import SqlJobQueue
from qa_service.db.kpi import SqlKpiRepository
from qa_service.db.people import SqlSessionRepository, SqlTokenRepository, SqlUserRepository
from qa_service.db.promises import SqlPromiseRepository
from qa_service.db.quality import SqlQualityRepository
from qa_service.db.repeats import SqlRepeats
from qa_service.db.report_schedules import SqlReportSchedules
from qa_service.db.repositories import (
    SqlEvaluationRepository,
    SqlMetadataRepository,
    SqlRecordingRepository,
)
from qa_service.db.review import SqlReviewQueue
from qa_service.db.rule_versions import SqlRuleVersionRepository
from qa_service.db.sampling import SqlSamplingRepository
from qa_service.db.script_changes import SqlScriptChangeRepository
from qa_service.db.sources import SqlSourceRepository
from qa_service.db.training import SqlTrainingRepository
from qa_service.db.vendor_calls import SqlVendorCalls
from qa_service.db.verdicts import SqlVerdictRepository
from qa_service.db.webhooks import SqlWebhookRepository
from qa_service.errors import ConfigurationError, TransientError
from qa_service.ports import BATCH_PRIORITY, Clock


class SqlUnitOfWork:
    """One transaction and the repositories on it. ``session`` is for read models of this package."""

    def __init__(self, session: Session, clock: Clock, zone: tzinfo) -> None:
        self.session = session
        self.recordings = SqlRecordingRepository(session, clock)
        self.metadata = SqlMetadataRepository(session, clock)
        self.conversations = SqlConversationRepository(session, clock)
        self.evaluations = SqlEvaluationRepository(session, clock)
        self.rule_versions = SqlRuleVersionRepository(session, clock)
        self.history = SqlCallHistory(session)
        self.calls = SqlCallLists(session)
        self.jobs = SqlJobQueue(session, clock)
        self.batch_runs = SqlBatchRunRepository(session, clock, rank=-BATCH_PRIORITY)
        self.sources = SqlSourceRepository(session, clock)
        self.review = SqlReviewQueue(session, clock)
        self.verdicts = SqlVerdictRepository(session, clock)
        self.disputes = SqlDisputeRepository(session, clock)
        self.sampling = SqlSamplingRepository(session, clock)
        self.calibration = SqlCalibrationRepository(session, clock)
        self.training = SqlTrainingRepository(session, clock)
        self.script_changes = SqlScriptChangeRepository(session, clock)
        self.coaching = SqlCoachingRepository(session, clock)
        self.draft_cases = SqlDraftCaseRepository(session, clock)
        self.figures = SqlFigureRepository(session, zone)
        self.quality = SqlQualityRepository(session, clock)
        self.users = SqlUserRepository(session, clock)
        self.sessions = SqlSessionRepository(session, clock)
        self.tokens = SqlTokenRepository(session, clock)
        self.audit = SqlAuditTrail(session, clock)
        self.directory = SqlDirectory(session)
        self.webhooks = SqlWebhookRepository(session, clock)
        self.call_marks = SqlCallMarks(session)
        self.complaints = SqlComplaintRepository(session, clock)
        self.imports = SqlImportLog(session, clock)
        self.imported_figures = SqlImportedFigures(session)
        self.agent_states = SqlAgentStates(session)
        self.promises = SqlPromiseRepository(session, clock)
        self.vendor_calls = SqlVendorCalls(session)
        self.kpi = SqlKpiRepository(session, clock)
        self.repeats = SqlRepeats(session, clock)
        self.report_schedules = SqlReportSchedules(session, clock)

    def commit(self) -> None:
        self.session.commit()


class Database:
    """A database by its URL. It connects on first use; make it after forking, not before.

    Args:
        url: ``sqlite:///file.db`` or ``postgresql://…``.
        clock: the time of rows and leases.
        zone: the site's, in which a day is a day; whoever counts or reads figures gives it.

    Raises:
        ConfigurationError: ``database_unavailable`` when the URL cannot be used at all.
    """

    def __init__(self, url: str, *, clock: Clock, zone: tzinfo = UTC) -> None:
        self._url = parse_url(url)
        self._clock = clock
        self._zone = zone
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
                yield SqlUnitOfWork(session, self._clock, self._zone)
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
