"""The command that measures what calls take in the database, at a small size."""

import re
import sys

import pytest

from benchmarks import storage


@pytest.mark.slow
def test_it_measures_both_databases(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["storage", "--calls", "8", "--open-jobs", "500"])
    assert storage.main() == 0
    table = dict(re.findall(r"^\| ([^|]+?) \| ([\d,.]+)(?: ms)? \|$", capsys.readouterr().out, re.MULTILINE))
    figures = {name: float(value.replace(",", "")) for name, value in table.items()}
    assert 10_000 < figures["SQLite, the whole file"] < 200_000
    parts = [value for name, value in figures.items() if name.startswith("– ")]
    assert len(parts) > 5
    assert 0.9 < sum(parts) / figures["PostgreSQL, tables and indexes"] <= 1.01
    assert figures["0"] > 0
    assert figures["500"] > 0
