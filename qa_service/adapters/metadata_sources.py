"""What is known about a call before it is heard: sidecars, call detail records, the file-name template.

Guarantee: whoever receives a recording, by hand or from a source, is told the same about it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import lru_cache
from pathlib import Path

from qa_service.adapters.call_metadata import Sidecar, find_sidecar, load_metadata
from qa_service.adapters.cdr_table import CdrTable
from qa_service.adapters.discovery import raw_format_of
from qa_service.adapters.file_views import DISK, FileView
from qa_service.adapters.filename_presets import name_reader
from qa_service.adapters.metadata_fields import contradictions, merge
from qa_service.adapters.pairing import legs_of, pair
from qa_service.domain.call import CallMetadata, Direction, RawFormat
from qa_service.errors import InputError, QAError, TransientError
from qa_service.ports.sources import CallFiles

_TABLES_KEPT = 256  # folders of one day's archive; the tables of years would not fit into memory


@dataclass(frozen=True, slots=True)
class MetadataOptions:
    """What a site says about its names and records; see the settings of the same names."""

    time_zone: tzinfo
    filename_template: str | None = None
    leg_suffixes: tuple[str, str] | None = None
    raw_format: RawFormat | None = None
    cdr_contexts: Mapping[str, Direction] = field(default_factory=dict)


class MetadataSources:
    """Sidecars, call detail records and the file-name template: what is known about a call before it is heard."""

    def __init__(
        self,
        options: MetadataOptions,
        sidecar: Path | None,
        warn: Callable[[str], None],
        *,
        files: FileView = DISK,
    ) -> None:
        """
        Args:
            options: the site's.
            sidecar: a table on this machine's disk that tells of all recordings; else those beside them do.
            warn: told what is wrong with a table and harms no recording.
            files: where the recordings and the tables beside them lie.
        """
        self._options = options
        self._warn = warn
        self._files = files
        self._given = self._load(sidecar, DISK) if sidecar else None
        self._beside = lru_cache(maxsize=_TABLES_KEPT)(self._load_beside)
        self._template = (
            name_reader(options.filename_template, time_zone=options.time_zone)
            if options.filename_template
            else None
        )

    def calls(self, files: Sequence[Path]) -> list[CallFiles]:
        """Which of the files are one call: by the sidecar, else by the site's suffixes."""
        return pair(files, sides=self._sides)

    def of(self, call: CallFiles) -> CallMetadata | None:
        """Metadata of one call. Raises InputError when its sidecar contradicts itself or is unreadable."""
        known = self._known(call)
        legs = (
            legs_of(call.path, self._options.leg_suffixes) if self._options.leg_suffixes and call.second else None
        )
        named = self._template.parse(legs.common if legs else call.path) if self._template else None
        told = merge(known, named) if known and named else known or named
        return self._with_raw_format(call, told)

    def contradictions(self, one: CallMetadata | None, other: CallMetadata | None) -> tuple[str, ...]:
        """Names of the values that both know and that are not the same."""
        return contradictions(one, other)

    def _with_raw_format(self, call: CallFiles, told: CallMetadata | None) -> CallMetadata | None:
        """A stored recording has no name any more: what the name says about its format is kept as metadata."""
        if told is not None and told.raw_format is not None:
            return told
        formats = {raw_format_of(path, self._options.raw_format) for path in call.paths}
        if len(formats) > 1 or None in formats:
            return told
        return replace(told or CallMetadata(), raw_format=formats.pop())

    def check(self, calls: Sequence[CallFiles]) -> None:
        """Warn of rows in the named sidecar that belong to none of the recordings: a mistyped name, most likely.

        A sidecar found beside the recordings may well tell of others that are not scored now.
        """
        unmatched = self._given.unmatched([path for call in calls for path in call.paths]) if self._given else ()
        if unmatched:
            named = ", ".join(unmatched[:3]) + (", …" if len(unmatched) > 3 else "")
            self._warn(f"metadata rows that belong to none of these recordings ({len(unmatched)}): {named}")

    def _sides(self, file: Path) -> tuple[Path, Path] | None:
        sidecar = self._table_of(file)
        told = sidecar.sides(file) if sidecar else None
        legs = legs_of(file, self._options.leg_suffixes) if self._options.leg_suffixes and told is None else None
        return (legs.first, legs.second) if legs else told

    def _known(self, call: CallFiles) -> CallMetadata | None:
        rows = [
            row
            for path in call.paths
            if (sidecar := self._table_of(path)) and (row := sidecar.lookup(path)) is not None
        ]
        if len(rows) == 2 and rows[0] != rows[1]:
            raise InputError(
                "metadata_conflict",
                f"the metadata of {' and '.join(path.name for path in call.paths)}, the two files of one call, "
                "is not the same: keep one row",
                path=str(call.path),
            )
        return rows[0] if rows else None

    def _table_of(self, path: Path) -> Sidecar | CdrTable | None:
        if self._given:
            return self._given
        found = self._beside(path.parent)
        if isinstance(found, QAError):
            raise found
        return found

    def _load_beside(self, folder: Path) -> Sidecar | CdrTable | QAError | None:
        try:
            file = find_sidecar(folder, files=self._files)
            return self._load(file, self._files) if file else None
        except TransientError:
            raise
        except QAError as error:
            return error

    def _load(self, file: Path, files: FileView) -> Sidecar | CdrTable:
        sidecar = load_metadata(
            file, time_zone=self._options.time_zone, contexts=self._options.cdr_contexts, files=files
        )
        for warning in sidecar.warnings:
            self._warn(warning)
        return sidecar
