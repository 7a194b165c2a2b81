"""Charts as tables, for whoever cannot see them, and for workbooks."""

from itertools import zip_longest

from qa_service.domain.reporting.document import Cell, Chart, ChartKind, Column, Measure, Said, Table


def table_of(chart: Chart) -> Table:
    """The chart's numbers: a row for each place, a column for each series and each limit that changes."""
    heads = [Column(Said("size" if chart.kind is ChartKind.FUNNEL else "place"))]
    if chart.labels:
        heads.insert(0, Column(Said("name")))
    heads.extend(
        Column(series.name if isinstance(series.name, Said) else Said("named", (("name", series.name),)), True)
        for series in chart.series
    )
    heads.extend(Column(limit.name, True) for limit in chart.limits)
    if chart.flagged:
        heads.append(Column(Said("stands_out")))
    rows = []
    for at, place in enumerate(chart.places):
        row: list[Cell] = [*([chart.labels[at]] if chart.labels else []), place]
        for series in chart.series:
            pairs = list(zip_longest(series.values, series.intervals))
            value, interval = pairs[at]
            row.append(Measure(value, chart.unit, interval))
        row.extend(
            Measure(limit.values[0 if len(limit.values) == 1 else at], chart.unit) for limit in chart.limits
        )
        if chart.flagged:
            row.append(at in chart.flagged)
        rows.append(tuple(row))
    return Table(chart.title, tuple(heads), tuple(rows))
