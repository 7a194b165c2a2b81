"""Who stands out and what everybody has, as reports tell it (`docs/figures/statistics.md`).

Guarantee: nobody is named but where the statistics name a special cause; what a rule finds everywhere is told as
everybody's, of the script, the training of all or the rule, and never beside a name.
"""

from collections.abc import Sequence

from qa_service.domain.causes import AgentCause, Cause, Causes, CommonCause, Level, TeamTrend, Trend
from qa_service.domain.reporting.document import (
    Block,
    Caution,
    Cell,
    Chart,
    ChartKind,
    Limit,
    Measure,
    Paragraph,
    RuleName,
    Said,
    Section,
    Series,
    Table,
    Unit,
    columns,
    said,
)

_FEWEST_DRAWN = 3


def section(
    causes: Causes | None, agents: Sequence[str], teams: Sequence[str], *, of_teams: bool = False
) -> Section:
    """Special causes of ``agents``, and what ``teams`` and the site have in common; in reports ``of_teams`` also
    which of them changed."""
    if causes is None:
        return Section(Said("causes"), (Caution(Said("no_statistics")),))
    among = frozenset(agents)
    special = [one for one in causes.agents if one.agent in among and one.cause is Cause.SPECIAL]
    judged = [one for one in causes.agents if one.agent in among and one.cause is not Cause.TOO_FEW]
    common = [one for one in causes.common if one.level is Level.HIGH and (one.team is None or one.team in teams)]
    blocks: list[Block] = [
        Paragraph(said("causes_judged", pairs=len(judged))),
        Table(
            Said("special_causes"),
            columns("agent", "rule", "rate", "expected", "p", measured=("rate",)),
            tuple(_special(one) for one in special),
            (Said("special_note"),),
            Said("no_special_causes"),
        ),
        Table(
            Said("common_causes"),
            columns("where", "rule", "agents_counted", "rate", measured=("rate",)),
            tuple(_common(one) for one in common),
            (Said("common_note"),),
            Said("no_common_causes"),
        ),
    ]
    if of_teams:
        blocks.append(_trends(causes.teams, teams))
    for rule in sorted({one.rule for one in special}):
        drawn = [one for one in judged if one.rule == rule]
        if len(drawn) >= _FEWEST_DRAWN:
            blocks.append(_funnel(rule, drawn))
    return Section(Said("causes"), tuple(blocks))


def _special(one: AgentCause) -> tuple[Cell, ...]:
    return (
        one.agent,
        RuleName(one.rule),
        Measure(one.rate.value, Unit.SHARE, one.rate.interval, one.rate.total),
        Measure(one.expected, Unit.SHARE),
        Measure(one.p, Unit.PROBABILITY),
    )


def _common(one: CommonCause) -> tuple[Cell, ...]:
    where = Said("whole_site") if one.team is None else one.team
    rate = Measure(one.rate.value, Unit.SHARE, one.rate.interval, one.rate.total)
    return (where, RuleName(one.rule), one.agents, rate)


def _trends(told: Sequence[TeamTrend], teams: Sequence[str]) -> Table:
    changed = [one for one in told if one.trend in (Trend.WORSE, Trend.BETTER) and one.team in teams]
    rates = ("earlier", "later")
    return Table(
        Said("team_trends"),
        columns("team", "rule", "agents_counted", "trend_since", *rates, measured=rates),
        tuple(_changed(one) for one in changed),
        (Said("team_trends_note"),),
        Said("no_team_trends"),
    )


def _changed(one: TeamTrend) -> tuple[Cell, ...]:
    rates = (Measure(rate.value, Unit.SHARE, rate.interval, rate.total) for rate in (one.before, one.recent))
    return (one.team, RuleName(one.rule), one.agents, Said(f"trend_{one.trend.value}"), *rates)


def _funnel(rule: str, drawn: Sequence[AgentCause]) -> Chart:
    """Rates over how many calls they stand for (Spiegelhalter 2005, "Funnel plots for comparing institutional
    performance"). The line is what is usual for the others; limits are not drawn, as they differ by agent."""
    usual = sorted(one.expected for one in drawn if one.expected is not None)
    middle = usual[len(usual) // 2] if usual else None
    return Chart(
        said("funnel", rule=rule),
        Said("funnel_told"),
        ChartKind.FUNNEL,
        Unit.SHARE,
        tuple(one.rate.total for one in drawn),
        (Series(Said("rate"), tuple(one.rate.value for one in drawn), tuple(one.rate.interval for one in drawn)),),
        limits=() if middle is None else (Limit(Said("expected"), (middle,)),),
        flagged=frozenset(at for at, one in enumerate(drawn) if one.cause is Cause.SPECIAL),
        labels=tuple(one.agent for one in drawn),
    )
