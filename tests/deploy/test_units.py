"""The systemd units: known settings, hardened, and ended the way workers can be ended."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from qa_service.settings import Settings
from tests.corpus import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
WORKER = ROOT / "deploy" / "systemd" / "qa-worker@.service"


def directives(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def test_there_is_one_for_workers_and_one_for_the_web_process() -> None:
    assert [unit.name for unit in UNITS] == ["qa-serve.service", "qa-worker@.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_reads_it(unit: Path, tmp_path: Path) -> None:
    """With systemd-analyze where the machine has it; anywhere, by the form of the file."""
    for line in unit.read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"|#.*|\[(Unit|Service|Install)\]|[A-Z]\w+=.*", line), line
    if shutil.which("systemd-analyze") is None:
        return
    here = tmp_path / unit.name  # with a program that is there: nothing is installed
    here.write_text(re.sub(r"/opt/call-quality/bin/\w+", shutil.which("true") or "", unit.read_text("utf-8")))
    named = str(here).replace("@.", "@1.")
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", named], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")
    exposure = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(here)],
        capture_output=True,
        check=False,
    )
    assert exposure.returncode == 0, "2.5 of 10 at most"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_its_settings_exist_and_no_secret_is_among_them(unit: Path) -> None:
    given = directives(unit)
    names = [value.split("=")[0] for value in given["Environment"]]
    assert names
    assert all(name.removeprefix("QA_").lower() in Settings.model_fields for name in names)
    assert given["EnvironmentFile"][0] == "/etc/call-quality/environment"
    assert "@" not in "".join(given["Environment"])


def test_a_worker_finishes_what_is_under_way() -> None:
    given = directives(WORKER)
    assert given["KillMode"] == ["mixed"], "the signal reaches the main process alone"
    assert given["TimeoutStopSec"] == ["2h"]
    assert Settings.model_fields["work_limit_s"].default <= 2 * 3600
    assert given["OOMPolicy"] == ["continue"]
    assert given["Restart"] == ["always"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_it_runs_as_nobody_else_and_writes_nowhere_else(unit: Path) -> None:
    given = directives(unit)
    assert given["User"] == ["qa"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "ProtectKernelTunables", "RestrictSUIDSGID"):
        assert given[name] == ["yes"], name
    assert given["ProtectSystem"] == ["strict"]
    assert given["StateDirectory"] == ["call-quality"]
    assert "QA_DATA_DIR=/var/lib/call-quality" in given["Environment"]
