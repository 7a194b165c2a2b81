"""A command's memory is that of all its processes, shared pages once."""

import os
import sys

import pytest

from benchmarks.processes import run

PARENT = """
import os, sys, time
block = bytearray(os.urandom(1 << 20)) * 60
if os.fork() == 0:
    own = bytearray(os.urandom(1 << 20)) * 60 if sys.argv[1] == "own" else block
    time.sleep(1.5)
    os._exit(0)
os.wait()
print("done")
"""


@pytest.mark.parametrize(("child", "least_mib", "most_mib"), [("own", 115, 160), ("shared", 58, 100)])
def test_descendants_count_with_what_is_theirs(child: str, least_mib: float, most_mib: float) -> None:
    measured = run([sys.executable, "-c", PARENT, child], os.environ)
    assert measured.output == "done\n"
    assert least_mib < measured.peak_mib < most_mib
    assert measured.wall_s > 1.4


def test_a_command_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"], os.environ)
