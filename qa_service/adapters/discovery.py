"""Which recordings a command line means.

Guarantee: the same arguments and files give the same list in the same order, and nothing that a person
named is dropped: a path that cannot be used stays in the list and fails later under its own code.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from qa_service.domain.call import RawFormat

RAW_SUFFIXES: Mapping[str, RawFormat | None] = {
    ".raw": None,
    ".pcm": None,
    ".ul": RawFormat("mulaw", 8000),
    ".ulaw": RawFormat("mulaw", 8000),
    ".al": RawFormat("alaw", 8000),
    ".alaw": RawFormat("alaw", 8000),
    ".sln": RawFormat("s16le", 8000),
    ".sln16": RawFormat("s16le", 16_000),
    ".vox": RawFormat("vox", 8000),
    ".gsm": RawFormat("gsm", 8000),
    ".g722": RawFormat("g722", 16_000),
    ".g723": RawFormat("g723_1", 8000),
    ".g729": RawFormat("g729", 8000),
}
"""Names of recordings without a header, and what they hold by the habit of telephone systems; None: the name does
not tell."""

AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".w64", ".rf64", ".flac", ".mp3", ".opus", ".ogg", ".oga", ".m4a", ".mp4", ".mov", ".aac",
     ".3gp", ".amr", ".awb", ".wma", ".webm", ".mka", ".mkv", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf",
     ".sph", ".voc"}
    | RAW_SUFFIXES.keys()
)  # fmt: skip


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


def raw_format_of(path: Path, default: RawFormat | None) -> RawFormat | None:
    """How to read a file whose name says that it has no header; None for every other name.

    ``default`` is the site's, for names that do not tell more.
    """
    suffix = path.suffix.lower()
    return (RAW_SUFFIXES[suffix] or default) if suffix in RAW_SUFFIXES else None


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
