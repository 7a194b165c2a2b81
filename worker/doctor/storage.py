"""Where recordings are kept, and where they are decoded."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qa_service.adapters.disks import PASSING, Disk, disk_of, try_writing
from qa_service.services.diagnosis import Finding, failed, ok, together, warning
from qa_service.services.jobs import BatchLimits
from qa_service.settings import Settings
from worker.doctor.buckets import blob_bucket
from worker.running import processes_for

_GIB = 1024**3
FREE_BYTES_FAILED = 1 * _GIB
FREE_SHARE_WARNING = 0.1

# Decoded to 16 kHz, 16 bits, two channels.
_DECODED_BYTES_A_SECOND = 16_000 * 2 * 2


def blobs(settings: Settings) -> Finding:
    """Recordings are written here once and for good."""
    if settings.blob_url:
        return blob_bucket(settings.blob_url)
    folder = settings.data_dir / "blobs"
    try:
        disk = disk_of(folder)
    except OSError as error:
        return failed(f"{folder} cannot be looked at ({error.strerror})", "repair the disk, or set QA_DATA_DIR")
    return together([*_written(folder, disk, "QA_DATA_DIR"), *_space(disk), *_kept(folder, disk), *_owner(folder)])


def temporary(settings: Settings) -> Finding:
    """Decoding spools a whole recording; a batch of them in each process."""
    try:
        folder = Path(tempfile.gettempdir())
        disk = disk_of(folder)
    except OSError as error:
        return failed(f"no temporary folder can be written ({error.strerror})", "set TMPDIR to one that can")
    batch_s = min(settings.batch_minutes * 60 or BatchLimits().audio_s, settings.max_duration_s)
    processes = processes_for(settings, on_gpu=False, calls=lambda most: most)
    batch = processes * batch_s * _DECODED_BYTES_A_SECOND
    longest = settings.max_duration_s * _DECODED_BYTES_A_SECOND
    remedy = "free it up, or set TMPDIR to a larger disk"
    findings = list(_written(folder, disk, "TMPDIR"))
    if disk.free_bytes < batch:
        findings.append(
            failed(f"{_gib(disk.free_bytes)} free, a batch of each process takes {_gib(batch)}", remedy)
        )
    elif disk.free_bytes < longest:
        findings.append(
            warning(
                f"{_gib(disk.free_bytes)} free, the longest recording (QA_MAX_DURATION_S) takes {_gib(longest)}",
                remedy,
            )
        )
    else:
        findings.append(ok(f"{_gib(disk.free_bytes)} free, the longest recording takes {_gib(longest)}"))
    if disk.kind in ("tmpfs", "ramfs"):
        findings.append(
            warning(
                f"it is memory ({disk.kind}): what is decoded takes that away", "set TMPDIR to a folder on a disk"
            )
        )
    return together(findings)


def _written(folder: Path, disk: Disk, setting: str) -> Iterator[Finding]:
    if disk.read_only:
        yield failed(f"{folder} is mounted read-only", f"mount it writable, or set {setting}")
        return
    try:
        try_writing(folder)
    except OSError as error:
        yield failed(
            f"{folder} cannot be written ({error.strerror or error})",
            f"give the service's account the folder, repair the disk, or set {setting}",
        )
        return
    yield ok(f"{folder} written and read back" if folder.exists() else f"{folder} can be made")


def _space(disk: Disk) -> Iterator[Finding]:
    share = disk.free_bytes / disk.total_bytes if disk.total_bytes else 0.0
    measured = f"{_gib(disk.free_bytes)} free ({share:.0%})"
    remedy = "free it up, or move QA_DATA_DIR to a larger disk"
    if disk.free_bytes < FREE_BYTES_FAILED:
        yield failed(measured, remedy)
    elif share < FREE_SHARE_WARNING:
        yield warning(measured, remedy)
    else:
        yield ok(measured)


def _kept(folder: Path, disk: Disk) -> Iterator[Finding]:
    if disk.kind in PASSING:
        yield warning(
            f"{folder} is on {disk.kind}: recordings and database end with the container or at the next start",
            "mount a disk there, or set QA_DATA_DIR",
        )


def _owner(folder: Path) -> Iterator[Finding]:
    """What one account makes there the other cannot read."""
    if folder.exists() and (owner := folder.stat().st_uid) != os.geteuid():
        yield warning(
            f"{folder} belongs to account {owner}, and this is account {os.geteuid()}",
            "run qa under the service's own account",
        )


def _gib(size: float) -> str:
    return f"{size / _GIB:.1f} GiB"
