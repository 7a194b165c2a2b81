"""``qa report``: a report as a page, a workbook or JSON; or all of a month into a folder."""

import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from qa_service.adapters.reporting.files import write_whole
from qa_service.adapters.reporting.formats import ReportFormat, file_name, rendered
from qa_service.adapters.reporting.index import index_page
from qa_service.adapters.reporting.values import Writer
from qa_service.adapters.reporting.words import Language
from qa_service.domain.access import EVERYTHING
from qa_service.domain.reporting.periods import Span
from qa_service.errors import ConfigurationError
from qa_service.services.reporting.asked import span_asked
from qa_service.services.reporting.kinds import ReportKind, Wanted
from qa_service.settings import load_settings
from worker.container import Container
from worker.render import console

INDEX: Final = "index.html"


class AskedKind(StrEnum):
    """What a report is about; ``all``: every report there is."""

    DAILY = "daily"
    AGENT = "agent"
    TEAM = "team"
    VENDOR = "vendor"
    RULES = "rules"
    SALES = "sales"
    COMPLAINTS = "complaints"
    TRAINING = "training"
    ALL = "all"


def report(
    kind: Annotated[AskedKind, typer.Argument(help="What it is about; all: every report of the time.")],
    agent: Annotated[str | None, typer.Option(help="The agent's number.")] = None,
    team: Annotated[str | None, typer.Option(help="The team's name.")] = None,
    vendor: Annotated[str | None, typer.Option(help="The vendor's name.")] = None,
    month: Annotated[str | None, typer.Option(help="2026-10; by default the month that is over.")] = None,
    since: Annotated[str | None, typer.Option(help="From this day on.")] = None,
    until: Annotated[str | None, typer.Option(help="To the end of this day.")] = None,
    output: Annotated[
        list[ReportFormat] | None, typer.Option("--format", help="html, xlsx or json; of all several at once.")
    ] = None,
    language: Annotated[Language, typer.Option(help="Of pages and workbooks.")] = Language.ZH,
    file: Annotated[
        Path | None, typer.Option("--output", help="The file, or the folder of all; by default stdout.")
    ] = None,
) -> None:
    """Make a report of what is scored."""
    container = Container(load_settings())
    settings = container.settings
    today = container.clock.now().astimezone(settings.zone).date()
    wanted_kind = None if kind is AskedKind.ALL else ReportKind(kind.value)
    span = span_asked(
        wanted_kind,
        today=today,
        month_named=month,
        since=_day(since, "--since"),
        until=_day(until, "--until"),
    )
    formats = list(dict.fromkeys(output or [ReportFormat.HTML]))
    writer = Writer(language, settings.zone, container.rule_titles())
    subject = _subject(agent=agent, team=team, vendor=vendor)
    if wanted_kind is None:
        if subject or file is None:
            raise ConfigurationError("report_invalid", "qa report all is about everybody: give --output FOLDER")
        _write_all(container, span, formats, writer, file)
        return
    if len(formats) > 1:
        raise ConfigurationError("report_invalid", "one report is one file: give one --format")
    made = container.reports.make(
        Wanted(wanted_kind, span, _named(wanted_kind, subject)), EVERYTHING, as_of=container.clock.now()
    )
    content = rendered(made, formats[0], writer, site_url=settings.site_url)
    if file is not None:
        write_whole(file, content)
    elif formats[0] is ReportFormat.XLSX and sys.stdout.isatty():
        raise ConfigurationError("report_invalid", "a workbook is nothing for a terminal: give --output FILE")
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def _write_all(
    container: Container, span: Span, formats: list[ReportFormat], writer: Writer, folder: Path
) -> None:
    """All reports of the span into ``folder``, and a page that lists them."""
    site_url, as_of = container.settings.site_url, container.clock.now()
    every = container.reports.every(span)
    listed: list[tuple[Wanted, dict[ReportFormat, str]]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        making = bar.add_task("reports", total=len(every))
        for wanted, made in every.made(as_of=as_of):
            names = {}
            for each in formats:
                names[each] = file_name(made, each)
                write_whole(folder / names[each], rendered(made, each, writer, site_url=site_url))
            listed.append((wanted, names))
            bar.advance(making)
    write_whole(folder / INDEX, index_page(span, as_of, listed, writer))
    typer.echo(f"{len(listed)} reports in {folder}", err=True)


def _subject(**named: str | None) -> dict[str, str]:
    given = {name: value for name, value in named.items() if value is not None}
    if len(given) > 1:
        raise ConfigurationError("report_invalid", f"{' and '.join(f'--{name}' for name in given)}: give one")
    return given


def _named(kind: ReportKind, given: dict[str, str]) -> str:
    about = None if kind.subject is None else kind.subject.value
    for option, name in given.items():
        if option != about:
            needed = f"give --{about}" if about else "leave it out"
            raise ConfigurationError(
                "report_invalid", f"a report of the kind {kind} takes no --{option}: {needed}"
            )
        return name
    return ""


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError("date_invalid", f"{option} {text!r} is no day: write 2026-10-01") from error
