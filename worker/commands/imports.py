"""``qa import``: tables of other systems' figures. Rows that are refused are told with line and remedy."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from qa_service.domain.imports import ImportKind
from qa_service.errors import ConfigurationError
from qa_service.ports.imports import Import, ImportState, LoggedFault
from qa_service.settings import load_settings
from worker.commands.formats import ListFormat
from worker.commands.users import who_asks
from worker.container import Container
from worker.render import console, printable

_SHOWN_FAULTS: Final = 50


def import_table(
    kind: Annotated[ImportKind, typer.Argument(help="What the table is about.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="A CSV file in UTF-8 or GB18030.", show_default=False)],
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="A row that is refused refuses the table.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Even where the last import was of the same bytes.")
    ] = False,
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """Bring in a table of other systems: agents' states, monthly figures of agents, figures of vendors."""
    container = Container(load_settings())
    who = who_asks("qa import")
    try:
        with file.open("rb") as data:
            sha256 = hashlib.file_digest(data, "sha256").hexdigest()
            made, new = container.imports.receive(
                who,
                kind,
                data,
                name=file.name,
                sha256=sha256,
                all_or_nothing=all_or_nothing,
                again=again,
            )
    except OSError as error:
        raise ConfigurationError(
            "file_unreadable", f"{file} cannot be read ({error.strerror}): check the path and its permissions"
        ) from error
    faults = list(container.imports.faults(who, made.id))
    if output is ListFormat.JSON:
        typer.echo(json.dumps({**document(made), "new": new, "faults": [_fault(each) for each in faults]}))
    else:
        _tell(made, faults, new=new)
    raise typer.Exit(1 if made.counts.rejected or made.state is not ImportState.DONE else 0)


def document(made: Import) -> dict[str, object]:
    counts = made.counts
    return {
        "id": made.id,
        "kind": made.kind,
        "state": made.state,
        "rows": counts.rows,
        "added": counts.added,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "rejected": counts.rejected,
        "warned": counts.warned,
    }


def _fault(found: LoggedFault) -> dict[str, object]:
    fault = found.fault
    return {
        "line": found.line,
        "column": fault.column,
        "warning": fault.warning,
        "code": fault.code,
        "message": fault.message,
        "remedy": fault.remedy,
        "row": found.row,
    }


def _tell(made: Import, faults: list[LoggedFault], *, new: bool) -> None:
    counts = made.counts
    said = "" if new else " (these bytes were the last import; --again takes them once more)"
    line = (
        f"import {made.id} {made.state}: {counts.rows} rows, {counts.added} added, {counts.changed} changed, "
        f"{counts.unchanged} unchanged, {counts.rejected} rejected, {counts.warned} warned{said}"
    )
    out = console()
    out.print(Text(printable(line)), soft_wrap=True)
    if not faults:
        return
    table = Table("line", "column", "code", "what", "what to do")
    for found in faults[:_SHOWN_FAULTS]:
        fault = found.fault
        cells = (str(found.line), fault.column, fault.code, fault.message, fault.remedy)
        table.add_row(*(Text(printable(cell), style="yellow" if fault.warning else "red") for cell in cells))
    out.print(table)
    if len(faults) > _SHOWN_FAULTS:
        out.print(Text(f"and {len(faults) - _SHOWN_FAULTS} more: --format json shows all"))
