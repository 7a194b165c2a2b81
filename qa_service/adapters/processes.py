"""Names for processes, and whether a named process is dead.

Guarantee: a process is called dead only when this machine can know it. A live worker that is wrongly declared
dead would have its job done twice; a dead one that goes unnoticed only waits for its lease to expire.
"""

import hashlib
import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def owner_name() -> str:
    """This process as ``host:pid:starttime:scope``: unique even after the pid is used again.

    ``starttime`` is in clock ticks since boot (proc(5), field 22 of ``stat``). ``scope`` stands for the boot and
    the pid namespace: containers may share a host name and a kernel, yet each has a process 7 of its own.
    """
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start_time(pid) or 0}:{_scope()}"


def is_dead(owner: str) -> bool:
    """Whether the owner ran on this host since its last start, and its process is gone.

    Owners on other hosts, in other containers, from before a restart, and names of another form are never dead.
    """
    parts = owner.rsplit(":", 3)
    if len(parts) != 4 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return False
    host, pid, started, scope = parts[0], int(parts[1]), int(parts[2]), parts[3]
    if host != socket.gethostname() or not scope or scope != _scope() or started == 0:
        return False
    current = _start_time(pid)
    if current is not None:
        return current != started
    return not _answers(pid)


def _start_time(pid: int) -> int | None:
    """None when there is no such process, it has ended and waits for its parent, or it cannot be seen."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], int(fields[19])
    return -1 if state in "ZX" else started


def _answers(pid: int) -> bool:
    """Whether a process exists that /proc does not show us (mounted with ``hidepid``)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _scope() -> str:
    """Empty where the system cannot tell: then nobody is ever dead."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = (_PROC / "self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:12]
