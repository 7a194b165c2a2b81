"""Tables of call metadata (CSV or JSON) as rows of named values.

Guarantee: a file that is no such table is refused as a whole; a row that cannot be trusted says so.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from qa_service.adapters.metadata_fields import ALLOWED_FORMS
from qa_service.errors import InputError

COLUMNS = frozenset({"file", "second_file", *ALLOWED_FORMS})


@dataclass(frozen=True, slots=True)
class Row:
    """What one row holds, by column. ``place`` says where it stands; with a ``fault`` it cannot be trusted."""

    place: str
    values: Mapping[str, object]
    fault: str | None = None


def read_rows(data: bytes, path: Path) -> Iterator[Row]:
    """The rows of a table that ``path`` holds; its suffix ``.json`` decides between a list of objects and CSV.

    Raises:
        InputError: ``metadata_unreadable``, when called or while the rows are read.
    """
    text = _text(data, path)
    return _json_rows(text, path) if path.suffix.lower() == ".json" else _csv_rows(text, path)


def unreadable(path: Path, fault: str, remedy: str) -> InputError:
    """Why nothing of a metadata file can be used, and what to do."""
    return InputError("metadata_unreadable", f"{path.name} {fault}: {remedy}", path=str(path))


def read_data(path: Path) -> bytes:
    """What a metadata file holds. Raises InputError ``metadata_unreadable``."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise unreadable(path, f"cannot be read ({reason})", "check the path and its permissions") from error


def _text(data: bytes, path: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:  # UTF-16, or a spreadsheet renamed to .csv
            return text
        break
    raise unreadable(path, "is not text in UTF-8 or GB18030", "save it as CSV in UTF-8")


def _column(name: str) -> str:
    """Column names as people write them: case does not matter for the known ones."""
    name = name.strip()
    return name.lower() if name.lower() in COLUMNS else name


def _csv_rows(text: str, path: Path) -> Iterator[Row]:
    header_line = next((line for line in text.splitlines() if line.strip()), "")
    delimiters = [d for d in ",;\t" if "file" in (_column(name.strip('"')) for name in header_line.split(d))]
    if not delimiters:
        raise unreadable(path, "has no column named file", "give it a header line")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiters[0], strict=True)
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            place, line = f"line {line}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [_column(name) for name in cells]
                _check_header(header, path)
            elif len(cells) > len(header):
                # Most often an unquoted comma, after which every value stands under a wrong name.
                yield Row(place, {}, f"{len(cells)} values for {len(header)} columns: put quotes around commas")
            else:
                yield Row(place, {name: cell for name, cell in zip(header, cells, strict=False) if name})
    except csv.Error as error:
        raise unreadable(path, f"line {line} is not CSV ({error})", "check its quotation marks") from error


def _check_header(header: list[str], path: Path) -> None:
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise unreadable(path, f"has the column {twice[0]!r} twice", "keep one of them")


def _json_rows(text: str, path: Path) -> Iterator[Row]:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unreadable(path, f"is not JSON ({error})", "write a list of objects, one a recording") from error
    if not isinstance(items, list):
        raise unreadable(path, "is not a JSON list", "write a list of objects, one a recording")
    rows = [
        Row(f"entry {number}", {_column(name): value for name, value in item.items()})
        if isinstance(item, dict)
        else Row(f"entry {number}", {}, "not an object with a file")
        for number, item in enumerate(items, 1)
    ]
    if rows and not any("file" in row.values for row in rows):
        raise unreadable(path, "names no file in any entry", "give each object a file")
    return iter(rows)
