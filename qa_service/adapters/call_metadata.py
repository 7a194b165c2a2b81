"""Call metadata from a table beside the recordings (CSV or JSON).

Guarantee: a table that can be read at all never stops a batch. A bad value becomes unknown, a bad row is
left out, both with a warning that names the place; only a recording that the table contradicts itself
about fails, and only that one. A recording never gets the row of another file.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import posixpath
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from qa_service.adapters.cdr_table import CdrTable, load_cdr
from qa_service.adapters.file_views import DISK, FileView
from qa_service.adapters.metadata_fields import ALLOWED_FORMS, extra_text, merge, parse_fields
from qa_service.adapters.metadata_table import COLUMNS, Row, read_rows
from qa_service.adapters.table_warnings import TableWarnings
from qa_service.domain.call import CallMetadata, Direction
from qa_service.errors import InputError

__all__ = ["Sidecar", "find_sidecar", "load_metadata", "load_sidecar", "merge"]

SIDECAR_NAMES = ("call_metadata.csv", "call_metadata.json", "Master.csv")


def find_sidecar(folder: Path, *, files: FileView = DISK) -> Path | None:
    """``call_metadata.csv`` of the folder, else its ``call_metadata.json``, else the ``Master.csv`` that telephone
    systems write, else None."""
    return next((path for name in SIDECAR_NAMES if files.is_file(path := folder / name)), None)


def load_metadata(
    path: Path,
    *,
    time_zone: tzinfo,
    contexts: Mapping[str, Direction] | None = None,
    files: FileView = DISK,
) -> Sidecar | CdrTable:
    """Read call detail records, known by their shape, or a sidecar.

    Args:
        path: see ``load_sidecar``; call detail records are never ``….json``.
        time_zone: the site's, for times without an offset.
        contexts: what the site's dial plan contexts mean.
        files: where the file and the recordings lie.

    Raises:
        InputError: ``metadata_unreadable``, nothing in it can be used.
    """
    data = files.read(path)
    if path.suffix.lower() != ".json":
        records = load_cdr(data, path, time_zone=time_zone, contexts=contexts or {})
        if records is not None:
            return records
    return _Builder(path, time_zone, files).build(read_rows(data, path))


def load_sidecar(path: Path, *, time_zone: tzinfo) -> Sidecar:
    """Read a sidecar.

    Args:
        path: ``….json`` is a list of objects, anything else a table (comma, semicolon or tab) with a header;
            UTF-8, or GB18030 (which includes GBK) when it is not valid UTF-8.
        time_zone: the site's, for ``started_at`` without an offset.

    Raises:
        InputError: ``metadata_unreadable``, nothing in it can be used.
    """
    return _Builder(path, time_zone, DISK).build(read_rows(DISK.read(path), path))


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the sidecar says about one call, by its (first) file.

    ``second_files``: the files of the other side, more than one when rows disagree. ``conflict`` names the columns
    that rows disagree on; ``pair_fault`` says what is wrong with the second file.
    """

    file: str
    places: tuple[str, ...]
    metadata: CallMetadata
    second_files: tuple[str, ...] = ()
    conflict: tuple[str, ...] = ()
    pair_fault: str = ""


