"""Tables for spreadsheets, written row by row: CSV as it is read, XLSX by way of the disk.

Guarantee: no cell is run as a formula, whatever somebody wrote into a name or a reference; what is held in memory
does not grow with the table.
"""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from qa_service.adapters.spreadsheets import plain_text

Cell = str | float | int | bool | None

_PIECE_ROWS: Final = 200
_PIECE_BYTES: Final = 256 * 1024


class TableFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        if self is TableFormat.CSV:
            return "text/csv; charset=utf-8"
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """With a byte order mark: without one spreadsheets read Chinese as something else."""
    text = io.StringIO()
    writer = csv.writer(text)
    text.write("\ufeff")
    writer.writerow(header)
    for number, row in enumerate(rows, 1):
        writer.writerow([_plain(cell) for cell in row])
        if number % _PIECE_ROWS == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def as_xlsx(header: Sequence[str], rows: Iterable[Sequence[Cell]], *, folder: Path) -> Iterator[bytes]:
    """A workbook of one sheet. It is complete before its first byte: a workbook's index is at its end.

    ``folder`` takes it meanwhile, in a file without a name.
    """
    import xlsxwriter

    folder.mkdir(parents=True, exist_ok=True)
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by whoever reads it to the end, or lets go
    try:
        options = {
            "constant_memory": True,
            "tmpdir": str(folder),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "nan_inf_to_errors": True,
        }
        with xlsxwriter.Workbook(file, options) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, header)
            for number, cells in enumerate(rows, 1):
                for column, cell in enumerate(cells):
                    if isinstance(cell, str):
                        sheet.write_string(number, column, plain_text(cell))
                    elif isinstance(cell, bool):
                        sheet.write_boolean(number, column, cell)
                    elif cell is not None:
                        sheet.write_number(number, column, cell)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return _pieces(file)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _plain(cell: Cell) -> Cell:
    return plain_text(cell) if isinstance(cell, str) else cell
