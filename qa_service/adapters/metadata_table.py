"""Tables of call metadata (CSV or JSON) as rows of named values.

Guarantee: a file that is no such table is refused as a whole; a row that cannot be trusted says so.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from qa_service.adapters.metadata_fields import ALLOWED_FORMS
from qa_service.adapters.text_tables import Refusal, open_text, read_csv
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
    refuse = partial(unreadable, path)
    if path.suffix.lower() == ".json":
        with open_text(io.BytesIO(data), refuse) as text:
            return _json_rows(text.read(), path)
    return _csv_rows(io.BytesIO(data), refuse)


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


def _column(name: str) -> str:
    """Column names as people write them: case does not matter for the known ones."""
    name = name.strip()
    return name.lower() if name.lower() in COLUMNS else name


def _csv_rows(data: BinaryIO, refuse: Refusal) -> Iterator[Row]:
    with open_text(data, refuse) as text:
        for row in read_csv(text, needed=("file",), column=_column, refuse=refuse):
            yield Row(f"line {row.line}", row.values, row.fault)


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
