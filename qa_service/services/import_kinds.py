"""What imported tables are about: which columns they have, what their rows say, and where that is put.

Guarantee: rows about agents and vendors whom nobody knows, or whom the importer may not reach, are refused alike.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final, Protocol

from qa_service.domain import agent_states
from qa_service.domain.access import Scope
from qa_service.domain.agent_states import USUAL_STATES, AgentState, StateSpan, span_of
from qa_service.domain.imported_figures import SUBJECTS, ImportedFigure, columns_of, figures_of
from qa_service.domain.imports import ImportKind, RefusedRowError, RowFault
from qa_service.errors import InputError
from qa_service.ports import UnitOfWork
from qa_service.ports.imports import Put, TableRow

MAX_FIGURE_ROWS: Final = 200_000
"""Of one table of figures; those of states are read in any length."""

_VENDORS_AT_ONCE: Final = 1_000
Rows = Callable[[], Iterator[TableRow]]


class ImportedKind(Protocol):
    @property
    def kind(self) -> ImportKind: ...
    @property
    def columns(self) -> Mapping[str, str]:
        """By the names that people write."""
        ...

    @property
    def needed(self) -> Sequence[str]: ...

    def prepared(self, rows: Rows) -> object:
        """What has to be known of the whole table before its first row is put. Raises InputError."""
        ...

    def parse(self, values: Mapping[str, str]) -> Any:
        """None: there is nothing in the row to keep. Raises RefusedRowError."""
        ...

    def put(
        self, unit: UnitOfWork, rows: Sequence[tuple[int, Any]], prepared: Any, *, import_id: int, scope: Scope
    ) -> Put: ...


class AgentStates:
    """Args:
    zone: by whose clock times without a zone are.
    names: the site's own names of states.
    """

    kind = ImportKind.AGENT_STATES
    columns = agent_states.COLUMNS
    needed = ("agent_id", "state", "started_at")

    def __init__(self, *, zone: tzinfo, names: Mapping[str, AgentState]) -> None:
        self._zone = zone
        self._names = {**USUAL_STATES, **{name.lower(): state for name, state in names.items()}}

    def prepared(self, rows: Rows) -> None:
        for _ in rows():  # a table that breaks off anywhere is refused before its first row is put
            pass

    def parse(self, values: Mapping[str, str]) -> StateSpan | None:
        return span_of(values, names=self._names, zone=self._zone)

    def put(
        self,
        unit: UnitOfWork,
        rows: Sequence[tuple[int, StateSpan]],
        prepared: None,  # noqa: ARG002
        *,
        import_id: int,
        scope: Scope,
    ) -> Put:
        owners = unit.directory.owners({span.agent_id for _, span in rows}, scope)
        faults = {line: _AGENT_UNKNOWN for line, span in rows if span.agent_id not in owners}
        known = [row for row in rows if row[0] not in faults]
        put = unit.agent_states.put(known, owners, import_id=import_id, zone=self._zone)
        return _with(put, faults)


@dataclass(frozen=True, slots=True)
class _Twice:
    """Lines whose subject and period stand in the table before with the same figures, and with others."""

    repeated: frozenset[int]
    contested: frozenset[int]


class Figures:
    """Monthly figures of agents, or figures of vendors."""

    def __init__(self, kind: ImportKind, *, zone: tzinfo) -> None:
        self.kind = kind
        self.columns = {**columns_of(kind)}
        self.needed: Sequence[str] = (SUBJECTS[kind], "period")
        self._zone = zone

    def prepared(self, rows: Rows) -> _Twice:
        first: dict[tuple[str, date, bool], tuple[int, tuple[ImportedFigure, ...]]] = {}
        repeated, contested = set(), set()
        for number, row in enumerate(rows(), 1):
            if number > MAX_FIGURE_ROWS:
                raise InputError(
                    "import_too_long", f"the table has more than {MAX_FIGURE_ROWS} rows: split it by month"
                )
            try:
                figures = self.parse(row.values) if row.fault is None else ()
            except RefusedRowError:
                continue
            if not figures:
                continue
            of = (figures[0].subject, figures[0].starts, figures[0].is_month)
            line, others = first.setdefault(of, (row.line, figures))
            if line != row.line:
                if figures == others:
                    repeated.add(row.line)
                else:  # nobody knows which of them is right
                    contested |= {line, row.line}
        return _Twice(frozenset(repeated), frozenset(contested))

    def parse(self, values: Mapping[str, str]) -> tuple[ImportedFigure, ...]:
        return figures_of(self.kind, values)

    def put(
        self,
        unit: UnitOfWork,
        rows: Sequence[tuple[int, tuple[ImportedFigure, ...]]],
        prepared: _Twice,
        *,
        import_id: int,
        scope: Scope,
    ) -> Put:
        known, fault = self._known(unit, {figures[0].subject for _, figures in rows}, scope)
        faults = {line: fault for line, figures in rows if figures[0].subject not in known}
        faults |= {line: _CONTESTED for line, _ in rows if line in prepared.contested}
        good = [row for row in rows if row[0] not in faults]
        once = [row for row in good if row[0] not in prepared.repeated]
        put = unit.imported_figures.put(self.kind, once, import_id=import_id)
        repeated = {line: _REPEATED for line, _ in good if line in prepared.repeated}
        if self.kind is ImportKind.KPI_FIGURES:
            faults |= self._without_calls(unit, once)
        return _with(put, {**faults, **repeated}, unchanged=len(repeated))

    def _known(self, unit: UnitOfWork, subjects: set[str], scope: Scope) -> tuple[set[str], RowFault]:
        if self.kind is ImportKind.KPI_FIGURES:
            return set(unit.directory.owners(subjects, scope)), _AGENT_UNKNOWN
        if scope.teams is not None or scope.agent_id is not None:  # a vendor's figures are of all its teams
            return set(), _VENDOR_UNKNOWN
        known: set[str] = set()
        after: str | None = None
        while page := unit.directory.vendors(scope, after=after, limit=_VENDORS_AT_ONCE):
            known |= {vendor.name for vendor in page}
            after = page[-1].name
        return known, _VENDOR_UNKNOWN

    def _without_calls(
        self, unit: UnitOfWork, rows: Sequence[tuple[int, tuple[ImportedFigure, ...]]]
    ) -> dict[int, RowFault]:
        """Somebody who left, or a wrong number or month: the figures are kept, and pointed at."""
        found: dict[int, RowFault] = {}
        for month in sorted({figures[0].starts for _, figures in rows}):
            lines = {figures[0].subject: line for line, figures in rows if figures[0].starts == month}
            idle = unit.imported_figures.without_calls(
                lines, _midnight(month, self._zone), _midnight(_next_month(month), self._zone)
            )
            found |= {lines[agent]: _NO_CALLS for agent in idle}
        return found


def _with(put: Put, faults: Mapping[int, RowFault], *, unchanged: int = 0) -> Put:
    return Put(put.added, put.changed, put.unchanged + unchanged, {**put.faults, **faults})


def _next_month(month: date) -> date:
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


_AGENT_UNKNOWN: Final = RowFault(
    "agent_unknown", "no agent has this number", "correct it, or let a call of the agent come in first", "agent_id"
)
_VENDOR_UNKNOWN: Final = RowFault(
    "vendor_unknown", "no team or agent is of this vendor", "correct it, or name the vendor of a team", "vendor"
)
_CONTESTED: Final = RowFault(
    "row_contradicts",
    "another row says otherwise of the same month or day",
    "keep the one that is right",
    "period",
)
_REPEATED: Final = RowFault(
    "row_repeated", "the row stands in the file before", "leave one of them out", "period", warning=True
)
_NO_CALLS: Final = RowFault(
    "agent_without_calls",
    "the agent has no call in this month; the figures are kept",
    "check the number and the month, if the agent has not left",
    "agent_id",
    warning=True,
)


def all_kinds(*, zone: tzinfo, states: Mapping[str, AgentState]) -> tuple[ImportedKind, ...]:
    """Args:
    zone: the site's.
    states: its own names of agents' states.
    """
    return (
        AgentStates(zone=zone, names=states),
        Figures(ImportKind.KPI_FIGURES, zone=zone),
        Figures(ImportKind.VENDOR_FIGURES, zone=zone),
    )
