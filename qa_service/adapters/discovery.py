"""Which recordings a command line means.

Guarantee: the same arguments and files give the same list in the same order, and nothing that a person
named is dropped: a path that cannot be used stays in the list and fails later under its own code.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".opus", ".ogg"})


def discover(paths: Iterable[Path]) -> list[Path]:
    """Recordings in input order: files as given, folders walked recursively in sorted order.

    Inside folders only names with a suffix of ``AUDIO_SUFFIXES`` count, hidden ones do not. Linked folders
    are followed, each real folder once, so a loop of links ends. A folder that cannot be listed is returned
    itself, so that it is reported rather than passed over. An empty folder gives nothing.
    """
    found: dict[str, Path] = {}
    walked: set[str] = set()
    for path in paths:
        for file in _walk(path, walked) if _is_dir(path) else (path,):
            found.setdefault(place(file), file)
    return list(found.values())


def place(file: Path) -> str:
    """Where a file lies: its folder's real path and its own name.

    Two links to one folder are one place, while a link to a file is a name of its own, which the metadata may use.
    """
    try:
        return os.path.join(os.path.realpath(file.parent), file.name)  # noqa: PTH118
    except ValueError:  # a name that this file system cannot have
        return str(file)


def _walk(folder: Path, walked: set[str]) -> Iterator[Path]:
    waiting = [folder]  # a stack, as a hostile archive can be deeper than Python recurses
    while waiting:
        path = waiting.pop()
        if not _is_dir(path):
            yield path
            continue
        real = os.path.realpath(path)
        if real in walked:
            continue
        walked.add(real)
        try:
            names = sorted(os.listdir(path), reverse=True)  # noqa: PTH208 - names are all that is needed
        except OSError:
            yield path
            continue
        waiting += [path / name for name in names if _counts(path / name)]


def _counts(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if _is_dir(path):
        return True
    if path.suffix.lower() not in AUDIO_SUFFIXES:
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)  # a pipe or device does not count
    except OSError:
        return True  # a broken link, say: it is a recording that somebody misses


def _is_dir(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises when a name is too long or a folder is closed
