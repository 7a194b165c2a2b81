"""Batch runs for people: a table of them, one of them, and how far it is."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from qa_service.domain.batch_runs import BatchKind, BatchRun, BatchState, Waiting
from worker.render import clock, printable

SAY_EVERY_S = 10.0
_COLOUR = {BatchState.DONE: "green", BatchState.CANCELLED: "yellow"}
_WAITS = {
    Waiting.QUEUE_FULL: "waits until fewer jobs are queued",
    Waiting.DISK_FULL: "waits for room on the data disk",
    Waiting.SETTLING: "waits a minute for what may still arrive",
}


def runs_table(runs: Sequence[BatchRun], zone: ZoneInfo) -> Table:
    table = Table(*("run", "kind", "state", "received from", "until"), show_edge=False, pad_edge=False)
    for name in ("calls", "scored", "failed", "flagged", "audio h", "h per h"):
        table.add_column(name, justify="right")
    for run in runs:
        tally, speed = run.tally, run.audio_hours_per_hour
        table.add_row(
            str(run.id),
            _kind(run),
            Text(run.state.value, _COLOUR.get(run.state, "cyan")),
            _moment(run.selection.since, zone),
            _moment(run.selection.until, zone),
            f"{run.total:,}",
            f"{tally.scored:,}",
            Text(f"{tally.failed:,}", "red" if tally.failed else ""),
            f"{tally.flagged:,}",
            f"{tally.audio_s / 3600:.2f}",
            "–" if speed is None else f"{speed:.1f}",
        )
    return table


def show_run(
    target: Console, run: BatchRun, zone: ZoneInfo, failures: Sequence[tuple[int, str, str]] = ()
) -> None:
    """Print one run: what it is about, what came of it, what it cost, what failed."""
    tally, selection = run.tally, run.selection
    received = f"{_moment(selection.since, zone)} – {_moment(selection.until, zone)}"
    only = [f"team {selection.team}"] if selection.team else []
    only += [f"pack {selection.pack}"] if selection.pack else []
    target.print(
        Text.assemble(
            (f"batch run {run.id}", "bold"),
            f"  {_kind(run)}  ",
            (run.state.value, _COLOUR.get(run.state, "cyan")),
            f"  received {received}",
            printable("".join(f"  {one}" for one in only)),
        ),
        soft_wrap=True,
    )
    rows = [
        ("calls", f"{run.total:,}" + (f", {run.left:,} to do" if run.left and run.is_open else "")),
        ("waiting", _WAITS[run.waiting] if run.waiting else ""),
        ("up to date before", f"{tally.up_to_date:,}" if tally.up_to_date else ""),
        ("never heard", f"{tally.not_heard:,}" if tally.not_heard else ""),
        ("scored", f"{tally.scored:,}: {tally.flagged:,} flagged, {tally.undetermined:,} without a score"),
        ("failed", ", ".join(f"{count:,} {code}" for code, count in sorted(tally.failures.items())) or "0"),
        ("withdrawn", f"{tally.withdrawn:,}" if tally.withdrawn else ""),
        ("audio", f"{tally.audio_s / 3600:.2f} h in {clock(run.active_s)}{_speed(run)}"),
        ("cost", f"{tally.cpu_s:,.0f} s of processors, {tally.gpu_s:,.0f} s of GPUs"),
        ("left", clock(run.eta_s) if run.eta_s is not None else ""),
    ]
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        if value:
            table.add_row(f"  {name}", value)
    target.print(table)
    for number, path, code in failures:
        target.print(Text(printable(f"  {path} (#{number}): {code}"), "red"), soft_wrap=True)


@contextmanager
def following(notes: Console) -> Iterator[Callable[[BatchRun], None]]:
    """A bar on a terminal; elsewhere a line now and then."""
    if not notes.is_terminal:
        yield _Lines(notes)
        return
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=notes, transient=True) as bar:
        task = bar.add_task("", total=None)

        def told(run: BatchRun) -> None:
            bar.update(task, completed=run.tally.handled, total=run.total, description=_line(run))

        yield told


class _Lines:
    def __init__(self, notes: Console) -> None:
        self._notes = notes
        self._said_at = time.monotonic()

    def __call__(self, run: BatchRun) -> None:
        if time.monotonic() - self._said_at < SAY_EVERY_S:
            return
        self._said_at = time.monotonic()
        line = f"[{run.tally.handled}/{run.total}] calls, {_line(run)}"
        self._notes.print(line, markup=False, highlight=False, soft_wrap=True)


def _line(run: BatchRun) -> str:
    parts = [f"{run.tally.audio_s / 3600:.2f} h audio{_speed(run)}"]
    parts += [f"{run.tally.failed} failed"] if run.tally.failed else []
    parts += [_WAITS[run.waiting]] if run.waiting else []
    parts += [f"{clock(run.eta_s)} left"] if run.eta_s is not None else []
    return ", ".join(parts)


def _speed(run: BatchRun) -> str:
    speed = run.audio_hours_per_hour
    return "" if not speed else f", {speed:.1f} h an hour"


def _kind(run: BatchRun) -> str:
    return run.kind.value + (", forced" if run.selection.force and run.kind is BatchKind.REQUESTED else "")


def _moment(moment: datetime | None, zone: ZoneInfo) -> str:
    return "the beginning" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
