"""``qa rules backtest``: what would change if a pack were in force, on the calls that are stored.

The report goes to stdout; progress, and calls that could not be judged, to stderr. Nothing is written.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from qa_service.services.backtest import Selection
from qa_service.services.backtest_report import document
from qa_service.settings import load_settings
from worker.commands.dates import moments
from worker.commands.formats import ListFormat
from worker.commands.rules.backtest_table import show_backtest
from worker.container import Container
from worker.container import pack as load_named_pack
from worker.render import clock, console, printable

SAY_EVERY_S = 10.0


class _Told(Protocol):
    def __call__(self, done: int, total: int, /) -> None: ...


def backtest(
    pack: Annotated[str, typer.Option(help="The rule pack to try, by name or folder.")],
    against: Annotated[
        str | None, typer.Option(help="Compare with this pack; default: each call's stored evaluation.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Calls from this date (or ISO 8601 time) on.")] = None,
    until: Annotated[str | None, typer.Option(help="Calls to the end of this date (or to this time).")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Only so many of them, drawn by lot; the same ones each time.")
    ] = None,
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """Judge stored calls with a pack, without audio, and show what would change."""
    container = Container(load_settings())
    selection = _selection(since, until, sample, container.settings.zone)
    candidate = load_named_pack(pack)
    other = load_named_pack(against) if against else None
    notes = console(stderr=True)
    with _progress(notes) as told:
        report = container.backtest.run(candidate, against=other, selection=selection, progress=told)
    if output is ListFormat.JSON:
        typer.echo(json.dumps(document(report), ensure_ascii=False))
    else:
        show_backtest(console(), report)
    for one in report.unread:
        typer.echo(printable(f"{one.path}: {one.code}: {one.message}"), err=True)
    if report.unread_calls > len(report.unread):
        typer.echo(f"and {report.unread_calls - len(report.unread)} more that could not be judged", err=True)
    raise typer.Exit(1 if report.unread_calls else 0)


def _selection(since: str | None, until: str | None, sample: int | None, zone: ZoneInfo) -> Selection:
    return Selection(*moments(since, until, zone), sample)


@contextmanager
def _progress(notes: Console) -> Iterator[_Told]:
    """A bar on a terminal; elsewhere a line now and then."""
    if not notes.is_terminal:
        yield _Lines(notes)
        return
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=notes, transient=True) as bar:
        task = bar.add_task("judging", total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield told


class _Lines:
    def __init__(self, notes: Console) -> None:
        self._notes = notes
        self._began = self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not done or (done < total and now - self._said < SAY_EVERY_S):
            return
        self._said = now
        a_second = done / max(now - self._began, 1e-9)
        self._notes.print(
            f"[{done}/{total}] calls, {a_second:.0f} a second, {clock((total - done) / a_second)} left",
            markup=False,
            highlight=False,
        )
