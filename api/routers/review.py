"""The review queue, and what inspectors decide in it."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import Asking, AskingContext, operation
from api.hiding import Hiding
from api.paging import CursorText, Limit, Page, fingerprint, read_cursor, write_cursor
from api.repeats import IdempotencyKey, once
from api.routers.recordings import record
from api.schemas.base import Number
from api.schemas.review import (
    Assignee,
    Completion,
    MissedFault,
    QueuedCallModel,
    ReviewItemModel,
    SentVerdict,
    SheetModel,
)
from api.versions import IfMatch, seen_version
from qa_service.domain.access import Permission
from qa_service.domain.queueing import QueueKind
from qa_service.ports.review import Sheet

router = APIRouter(tags=["review"])


@operation(router, "GET", "/review-items", Permission.REVIEW_WORK, errors=(400,))
def list_review_items(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    kind: Annotated[QueueKind | None, Query()] = None,
    mine: Annotated[bool, Query(description="Those that one holds")] = False,
) -> Page[QueuedCallModel]:
    """Calls to look at, in the order of what looking is worth."""
    of = fingerprint("review", kind, mine, asking.who.user_id)
    after = read_cursor(cursor, of, float, int)
    page = asking.site.review.queue(
        asking.who, after=(after[0], after[1]) if after else None, limit=limit, kind=kind, mine=mine
    )
    return Page(
        items=[QueuedCallModel.of(call) for call in page.calls],
        next=None if page.next is None else write_cursor(of, page.next),
    )


@operation(
    router,
    "POST",
    "/review-items/claim",
    Permission.REVIEW_WORK,
    response_model=ReviewItemModel,
    responses={204: {"description": "Nothing waits"}},
)
def claim_next_review_item(asking: Asking) -> ReviewItemModel | Response:
    """Take the call that is worth most of those that nobody holds."""
    item = asking.site.review.claim_next(asking.who, origin=asking.origin)
    return Response(status_code=204) if item is None else ReviewItemModel.of(item)


@operation(router, "GET", "/review-items/{recording_id}", Permission.REVIEW_WORK, errors=(404, 409))
def get_review_item(asking: Asking, recording_id: Number) -> ReviewItemModel:
    """Where a call stands in the queue, or by whom it was done."""
    return ReviewItemModel.of(asking.site.review.item(asking.who, recording_id))


@operation(router, "POST", "/review-items/{recording_id}/claim", Permission.REVIEW_WORK, errors=(404, 409))
def claim_review_item(asking: Asking, recording_id: Number) -> ReviewItemModel:
    """Take this call, or keep it for longer."""
    return ReviewItemModel.of(asking.site.review.claim(asking.who, recording_id, origin=asking.origin))


@operation(router, "POST", "/review-items/{recording_id}/release", Permission.REVIEW_WORK, errors=(404, 409))
def release_review_item(asking: Asking, recording_id: Number) -> ReviewItemModel:
    """Give a call back that one holds."""
    return ReviewItemModel.of(asking.site.review.release(asking.who, recording_id, origin=asking.origin))


@operation(router, "POST", "/review-items/{recording_id}/finish", Permission.REVIEW_WORK, errors=(404, 409))
def finish_review_item(asking: Asking, recording_id: Number, sent: Completion) -> ReviewItemModel:
    """Complete the QA sheet of a call that one holds: nothing in it may be open."""
    item = asking.site.review.finish(asking.who, recording_id, note=sent.note, origin=asking.origin)
    return ReviewItemModel.of(item)


@operation(router, "PUT", "/review-items/{recording_id}/assignee", Permission.REVIEW_ASSIGN, errors=(404, 409))
def assign_review_item(asking: Asking, recording_id: Number, sent: Assignee) -> ReviewItemModel:
    """Keep a call for one inspector until it is due."""
    item = asking.site.review.assign(asking.who, recording_id, sent.user_id, origin=asking.origin)
    return ReviewItemModel.of(item)


@operation(router, "GET", "/recordings/{recording_id}/sheet", Permission.RECORDINGS_READ, errors=(404, 409))
def get_sheet(asking: Asking, recording_id: Number) -> SheetModel:
    """A call's QA sheet: the machine's draft, what people decided, and every score that it had. Who reads it is on
    the audit trail."""
    sheet = asking.site.review.sheet(asking.who, recording_id)
    record(asking, "sheet.read", recording_id, {"evaluation": sheet.evaluation.id})
    return _shown(asking, sheet)


@operation(
    router,
    "POST",
    "/recordings/{recording_id}/findings",
    Permission.REVIEW_WORK,
    status=201,
    errors=(404, 409),
    response_model=SheetModel,
)
def add_finding(asking: Asking, recording_id: Number, sent: MissedFault, key: IdempotencyKey = None) -> Response:
    """Record a fault that the machine missed, in a call that one holds."""

    def create() -> tuple[SheetModel, str]:
        sheet = asking.site.review.add(
            asking.who,
            recording_id,
            sent.rule,
            start=sent.start,
            end=sent.end,
            note=sent.note,
            origin=asking.origin,
        )
        added = next(finding.id for finding in sheet.findings if finding.result.rule == sent.rule)
        return _shown(asking, sheet), f"/v1/findings/{added}"

    return once(asking, f"findings of {recording_id}", key, sent, create)


@operation(router, "POST", "/findings/{finding_id}/verdicts", Permission.REVIEW_WORK, errors=(404, 409, 412, 428))
def give_verdict(asking: Asking, finding_id: Number, sent: SentVerdict, if_match: IfMatch = None) -> SheetModel:
    """Say whether a finding of a call that one holds is a fault. If-Match: the finding's version, as `"v3"`."""
    sheet = asking.site.review.decide(
        asking.who,
        finding_id,
        sent.decision,
        reason=sent.reason or "",
        note=sent.note,
        start=sent.start,
        end=sent.end,
        version=seen_version(if_match),
        origin=asking.origin,
    )
    return _shown(asking, sheet)


def _shown(asking: AskingContext, sheet: Sheet) -> SheetModel:
    return SheetModel.of(sheet, Hiding(asking, sheet.evaluation.recording_id))
