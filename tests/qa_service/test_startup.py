"""How processes start."""

import gc
import subprocess
import sys

import pytest

from qa_service.startup import quick_imports

_START = """
import gc
from qa_service.startup import quick_imports
with quick_imports():
    meanwhile = gc.isenabled()
print(meanwhile, gc.isenabled(), gc.get_freeze_count() > 0)
"""


def test_garbage_is_collected_afterwards_and_not_meanwhile() -> None:
    """In a process of its own: what is frozen in this one stays so for all other tests."""
    done = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


def test_an_import_that_fails() -> None:
    with pytest.raises(ImportError), quick_imports():
        raise ImportError
    assert gc.isenabled()
