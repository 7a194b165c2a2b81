"""``qa collect``: one round through the sources, now."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from qa_service.errors import ConfigurationError, QAError
from qa_service.ports.sources import Source
from qa_service.services.collecting import Collected, Outcome
from qa_service.settings import load_settings
from worker.commands.formats import ListFormat
from worker.container import Container
from worker.render import Notes, console, printable

_NAMED = 20
"""So many refused files a source are named in the table's notes; JSON lines name all."""


def collect(
    source: Annotated[
        list[str] | None, typer.Option(help="One of QA_SOURCES, as it is written there; default: all of them.")
    ] = None,
    again: Annotated[bool, typer.Option(help="Try refused files again.")] = False,
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """Receive what is new in the sources and queue it to be scored. Exit code 1 when files were refused."""
    container = Container(load_settings())
    sources = _chosen(container.collector.sources, source)
    _ = container.hear.engines  # a missing model is found before anything is received
    notes = console(stderr=True)
    rows: list[tuple[Source, Counter[Outcome], str]] = []
    for one in sources:
        counts: Counter[Outcome] = Counter()
        trouble = ""
        try:
            for collected in container.collector.collect(one, again=again, warn=Notes(notes)):
                counts[collected.outcome] += 1
                _tell(notes, collected, counts, output)
        except QAError as error:
            trouble = error.code
            notes.print(Text(printable(f"{one.name}: {error.code}: {error.message}"), style="red"), soft_wrap=True)
        rows.append((one, counts, trouble))
    if output is ListFormat.TABLE:
        console().print(_table(rows))
    raise typer.Exit(1 if any(trouble or counts[Outcome.REFUSED] for _, counts, trouble in rows) else 0)


def _chosen(sources: tuple[Source, ...], names: list[str] | None) -> list[Source]:
    if not sources:
        raise ConfigurationError(
            "sources_missing", "no sources are configured: set QA_SOURCES to folders or s3://bucket/prefix"
        )
    by_name = {source.name: source for source in sources}
    wanted = [name.rstrip("/") or "/" for name in names or by_name]
    if unknown := [name for name in wanted if name not in by_name]:
        raise ConfigurationError(
            "source_unknown", f"{', '.join(unknown)} is not in QA_SOURCES: use one of {', '.join(by_name)}"
        )
    return [by_name[name] for name in dict.fromkeys(wanted)]


def _tell(notes: Console, collected: Collected, counts: Counter[Outcome], output: ListFormat) -> None:
    if output is ListFormat.JSON:
        # ASCII: a name that is not UTF-8 must not end the command.
        typer.echo(json.dumps(asdict(collected)))
    else:
        name_refused(notes, collected, counts)


def name_refused(notes: Console, collected: Collected, counts: Counter[Outcome]) -> None:
    """Print why a file was refused, for the first of a source; ``counts`` has this one already."""
    if collected.outcome is Outcome.REFUSED and counts[Outcome.REFUSED] <= _NAMED:
        text = f"{collected.key}: {collected.code}: {collected.message}"
        notes.print(Text(printable(text), style="red"), soft_wrap=True)


def _table(rows: Iterable[tuple[Source, Counter[Outcome], str]]) -> Table:
    table = Table()
    table.add_column("source", overflow="fold")
    for outcome in Outcome:
        table.add_column(outcome.value, justify="right")
    table.add_column("")
    for source, counts, trouble in rows:
        table.add_row(printable(source.name), *(str(counts[outcome]) for outcome in Outcome), trouble)
    return table
