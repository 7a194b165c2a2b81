"""``qa kpi``: the KPIs of a month."""

import json
import re
from datetime import date
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from qa_service.domain.access import EVERYTHING
from qa_service.domain.kpi import KpiStanding
from qa_service.errors import ConfigurationError
from qa_service.ports.kpi import AgentKpi
from qa_service.settings import load_settings
from worker.commands.formats import ListFormat
from worker.container import Container
from worker.render import console, printable

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_COLOUR: Final = {KpiStanding.RATED: "green", KpiStanding.UNCERTAIN: "yellow"}


def kpi(
    month: Annotated[str, typer.Argument(help="As in 2026-10.", show_default=False)],
    team: Annotated[str | None, typer.Option(help="Only this team.")] = None,
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """Show the KPIs of a month: as it was closed last, or as it stands."""
    asked = _MONTH.fullmatch(month)
    if asked is None or int(asked[1]) < 1:
        raise ConfigurationError("date_invalid", f"{month!r} is no month: write 2026-10")
    found = Container(load_settings()).kpis.month(EVERYTHING, date(int(asked[1]), int(asked[2]), 1), team=team)
    if output is ListFormat.JSON:
        for each in found.results:
            typer.echo(json.dumps(_document(each, closed=found.closing is not None), ensure_ascii=False))
        return
    table = Table("agent", "team", "KPI", "95 %", "tier", "standing", "bonus", "calls")
    for each in found.results:
        of = each.kpi
        interval = "" if of.interval is None else f"{of.interval.low:.1f} – {of.interval.high:.1f}"
        table.add_row(
            printable(each.agent_id),
            printable(each.owner.team or ""),
            "" if of.value is None else f"{of.value:.1f}",
            interval,
            of.tier.value if of.tier and of.standing is KpiStanding.RATED else "",
            Text(of.standing.value, _COLOUR.get(of.standing, "")),
            "" if of.bonus is None else f"{of.bonus:.0f}",
            str(of.scored),
        )
    console().print(table)
    state = "open" if found.closing is None else f"closed, number {found.closing.number}"
    typer.echo(f"{month} is {state}", err=True)


def _document(each: AgentKpi, *, closed: bool) -> dict[str, object]:
    of = each.kpi
    return {
        "agent_id": each.agent_id,
        "team": each.owner.team,
        "vendor": each.owner.vendor,
        "month": f"{each.month:%Y-%m}",
        "closed": closed,
        "standing": of.standing,
        "value": of.value,
        "interval": None if of.interval is None else [of.interval.low, of.interval.high],
        "tier": of.tier,
        "chances": {chance.tier: chance.chance for chance in of.chances},
        "bonus": of.bonus,
        "coverage": of.coverage,
        "scored": of.scored,
        "parts": {part.part: part.points for part in of.parts},
    }
