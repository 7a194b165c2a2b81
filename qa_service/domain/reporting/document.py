"""What a report says: tables, charts, sentences and warnings, in the words' codes and in unrounded numbers.

Guarantee: pure, and without a language. A page, a workbook and JSON are made from the same object, so that they
cannot disagree; whoever renders rounds. A number that too few calls stand behind is not in it at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from qa_service.domain.proportions import Interval, Share
from qa_service.domain.reporting.periods import Span


class Unit(StrEnum):
    """What a number counts; it decides how it is written."""

    POINTS = "points"
    POINTS_CHANGE = "points_change"
    SHARE = "share"
    SHARE_CHANGE = "share_change"
    SECONDS = "seconds"
    HOURS = "hours"
    NUMBER = "number"
    PROBABILITY = "probability"


@dataclass(frozen=True, slots=True)
class Said:
    """Words by their code, and what stands in them. Renderers say them in a language."""

    code: str
    values: tuple[tuple[str, "Plain"], ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with what is known of its error.

    Args:
        value: None: nothing was measured, or too little.
        size: calls that it is made of.
        too_few: they are fewer than the site asks for: ``value`` and ``interval`` are None then.
    """

    value: float | None
    unit: Unit
    interval: Interval | None = None
    size: int | None = None
    too_few: bool = False


@dataclass(frozen=True, slots=True)
class CallLink:
    """A call, by the number of its recording; ``start_s``: where to listen."""

    recording_id: int
    start_s: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class RuleName:
    """A rule by its id; whoever renders for people adds its title."""

    rule: str


Plain = str | int | date
"""Data: names as they are, counts, days."""

Cell = Plain | datetime | bool | Said | Measure | CallLink | RuleName | None


def said(code: str, **values: Plain) -> Said:
    return Said(code, tuple(sorted(values.items())))


@dataclass(frozen=True, slots=True)
class Column:
    """``measured``: its cells are ``Measure``, which take three columns of a workbook."""

    title: Said
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """``empty``: what is said where there are no rows."""

    title: Said
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[Said, ...] = ()
    empty: Said = Said("nothing")

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"rows of {self.title.code} differ from its columns")


@dataclass(frozen=True, slots=True)
class Series:
    """Values in the order of the chart's places; None: a gap, which is no zero."""

    name: Said | str
    values: tuple[float | None, ...]
    intervals: tuple[Interval | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """A line across the chart, at one height (``values`` of length 1) or at one for each place."""

    name: Said
    values: tuple[float | None, ...]


class ChartKind(StrEnum):
    """``control``: a line with limits. ``points``: values of things that follow no order, not joined. ``funnel``:
    rates over how many calls each stands for."""

    LINE = "line"
    BARS = "bars"
    CONTROL = "control"
    POINTS = "points"
    FUNNEL = "funnel"


@dataclass(frozen=True, slots=True)
class Chart:
    """Numbers to look at; ``told`` says in a sentence what is to be seen.

    Args:
        places: what stands below: days, names; for a funnel how many calls.
        flagged: places of the first series that stand out.
        labels: of a funnel's points.
    """

    title: Said
    told: Said
    kind: ChartKind
    unit: Unit
    places: tuple[str | int | date, ...]
    series: tuple[Series, ...]
    limits: tuple[Limit, ...] = ()
    flagged: frozenset[int] = frozenset()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: Said


@dataclass(frozen=True, slots=True)
class Caution:
    """What the reader has to know before believing the numbers."""

    text: Said


Block = Table | Chart | Paragraph | Caution


@dataclass(frozen=True, slots=True)
class Section:
    title: Said
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A report of one kind about ``subject`` (an agent, a team; empty: the whole site).

    ``as_of``: when it was made; of the same inputs at the same time comes the same report.
    """

    kind: str
    title: Said
    subject: str
    span: Span
    as_of: datetime
    sections: tuple[Section, ...]


def measured_share(counted: Share, *, least: int, unit: Unit = Unit.SHARE) -> Measure:
    """A share of calls, or that they are too few."""
    if counted.total < least:
        return Measure(None, unit, size=counted.total, too_few=True)
    return Measure(counted.value, unit, counted.interval, counted.total)


def columns(*titles: str, measured: Sequence[str] = ()) -> tuple[Column, ...]:
    """Columns by the codes of their titles; those of ``measured`` hold measures."""
    return tuple(Column(Said(title), title in measured) for title in titles)
