"""The audit trail: who saw, played, exported and changed what."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.schemas.base import MAX_ID, Moment
from api.schemas.people import AuditEventModel
from qa_service.domain.access import Permission

router = APIRouter(tags=["audit"])

_Word = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]+$")]


@operation(router, "GET", "/audit", Permission.AUDIT_READ, errors=(400,))
def list_audit_events(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    user_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    action: _Word = None,
    thing: _Word = None,
    thing_id: _Word = None,
    since: Annotated[Moment | None, Query()] = None,
    until: Annotated[Moment | None, Query()] = None,
) -> Page[AuditEventModel]:
    """Events, the newest first."""
    of = fingerprint("audit", user_id, action, thing, thing_id, since, until)
    before = read_cursor(cursor, of, int)
    with asking.site.units_to_read() as unit:
        found = unit.audit.page(
            before=before[0] if before else None,
            limit=limit + 1,
            user_id=user_id,
            action=action,
            thing=thing,
            thing_id=thing_id,
            since=since,
            until=until,
        )
    return page_of(found, limit, of, shown=AuditEventModel.of, key=lambda event: [event.id])
