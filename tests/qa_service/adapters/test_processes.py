"""Who is dead: only what this machine can know."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from qa_service.adapters.processes import is_dead, owner_name

_CHILD = """
import sys
from qa_service.adapters.processes import owner_name
print(owner_name(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def _changed(owner: str, field: int, value: str) -> str:
    parts = owner.rsplit(":", 3)
    parts[field] = value
    return ":".join(parts)


def test_a_living_process_is_not_dead(child: tuple[subprocess.Popen[str], str]) -> None:
    assert not is_dead(owner_name())
    assert not is_dead(child[1])
    assert owner_name() == owner_name() != child[1]


def test_a_killed_process_is_dead_even_before_its_parent_noticed(
    child: tuple[subprocess.Popen[str], str],
) -> None:
    process, owner = child
    process.send_signal(signal.SIGKILL)
    # Waits for the end and leaves the zombie, as a busy parent would.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(owner)
    process.wait()
    assert is_dead(owner)


def test_a_pid_used_again_is_another_process() -> None:
    started = int(owner_name().rsplit(":", 3)[2])
    assert is_dead(_changed(owner_name(), 2, str(started - 1)))


@pytest.mark.parametrize(
    ("field", "value"),
    [(0, "another-host"), (3, "anotherboot0"), (3, ""), (2, "0"), (2, "soon"), (1, "-1"), (1, "")],
)
def test_what_this_machine_cannot_know_is_not_dead(field: int, value: str) -> None:
    gone = _changed(_changed(owner_name(), 1, "4194305"), 2, "1")  # above the highest pid of Linux
    assert is_dead(gone)
    assert not is_dead(_changed(gone, field, value))


@pytest.mark.parametrize("owner", ["", "worker-1", "a:b", "a:b:c:d", "::::", "h:1:2:3:4"])
def test_names_of_another_form_are_not_dead(owner: str) -> None:
    assert not is_dead(owner)


def test_a_host_name_may_hold_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "fe80::1")
    assert not is_dead(owner_name())
    assert is_dead(_changed(owner_name(), 2, "1"))
