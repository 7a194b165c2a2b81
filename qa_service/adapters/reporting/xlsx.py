"""A report as a workbook: a sheet for what it says, one for each table and chart.

Guarantee: numbers are numbers, unrounded, shown as on the page; nothing is run as a formula. The same report is
the same bytes: the workbook was made when the report was.
"""

import io
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final

from qa_service.adapters.reporting.tables import table_of
from qa_service.adapters.reporting.values import Writer
from qa_service.adapters.spreadsheets import plain_text
from qa_service.domain.reporting.document import (
    Caution,
    Cell,
    Chart,
    Measure,
    Paragraph,
    Report,
    Said,
    Table,
    Unit,
)

_FORMATS: Final = {
    Unit.POINTS: "0.0",
    Unit.POINTS_CHANGE: "+0.0;-0.0;0.0",
    Unit.SHARE: "0.0%",
    Unit.SHARE_CHANGE: "+0.0%;-0.0%;0.0%",
    Unit.SECONDS: "0",
    Unit.HOURS: "0.0",
    Unit.NUMBER: "0.0",
    Unit.PROBABILITY: "0.000",
}
_COUNT: Final = "#,##0"
_DAY: Final = "yyyy-mm-dd"
_UNFIT: Final = re.compile(r"[\[\]:*?/\\']")
_SHEET_CHARACTERS: Final = 31


def xlsx(report: Report, writer: Writer) -> bytes:
    """The workbook. Of a measure there are three columns: the value, and the bounds of its interval."""
    import xlsxwriter  # only who asks for workbooks needs it

    file = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
    }
    with xlsxwriter.Workbook(file, options) as book:
        made = report.as_of.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        book.set_properties({"title": writer.say(report.title), "created": made})
        sheets = _Sheets(book, writer)
        sheets.summary(report)
        for section in report.sections:
            for block in section.blocks:
                if isinstance(block, Table | Chart):
                    sheets.table(block if isinstance(block, Table) else table_of(block))
    return file.getvalue()


class _Sheets:
    def __init__(self, book: Any, writer: Writer) -> None:
        self._book, self._writer = book, writer
        self._bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self._formats: dict[str, Any] = {}
        self._names: set[str] = set()

    def summary(self, report: Report) -> None:
        say = self._writer.say
        sheet = self._sheet(say(Said("summary")))
        lines: list[tuple[str, bool]] = [
            (say(report.title), True),
            (say(Said("period", (("name", report.span.name),))), False),
            (say(Said("made", (("at", self._writer.text(report.as_of)),))), False),
        ]
        for section in report.sections:
            lines.append((say(section.title), True))
            for block in section.blocks:
                if isinstance(block, Caution):
                    lines.append((f"{say(Said('caution'))} {say(block.text)}", False))
                elif isinstance(block, Paragraph):
                    lines.append((say(block.text), False))
                else:
                    lines.append((say(block.title), False))
        for row, (text, bold) in enumerate(lines):
            sheet.write_string(row, 0, plain_text(text), self._bold if bold else None)
        sheet.set_column(0, 0, 80)

    def table(self, table: Table) -> None:
        sheet = self._sheet(self._writer.say(table.title))
        heads: list[str] = []
        for column in table.columns:
            title = self._writer.say(column.title)
            heads.append(title)
            if column.measured:
                heads.extend(
                    self._writer.say(Said(bound, (("name", title),))) for bound in ("lower_bound", "upper_bound")
                )
        for at, title in enumerate(heads):
            sheet.write_string(0, at, plain_text(title), self._bold)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(0, len(heads) - 1), 14)
        for row, cells in enumerate(table.rows, 1):
            at = 0
            for column, cell in zip(table.columns, cells, strict=True):
                at = self._cells(sheet, row, at, cell, measured=column.measured)
        below = len(table.rows) + 1
        notes: Sequence[Said] = table.notes if table.rows else (table.empty, *table.notes)
        for row, note in enumerate(notes, below):
            sheet.write_string(row, 0, plain_text(self._writer.say(note)))

    def _cells(self, sheet: Any, row: int, at: int, cell: Cell, *, measured: bool) -> int:
        if isinstance(cell, Measure):
            style = self._format(_FORMATS[cell.unit])
            if cell.value is not None:
                sheet.write_number(row, at, cell.value, style)
            elif cell.too_few:
                sheet.write_string(row, at, self._writer.measure(cell))
            if measured and cell.interval is not None:
                sheet.write_number(row, at + 1, cell.interval.low, style)
                sheet.write_number(row, at + 2, cell.interval.high, style)
        elif isinstance(cell, int) and not isinstance(cell, bool):
            sheet.write_number(row, at, cell, self._format(_COUNT))
        elif isinstance(cell, date) and not isinstance(cell, datetime):
            sheet.write_datetime(row, at, datetime.combine(cell, time()), self._format(_DAY))
        elif cell is not None:
            sheet.write_string(row, at, plain_text(self._writer.text(cell)))
        return at + (3 if measured else 1)

    def _format(self, code: str) -> Any:
        if code not in self._formats:
            self._formats[code] = self._book.add_format({"num_format": code})
        return self._formats[code]

    def _sheet(self, title: str) -> Any:
        """A sheet by a name that workbooks allow, and that no other has."""
        base = _UNFIT.sub(" ", title).strip()[:_SHEET_CHARACTERS].strip() or "-"
        name, number = base, 2
        while name.casefold() in self._names:
            end = f" {number}"
            name, number = base[: _SHEET_CHARACTERS - len(end)] + end, number + 1
        self._names.add(name.casefold())
        return self._book.add_worksheet(name)
