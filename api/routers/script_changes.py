"""Changes of script and rules: drafted, approved, trained, assessed, live."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.script_changes import ChangeInFull, ChangeModel, NewChange, SentChangeStep
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.domain.training import ChangeState, ChangeStep
from qa_service.services.script_changes import ChangeDetails

router = APIRouter(tags=["training"])


@operation(router, "GET", "/script-changes", Permission.TRAINING_READ, errors=(400,), repeatable=("state",))
def list_script_changes(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    state: Annotated[list[ChangeState] | None, Query(max_length=len(ChangeState))] = None,
) -> Page[ChangeModel]:
    """Changes of script and rules, the newest first."""
    states = frozenset(state) if state else None
    of = fingerprint("script-changes", sorted(states or ()))
    before = (read_cursor(cursor, of, int) or [None])[0]
    found = asking.site.script_changes.page(states=states, before=before, limit=limit + 1)
    return page_of(found, limit, of, shown=ChangeModel.of, key=lambda change: [change.id])


@operation(
    router,
    "POST",
    "/script-changes",
    Permission.TRAINING_MANAGE,
    status=201,
    response_model=ChangeInFull,
)
def draft_script_change(asking: Asking, sent: NewChange, key: IdempotencyKey = None) -> Response:
    """Draft a change. Until it is assessed, its rules are not published."""

    def create() -> tuple[ChangeInFull, str]:
        drafted = asking.site.script_changes.draft(asking.who, sent.terms(), origin=asking.origin)
        return ChangeInFull.of(drafted), f"/v1/script-changes/{drafted.change.id}"

    return once(asking, "script-changes", key, sent, create)


@operation(router, "GET", "/script-changes/{change_id}", Permission.TRAINING_READ, errors=(404,))
def get_script_change(asking: Asking, response: Response, change_id: Number) -> ChangeInFull:
    """A change, how far it is and what it waits for. Its ETag is needed to go on with it."""
    return _shown(response, asking.site.script_changes.get(change_id))


@operation(
    router,
    "POST",
    "/script-changes/{change_id}/steps",
    Permission.TRAINING_MANAGE,
    errors=(404, 409, 412, 428),
)
def step_script_change(
    asking: Asking, response: Response, change_id: Number, sent: SentChangeStep, if_match: IfMatch = None
) -> ChangeInFull:
    """Take the next step, when what it asks for has happened. A manager approves, overrides and lets go live."""
    done = asking.site.script_changes.step(
        asking.who,
        change_id,
        ChangeStep(sent.step),
        note=sent.note,
        version=seen_version(if_match),
        origin=asking.origin,
    )
    return _shown(response, done)


def _shown(response: Response, details: ChangeDetails) -> ChangeInFull:
    tag(response, details.change.version)
    return ChangeInFull.of(details)
