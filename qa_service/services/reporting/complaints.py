"""What a month of complaints says: levels, causes, and how soon they were answered and handled."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from zoneinfo import ZoneInfo

from qa_service.domain.complaint_analysis import ComplaintAnalysis, Group, Median, analyse, interval_of
from qa_service.domain.nights import night_of
from qa_service.domain.proportions import Interval, Share
from qa_service.domain.reporting.document import (
    Block,
    Caution,
    Cell,
    Chart,
    ChartKind,
    Measure,
    Report,
    Said,
    Section,
    Series,
    Table,
    Unit,
    columns,
)
from qa_service.services.complaints import fact_of
from qa_service.services.reporting.reading import Reading

_SHARES = ("valid", "response_in_time", "handled_in_time")


def complaints(reading: Reading, as_of: datetime, zone: ZoneInfo) -> Report:
    """Of complaints raised in the span, as they stood at ``as_of``."""
    span = reading.span
    since, until = (night_of(day, time(), zone).begins for day in (span.since, span.until))
    found = reading.unit.complaints.raised_between(reading.scope, since, until)
    told = analyse([fact_of(one) for one in found], since=since, until=until, as_of=as_of)
    warned: tuple[Block, ...] = () if found else (Caution(Said("no_complaints")),)
    sections = (
        Section(Said("complaints"), (*warned, _clocks(told), _levels(told))),
        Section(
            Said("complaint_causes"),
            (_causes(told), *_chart(Said("complaint_causes"), told.by_cause)),
        ),
        Section(Said("complaints_where"), (_by("team", told.by_team), _by("vendor", told.by_vendor))),
    )
    return Report("complaints", Said("title_complaints"), "", span, as_of, sections)


def _clocks(told: ComplaintAnalysis) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (Said("first_response"), told.response_s.count, _median(told.response_s)),
        (Said("closure"), told.closure_s.count, _median(told.closure_s)),
    ]
    titles = columns("figure", "complaints", "median_hours", measured=("median_hours",))
    return Table(Said("how_soon"), titles, tuple(rows), (Said("open_counts"),))


def _levels(told: ComplaintAnalysis) -> Table:
    rows: list[tuple[Cell, ...]] = [(level, *_group(group)) for level, group in told.by_level.items()]
    rows.append((Said("all"), *_group(told.all)))
    titles = columns("level", "complaints", "unverified", *_SHARES, measured=_SHARES)
    return Table(Said("by_level"), titles, tuple(rows), (Said("complaints_note"),))


def _by(name: str, groups: Mapping[str, Group]) -> Table:
    rows = tuple((key or Said("not_told"), *_group(group)) for key, group in groups.items())
    titles = columns(name, "complaints", "unverified", *_SHARES, measured=_SHARES)
    return Table(Said(f"complaints_by_{name}"), titles, rows)


def _causes(told: ComplaintAnalysis) -> Table:
    rows = tuple((cause or Said("not_told"), count) for cause, count in told.by_cause.items())
    return Table(Said("complaint_causes"), columns("norm", "complaints"), rows, (Said("causes_note"),))


def _chart(title: Said, counts: Mapping[str, int]) -> Sequence[Block]:
    if not counts:
        return ()
    values = tuple(float(count) for count in counts.values())
    places = tuple(cause or "–" for cause in counts)
    series = (Series(Said("complaints"), values),)
    return (Chart(title, Said("complaint_causes_told"), ChartKind.BARS, Unit.NUMBER, places, series),)


def _group(group: Group) -> tuple[Cell, ...]:
    shares = (group.valid, group.response_in_time, group.handled_in_time)
    return (group.complaints, group.unverified, *map(_share, shares))


def _share(counted: Share) -> Measure:
    """Complaints are few by nature: the interval says what they are worth, and none of them is nothing."""
    if counted.value is None:
        return Measure(None, Unit.SHARE, size=0)
    return Measure(counted.value, Unit.SHARE, counted.interval, counted.total)


def _median(median: Median) -> Measure:
    if median.value is None:
        return Measure(None, Unit.HOURS, size=median.count)
    bounds = interval_of(median)
    interval = None if bounds is None else Interval(bounds.low / 3600, bounds.high / 3600)
    return Measure(median.value / 3600, Unit.HOURS, interval, median.count)
