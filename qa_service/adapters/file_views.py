"""What metadata asks of the place where recordings lie: a disk, or something that only looks like one."""

import os
from pathlib import Path
from typing import Protocol

from qa_service.adapters.metadata_table import read_data


class FileView(Protocol):
    def exists(self, path: Path) -> bool:
        """Whether there is something of this name, if only a broken link."""
        ...

    def is_file(self, path: Path) -> bool: ...

    def read(self, path: Path) -> bytes:
        """All of a small file. Raises InputError ``metadata_unreadable``."""
        ...


class Disk:
    """The file system."""

    def exists(self, path: Path) -> bool:
        return os.path.lexists(path)

    def is_file(self, path: Path) -> bool:
        # Not Path.is_file: it raises when a name is too long or a folder is closed.
        return os.path.isfile(path)  # noqa: PTH113

    def read(self, path: Path) -> bytes:
        return read_data(path)


DISK = Disk()
