"""The web application: it lives, it tells whether it can work, and it never loads a speech model."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient

from api.app import create_app
from qa_service import __version__
from qa_service.db.engine import open_engine, parse_url
from qa_service.settings import Settings
from tests.brokers import free_port
from tests.cli import environment
from tests.corpus import ROOT


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path, database_url=database_url))) as client:
        yield client


def test_it_lives(client: TestClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": __version__})


def test_it_is_ready(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": __version__})


def test_the_database_is_upgraded_at_the_start(client: TestClient, database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM recordings").scalar() == 0
    engine.dispose()


def test_it_is_not_ready_without_its_database(client: TestClient, database_url: str) -> None:
    _take_away(database_url)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "database_interrupted")
    assert client.get("/healthz").status_code == 200, "a restart would not help"


def _take_away(database_url: str) -> None:
    url = parse_url(database_url)
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "")
        path.parent.rename(path.parent.with_name("gone"))
        return
    engine = open_engine(url.set(database="postgres"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        connection.exec_driver_sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.database}'"
        )
    engine.dispose()


def test_it_tells_prometheus_of_the_queue(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    assert "qa_queue_up 1.0" in lines
    assert 'qa_queue_jobs{state="due"} 0.0' in lines
    assert f'qa_build_info{{version="{__version__}"}} 1.0' in lines


def test_metrics_are_answered_without_the_database(client: TestClient, database_url: str) -> None:
    _take_away(database_url)
    assert "qa_queue_up 0.0" in client.get("/metrics").text.splitlines()


def test_it_logs_as_all_others_do(tmp_path: Path) -> None:
    """As it is started: the server's own lines come in our form, and say what process they are of."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--port", str(port)]
    with subprocess.Popen(
        command, env=environment(tmp_path / "data"), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "Application startup complete" in line:
                break
        process.terminate()
        lines += process.stderr.readlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert {line["service"] for line in told} == {"qa-serve"}
    assert any("startup complete" in line["event"] for line in told)
    before = ("Started server process", "Waiting for application startup")  # the settings are not read yet
    assert all(any(words in line for words in before) for line in lines if not line.startswith("{"))


def test_settings_are_read_when_it_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("QA_DATABASE_URL", raising=False)
    app = create_app()
    monkeypatch.setenv("QA_DATA_DIR", str(tmp_path / "data"))
    with TestClient(app) as client:
        assert client.get("/readyz").status_code == 200
    assert (tmp_path / "data" / "qa.db").is_file()


def test_importing_it_loads_no_model() -> None:
    code = (
        "import sys, api, api.app; api.app.create_app(); heavy = {'numpy', 'torch', 'faster_whisper', "
        "'ctranslate2', 'onnxruntime', 'av', 'models', 'worker'} & sys.modules.keys(); sys.exit(str(heavy or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
