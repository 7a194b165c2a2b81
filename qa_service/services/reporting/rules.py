"""Rule health: how far the findings of each rule can be believed, as last measured."""

from datetime import datetime

from qa_service.domain.figures import NO_FAULTS
from qa_service.domain.proportions import Interval, Share
from qa_service.domain.quality import RuleFigures
from qa_service.domain.reporting.document import (
    Caution,
    Cell,
    Chart,
    ChartKind,
    Measure,
    Paragraph,
    Report,
    RuleName,
    Said,
    Section,
    Series,
    Table,
    Unit,
    columns,
    measured_share,
    said,
)
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.services.reporting import parts
from qa_service.services.reporting.reading import Reading


def rule_health(reading: Reading, as_of: datetime, policy: ReportPolicy) -> Report:
    """All versions in force of all rules; how often they found something in the span is beside it."""
    measured = reading.unit.quality.latest()
    figures = [] if measured is None else [one for one in measured.figures if one.in_force]
    found = reading.faults()
    rows: list[tuple[Cell, ...]] = []
    for one in figures:
        totals = found.get(one.of.rule, NO_FAULTS)
        rows.append(
            (
                one.of.pack,
                RuleName(one.of.rule),
                measured_share(totals.rate, least=policy.least_calls),
                _counted(one.precision),
                Measure(one.target, Unit.SHARE),
                _counted(one.overturned),
                _recall(one),
                _state(one),
            )
        )
    drawn = [one for one in figures if one.precision.value is not None]
    about = (
        Caution(Said("never_measured"))
        if measured is None
        else Paragraph(said("measured_at", since=measured.since.date(), until=measured.until.date()))
    )
    titles = columns(
        *("pack", "rule", "rate", "precision", "target", "overturned", "recall", "state"),
        measured=("rate", "precision", "target", "overturned", "recall"),
    )
    notes = (Said("precision_note"), Said("recall_note"))
    table = Table(Said("rule_health"), titles, tuple(rows), notes, Said("no_rules"))
    chart = Chart(
        Said("precision"),
        Said("precision_told"),
        ChartKind.BARS,
        Unit.SHARE,
        tuple(one.of.rule for one in drawn),
        (
            Series(
                Said("precision"),
                tuple(one.precision.value for one in drawn),
                tuple(_interval(one.precision) for one in drawn),
            ),
        ),
        flagged=frozenset(at for at, one in enumerate(drawn) if one.short),
    )
    blocks = (*parts.cautions(reading, reading.scores()), about, table, *([chart] if drawn else []))
    return Report("rules", Said("title_rules"), "", reading.span, as_of, (Section(Said("rule_health"), blocks),))


def _counted(counted: Share) -> Measure:
    """Verdicts are few by nature: the interval says what they are worth, and none of them is nothing."""
    if counted.value is None:
        return Measure(None, Unit.SHARE, size=0)
    return Measure(counted.value, Unit.SHARE, counted.interval, counted.total)


def _interval(counted: Share) -> Interval | None:
    return counted.interval if counted.total else None


def _recall(one: RuleFigures) -> Measure:
    if one.recall is None:
        return Measure(None, Unit.SHARE)
    return Measure(one.recall.value, Unit.SHARE, one.recall.interval)


def _state(one: RuleFigures) -> Said:
    if one.short:
        return Said("rule_short")
    if one.drift is not None and one.drift.fallen:
        return Said("rule_fallen")
    return Said("rule_well" if one.precision.total else "rule_unjudged")
