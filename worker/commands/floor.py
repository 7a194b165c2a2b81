"""``qa floor``: what of the last week's shifts calls for somebody."""

import json
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from qa_service.domain.access import EVERYTHING
from qa_service.domain.causes import Cause
from qa_service.domain.control_charts import Advice
from qa_service.services.floor import FloorAlert
from qa_service.settings import load_settings
from worker.commands.formats import ListFormat
from worker.container import Container
from worker.render import console, printable

_ADVICE: Final = {
    Advice.FIND_CAUSE: "find what happened there and then",
    Advice.WATCH: "wait for more points",
    Advice.FIND_SHIFT: "find what changed when it began",
    Advice.CHECK_LIMITS: "look at what the figures are made of",
    Advice.STOP_ADJUSTING: "stop answering every single figure",
    Advice.CHANGE_SYSTEM: "change how the work is set up",
}


def floor(
    peak: Annotated[bool, typer.Option("--peak", help="Only the site's peak hours.")] = False,
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """Show what of the last week's shifts calls for somebody, by team."""
    alerts = Container(load_settings()).floor.alerts(EVERYTHING, peak=peak)
    if output is ListFormat.JSON:
        for alert in alerts:
            typer.echo(json.dumps(_document(alert), ensure_ascii=False))
        return
    table = Table("team", "measure", "since", "cause", "test", "value", "what to do")
    for alert in alerts:
        table.add_row(
            printable(alert.team or ""),
            alert.measure.value,
            alert.since.isoformat(),
            Text(alert.cause.value, "red" if alert.cause is Cause.SPECIAL else "yellow"),
            alert.test,
            "" if alert.value is None else f"{alert.value:.3g}",
            _ADVICE[alert.advice],
        )
    console().print(table)


def _document(alert: FloorAlert) -> dict[str, object]:
    return {
        "team": alert.team,
        "measure": alert.measure,
        "cause": alert.cause,
        "advice": alert.advice,
        "test": alert.test,
        "since": alert.since.isoformat(),
        "until": alert.until.isoformat(),
        "above": alert.above,
        "value": alert.value,
        "target": None if alert.target is None else [alert.target.low, alert.target.high],
    }
