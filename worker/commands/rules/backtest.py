"""``qa rules backtest``: what would change if a pack were in force, on the calls that are stored.

The report goes to stdout; progress, and calls that could not be judged, to stderr. Nothing is written.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
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

from qa_service.errors import ConfigurationError
from qa_service.services.backtest import Selection
from qa_service.services.backtest_report import document
from qa_service.settings import load_settings
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
    first, last = _moment(since, "--since", zone), _moment(until, "--until", zone, end_of_day=True)
    if first is not None and last is not None and first >= last:
        raise ConfigurationError(
            "date_invalid", f"no time lies between {since} and {until}: give --since before --until"
        )
    return Selection(first, last, sample)


def _moment(text: str | None, option: str, zone: ZoneInfo, *, end_of_day: bool = False) -> datetime | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise ConfigurationError(
                "date_invalid", f"{option} {text!r} is no date: write 2026-03-02 or 2026-03-02T09:30"
            ) from error
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    try:
        return datetime.combine(day + timedelta(days=1) if end_of_day else day, time_of_day(), tzinfo=zone)
    except OverflowError as error:
        raise ConfigurationError("date_invalid", f"{option} {text!r} is out of range: write 2026-03-02") from error


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
