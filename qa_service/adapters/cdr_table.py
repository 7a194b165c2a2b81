"""Call metadata from call detail records, joined to recordings by the name of the file or of the channel.

Guarantee: a record is never lent to a recording of another call. A row that cannot be read is left out with a
warning that names its line; a recording whose name fits more than one call has no record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from pathlib import Path, PurePosixPath

from qa_service.adapters.cdr_facts import facts
from qa_service.adapters.cdr_rows import UUID, CdrRow, read_cdr
from qa_service.adapters.discovery import AUDIO_SUFFIXES
from qa_service.adapters.metadata_fields import MAX_TEXT_LENGTH, FieldFault, parse_fields
from qa_service.adapters.metadata_table import unreadable
from qa_service.adapters.table_warnings import TableWarnings
from qa_service.domain.call import CallMetadata, Direction

# A channel's own name in a file name, not part of a longer number. Asterisk's may stand after the system's name
# and a dash, which is left out here: two systems can use the same one.
_CHANNELS = (
    re.compile(rf"(?<![0-9A-Za-z])(?:{UUID.pattern})(?![0-9A-Za-z])"),
    re.compile(r"(?<![0-9A-Za-z.])[0-9]{9,11}\.[0-9]+(?![0-9A-Za-z])"),
)


class CdrTable:
    """Loaded call detail records. ``warnings`` are sentences for people, each starting with a code."""

    def __init__(
        self,
        path: Path,
        calls: Mapping[str, tuple[CdrRow, ...]],
        warnings: tuple[str, ...],
        *,
        time_zone: tzinfo,
        contexts: Mapping[str, Direction],
    ) -> None:
        """
        Args:
            path: the file.
            calls: the rows of each call by its channel's name, or by the recording's where it has none.
            warnings: what was wrong with it.
            time_zone: the site's.
            contexts: what the site's dial plan contexts mean.
        """
        self.path = path
        self.warnings = warnings
        self._calls = calls
        self._time_zone = time_zone
        self._contexts = contexts
        self._by_file: dict[str, tuple[str, ...]] = {}
        self._by_channel: dict[str, tuple[str, ...]] = {}
        self._by_other_leg: dict[str, tuple[str, ...]] = {}
        for call, rows in calls.items():
            for row in rows:
                if recording := _recording(row):
                    _enter(self._by_file, recording, call)
                for index, name in (
                    (self._by_channel, row.call_id),
                    (self._by_other_leg, row.values.get("bleg_uuid", "")),
                ):
                    for channel in _channels(name):
                        _enter(index, channel, call)

    def lookup(self, recording_path: Path) -> CallMetadata | None:
        """What the records say about a recording, None when they do not know it."""
        call = self._call_of(recording_path)
        if call is None:
            return None
        metadata, _ = parse_fields(facts(self._calls[call], self._contexts), time_zone=self._time_zone)
        return metadata

    def sides(self, recording_path: Path) -> tuple[Path, Path] | None:  # noqa: ARG002 - as of sidecars
        """Records do not say which files are one call."""
        return None

    def unmatched(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """The calls, when none of them has one of these recordings: most calls of a system may well have none."""
        return () if any(self._call_of(path) for path in paths) else tuple(self._calls)

    def _call_of(self, path: Path) -> str | None:
        named = self._by_file.get(path.stem)
        if named is not None:
            return _only(set(named))
        channels = _channels(path.stem)
        for index in (self._by_channel, self._by_other_leg):
            known = {call for channel in channels for call in index.get(channel, ())}
            if known:
                # Of systems that share a number, the one whose name the file holds.
                return _only(known) or _only({call for call in known if call in path.stem})
        return None


def load_cdr(data: bytes, path: Path, *, time_zone: tzinfo, contexts: Mapping[str, Direction]) -> CdrTable | None:
    """The records of a file that holds ``data``; None when it holds something else.

    Raises:
        InputError: ``metadata_unreadable``, they cannot be joined to recordings.
    """
    rows = read_cdr(data)
    if rows is None:
        return None
    warnings = TableWarnings(path)
    calls: dict[str, list[CdrRow]] = {}
    for row in rows:
        if row.fault is not None:
            warnings.say("metadata_invalid", row.place, f"{row.fault}; the row is left out")
            continue
        call = row.call_id or _recording(row)
        if not call:
            warnings.say(
                "metadata_invalid", row.place, "names neither a channel nor a recording; the row is left out"
            )
            continue
        for fault in _faults(row, time_zone, contexts):
            warnings.say("metadata_invalid", row.place, f"{fault}; treated as unknown")
        calls.setdefault(call, []).append(row)
    if not calls:
        raise unreadable(
            path,
            "holds call detail records without the names of their channels or recordings",
            "write uniqueid (loguniqueid=yes in cdr.conf), uuid or recordingfile too",
        )
    known = {call: tuple(rows) for call, rows in calls.items()}
    return CdrTable(path, known, warnings.all(), time_zone=time_zone, contexts=contexts)


def _enter(index: dict[str, tuple[str, ...]], name: str, call: str) -> None:
    """A tuple, as nearly every name is one call's and there may be millions."""
    calls = index.get(name, ())
    if call not in calls:
        index[name] = (*calls, call)


def _faults(row: CdrRow, time_zone: tzinfo, contexts: Mapping[str, Direction]) -> tuple[FieldFault, ...]:
    """Values that are not allowed. Nearly every row is seen to be fine in a fraction of the time of reading it."""
    if all(value.isprintable() and len(value) <= MAX_TEXT_LENGTH for value in row.values.values()):
        try:
            if 1970 <= datetime.fromisoformat(row.values.get("start", "")).year < 2200:
                return ()
        except ValueError:
            pass
    return parse_fields(facts([row], contexts), time_zone=time_zone)[1]


def _channels(text: str) -> tuple[str, ...]:
    return tuple(name.lower() for pattern in _CHANNELS for name in pattern.findall(text))


def _recording(row: CdrRow) -> str:
    """The name of the row's recording, without folder and suffix: it may have been converted since."""
    told = row.values.get("recordingfile") or row.values.get("userfield", "").removeprefix("audio:")
    if not told:
        return ""
    file = PurePosixPath(told.replace("\\", "/"))
    return file.stem if file.suffix.lower() in AUDIO_SUFFIXES else ""


def _only(calls: set[str]) -> str | None:
    return next(iter(calls)) if len(calls) == 1 else None
