"""Tables in text (CSV), read line by line, as spreadsheets and telephone systems write them.

Guarantee: what is held at once does not grow with the table. A file that is no such table is refused as a whole; a
row that cannot be trusted says so.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, TextIO

from qa_service.errors import InputError

ENCODINGS: Final = ("utf-8-sig", "gb18030")
"""In the order in which they are tried; GB18030 holds GBK and GB2312."""

DELIMITERS: Final = ",;\t"
_PIECE_BYTES: Final = 256 * 1024
_MAX_LINE: Final = 1024**2  # characters; a table's line has some hundred
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, .xls

Refusal = Callable[[str, str], InputError]
"""The error for what is wrong, and what to do about it."""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row, and the number of the line that it begins on. With a ``fault`` its values cannot be trusted."""

    line: int
    cells: tuple[str, ...]
    values: Mapping[str, str]
    fault: str | None = None


def encoding_of(data: BinaryIO) -> str | None:
    """In which of ``ENCODINGS`` the whole of ``data`` is text; None: in none, or it holds NUL as no text does."""
    for encoding in ENCODINGS:
        data.seek(0)
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while piece := data.read(_PIECE_BYTES):
                if "\0" in decoder.decode(piece):  # UTF-16, or a spreadsheet renamed to .csv
                    return None
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    return None


def open_text(data: BinaryIO, refuse: Refusal) -> TextIO:
    """The text of a file; closing it leaves ``data`` open. Raises what ``refuse`` makes of a file without text."""
    data.seek(0)
    if data.read(4).startswith(_WORKBOOKS):
        raise refuse("is a workbook, whatever its name says", "save it as CSV in UTF-8")
    encoding = encoding_of(data)
    if encoding is None:
        raise refuse("is not text in UTF-8 or GB18030", "save it as CSV in UTF-8")
    data.seek(0)
    return _Unclosing(data, encoding=encoding, newline="")


class _Unclosing(io.TextIOWrapper):
    """Leaves the file open for whoever opened it."""

    def close(self) -> None:
        if not self.closed:
            self.detach()

    def __del__(self) -> None:
        """The wrapper's own would close the file."""


def read_csv(
    text: TextIO, *, needed: Sequence[str], column: Callable[[str], str], refuse: Refusal
) -> Iterator[CsvRow]:
    """The rows under the header, which is the first line that is not blank.

    Args:
        text: at its beginning, and able to go back there.
        needed: columns without which it is no such table; the first one tells the header's delimiter.
        column: the name by which a column is known.
        refuse: makes the error for a file that is no such table.
    """
    delimiter = _delimiter(text, needed[0], column)
    if delimiter is None:
        raise refuse(f"has no column named {needed[0]}", "give it a header line")
    text.seek(0)
    reader = csv.reader(_lines(text, refuse), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            began, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [column(name) for name in cells]
                check_header(header, needed, refuse)
            elif len(cells) > len(header):
                # Most often an unquoted comma, after which every value stands under a wrong name.
                fault = f"{len(cells)} values for {len(header)} columns: put quotes around commas"
                yield CsvRow(began, tuple(cells), {}, fault)
            else:
                values = {name: cell for name, cell in zip(header, cells, strict=False) if name}
                yield CsvRow(began, tuple(cells), values)
    except csv.Error as error:
        raise refuse(f"line {line} is not CSV ({error})", "check its quotation marks") from error


def _delimiter(text: TextIO, needed: str, column: Callable[[str], str]) -> str | None:
    for line in iter(lambda: text.readline(_MAX_LINE), ""):
        if line.strip():
            fitting = (
                d for d in DELIMITERS if needed in (column(name.strip().strip('"')) for name in line.split(d))
            )
            return next(fitting, None)
    return None


def check_header(header: Sequence[str], needed: Sequence[str], refuse: Refusal) -> None:
    missing = next((name for name in needed if name not in header), None)
    if missing is not None:
        raise refuse(f"has no column named {missing}", "give it a header line")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise refuse(f"has the column {twice[0]!r} twice", "keep one of them")


def _lines(text: TextIO, refuse: Refusal) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: text.readline(_MAX_LINE + 1), ""), 1):
        if len(line) > _MAX_LINE:
            raise refuse(f"has more than {_MAX_LINE} characters in line {number}", "check its quotation marks")
        yield line
