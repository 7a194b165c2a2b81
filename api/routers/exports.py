"""Lists of calls as tables for spreadsheets."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from api.access import Asking, AskingContext, operation
from api.masks import Eyes
from api.schemas.calls import CallQuery
from api.schemas.recordings import CallModel
from api.tables import Cell, TableFormat, as_csv, as_xlsx
from qa_service.domain.access import Permission
from qa_service.domain.masking.masking import mask_reference
from qa_service.errors import InputError
from qa_service.ports.calls import CallOrder, Key

router = APIRouter(tags=["recordings"])

MAX_ROWS: Final = {TableFormat.CSV: 100_000, TableFormat.XLSX: 20_000}
"""A workbook of 100,000 calls took the web process half a minute of one core, the CSV 2 s (2026-11-22)."""
_AT_ONCE: Final = 1_000
_COLUMNS: Final = tuple(CallModel.model_fields)
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}


class ExportQuery(CallQuery):
    """What of calls is exported, and how."""

    order: CallOrder = CallOrder.NEWEST
    format: TableFormat = Field(default=TableFormat.CSV)


@operation(
    router,
    "GET",
    "/recordings/export",
    Permission.RECORDINGS_EXPORT,
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The table",
            "content": {"text/csv": _FILE, TableFormat.XLSX.media_type: _FILE},
        }
    },
)
def export_recordings(asking: Asking, asked: Annotated[ExportQuery, Query()]) -> StreamingResponse:
    """A list of calls as a table, 100,000 at most (a workbook: 20,000). What is exported is on the audit trail."""
    eyes = Eyes(asking.who)
    eyes.check_may_ask_for(asked.customer_ref)
    eyes.check_may_ask_for(asked.call_id)
    most = MAX_ROWS[asked.format]
    with asking.site.units_to_read() as unit:
        rows = unit.calls.count(asked.filter(), asking.who.scope, order=asked.order, most=most + 1)
    if rows > most:
        raise InputError(
            "export_too_large",
            f"more than {most} calls: ask for a shorter time, or for each team alone",
        )
    table = _rows(asking, asked, eyes)
    if asked.format is TableFormat.CSV:
        content = as_csv(_COLUMNS, table)
    else:
        content = as_xlsx(_COLUMNS, table, folder=asking.site.settings.data_dir / "uploads")
    _tell(asking, asked, rows)
    name = f"recordings-{asking.site.clock.now():%Y%m%dT%H%M%SZ}.{asked.format}"
    return StreamingResponse(
        content,
        media_type=asked.format.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _rows(asking: AskingContext, asked: ExportQuery, eyes: Eyes) -> Iterator[list[Cell]]:
    """Page by page, each in a transaction of its own: whoever reads slowly holds nothing up."""
    after: Key | None = None
    left = MAX_ROWS[asked.format]
    while left > 0:
        with asking.site.units_to_read() as unit:
            calls = unit.calls.page(
                asked.filter(), asking.who.scope, order=asked.order, after=after, limit=min(left, _AT_ONCE)
            )
            eyes.look_away(unit, [call.recording_id for call in calls])
        for call in calls:
            shown = CallModel.of(call, eyes).model_dump(mode="json")
            yield [shown[column] for column in _COLUMNS]
        if len(calls) < min(left, _AT_ONCE):
            return
        last = calls[-1]
        value = last.final_score if asked.order.by_score else last.at
        assert value is not None  # by score there are only calls that have one
        after = (value, last.recording_id)
        left -= len(calls)


def _tell(asking: AskingContext, asked: ExportQuery, rows: int) -> None:
    filters = asked.model_dump(mode="json", exclude_none=True, exclude={"format"})
    shown = {name: mask_reference(value) if isinstance(value, str) else value for name, value in filters.items()}
    detail = {"format": asked.format.value, "rows": rows, "filters": shown}
    with asking.site.units() as unit:
        unit.audit.record(asking.who, "recordings.export", "recordings", "", detail, origin=asking.origin)
        unit.commit()
