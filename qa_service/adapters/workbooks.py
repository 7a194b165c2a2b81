"""Workbooks of several sheets.

Guarantee: no cell is run as a formula; what is held in memory does not grow with the rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from qa_service.adapters.spreadsheets import plain_text

Cell = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """``name``: 31 characters at most, none of ``[]:*?/\\``."""

    name: str
    header: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def write_workbook(file: BinaryIO, sheets: Iterable[Sheet], *, folder: Path) -> None:
    """Write a workbook into ``file``; ``folder`` takes its parts meanwhile."""
    import xlsxwriter

    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "constant_memory": True,
        "tmpdir": str(folder),
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
    }
    with xlsxwriter.Workbook(file, options) as book:
        for each in sheets:
            sheet = book.add_worksheet(each.name)
            sheet.freeze_panes(1, 0)
            sheet.write_row(0, 0, each.header)
            for number, cells in enumerate(each.rows, 1):
                for column, cell in enumerate(cells):
                    if isinstance(cell, str):
                        sheet.write_string(number, column, plain_text(cell))
                    elif isinstance(cell, bool):
                        sheet.write_boolean(number, column, cell)
                    elif cell is not None:
                        sheet.write_number(number, column, cell)
