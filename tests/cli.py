"""The ``qa`` command as users run it: another process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.corpus import ROOT

Here = Callable[..., subprocess.CompletedProcess[str]]
"""``qa`` in the test's own process, as the fixture ``here`` runs it."""

QA = (sys.executable, "-m", "worker")


def environment(data: Path, **settings: str) -> dict[str, str]:
    """This process's environment with no settings but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    return {**inherited, "PYTHONPATH": str(ROOT), "QA_DATA_DIR": str(data), **settings}


def qa(
    *arguments: str | bytes | Path, data: Path, cwd: Path | None = None, timeout_s: float = 300, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run ``qa`` with the data directory ``data``; what is not UTF-8 in its output comes as surrogates."""
    return subprocess.run(
        [*QA, *arguments],
        cwd=cwd or data.parent,
        env=environment(data, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=timeout_s,
        check=False,
    )


def refused(result: subprocess.CompletedProcess[str], code: int = 2) -> str:
    """What was said by a command that ended with ``code`` and left stdout alone."""
    assert (result.returncode, result.stdout) == (code, ""), result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def json_lines(output: str) -> list[dict[str, Any]]:
    """Every line as a JSON object; anything else on stdout is a failure."""
    return [json.loads(line, parse_constant=_no_constant) for line in output.splitlines()]


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
