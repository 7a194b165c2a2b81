"""What other systems count: tables that were brought in, what was wrong with their rows, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import BinaryIO, Protocol

from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.agent_states import StateSpan
from qa_service.domain.imported_figures import ImportedFigure
from qa_service.domain.imports import ImportKind, RowFault
from qa_service.domain.state_times import StateTimes


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row as it stands in the file; ``fault``: why its values cannot be told apart."""

    line: int
    cells: tuple[str, ...]
    values: Mapping[str, str]
    fault: str | None = None


TableReader = Callable[[BinaryIO, str, Mapping[str, str], Sequence[str]], Iterator[TableRow]]
"""The rows of a file: its bytes, its name, columns by the names that people write, columns that it needs.

Raises InputError ``import_unreadable``.
"""


class ImportState(StrEnum):
    """``refused``: all or nothing was asked for, and it was nothing. ``failed``: it broke off; import it again."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """Rows that were read, and what came of them; a row with a warning is in one of the others too."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    warned: int = 0

    def __add__(self, other: ImportCounts) -> ImportCounts:
        return ImportCounts(
            self.rows + other.rows,
            self.added + other.added,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
            self.warned + other.warned,
        )


@dataclass(frozen=True, slots=True)
class Import:
    """A table that was brought in, and what came of it. ``user_id``: None: by a command."""

    id: int
    kind: ImportKind
    file_name: str
    sha256: str
    all_or_nothing: bool
    state: ImportState
    counts: ImportCounts
    user_id: int | None
    by: str
    at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class LoggedFault:
    """What was wrong with the row on ``line``, and the row as it was given."""

    id: int
    line: int
    fault: RowFault
    row: str


class ImportLog(Protocol):
    def begin(
        self, kind: ImportKind, *, file_name: str, sha256: str, all_or_nothing: bool, user_id: int | None, by: str
    ) -> Import: ...

    def add_faults(self, import_id: int, faults: Sequence[tuple[int, RowFault, str]]) -> None:
        """Line, what is wrong, and the row."""
        ...

    def finish(self, import_id: int, state: ImportState, counts: ImportCounts) -> Import: ...

    def get(self, import_id: int) -> Import:
        """Raises NotFoundError ``import_not_found``."""
        ...

    def page(
        self, *, before: int | None, limit: int, user_id: int | None = None, kind: ImportKind | None = None
    ) -> Sequence[Import]:
        """The newest first; ``user_id``: only those of this user."""
        ...

    def complete(self, kind: ImportKind, sha256: str) -> Import | None:
        """The latest import of these bytes, if every row of it was taken and none of the kind came after it."""
        ...

    def faults(self, import_id: int, *, after: int, limit: int) -> Sequence[LoggedFault]:
        """By number."""
        ...


@dataclass(frozen=True, slots=True)
class Put:
    """What became of rows that were put into the store; ``faults`` by line."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    faults: Mapping[int, RowFault] = field(default_factory=dict)


class ImportedFigureRepository(Protocol):
    """Figures of agents and vendors by month or day. What is imported again replaces what was there."""

    def put(
        self, kind: ImportKind, rows: Sequence[tuple[int, tuple[ImportedFigure, ...]]], *, import_id: int
    ) -> Put:
        """Rows by line."""
        ...

    def of(
        self, kind: ImportKind, *, since: date, until: date, subjects: Collection[str] | None = None
    ) -> Sequence[ImportedFigure]:
        """Those that begin in ``[since, until)``, by subject and start."""
        ...

    def without_calls(self, agents: Collection[str], since: datetime, until: datetime) -> frozenset[str]:
        """Those of ``agents`` without a call in ``[since, until)``."""
        ...


@dataclass(frozen=True, slots=True)
class StateLine:
    """What an agent's states of a day add up to, in the half hours that were asked for."""

    agent_id: str
    team: str | None
    vendor: str | None
    day: date
    times: StateTimes


class AgentStateRepository(Protocol):
    """Spans of agents' states. Of two that overlap the first one stays."""

    def put(
        self,
        rows: Sequence[tuple[int, StateSpan]],
        owners: Mapping[str, CallOwner],
        *,
        import_id: int,
        zone: tzinfo,
    ) -> Put:
        """Rows by line; ``owners``: whose each agent is. What a day adds up to is counted again."""
        ...

    def spans(self, agent_id: str, since: datetime, until: datetime) -> Sequence[StateSpan]:
        """Those that touch ``[since, until)``, by start."""
        ...

    def times(
        self,
        since: date,
        until: date,
        scope: Scope,
        *,
        teams: Collection[str] | None = None,
        vendors: Collection[str] | None = None,
        agents: Collection[str] | None = None,
        half_hours: Iterable[int] | None = None,
    ) -> Sequence[StateLine]:
        """By day and agent."""
        ...
