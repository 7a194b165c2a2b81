"""The five packages: found in this tree, and nothing happens when they are imported."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus import ROOT

PACKAGES = ("qa_service", "models", "rules", "worker", "api")


def modules(package: str) -> list[str]:
    """Every module of a package but the migrations, which only Alembic loads."""
    files = sorted((ROOT / package).rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return [name for name in names if ".migrations" not in name]


def run(code: str, tmp_path: Path) -> None:
    """Run ``code`` in a process whose home is empty; it ends with nothing to say."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path), "QA_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr.strip(), done.returncode) == ("", "", 0)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_the_ones_of_this_tree(package: str) -> None:
    """A folder ``tests/rules`` without ``__init__.py`` would be imported in place of ``rules``."""
    assert importlib.import_module(package).__file__ == str(ROOT / package / "__init__.py")


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_starts_nothing(package: str, tmp_path: Path) -> None:
    """No engine, no thread, no connection, no file: engines load where they are first used."""
    code = f"""
import gc, importlib, sys, threading
for name in {modules(package)!r}:
    importlib.import_module(name)
import sqlalchemy
alive = [o for o in gc.get_objects() if isinstance(o, sqlalchemy.Engine)]
engines = {{'torch', 'faster_whisper', 'ctranslate2', 'onnxruntime', 'opencc'}} & sys.modules.keys()
others = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
assert not (alive or engines or others), (alive, engines, others)
"""
    run(code, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_domain_needs_only_the_standard_library(tmp_path: Path) -> None:
    code = f"""
import importlib, sys
before = set(sys.modules)
for name in {modules("qa_service/domain")!r}:
    importlib.import_module(name)
roots = {{name.partition('.')[0] for name in set(sys.modules) - before}}
foreign = {{root for root in roots if root not in sys.stdlib_module_names}} - {{'qa_service'}}
own = {{name for name in sys.modules if name.startswith('qa_service.')}}
assert not foreign, foreign
assert all(name.startswith('qa_service.domain') for name in own), own
"""
    run(code, tmp_path)


OF_EXTRAS = frozenset(
    {
        *("av", "celery", "ctranslate2", "faster_whisper", "fastapi", "jinja2", "numpy", "obstore", "onnxruntime"),
        *(
            "opencc",
            "opentelemetry",
            "prometheus_client",
            "psycopg",
            "pyannote",
            "pynvml",
            "redis",
            "scipy",
            "soxr",
        ),
        *("torch", "torchaudio", "uvicorn", "whisper", "xlsxwriter"),
    }
)
"""What extras bring: the base install has none of it."""

BASE_INSTALL = f"""
import importlib.machinery, sys
find = importlib.machinery.PathFinder.find_spec
def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in {set(OF_EXTRAS)!r} else find(name, path, target)
importlib.machinery.PathFinder.find_spec = find_spec
from worker.cli import main
main()
"""


def command(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A ``qa`` command where no extra is installed."""
    return subprocess.run(
        [sys.executable, "-c", BASE_INSTALL, *words],
        cwd=ROOT,
        env={**os.environ, "QA_DATA_DIR": str(tmp_path), "QA_MODEL_CACHE_DIR": str(tmp_path / "models")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [("coaching", "list"), ("rules", "lint", "rules/packs/service-en")])
def test_commands_that_hear_nothing_need_no_extra(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = command(tmp_path, *words)
    assert done.returncode == 0, done.stderr


def test_what_an_extra_is_needed_for_names_it(tmp_path: Path) -> None:
    done = command(tmp_path, "score", "examples/calls")
    said = "engine_missing: av is not installed: install the extra 'speech'"
    assert (done.returncode, done.stderr.strip()) == (2, said)
