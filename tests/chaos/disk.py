"""One machine with everything on one disk, which fills up, and later cannot be written at all.

    unshare -rm python -m tests.chaos.disk

The engines are real. Mounting takes a namespace of its own. Ends with one line, and a non-zero exit when a job
failed, or was not done soon after the disk was repaired.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from qa_service.db.rows import JobRow
from qa_service.errors import QAError
from qa_service.settings import Settings
from tests.chaos.story import clips, enqueue
from tests.cli import QA, environment
from worker.container import Container

DISK = "48m"
CALLS = 4
TROUBLE_S = 10.0
LIMIT_S = 240.0


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="qa-disk-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        disk = folder / "disk"
        disk.mkdir()
        _mount("-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk))
        try:
            container = Container(Settings(data_dir=disk / "data"))
            enqueue(container, clips(CALLS, folder / "first"))
            full = _lived_through(container, _fill(disk))
            enqueue(container, clips(2 * CALLS, folder / "second"))  # half of them are known
            container.database.dispose()  # a disk that is in use is not mounted again
            _mount("-o", "remount,ro", str(disk))
            read_only = _lived_through(container, lambda: _mount("-o", "remount,rw", str(disk)))
        finally:
            subprocess.run(["umount", "--lazy", disk], check=False)
    expected = {"full": ({"queued": CALLS}, {"done": CALLS}), "read-only": ({}, {"done": 2 * CALLS})}
    seen = {"full": full, "read-only": read_only}
    faults = [f"{what}: {seen[what]}" for what in seen if seen[what] != expected[what]]
    print("disk: " + ("; ".join(faults) or "every job waited for its repair and was done after it"))
    return 1 if faults else 0


def _lived_through(container: Container, repair: Callable[[], None]) -> tuple[dict[str, int], dict[str, int]]:
    """States of the jobs while a worker meets the trouble (none where they cannot be read), and in the end."""
    disk = container.settings.data_dir
    worker = subprocess.Popen(
        [*QA, "worker", "--embedded", "--concurrency", "1"],
        env=environment(disk, TMPDIR=str(disk.parent)),
    )
    try:
        time.sleep(TROUBLE_S)
        during = _states(container)
        container.database.dispose()
        repair()
        deadline = time.monotonic() + LIMIT_S
        while (after := _states(container)).keys() != {"done"} and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        worker.terminate()
        worker.wait(60)
    return during, after


def _states(container: Container) -> dict[str, int]:
    with suppress(QAError), container.database.unit_of_work(read_only=True) as unit:
        return dict(Counter(unit.session.scalars(select(JobRow.state))))
    return {}


def _fill(disk: Path) -> Callable[[], None]:
    """Use every byte; returns what frees them."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(bytes(4096))
    return filler.unlink


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
