"""``qa batch``: scores what was received, in the background or here, and says what came of it."""

import json
import time
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from qa_service.domain.batch_runs import BatchRun, BatchState
from qa_service.errors import ConfigurationError, QAError
from qa_service.services.batch_report import document
from qa_service.services.collecting import Outcome
from qa_service.settings import load_settings
from worker.batching import follow
from worker.commands.batch_table import following, runs_table, show_run
from worker.commands.collect import name_refused
from worker.commands.dates import moments
from worker.commands.formats import ListFormat
from worker.container import Container
from worker.container import pack as load_named_pack
from worker.render import Notes, console, printable

NAMED_FAILURES, LISTED_FAILURES = 20, 1_000

FILL_S = 5.0
"""What is left of a run that nobody waits for, workers select."""

batch_app = typer.Typer(no_args_is_help=True, help="Batch runs: many recordings as one task.")

Number = Annotated[int, typer.Argument(help="The run's number, as `qa batch list` shows it.", show_default=False)]
Format = Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")]


@batch_app.command()
def run(
    since: Annotated[str | None, typer.Option(help="Received from this day (or ISO 8601 time) on.")] = None,
    until: Annotated[str | None, typer.Option(help="Received to the end of this day (or to this time).")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team's calls.")] = None,
    pack: Annotated[str | None, typer.Option(help="Rule pack; default: by the call's language.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Hear and score everything anew.")] = False,
    rescore: Annotated[bool, typer.Option("--rescore", help="Score again what is stored; no audio.")] = False,
    wait: Annotated[bool, typer.Option(help="Until it has ended; without a broker it is worked on here.")] = True,
    output: Format = ListFormat.TABLE,
) -> None:
    """Score the recordings that were received: what is not scored yet, or not by the rules of today."""
    if force and rescore:
        raise ConfigurationError(
            "batch_run_invalid", "--force hears anew, --rescore hears nothing: give one of them"
        )
    container = Container(load_settings())
    first, last = moments(since, until, container.settings.zone)
    names = [pack] if pack else [container.settings.pack_zh, container.settings.pack_en]
    for name in names:
        load_named_pack(name)  # a faulty pack is found before anything is queued
    if not rescore:
        _ = container.hear.engines  # and so is a missing model
    notes = console(stderr=True)
    refused = 0 if rescore else _collect(container, notes)
    asked, new = container.batch_runs.request(
        since=first, until=last, team=team, pack=pack, force=force, rescore=rescore
    )
    began = "begins" if new else "goes on"
    notes.print(f"batch run {asked.id} {began}: {asked.expected} recordings", markup=False, highlight=False)
    if not wait:
        _tell(container, container.batch_runs.advance(asked.id, until=time.monotonic() + FILL_S), output)
        raise typer.Exit(1 if refused else 0)
    try:
        with following(notes) as told:
            ended = follow(container, asked.id, told=told)
    except KeyboardInterrupt:
        notes.print(f"batch run {asked.id} goes on with workers, or with the same command", markup=False)
        raise typer.Exit(1) from None
    _tell(container, ended, output)
    if ended.state is BatchState.CANCELLED:
        notes.print(f"batch run {ended.id} was cancelled before its end", style="yellow", markup=False)
    raise typer.Exit(1 if refused or ended.tally.failed or ended.state is BatchState.CANCELLED else 0)


@batch_app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    output: Format = ListFormat.TABLE,
) -> None:
    """List batch runs."""
    container = Container(load_settings())
    runs = container.batch_runs.recent(limit)
    if output is ListFormat.JSON:
        for one in runs:
            typer.echo(json.dumps(document(one), ensure_ascii=False))
    else:
        console().print(runs_table(runs, container.settings.zone))


@batch_app.command()
def show(number: Number, output: Format = ListFormat.TABLE) -> None:
    """Show a batch run: how far it is, what came of it, what failed."""
    container = Container(load_settings())
    _tell(container, container.batch_runs.get(number), output)


@batch_app.command()
def cancel(number: Number, output: Format = ListFormat.TABLE) -> None:
    """Take back what nobody works on yet. What is under way is finished; what others want stays."""
    container = Container(load_settings())
    _tell(container, container.batch_runs.cancel(number), output)


@batch_app.command()
def retry(
    number: Number,
    code: Annotated[str | None, typer.Option(help="Only what failed with this error code.")] = None,
    output: Format = ListFormat.TABLE,
) -> None:
    """Try failed recordings once more; follow them with `qa batch show`, or work on them by `qa worker`."""
    container = Container(load_settings())
    asked, count = container.batch_runs.retry(number, code=code)
    typer.echo(f"{count} recordings are tried again", err=True)
    _tell(container, asked, output)


def _collect(container: Container, notes: Console) -> int:
    """What lies in the sources and is not received yet, and how many of these files were refused; a source that
    cannot be reached now keeps nobody waiting."""
    refused = 0
    for source in container.collector.sources:
        counts: Counter[Outcome] = Counter()
        try:
            for one in container.collector.collect(source, warn=Notes(notes)):
                counts[one.outcome] += 1
                name_refused(notes, one, counts)
            new = counts[Outcome.NEW]
            notes.print(Text(printable(f"{source.name}: {new} new recordings")), soft_wrap=True)
        except QAError as error:
            trouble = printable(f"{source.name}: {error.code}: {error.message}")
            notes.print(Text(trouble, "yellow"), soft_wrap=True)
        refused += counts[Outcome.REFUSED]
    return refused


def _tell(container: Container, one: BatchRun, output: ListFormat) -> None:
    most = LISTED_FAILURES if output is ListFormat.JSON else NAMED_FAILURES
    failures = container.batch_runs.failures(one.id, most) if one.tally.failed else []
    if output is ListFormat.JSON:
        typer.echo(json.dumps(document(one, failures=failures), ensure_ascii=False))
    else:
        show_run(console(), one, container.settings.zone, failures)
