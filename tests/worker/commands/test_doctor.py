"""``qa doctor`` as it is used: a row a check, and the exit code."""

import time
from pathlib import Path

import pytest

from qa_service.services.diagnosis import Finding, ok
from qa_service.settings import Settings
from tests.cli import Here, json_lines, qa, refused
from worker.doctor import table
from worker.doctor.table import CHECKS, Entry

NAMES = [entry.name for entry in CHECKS]


@pytest.mark.engine
def test_a_machine_in_order(data: Path) -> None:
    result = qa("doctor", "--format", "json", data=data)
    lines = json_lines(result.stdout)
    assert result.returncode == 0, result.stdout
    assert [line["check"] for line in lines] == NAMES
    assert {line["state"] for line in lines} <= {"ok", "warning"}
    for line in lines:
        assert set(line) == {"check", "state", "measured", "remedy", "elapsed_s"}
        assert line["measured"]
        assert bool(line["remedy"]) == (line["state"] != "ok")
    assert result.stderr == ""
    assert not data.exists()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """The table of checks, without those that take seconds; a test may add to it."""
    entries = [entry for entry in CHECKS if entry.name not in ("models", "device")]
    monkeypatch.setattr(table.checks, "__defaults__", (entries,))
    return entries


def test_the_table(here: Here, data: Path, only: list[Entry]) -> None:
    result = here("doctor")
    assert result.returncode == 0
    for entry in only:
        assert entry.name in result.stdout
    assert "what to do" in result.stdout
    assert not data.exists()


def test_what_failed_stands_beside_what_did_not(here: Here, data: Path, only: list[Entry]) -> None:
    data.touch()
    result = here("doctor", "--format", "json")
    states = {line["check"]: line["state"] for line in json_lines(result.stdout)}
    assert result.returncode == 1
    assert [states[name] for name in ("database", "blob store", "decoder", "rule packs")] == [
        "failed",
        "failed",
        "ok",
        "ok",
    ]
    assert here("doctor").returncode == 1


def test_checks_that_break_or_hang(here: Here, only: list[Entry]) -> None:
    def breaks(settings: Settings) -> Finding:
        raise RuntimeError("[bold]no\x1b[2J")

    def hangs(settings: Settings) -> Finding:
        time.sleep(30)
        return ok("late")

    only[:0] = [Entry("breaks", breaks, 20), Entry("hangs", hangs, 0.2)]
    started = time.monotonic()
    result = here("doctor")
    assert time.monotonic() - started < 25
    assert result.returncode == 1
    assert "RuntimeError: [bold]no\\x1b[2J" in result.stdout
    assert "no answer in 0.2 s" in result.stdout
    assert "rule packs" in result.stdout
    assert "Traceback" not in result.stderr


def test_wrong_settings_are_a_failed_check(here: Here, only: list[Entry]) -> None:
    result = here("doctor", "--format", "json", QA_LEASE_S="-1", QA_TIME_ZONE="Mars/Olympus")
    first, *others = json_lines(result.stdout)
    assert (result.returncode, first["check"], first["state"]) == (1, "settings", "failed")
    assert "QA_LEASE_S" in first["measured"]
    assert "Mars/Olympus" in first["measured"]
    assert {line["measured"] for line in others} == {"not looked at: the settings are wrong"}


def test_wrong_usage(here: Here) -> None:
    assert "Usage" in refused(here("doctor", "--format", "xml"))
    assert "Usage" in refused(here("doctor", "everything"))
