"""Figures of other systems: tables of agents' states, monthly figures, vendors' figures."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.access import Asking, AskingContext, operation
from api.multipart import ReceivedFile, receive
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.imports import ImportModel
from api.tables import Cell, as_csv
from qa_service.domain.access import Permission
from qa_service.domain.imports import ImportKind

router = APIRouter(tags=["imports"])

_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "The table, as CSV, named"}
                },
                "required": ["file"],
            }
        }
    },
}
_TABLE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_COLUMNS: Final = ("line", "column", "kind", "code", "message", "remedy", "row")

Kind = Annotated[ImportKind, Query(description="What the table is about")]


@operation(router, "GET", "/imports", Permission.FIGURES_IMPORT, errors=(400,))
def list_imports(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    kind: Annotated[ImportKind | None, Query()] = None,
) -> Page[ImportModel]:
    """Imports, the newest first; who may not reach everything sees the own ones."""
    of = fingerprint("imports", kind)
    before = (read_cursor(cursor, of, int) or [None])[0]
    found = asking.site.imports.page(asking.who, before=before, limit=limit + 1, kind=kind)
    return page_of(found, limit, of, shown=ImportModel.of, key=lambda each: [each.id])


@operation(
    router,
    "POST",
    "/imports",
    Permission.FIGURES_IMPORT,
    status=201,
    errors=(408, 409, 413, 415, 503, 507),
    response_model=ImportModel,
    responses={200: {"model": ImportModel, "description": "The last import was of the same bytes"}},
    openapi_extra={"requestBody": _BODY},
)
async def import_table(
    request: Request,
    asking: Asking,
    kind: Kind,
    all_or_nothing: Annotated[bool, Query(description="A row that is refused refuses the table")] = False,
    again: Annotated[bool, Query(description="Even where the last import was of the same bytes")] = False,
    key: IdempotencyKey = None,
) -> Response:
    """Bring in a table: `multipart/form-data` with a part `file`, CSV in UTF-8 or GB18030 with a header line.

    Good rows are taken, the others are in the report of faults, with line and remedy. A row of a subject and time
    that is known replaces what was there.
    """
    settings = asking.site.settings
    received = await receive(request, settings.data_dir / "uploads", max_file_bytes=settings.max_import_bytes)
    try:
        return await run_in_threadpool(_take, asking, received, kind, all_or_nothing, again, key)
    finally:
        received.file.close()


def _take(
    asking: AskingContext,
    received: ReceivedFile,
    kind: ImportKind,
    all_or_nothing: bool,
    again: bool,
    key: str | None,
) -> Response:
    def create() -> tuple[ImportModel, str, int]:
        made, new = asking.site.imports.receive(
            asking.who,
            kind,
            received.file,
            name=received.name,
            sha256=received.sha256,
            all_or_nothing=all_or_nothing,
            again=again,
            origin=asking.origin,
        )
        return ImportModel.of(made), f"/v1/imports/{made.id}", 201 if new else 200

    named = f"{kind}\n{all_or_nothing}\n{again}\n{received.sha256}\n{received.name}"
    return once(asking, "imports", key, named.encode("utf-8", "replace"), create)


@operation(router, "GET", "/imports/{import_id}", Permission.FIGURES_IMPORT, errors=(404,))
def get_import(asking: Asking, import_id: Number) -> ImportModel:
    """An import, and what came of its rows."""
    return ImportModel.of(asking.site.imports.get(asking.who, import_id))


@operation(
    router,
    "GET",
    "/imports/{import_id}/faults",
    Permission.FIGURES_IMPORT,
    errors=(404,),
    response_class=StreamingResponse,
    responses={200: {"description": "The table", "content": {"text/csv": _TABLE}}},
)
def get_import_faults(asking: Asking, import_id: Number) -> StreamingResponse:
    """What was wrong with its rows, as a CSV: line, column, error or warning, code, message, remedy, and the row
    as it was given. Of 10,000 rows at most."""

    def rows() -> Iterator[list[Cell]]:
        for found in faults:
            fault = found.fault
            kind = "warning" if fault.warning else "error"
            yield [found.line, fault.column, kind, fault.code, fault.message, fault.remedy, found.row]

    faults = asking.site.imports.faults(asking.who, import_id)
    return StreamingResponse(
        as_csv(_COLUMNS, rows()),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="import-{import_id}-faults.csv"'},
    )
