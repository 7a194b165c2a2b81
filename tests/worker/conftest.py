"""The command line in this process, on a data directory of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.cli import Here
from tests.worker.containers import FakeContainer
from worker.cli import main
from worker.container import pack


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def fakes(data: Path) -> Iterator[FakeContainer]:
    """The same data directory with engines that need no model."""
    container = FakeContainer(data)
    yield container
    container.database.dispose()


@pytest.fixture
def here(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """``main`` in this process, in ``tmp_path`` and with no settings but the given ones."""

    def run(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name in [name for name in os.environ if name.startswith("QA_")]:
                patch.delenv(name)
            for name, value in {"QA_DATA_DIR": str(data), **settings}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["qa", *map(str, arguments)])
            pack.cache_clear()  # a process reads a pack once
            with pytest.raises(SystemExit) as ended:
                main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, ended.value.code, said.out, said.err)

    yield run
    structlog.reset_defaults()
