"""Settings that do not go together, and names that are none."""

import os
from pathlib import Path

import pytest

from qa_service.services.diagnosis import State
from qa_service.settings import Settings, load_settings
from worker.doctor import configuration


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("QA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(configuration, "cpu_cores", lambda: 4)


@pytest.mark.parametrize(
    ("given", "state", "remedy"),
    [
        ({}, State.OK, ""),
        ({"processes": 2, "asr_threads": 2}, State.OK, ""),
        ({"min_sample_rate_hz": 9_000, "max_sample_rate_hz": 8_000}, State.FAILED, "swap"),
        ({"lease_s": 5}, State.WARNING, "QA_LEASE_S"),
        ({"processes": 3, "asr_threads": 2}, State.WARNING, "number of cores"),
        ({"processes": 5}, State.WARNING, "number of cores"),
        ({"processes": 2, "device": "cuda"}, State.WARNING, "QA_PROCESSES"),
        ({"broker_url": "redis://host/0"}, State.WARNING, "PostgreSQL"),
        ({"broker_url": "redis://host/0", "database_url": "postgresql://host/qa"}, State.OK, ""),
        ({"worker_memory_bytes": 1024**3}, State.WARNING, "leave it at 0"),
        ({"worker_memory_bytes": 4 * 1024**3}, State.OK, ""),
    ],
)
def test_combinations(given: dict[str, object], state: State, remedy: str) -> None:
    found = configuration.settings(Settings.model_validate(given))
    assert found.state is state
    assert remedy in found.remedy


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_DEVCE", "cuda")
    monkeypatch.setenv("QA_OF_ANOTHER_PROGRAM", "1")
    found = configuration.settings(load_settings())
    assert (found.state, found.remedy) == (State.WARNING, "write QA_DEVICE, or remove it")
    assert "QA_DEVCE is no setting" in found.measured
    assert "ANOTHER" not in found.measured


@pytest.mark.parametrize(
    ("setting", "url", "mode", "state"),
    [
        ("database_url", "postgresql://qa:secret@host/qa", 0o644, State.WARNING),
        ("database_url", "postgresql://qa:secret@host/qa", 0o600, State.OK),
        ("database_url", "postgresql://qa@host/qa", 0o644, State.OK),
        ("database_url", "nonsense", 0o644, State.OK),  # which the database's check tells
        ("database_url", "http://[nonsense", 0o644, State.OK),
        ("broker_url", "redis://:secret@host/0", 0o604, State.WARNING),
    ],
)
def test_a_password_that_everybody_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, url: str, mode: int, state: State
) -> None:
    file = tmp_path / "qa.toml"
    file.write_text(f'{setting} = "{url}"\n')
    if setting != "database_url":
        monkeypatch.setenv("QA_DATABASE_URL", "postgresql://qa:elsewhere@host/qa")
    file.chmod(mode)
    found = configuration.settings(load_settings())
    assert found.state is state
    assert "secret" not in found.measured + found.remedy
    assert "qa.toml" in found.measured
