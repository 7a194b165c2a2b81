"""A folder as a source: a drop box, or the archive of a telephone system.

Guarantee: nothing in it is opened but what is received; hidden files, unfinished copies under other names and
whatever is no recording are passed over; a loop of links ends.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from qa_service.adapters.call_metadata import SIDECAR_NAMES
from qa_service.adapters.discovery import AUDIO_SUFFIXES
from qa_service.errors import TransientError
from qa_service.ports.sources import Listed, Received, Receiver, Unreadable


class FolderSource:
    """Implements ``Source``. Keys are paths relative to the folder, and whole ones of what lies elsewhere."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        self.name = str(folder)
        self._within = os.path.normpath(folder).rstrip("/") + "/"

    def walk(self, folder: Path | None = None) -> Iterator[Listed | Unreadable]:
        """See ``Source.walk``. Linked folders are followed, each real folder once.

        A link that leads nowhere is not there yet. A folder that is not there at all, or was replaced by an empty
        mount point, takes nothing from what is remembered.
        """
        waiting = [str(folder or self._root)]  # a stack, as an archive can be deeper than Python recurses
        walked: set[str] = set()
        while waiting:
            path = waiting.pop()
            real = os.path.realpath(path)
            if real in walked:
                continue
            walked.add(real)
            try:
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.name.startswith("."):
                            continue
                        if _is_folder(entry):
                            if folder is None:
                                waiting.append(entry.path)
                        elif _counts(entry.name) and (listed := self._listed(entry.path, entry)) is not None:
                            yield listed
            except OSError as error:
                if path == str(self._root):
                    raise self._unavailable(error) from error
                yield Unreadable(self._key(path), error.strerror or type(error).__name__)

    def path(self, key: str) -> Path:
        return self._root / key

    def look(self, path: Path) -> Listed | None:
        return self._listed(str(path), None) if _counts(path.name) else None

    def check(self) -> None:
        try:
            with os.scandir(self._root) as entries:
                next(entries, None)
        except OSError as error:
            raise self._unavailable(error) from error

    def receive(self, receiver: Receiver, first: Listed, second: Listed | None) -> Received:
        return receiver.receive(self.path(first.key), None, second=self.path(second.key) if second else None)

    def _listed(self, path: str, entry: os.DirEntry[str] | None) -> Listed | None:
        try:
            status = entry.stat() if entry else os.stat(path)  # noqa: PTH116 - as of entries
        except (OSError, ValueError):  # gone meanwhile, or a link that leads nowhere
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return Listed(
            self._key(path),
            status.st_size,
            str(status.st_mtime_ns),
            # Copying may set the first back to the original's time; the second is always the last change's.
            max(status.st_mtime, status.st_ctime),
            table=os.path.basename(path) in SIDECAR_NAMES,  # noqa: PTH119 - of a string
        )

    def _key(self, path: str) -> str:
        """Of a file elsewhere, such as a call's other side in another source, its path from the root on."""
        plain = os.path.normpath(path) if ".." in path else path
        return plain.removeprefix(self._within)

    def _unavailable(self, error: OSError) -> TransientError:
        return TransientError(
            "source_unavailable",
            f"the folder {self.name} cannot be listed ({error.strerror}): mount it, or correct QA_SOURCES",
        )


def table_at(path: Path) -> Listed | None:
    """The table that tells of all recordings, under a key that no file of a folder has."""
    try:
        status = path.stat()
    except OSError:
        return None
    changed_at = max(status.st_mtime, status.st_ctime)
    return Listed(str(path), status.st_size, str(status.st_mtime_ns), changed_at, table=True)


def _counts(name: str) -> bool:
    """Recordings and tables; ``x.wav.part`` and ``x.tmp`` are neither."""
    return name in SIDECAR_NAMES or (
        os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES and not name.startswith((".", "~"))  # noqa: PTH122
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
