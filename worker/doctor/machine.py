"""Time, cores and memory of this machine."""

import time
from datetime import UTC, datetime
from pathlib import Path

from qa_service.adapters.clock import SystemClock
from qa_service.adapters.machine import cpu_cores, free_memory_bytes, total_memory_bytes
from qa_service.services.diagnosis import Finding, failed, ok, warning
from qa_service.settings import Settings
from worker.running import process_bytes, processes_for

_GIB = 1024**3
_DAY_S = 24 * 3600.0


def clock(settings: Settings) -> Finding:
    """The machine's offset may be any that exists: times without one are told by QA_TIME_ZONE."""
    now = SystemClock().now()
    installed = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if (installed - now).total_seconds() > _DAY_S:
        return failed(
            f"it is {now:%Y-%m-%d}, and this program was installed on {installed:%Y-%m-%d}", "set the clock by NTP"
        )
    offset_s = time.localtime().tm_gmtoff
    measured = (
        f"{now:%Y-%m-%d %H:%M:%S} UTC, machine {_offset(offset_s)}, {settings.time_zone} {_zone(settings, now)}"
    )
    # Zones of our days are whole quarters of an hour, from -12:00 to +14:00.
    if offset_s % 900 or not -12 * 3600 <= offset_s <= 14 * 3600:
        return warning(measured, "correct the machine's time zone (TZ, /etc/localtime)")
    return ok(measured)


def capacity(settings: Settings) -> Finding:
    """Cores and memory beside what the processes take (docs/operations/running.md)."""
    cores, free, total = cpu_cores(), free_memory_bytes(), total_memory_bytes()
    one = process_bytes(settings)
    processes = settings.processes or processes_for(settings, on_gpu=False, calls=lambda most: most)
    measured = (
        f"{cores} {'core' if cores == 1 else 'cores'}, {_gib(free)} of {_gib(total)} memory free; "
        f"{processes} {'process' if processes == 1 else 'processes'} of {one / _GIB:.2f} GiB on a CPU"
    )
    if total is not None and total < one:
        return failed(measured, "add memory, or use a smaller QA_ASR_MODEL")
    if total is not None and total < one * processes:
        return warning(measured, "lower QA_PROCESSES, or leave it at 0")
    if free is not None and free < one * processes:
        return warning(measured, "see what holds the memory; workers that are running already may be it")
    return ok(measured)


def _zone(settings: Settings, now: datetime) -> str:
    offset = now.astimezone(settings.zone).utcoffset()
    return _offset(int(offset.total_seconds())) if offset is not None else ""


def _offset(seconds: int) -> str:
    sign = "-" if seconds < 0 else "+"
    return f"UTC{sign}{abs(seconds) // 3600:02d}:{abs(seconds) // 60 % 60:02d}"


def _gib(size: float | None) -> str:
    return "an unknown amount" if size is None else f"{size / _GIB:.1f} GiB"
