"""Tables of other systems' figures as rows for ``services.imports``."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO

from qa_service.adapters.text_tables import open_text, read_csv
from qa_service.errors import InputError
from qa_service.ports.imports import TableRow


def read_table(data: BinaryIO, name: str, columns: Mapping[str, str], needed: Sequence[str]) -> Iterator[TableRow]:
    """Implements ``TableReader``; ``data`` stays open."""
    refuse = partial(_unreadable, name)

    def column(told: str) -> str:
        told = told.strip()
        return columns.get(told.lower(), told)

    with open_text(data, refuse) as text:
        for row in read_csv(text, needed=needed, column=column, refuse=refuse):
            yield TableRow(row.line, row.cells, row.values, row.fault)


def _unreadable(name: str, fault: str, remedy: str) -> InputError:
    return InputError("import_unreadable", f"{name} {fault}: {remedy}")
