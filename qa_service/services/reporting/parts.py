"""Parts that reports have in common: key figures, trends, faults by rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from qa_service.domain.figures import NO_FAULTS, NO_SCORES, FaultTotals, Grouping, ScoreTotals
from qa_service.domain.proportions import share
from qa_service.domain.reporting.document import (
    Block,
    Caution,
    Cell,
    Chart,
    ChartKind,
    Column,
    Limit,
    Measure,
    RuleName,
    Said,
    Series,
    Table,
    Unit,
    columns,
    measured_share,
    said,
)
from qa_service.domain.reporting.policy import ReportPolicy
from qa_service.services.reporting.means import mean_score
from qa_service.services.reporting.reading import (
    Line,
    Reading,
    Subject,
    agent_days,
    in_steps,
    steps,
    total,
)

_RULES_DRAWN: Final = 8


def cautions(reading: Reading, lines: Sequence[Line]) -> tuple[Block, ...]:
    """What has to be known before any number."""
    told: list[Block] = []
    if not lines:
        told.append(Caution(Said("no_calls")))
    if reading.waiting:
        told.append(Caution(said("waiting", days=reading.waiting)))
    return tuple(told)


@dataclass(frozen=True, slots=True)
class Summary:
    """What lines add up to, once for all figures made of them. ``told``: calls of which somebody told the agent,
    on so many ``days`` of agents."""

    totals: ScoreTotals
    told: int
    days: int
    least: int

    @property
    def mean(self) -> Measure:
        return mean_score(self.totals, least=self.least)

    @property
    def fatal(self) -> Measure:
        return measured_share(share(self.totals.fatal, self.totals.scored), least=self.least)

    @property
    def workload(self) -> Measure:
        """Calls an agent a day, of the days on which there were any."""
        return Measure(self.told / self.days if self.days else None, Unit.NUMBER, size=self.told)

    @property
    def length(self) -> Measure:
        calls = self.totals.calls
        return Measure(self.totals.duration_s / calls if calls else None, Unit.SECONDS, size=calls)


def summary(lines: Sequence[Line], policy: ReportPolicy) -> Summary:
    told = [line for line in lines if line.keys[0] is not None]
    return Summary(total(lines), total(told).calls, agent_days(told), policy.least_calls)


def key_figures(
    now: Sequence[Line],
    before: Sequence[Line],
    policy: ReportPolicy,
    *,
    others: Sequence[Line] = (),
    others_named: Said | None = None,
) -> Table:
    """The figures that every scorecard begins with, beside those before and, where they have a name, of others."""
    every = [
        summary(lines, policy) for lines in ((now, before) if others_named is None else (now, before, others))
    ]
    rows: tuple[tuple[Cell, ...], ...] = (
        (Said("calls"), *(one.totals.calls for one in every)),
        (Said("scored_calls"), *(one.totals.scored for one in every)),
        (Said("mean_score"), *(one.mean for one in every)),
        (Said("fatal_share"), *(one.fatal for one in every)),
        (Said("calls_a_day"), *(one.workload for one in every)),
        (Said("mean_duration"), *(one.length for one in every)),
    )
    titles = (Column(Said("figure")), *(Column(title, True) for title in _named("now", "before", others_named)))
    notes = (
        said("workload_norm", norm=policy.workload),
        Said("means_note"),
        said("least_note", least=policy.least_calls),
    )
    return Table(Said("key_figures"), titles, rows, notes)


def trend(
    reading: Reading,
    lines: Sequence[Line],
    others: Sequence[Line],
    policy: ReportPolicy,
    names: tuple[Said, Said],
) -> Chart:
    """Mean scores in the steps of the span."""
    places, of = steps(reading.span)
    series = []
    for name, grouped in zip(names, (in_steps(lines, of), in_steps(others, of)), strict=True):
        means = [mean_score(grouped.get(place, NO_SCORES), least=policy.least_calls) for place in places]
        series.append(Series(name, tuple(one.value for one in means), tuple(one.interval for one in means)))
    return Chart(Said("trend"), Said("trend_told"), ChartKind.LINE, Unit.POINTS, places, _not_bare(series))


def history(
    lines: Sequence[Line], others: Sequence[Line], policy: ReportPolicy, names: tuple[Said, Said]
) -> Chart:
    """Mean scores of the last months."""
    grouped = [in_steps(one, lambda day: day) for one in (lines, others)]
    places = sorted(set(grouped[0]) | set(grouped[1]))
    series = []
    for name, months in zip(names, grouped, strict=True):
        means = [mean_score(months.get(place, NO_SCORES), least=policy.least_calls) for place in places]
        series.append(Series(name, tuple(one.value for one in means), tuple(one.interval for one in means)))
    return Chart(
        Said("history"),
        Said("history_told"),
        ChartKind.LINE,
        Unit.POINTS,
        tuple(f"{place:%Y-%m}" for place in places),
        _not_bare(series),
    )


def _not_bare(series: Sequence[Series]) -> tuple[Series, ...]:
    """Without what nobody has a value of; the first stays."""
    return tuple(one for at, one in enumerate(series) if at == 0 or any(value is not None for value in one.values))


def faults(
    now: Mapping[str, FaultTotals],
    before: Mapping[str, FaultTotals],
    policy: ReportPolicy,
    *,
    others: Mapping[str, FaultTotals] | None = None,
    others_named: Said | None = None,
) -> tuple[Block, ...]:
    """Faults by rule, the most frequent first; of the first few a chart."""
    rules = sorted(
        (rule for rule in {*now, *before} if _faults(now, rule).faults or _faults(before, rule).faults),
        key=lambda rule: (-_faults(now, rule).faults, rule),
    )
    rows: list[tuple[Cell, ...]] = []
    rates: list[tuple[str, Measure, Measure]] = []
    for rule in rules:
        own = _faults(now, rule)
        rate, then, theirs = (
            measured_share(_faults(one, rule).rate, least=policy.least_calls)
            for one in (now, before, others or {})
        )
        beside = () if others_named is None else (theirs,)
        rows.append((RuleName(rule), own.calls, own.faults, own.confirmed, own.unreviewed, rate, then, *beside))
        rates.append((rule, rate, theirs))
    titles = (
        *columns("rule", "calls", "faults", "confirmed", "unreviewed"),
        *(Column(title, True) for title in _named("rate", "before", others_named)),
    )
    clean = len([rule for rule in now if rule not in rules])
    notes = (said("clean_rules", rules=clean), Said("unreviewed_note"))
    blocks: list[Block] = [Table(Said("faults_by_rule"), titles, tuple(rows), notes, Said("no_faults"))]
    drawn = [one for one in rates if one[1].value is not None][:_RULES_DRAWN]
    if drawn:
        blocks.append(
            Chart(
                Said("most_frequent"),
                Said("most_frequent_told"),
                ChartKind.BARS,
                Unit.SHARE,
                tuple(rule for rule, _, _ in drawn),
                _not_bare(
                    [
                        Series(
                            Said("rate"),
                            tuple(rate.value for _, rate, _ in drawn),
                            tuple(rate.interval for _, rate, _ in drawn),
                        ),
                        Series(others_named or Said("nobody"), tuple(theirs.value for _, _, theirs in drawn)),
                    ]
                ),
            )
        )
    return tuple(blocks)


def _named(now: str, before: str, others: Said | None) -> tuple[Said, ...]:
    return (Said(now), Said(before), *(() if others is None else (others,)))


def _faults(totals: Mapping[str, FaultTotals], rule: str) -> FaultTotals:
    return totals.get(rule, NO_FAULTS)


def less(whole: Mapping[str, FaultTotals], part: Mapping[str, FaultTotals]) -> Mapping[str, FaultTotals]:
    """Of everybody's faults those that are not of ``part``."""
    return {
        rule: FaultTotals(
            totals.calls - _faults(part, rule).calls,
            totals.faults - _faults(part, rule).faults,
            totals.confirmed - _faults(part, rule).confirmed,
        )
        for rule, totals in whole.items()
    }


