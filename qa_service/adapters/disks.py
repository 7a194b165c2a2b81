"""What a folder lies on, and whether files can really be kept there.

Guarantee: trying leaves nothing behind and makes no folder: run by another account than the service's, it must not
leave one that the service cannot write.
"""

import errno
import os
import re
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")

NETWORK = frozenset(
    ("9p", "afs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3")
)
"""File systems whose locks and memory maps other machines do not see, or not at once."""

PASSING = frozenset(("overlay", "ramfs", "tmpfs"))
"""File systems that end with the container or with the machine's power."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system that a folder is on, or would be made on. ``kind``: empty when the system does not tell."""

    free_bytes: int
    total_bytes: int
    kind: str
    read_only: bool


def disk_of(folder: Path, *, mounts: Path = _MOUNTS) -> Disk:
    """Raises OSError."""
    here = nearest(folder)
    usage = shutil.disk_usage(here)
    read_only = bool(os.statvfs(here).f_flag & os.ST_RDONLY)
    return Disk(usage.free, usage.total, kind_of(here.resolve(), mounts=mounts), read_only)


def nearest(folder: Path) -> Path:
    """``folder``, or the nearest folder above it that exists."""
    folder = folder.absolute()
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)


def try_writing(folder: Path) -> None:
    """Write a file in ``folder`` and read it back; where it would be made, when it is missing.

    Raises:
        OSError: why it cannot be done.
    """
    content = secrets.token_bytes(4096)
    with tempfile.NamedTemporaryFile(prefix=".qa-doctor-", dir=nearest(folder)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if Path(file.name).read_bytes() != content:
            raise OSError(errno.EIO, "other bytes came back than were written")


def kind_of(path: Path, *, mounts: Path = _MOUNTS) -> str:
    """The type of the file system of a resolved path, by proc_pid_mountinfo(5)."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    kind, depth = "", -1
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4]))
        # Of two mounts on one place the later one is seen.
        if path.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = after.split(" ")[0], len(point.parts)
    return kind
