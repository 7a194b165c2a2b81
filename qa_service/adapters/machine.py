"""What this machine, or the container we run in, has to give."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def cpu_cores(*, cgroup: Path = _CGROUP) -> int:
    """Cores that this process may use: its affinity, and the quota of its container (cgroup v2, ``cpu.max``)."""
    cores = len(os.sched_getaffinity(0))
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal() and int(period):
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def free_memory_bytes(*, cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> int | None:
    """Memory that can be taken without swapping; None when the system does not tell.

    Of a container with a limit (cgroup v2): what is left of it, page cache that can be dropped not counted.
    """
    known = [
        int(fields[1]) * 1024
        for line in _read(meminfo).splitlines()
        if (fields := line.split())[:1] == ["MemAvailable:"]
    ]
    limit, used = _read(cgroup / "memory.max"), _read(cgroup / "memory.current")
    if limit.isdecimal() and used.isdecimal():
        cache = [
            int(fields[1])
            for line in _read(cgroup / "memory.stat").splitlines()
            if (fields := line.split())[:1] == ["inactive_file"]
        ]
        known.append(max(0, int(limit) - int(used) + sum(cache)))
    return min(known, default=None)


def total_memory_bytes(*, cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> int | None:
    """Memory of the machine, or the limit of its container (cgroup v2); None when the system does not tell."""
    known = [
        int(fields[1]) * 1024
        for line in _read(meminfo).splitlines()
        if (fields := line.split())[:1] == ["MemTotal:"]
    ]
    limit = _read(cgroup / "memory.max")
    if limit.isdecimal():
        known.append(int(limit))
    return min(known, default=None)


def own_memory_bytes(*, statm: Path = Path("/proc/self/statm")) -> int | None:
    """Memory of this process, without what it has swapped out; None when the system does not tell."""
    fields = _read(statm).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 and fields[1].isdecimal() else None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