class Sidecar:
    """A loaded sidecar. ``warnings`` are sentences for people, each starting with a code."""

    def __init__(
        self, path: Path, entries: Mapping[str, _Entry], warnings: tuple[str, ...], *, files: FileView = DISK
    ) -> None:
        self.path = path
        self._files = files
        self.warnings = warnings
        self._entries = entries
        self._firsts = _by_second(entries, path)
        self._keys_by_name: dict[str, list[str]] = {}
        for key in entries:
            self._keys_by_name.setdefault(posixpath.basename(key), []).append(key)
        self._seconds_by_name: dict[str, list[str]] = {}
        for key in self._firsts:
            self._seconds_by_name.setdefault(posixpath.basename(key), []).append(key)

    def lookup(self, recording_path: Path) -> CallMetadata | None:
        """Metadata of a recording, None when the sidecar does not know it.

        A row belongs to the file at its path, relative to the sidecar. If there is no such file, it belongs
        to a recording of that base name anywhere, as long as no other row has the same base name.

        Raises:
            InputError: ``metadata_conflict``, several rows say different things about this recording.
        """
        key = self._match(recording_path)
        if key is None:
            return None
        entry = self._entries[key]
        self._raise_conflict(entry)
        return entry.metadata

    def sides(self, recording_path: Path) -> tuple[Path, Path] | None:
        """The two files of the call that a recording is one side of; None when it is a call by itself.

        Both names are relative to the sidecar. Where no file lies at its path, and the recording was found by its
        base name, the other one is looked for beside it, likewise by its base name.

        Raises:
            InputError: ``pair_invalid``, or ``metadata_conflict`` when rows name different second files.
        """
        key = self._match(recording_path)
        entry = self._entries.get(key) if key is not None else None
        if key is not None and entry is not None and (entry.second_files or entry.pair_fault):
            self._raise_pair_fault(entry)
            by_name = key != self._key_of(recording_path)
            return recording_path, self._locate(entry.second_files[0], recording_path, by_name=by_name)
        second_key = self._match_second(recording_path)
        if second_key is None:
            return None
        entry = self._entries[self._firsts[second_key][0]]
        by_name = second_key != self._key_of(recording_path)
        first = self._locate(entry.file, recording_path, by_name=by_name)
        if by_name and not self._files.exists(first):
            return None  # another file of that base name
        self._raise_pair_fault(entry)
        return first, recording_path

    def unmatched(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """The ``file`` values, in the sidecar's order, of rows that belong to none of these recordings."""
        matched = {self._match(path) for path in paths}
        return tuple(entry.file for key, entry in self._entries.items() if key not in matched)

    def _key_of(self, recording_path: Path) -> str:
        return _key(os.path.abspath(recording_path), self.path)  # noqa: PTH100 - links keep their own names

    def _match(self, recording_path: Path) -> str | None:
        key = self._key_of(recording_path)
        if key in self._entries:
            return key
        # The second file of a row is not a namesake of another's first.
        return None if key in self._firsts else self._same_name(key, self._keys_by_name)

    def _match_second(self, recording_path: Path) -> str | None:
        key = self._key_of(recording_path)
        return key if key in self._firsts else self._same_name(key, self._seconds_by_name)

    def _same_name(self, key: str, keys_by_name: Mapping[str, list[str]]) -> str | None:
        same_name = keys_by_name.get(posixpath.basename(key), [])
        # day1/0001.wav must not lend its agent to day2/0001.wav.
        if len(same_name) != 1 or self._files.exists(self.path.parent / same_name[0]):
            return None
        return same_name[0]

    def _locate(self, file: str, beside: Path, *, by_name: bool) -> Path:
        """The path of a file that the sidecar names, whether it exists or not."""
        spelled = file.replace("\\", "/")
        folder, name = (beside.parent, posixpath.basename(spelled)) if by_name else (self.path.parent, spelled)
        # The disk keeps the characters as they were written, composed or not.
        forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
        return next((path for form in forms if self._files.exists(path := folder / form)), folder / name)

    def _raise_conflict(self, entry: _Entry) -> None:
        if entry.conflict:
            raise InputError(
                "metadata_conflict",
                f"{self.path.name} {' and '.join(entry.places)} disagree about {entry.file!r} "
                f"({', '.join(entry.conflict)}): keep one of them",
                path=str(self.path),
            )

    def _raise_pair_fault(self, entry: _Entry) -> None:
        if len(entry.second_files) > 1:
            self._raise_conflict(entry)
        if entry.pair_fault:
            raise InputError(
                "pair_invalid",
                f"{self.path.name} {' and '.join(entry.places)}: {entry.pair_fault}",
                path=str(self.path),
            )


def _by_second(entries: Mapping[str, _Entry], sidecar: Path) -> dict[str, list[str]]:
    """Keys of the calls that each second file is named for."""
    firsts: dict[str, list[str]] = {}
    for key, entry in entries.items():
        for second in entry.second_files:
            firsts.setdefault(_key(second, sidecar), []).append(key)
    return firsts


class _Builder:
    def __init__(self, path: Path, time_zone: tzinfo, files: FileView) -> None:
        self._path = path
        self._files = files
        self._time_zone = time_zone
        self._warnings = TableWarnings(path)
        self._entries: dict[str, _Entry] = {}
        self._unknown_columns: set[str] = set()

    def build(self, rows: Iterable[Row]) -> Sidecar:
        for row in rows:
            self._add(row)
        self._check_pairs()
        return Sidecar(self._path, self._entries, self._warnings.all(), files=self._files)

    def _add(self, row: Row) -> None:
        if row.fault is not None:
            self._warnings.say("metadata_invalid", row.place, f"{row.fault}; the row is left out")
            return
        file = row.values.get("file")
        if not isinstance(file, str) or not file.strip() or not _is_path(file):
            self._warnings.say(
                "metadata_invalid", row.place, f"column file: {file!r} is not a path; the row is left out"
            )
            return
        known = {column: value for column, value in row.values.items() if column in ALLOWED_FORMS}
        metadata, faults = parse_fields(known, time_zone=self._time_zone)
        for fault in faults:
            self._warnings.say("metadata_invalid", row.place, f"{fault}; treated as unknown")
        metadata = dataclasses.replace(metadata, extra=self._extra(row))
        entry = self._with_second(_Entry(file.strip(), (row.place,), metadata), row.values.get("second_file"))
        key = _key(entry.file, self._path)
        earlier = self._entries.get(key)
        self._entries[key] = entry if earlier is None else self._joined(earlier, entry)

    def _with_second(self, entry: _Entry, second: object) -> _Entry:
        if second is None or (isinstance(second, str) and not second.strip()):
            return entry
        if not isinstance(second, str) or not _is_path(second):
            # Unlike other columns, this one must not become unknown: half of the call would be scored.
            return dataclasses.replace(entry, pair_fault=f"second_file {second!r} is not a path: correct it")
        return dataclasses.replace(entry, second_files=(second.strip(),))

    def _check_pairs(self) -> None:
        firsts = _by_second(self._entries, self._path)
        for key, entry in self._entries.items():
            for second in entry.second_files:
                fault = self._pair_fault(key, _key(second, self._path), firsts)
                if fault:
                    self._entries[key] = dataclasses.replace(entry, pair_fault=f"{second!r} {fault}")

    def _pair_fault(self, key: str, second_key: str, firsts: Mapping[str, list[str]]) -> str:
        if second_key == key:
            return "is both files of the call: name the file of the other side"
        if len(firsts[second_key]) > 1:
            return "is the second file of more than one call: correct second_file"
        other = self._entries.get(second_key)
        if (other and other.second_files) or key in firsts:
            return "stands in a chain of second files: keep the row whose file is channel 0"
        return ""

    def _extra(self, row: Row) -> tuple[tuple[str, str], ...]:
        extra: dict[str, str] = {}
        for column, value in row.values.items():
            if column in COLUMNS:
                continue
            if column not in self._unknown_columns:
                self._unknown_columns.add(column)
                close = difflib.get_close_matches(column.lower(), sorted(COLUMNS), n=1, cutoff=0.75)
                hint = f" (is it {close[0]}?)" if close else ""
                self._warnings.say(
                    "metadata_unknown_column", "", f"column {column!r} is not known{hint}; its values are kept"
                )
            if value is None:
                continue
            try:
                name = extra_text(column)
                text = extra_text(
                    value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
                )
            except (ValueError, RecursionError):
                self._warnings.say(
                    "metadata_invalid", row.place, f"column {column!r} is too long or not printable; left out"
                )
                continue
            if text:
                extra[name] = text
        return tuple(sorted(extra.items()))

    def _joined(self, earlier: _Entry, later: _Entry) -> _Entry:
        places = earlier.places + later.places
        differing = tuple(
            field.name
            for field in dataclasses.fields(CallMetadata)
            if getattr(earlier.metadata, field.name) != getattr(later.metadata, field.name)
        )
        if (earlier.second_files, earlier.pair_fault) != (later.second_files, later.pair_fault):
            differing += ("second_file",)
        if not differing and not earlier.conflict:
            self._warnings.say("metadata_duplicate", later.places[0], f"repeats {earlier.places[0]}; ignored")
        conflict = tuple(dict.fromkeys(earlier.conflict + differing))
        return dataclasses.replace(
            earlier,
            places=places,
            conflict=conflict,
            second_files=tuple(dict.fromkeys(earlier.second_files + later.second_files)),
            pair_fault=earlier.pair_fault or later.pair_fault,
        )


def _key(file: str, sidecar: Path) -> str:
    """A file's path relative to the sidecar, spelled one way: slashes, no dots, composed characters."""
    spelled = unicodedata.normalize("NFC", file.replace("\\", "/"))
    if posixpath.isabs(spelled):
        folder = os.path.abspath(sidecar.parent)  # noqa: PTH100 - links keep their own names
        return posixpath.relpath(spelled, unicodedata.normalize("NFC", folder))
    return posixpath.normpath(spelled)


def _is_path(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")  # JSON can hold halves of characters, file names cannot
    except UnicodeEncodeError:
        return False
    return "\0" not in text
