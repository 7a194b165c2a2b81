"""``qa doctor``: whether this machine can do the work, and what to fix."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from qa_service.services.diagnosis import CheckResult, State, diagnose
from worker.commands.formats import ListFormat
from worker.doctor.table import checks
from worker.render import console, printable

_COLOUR = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red"}


def doctor(
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """Check this machine: settings, stores, models, device, decoder, packs. Exit code 1 when something failed."""
    results: list[CheckResult] = []
    for result in diagnose(checks()):
        results.append(result)
        if output is ListFormat.JSON:
            typer.echo(json.dumps(asdict(result), ensure_ascii=False))
    if output is ListFormat.TABLE:
        console().print(_table(results))
    raise typer.Exit(1 if any(result.state is State.FAILED for result in results) else 0)


def _table(results: list[CheckResult]) -> Table:
    table = Table(show_lines=True)
    table.add_column("check")
    table.add_column("state")
    table.add_column("measured", overflow="fold", ratio=3)
    table.add_column("what to do", overflow="fold", ratio=2)
    for result in results:
        table.add_row(
            Text(result.check),
            Text(result.state.value, style=_COLOUR[result.state]),
            Text(printable(result.measured)),
            Text(printable(result.remedy)),
        )
    return table
