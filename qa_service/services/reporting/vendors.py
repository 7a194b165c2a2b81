"""What was agreed with a vendor and what came of it, beside its scores."""

from collections.abc import Callable
from datetime import date
from typing import Final

from qa_service.domain import vendors
from qa_service.domain.access import Principal
from qa_service.domain.reporting.document import (
    Block,
    Caution,
    Cell,
    Measure,
    Said,
    Section,
    Table,
    Unit,
    columns,
)
from qa_service.errors import NotFoundError
from qa_service.services.reporting.reading import Reading
from qa_service.services.vendors import VendorPerformance

MONTHS: Final = 6

MeasureVendor = Callable[[Principal, str, date, int], VendorPerformance]
"""A vendor's last months up to one; as ``Vendors.performance``."""

_UNITS: Final = {
    vendors.Measure.RESPONSE: Unit.SECONDS,
    vendors.Measure.SECURITY: Unit.NUMBER,
    vendors.Measure.QA_SCORE: Unit.POINTS,
}


def section(reading: Reading, name: str, measure: MeasureVendor) -> Section:
    """Of the months up to the last of the span. Not for who reaches only a part of the vendor's calls."""
    last = reading.span.last.replace(day=1)
    who = Principal(0, "report", frozenset(), reading.scope, frozenset(), via="command")
    try:
        told = measure(who, name, last, MONTHS)
    except NotFoundError:
        return Section(Said("performance"), (Caution(Said("performance_hidden")),))
    month = told.months[-1]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            Said(f"measure_{one.figure.measure.value}"),
            _measure(one.figure),
            Measure(one.target, _unit(one.figure.measure)),
            Said(f"target_{one.verdict.value}"),
            Said(f"trend_{told.trends.get(one.figure.measure, vendors.Trend.CANNOT_TELL).value}"),
            None if one.figure.source is None else Said(f"source_{one.figure.source.value}"),
        )
        for one in month.figures
    )
    titles = columns("figure", "value", "target", "verdict", "direction", "source", measured=("value",))
    notes = (Said("performance_note"),)
    blocks: list[Block] = [] if month.over else [Caution(Said("month_not_over"))]
    blocks.append(Table(Said("performance"), titles, rows, notes))
    blocks.append(_months(told))
    return Section(Said("performance"), tuple(blocks))


def _months(told: VendorPerformance) -> Table:
    """All measures by month: unknown is empty, and no zero."""
    measures = [one.figure.measure for one in told.months[-1].figures]
    rows: list[tuple[Cell, ...]] = []
    for month in told.months:
        known = {one.figure.measure: one.figure for one in month.figures}
        rows.append((f"{month.starts:%Y-%m}", *(_measure(known[each]) for each in measures)))
    heads = [f"measure_{each.value}" for each in measures]
    return Table(Said("performance_months"), columns("month", *heads, measured=heads), tuple(rows))


def _measure(figure: vendors.VendorFigure) -> Measure:
    return Measure(figure.value, _unit(figure.measure), figure.interval, figure.size)


def _unit(measure: vendors.Measure) -> Unit:
    return _UNITS.get(measure, Unit.SHARE)
