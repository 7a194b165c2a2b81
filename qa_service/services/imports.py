"""Tables of other systems brought in: agent states, monthly figures of agents, figures of vendors.

Guarantee: a row is taken whole or refused with its line, a code and what to do; good rows are kept unless all or
nothing was asked for; the same table brought in again changes nothing. What is held at once does not grow with a
table of states, and tables of figures have a greatest length.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO, Final

from qa_service.domain.access import EVERYTHING, Principal, Scope
from qa_service.domain.imports import ImportKind, RefusedRowError, RowFault
from qa_service.errors import NotFoundError
from qa_service.ports import UnitOfWork, UnitOfWorkFactory
from qa_service.ports.imports import Import, ImportCounts, ImportState, LoggedFault, TableReader, TableRow
from qa_service.ports.people import Origin
from qa_service.services.import_kinds import ImportedKind
from qa_service.services.uploads import shown_name

MAX_FAULTS: Final = 10_000
"""Of one import that are kept; the others are counted."""

_ROWS_AT_ONCE: Final = 10_000
_MAX_GIVEN: Final = 2_000
_NOBODY: Final = Origin()


class _Tally:
    """What came of the rows so far."""

    def __init__(self) -> None:
        self.counts = ImportCounts()
        self.faults: list[tuple[int, RowFault, str]] = []

    def add(self, counts: ImportCounts) -> None:
        self.counts += counts

    def fault(self, row: TableRow, fault: RowFault) -> None:
        self.add(ImportCounts(warned=1) if fault.warning else ImportCounts(rejected=1))
        if len(self.faults) < MAX_FAULTS:
            self.faults.append((row.line, fault, _given(row)))


class Imports:
    """
    Args:
        units: where figures are stored.
        units_to_read: the same, for reading only.
        read: reads tables.
        kinds: what tables are about.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        read: TableReader,
        kinds: Sequence[ImportedKind],
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._read = read
        self._kinds = {kind.kind: kind for kind in kinds}

    def receive(
        self,
        who: Principal | str,
        kind: ImportKind,
        file: BinaryIO,
        *,
        name: str,
        sha256: str,
        all_or_nothing: bool = False,
        again: bool = False,
        origin: Origin = _NOBODY,
    ) -> tuple[Import, bool]:
        """Bring in a table; and whether it was, or had been before. ``who``: a name where nobody is signed in.

        Args:
            who: rows about what they may not reach are refused.
            kind: what the table is about.
            file: it is read more than once.
            name: what the file is called.
            sha256: of its bytes.
            all_or_nothing: a row that is refused refuses the table.
            again: even where the last import of the kind was of the same bytes and took them all.
            origin: for the audit trail.

        Raises:
            InputError: ``file_name_invalid``, ``import_unreadable``, ``import_too_long``.
        """
        name = shown_name(name)
        table = self._kinds[kind]
        with self._units_to_read() as unit:
            before = unit.imports.complete(kind, sha256)
        if before is not None and not again and _may_see(who, before):
            return before, False
        prepared = table.prepared(lambda: self._read(file, name, table.columns, table.needed))
        rows = self._read(file, name, table.columns, table.needed)
        pages = iter(lambda: list(islice(rows, _ROWS_AT_ONCE)), [])
        first = next(pages, [])  # a file that is no table leaves no import behind
        user_id = who.user_id if isinstance(who, Principal) else None
        by = who.name if isinstance(who, Principal) else who
        with self._units() as unit:
            begun = unit.imports.begin(
                kind, file_name=name, sha256=sha256, all_or_nothing=all_or_nothing, user_id=user_id, by=by
            )
            unit.audit.record(who, "import.begin", "import", begun.id, {"kind": kind.value}, origin=origin)
            unit.commit()
        tally = _Tally()
        scope = who.scope if isinstance(who, Principal) else EVERYTHING
        work = _Work(table, prepared, begun.id, scope, tally)
        try:
            state = self._take(work, first, pages, all_or_nothing=all_or_nothing)
        except BaseException:
            self._finish(begun.id, ImportState.FAILED, tally, kept=not all_or_nothing)
            raise
        return self._finish(begun.id, state, tally, kept=state is not ImportState.REFUSED), True

    def _take(
        self, work: "_Work", first: list[TableRow], pages: Iterator[list[TableRow]], *, all_or_nothing: bool
    ) -> ImportState:
        work.look_at_header(first)
        if all_or_nothing:
            with self._units() as unit:
                for page in chain([first], pages):
                    work.take(unit, page)
                if work.tally.counts.rejected:
                    return ImportState.REFUSED
                unit.commit()
            return ImportState.DONE
        # One transaction for each page: nobody waits for the whole of a long table.
        for page in chain([first], pages):
            with self._units() as unit:
                work.take(unit, page)
                unit.commit()
        return ImportState.DONE

    def _finish(self, import_id: int, state: ImportState, tally: _Tally, *, kept: bool) -> Import:
        """``kept``: whether rows that were put are there."""
        counts = tally.counts
        if not kept:
            counts = ImportCounts(rows=counts.rows, rejected=counts.rejected, warned=counts.warned)
        with self._units() as unit:
            unit.imports.add_faults(import_id, tally.faults)
            ended = unit.imports.finish(import_id, state, counts)
            unit.commit()
        return ended

    def get(self, who: Principal | str, import_id: int) -> Import:
        """Raises NotFoundError ``import_not_found``, also for one that somebody else made."""
        with self._units_to_read() as unit:
            return _own(who, unit.imports.get(import_id))

    def page(
        self, who: Principal, *, before: int | None, limit: int, kind: ImportKind | None = None
    ) -> Sequence[Import]:
        """The newest first: all for those whose scope is everything, their own for others."""
        own = None if who.scope.is_everything else who.user_id
        with self._units_to_read() as unit:
            return unit.imports.page(before=before, limit=limit, user_id=own, kind=kind)

    def faults(self, who: Principal | str, import_id: int) -> Iterator[LoggedFault]:
        """Page by page, each in a transaction of its own. Raises as ``get`` does, when called."""
        self.get(who, import_id)
        return self._faults(import_id)

    def _faults(self, import_id: int) -> Iterator[LoggedFault]:
        after = 0
        while True:
            with self._units_to_read() as unit:
                found = unit.imports.faults(import_id, after=after, limit=1_000)
            if not found:
                return
            yield from found
            after = found[-1].id