def compared(reading: Reading, grouping: Grouping, within: Subject, policy: ReportPolicy) -> tuple[Block, ...]:
    """The agents, teams or vendors of ``within`` side by side, in the order of their names: where intervals
    overlap, a rank would be a claim that nobody can make."""
    rows: list[tuple[Cell, ...]] = []
    means: list[tuple[str, Measure]] = []
    for name in reading.members(grouping, within):
        lines = [line for line in reading.scores(Subject(grouping, name)) if within.has(line.keys)]
        found = summary(lines, policy)
        head: tuple[Cell, ...] = (name,)
        if grouping is Grouping.AGENT:
            head = (name, reading.names.get(name, ""))
        rows.append(
            (
                *(*head, found.totals.calls, found.totals.scored),
                *(found.mean, found.fatal, found.workload, found.length),
            )
        )
        means.append((name, found.mean))
    heads = ("agent", "agent_name") if grouping is Grouping.AGENT else (grouping.value,)
    titles = columns(
        *heads,
        "calls",
        "scored_calls",
        "mean_score",
        "fatal_share",
        "calls_a_day",
        "mean_duration",
        measured=("mean_score", "fatal_share", "calls_a_day", "mean_duration"),
    )
    notes = (said("workload_norm", norm=policy.workload), Said("no_ranking"))
    blocks: list[Block] = [Table(Said(f"by_{grouping.value}"), titles, tuple(rows), notes)]
    if any(mean.value is not None for _, mean in means):
        everybody = summary(reading.scores(within), policy).mean
        blocks.append(
            Chart(
                Said("means_compared"),
                Said("means_compared_told"),
                ChartKind.POINTS,
                Unit.POINTS,
                tuple(name for name, _ in means),
                (
                    Series(
                        Said("mean_score"), tuple(m.value for _, m in means), tuple(m.interval for _, m in means)
                    ),
                ),
                limits=() if everybody.value is None else (Limit(Said("mean_of_all"), (everybody.value,)),),
            )
        )
    return tuple(blocks)
