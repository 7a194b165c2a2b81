"""The database's check: each state of a real one, and the limits of the clock."""

from pathlib import Path

import pytest

from qa_service.db.inspection import Inspection, SchemaState
from qa_service.db.session import Database
from qa_service.services.diagnosis import State, together
from qa_service.settings import Settings
from tests.qa_service.db import builders
from worker.doctor import store
from worker.doctor.store import database as check


def settings(folder: Path, url: str | None = None) -> Settings:
    return Settings(data_dir=folder, database_url=url)


def test_a_database_in_order(database: Database, database_url: str, tmp_path: Path) -> None:
    found = check(settings(tmp_path, database_url))
    assert (found.state, found.remedy) == (State.OK, "")
    assert "schema 0" in found.measured


def test_one_that_nobody_made_yet_is_not_made_here(tmp_path: Path) -> None:
    found = check(settings(tmp_path / "data"))
    assert found.state is State.OK
    assert "qa.db is made by the first command" in found.measured
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_behind(database: Database, database_url: str, tmp_path: Path) -> None:
    builders.downgrade(database_url, "0001")
    found = check(settings(tmp_path, database_url))
    assert (found.state, found.remedy) == (State.WARNING, "run qa db upgrade")
    assert "schema 0001 is behind" in found.measured


def test_one_without_tables(postgresql_url: str, tmp_path: Path) -> None:
    found = check(settings(tmp_path, postgresql_url))
    assert (found.state, "no tables" in found.measured) == (State.WARNING, True)
    assert "qa db upgrade" in found.remedy


def test_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    found = check(settings(tmp_path / "data"))
    assert (found.state, "Not a directory" in found.measured) == (State.FAILED, True)


def test_sqlite_on_a_network_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "NETWORK", frozenset([store.disk_of(tmp_path).kind]))
    found = check(settings(tmp_path))
    assert (found.state, "network disk" in found.measured) == (State.WARNING, True)


def seen(
    schema: SchemaState = SchemaState.CURRENT, fault: str | None = None, ahead_s: float | None = None
) -> Inspection:
    return Inspection("PostgreSQL 18.6", schema, "0005", "0004", fault, ahead_s)


@pytest.mark.parametrize(
    ("inspection", "state", "measured"),
    [
        (seen(), State.OK, "schema 0005"),
        (seen(SchemaState.NEWER), State.FAILED, "0005 is newer than this version's 0004"),
        (seen(fault="no right"), State.FAILED, "cannot be written (no right)"),
        (seen(ahead_s=1.9), State.OK, "1.9 s ahead of ours"),
        (seen(ahead_s=-1.9), State.OK, "1.9 s behind ours"),
        (seen(ahead_s=2.1), State.WARNING, "2.1 s ahead of ours"),
        (seen(ahead_s=-29.0), State.WARNING, "29.0 s behind ours"),
        (seen(ahead_s=-31.0), State.FAILED, "31.0 s behind ours"),
    ],
)
def test_what_is_told(inspection: Inspection, state: State, measured: str) -> None:
    found = together(list(store.told(inspection, lease_s=60.0)))
    assert (found.state, bool(found.remedy)) == (state, state is not State.OK)
    assert measured in found.measured


def test_a_short_lease_does_not_make_a_small_skew_a_failure() -> None:
    assert together(list(store.told(seen(ahead_s=1.5), lease_s=1.0))).state is State.OK
