"""Tables that were brought in, and the figures that they hold.

Guarantee: a figure that is imported again replaces the old one; of two imports at once the later one stands whole.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_or_update, storable
from qa_service.db.rows import CallRow, ImportedFigureRow, ImportFaultRow, ImportRow
from qa_service.domain.imported_figures import ImportedFigure
from qa_service.domain.imports import ImportKind, RowFault
from qa_service.errors import NotFoundError
from qa_service.ports import Clock
from qa_service.ports.imports import Import, ImportCounts, ImportState, LoggedFault, Put

_AT_ONCE: Final = 500


class SqlImportLog:
    """Implements ``ImportLog``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def begin(
        self, kind: ImportKind, *, file_name: str, sha256: str, all_or_nothing: bool, user_id: int | None, by: str
    ) -> Import:
        row = ImportRow(
            kind=kind.value,
            file_name=storable(file_name),
            sha256=sha256,
            all_or_nothing=all_or_nothing,
            state=ImportState.RUNNING.value,
            user_id=user_id,
            by_name=by,
            at=self._clock.now(),
        )
        _count(row, ImportCounts())
        self._session.add(row)
        self._session.flush()
        return _import(row)

    def add_faults(self, import_id: int, faults: Sequence[tuple[int, RowFault, str]]) -> None:
        values = [
            {
                "import_id": import_id,
                "line": line,
                "column_name": fault.column,
                "code": fault.code,
                "message": storable(fault.message),
                "remedy": fault.remedy,
                "warning": fault.warning,
                "given": storable(given),
            }
            for line, fault, given in faults
        ]
        if values:
            self._session.execute(insert(ImportFaultRow), values)

    def finish(self, import_id: int, state: ImportState, counts: ImportCounts) -> Import:
        row = self._row(import_id)
        row.state, row.ended_at = state.value, self._clock.now()
        _count(row, counts)
        self._session.flush()
        return _import(row)

    def get(self, import_id: int) -> Import:
        return _import(self._row(import_id))

    def page(
        self, *, before: int | None, limit: int, user_id: int | None = None, kind: ImportKind | None = None
    ) -> Sequence[Import]:
        wanted = select(ImportRow).order_by(ImportRow.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(ImportRow.id < before)
        if user_id is not None:
            wanted = wanted.where(ImportRow.user_id == user_id)
        if kind is not None:
            wanted = wanted.where(ImportRow.kind == kind.value)
        return [_import(row) for row in self._session.scalars(wanted)]

    def complete(self, kind: ImportKind, sha256: str) -> Import | None:
        row = self._session.scalar(
            select(ImportRow).where(
                ImportRow.id
                == select(func.max(ImportRow.id)).where(ImportRow.kind == kind.value).scalar_subquery(),
                ImportRow.sha256 == sha256,
                ImportRow.state == ImportState.DONE.value,
                ImportRow.rejected == 0,
            )
        )
        return None if row is None else _import(row)

    def faults(self, import_id: int, *, after: int, limit: int) -> Sequence[LoggedFault]:
        wanted = (
            select(ImportFaultRow)
            .where(ImportFaultRow.import_id == import_id, ImportFaultRow.id > after)
            .order_by(ImportFaultRow.id)
            .limit(limit)
        )
        return [
            LoggedFault(
                row.id,
                row.line,
                RowFault(row.code, row.message, row.remedy, row.column_name, warning=row.warning),
                row.given,
            )
            for row in self._session.scalars(wanted)
        ]

    def _row(self, import_id: int) -> ImportRow:
        row = self._session.get(ImportRow, import_id)
        if row is None:
            raise NotFoundError(
                "import_not_found", f"no import has the number {import_id}: list the imports", import_id=import_id
            )
        return row


class SqlImportedFigures:
    """Implements ``ImportedFigureRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(
        self, kind: ImportKind, rows: Sequence[tuple[int, tuple[ImportedFigure, ...]]], *, import_id: int
    ) -> Put:
        known = self._known(kind, [figure for _, figures in rows for figure in figures])
        added = changed = unchanged = 0
        values: dict[_Key, dict[str, Any]] = {}
        for _, figures in rows:
            before = [known.get(_key(figure)) for figure in figures]
            differing = [
                figure
                for figure, old in zip(figures, before, strict=True)
                if old is None or old != (figure.value, figure.size)
            ]
            values.update({_key(figure): _values(kind, figure, import_id) for figure in differing})
            if not differing:
                unchanged += 1
            elif any(old is not None for old in before):
                changed += 1
            else:
                added += 1
        insert_or_update(
            self._session,
            ImportedFigureRow,
            ("kind", "subject", "starts", "is_month", "name"),
            [values[key] for key in sorted(values)],
        )
        return Put(added, changed, unchanged)

    def of(
        self, kind: ImportKind, *, since: date, until: date, subjects: Collection[str] | None = None
    ) -> Sequence[ImportedFigure]:
        wanted = (
            select(ImportedFigureRow)
            .where(
                ImportedFigureRow.kind == kind.value,
                ImportedFigureRow.starts >= since.isoformat(),
                ImportedFigureRow.starts < until.isoformat(),
            )
            .order_by(ImportedFigureRow.subject, ImportedFigureRow.starts, ImportedFigureRow.name)
        )
        if subjects is not None:
            wanted = wanted.where(ImportedFigureRow.subject.in_(sorted(subjects)))
        return [
            ImportedFigure(
                row.subject, date.fromisoformat(row.starts), row.is_month, row.name, row.value, row.size
            )
            for row in self._session.scalars(wanted)
        ]

    def without_calls(self, agents: Collection[str], since: datetime, until: datetime) -> frozenset[str]:
        names = sorted(agents)
        seen: set[str] = set()
        for begin in range(0, len(names), _AT_ONCE):
            few = names[begin : begin + _AT_ONCE]
            wanted = select(CallRow.agent_id).distinct()
            wanted = wanted.where(CallRow.agent_id.in_(few), CallRow.at >= since, CallRow.at < until)
            seen |= {name for name in self._session.scalars(wanted) if name is not None}
        return frozenset(names) - seen

    def _known(
        self, kind: ImportKind, figures: Sequence[ImportedFigure]
    ) -> Mapping["_Key", tuple[float, int | None]]:
        subjects, starts = sorted({f.subject for f in figures}), sorted({f.starts.isoformat() for f in figures})
        known: dict[_Key, tuple[float, int | None]] = {}
        for begin in range(0, len(subjects), _AT_ONCE):
            for first in range(0, len(starts), _AT_ONCE):
                wanted = select(ImportedFigureRow).where(
                    ImportedFigureRow.kind == kind.value,
                    ImportedFigureRow.subject.in_(subjects[begin : begin + _AT_ONCE]),
                    ImportedFigureRow.starts.in_(starts[first : first + _AT_ONCE]),
                )
                for row in self._session.scalars(wanted):
                    known[(row.subject, row.starts, row.is_month, row.name)] = (row.value, row.size)
        return known


_Key = tuple[str, str, bool, str]


def _key(figure: ImportedFigure) -> _Key:
    return figure.subject, figure.starts.isoformat(), figure.is_month, figure.name


def _values(kind: ImportKind, figure: ImportedFigure, import_id: int) -> dict[str, Any]:
    return {
        "kind": kind.value,
        "subject": figure.subject,
        "starts": figure.starts.isoformat(),
        "is_month": figure.is_month,
        "name": figure.name,
        "value": figure.value,
        "size": figure.size,
        "import_id": import_id,
    }


def _count(row: ImportRow, counts: ImportCounts) -> None:
    row.rows, row.added, row.changed = counts.rows, counts.added, counts.changed
    row.unchanged, row.rejected, row.warned = counts.unchanged, counts.rejected, counts.warned


def _import(row: ImportRow) -> Import:
    return Import(
        id=row.id,
        kind=ImportKind(row.kind),
        file_name=row.file_name,
        sha256=row.sha256,
        all_or_nothing=row.all_or_nothing,
        state=ImportState(row.state),
        counts=ImportCounts(row.rows, row.added, row.changed, row.unchanged, row.rejected, row.warned),
        user_id=row.user_id,
        by=row.by_name,
        at=row.at,
        ended_at=row.ended_at,
    )