class _Work:
    """One import that is under way."""

    def __init__(self, table: ImportedKind, prepared: object, import_id: int, scope: Scope, tally: _Tally) -> None:
        self._table = table
        self._prepared = prepared
        self._import_id = import_id
        self._scope = scope
        self.tally = tally

    def look_at_header(self, rows: Sequence[TableRow]) -> None:
        """Columns that nobody knows may be misspelt ones."""
        row = next((row for row in rows if row.fault is None), None)
        known = set(self._table.columns.values())
        for column in [] if row is None else row.values:
            if column not in known:
                fault = RowFault(
                    "column_unknown",
                    f"no column is named {column[:80]!r}",
                    "correct its name, or leave it out",
                    column[:80],
                    warning=True,
                )
                self.tally.fault(TableRow(1, (), {}), fault)

    def take(self, unit: UnitOfWork, page: Sequence[TableRow]) -> None:
        rows = {row.line: row for row in page}
        parsed = []
        for row in page:
            try:
                if row.fault is not None:
                    raise RefusedRowError(RowFault("row_unreadable", *_split(row.fault)))
                if (value := self._table.parse(row.values)) is not None:
                    parsed.append((row.line, value))
                else:
                    self.tally.add(ImportCounts(unchanged=1))
                    self.tally.fault(row, _EMPTY)
            except RefusedRowError as refused:
                self.tally.fault(row, refused.fault)
        put = self._table.put(unit, parsed, self._prepared, import_id=self._import_id, scope=self._scope)
        for line, fault in sorted(put.faults.items()):
            self.tally.fault(rows[line], fault)
        self.tally.add(ImportCounts(len(page), put.added, put.changed, put.unchanged))


_EMPTY: Final = RowFault("state_empty", "the state lasted no time", "leave it out", "duration", warning=True)


def _split(fault: str) -> tuple[str, str]:
    message, _, remedy = fault.partition(": ")
    return message, remedy


def _given(row: TableRow) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(row.cells)
    return text.getvalue()[:_MAX_GIVEN]


def _may_see(who: Principal | str, found: Import) -> bool:
    return isinstance(who, str) or who.scope.is_everything or found.user_id == who.user_id


def _own(who: Principal | str, found: Import) -> Import:
    if not _may_see(who, found):
        raise NotFoundError("import_not_found", f"no import has the number {found.id}: list the imports")
    return found
