"""Complaints: raised by rules or by hand, answered by their owner, each step a row; what a month of them says."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import Asking, AskingContext, operation
from api.hiding import Hiding
from api.masks import Eyes
from api.months import span_of_month
from api.paging import CursorText, Limit, Page, fingerprint, moment_of, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import PRINTABLE, Number
from api.schemas.complaints import (
    ComplaintAnalysisModel,
    ComplaintInFullModel,
    ComplaintModel,
    Month,
    NewComplaint,
    NewOwner,
    SentStep,
)
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.domain.complaints import OPEN, ComplaintState
from qa_service.services.complaints import ComplaintInFull

router = APIRouter(tags=["complaints"])

_STEP = (404, 409, 412, 428)


@operation(router, "GET", "/complaints", Permission.COMPLAINTS_READ, errors=(400,), repeatable=("state",))
def list_complaints(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    state: Annotated[list[ComplaintState] | None, Query(max_length=12)] = None,
    level: Annotated[int | None, Query(ge=1, le=3)] = None,
    team: Annotated[str | None, Query(max_length=1000, pattern=PRINTABLE)] = None,
    mine: Annotated[bool, Query(description="Only those that are one's own to answer")] = False,
    overdue: Annotated[bool, Query(description="Only those of which a clock has run out")] = False,
) -> Page[ComplaintModel]:
    """Complaints, what is due first first; by default those that are not over."""
    states = frozenset(state) if state else OPEN
    of = fingerprint("complaints", sorted(states), level, team, mine, overdue, asking.who.user_id)
    after = read_cursor(cursor, of, str, int)
    found = asking.site.complaints.page(
        asking.who,
        states=states,
        level=level,
        team=team,
        mine=mine,
        overdue=overdue,
        after=None if after is None else (moment_of(after[0]), after[1]),
        limit=limit + 1,
    )
    eyes = Eyes(asking.who)
    return page_of(
        found,
        limit,
        of,
        shown=lambda one: ComplaintModel.of(one, eyes, overdue=asking.site.complaints.is_overdue(one)),
        key=lambda one: [one.due_at.isoformat(), one.id],
    )


@operation(
    router,
    "POST",
    "/complaints",
    Permission.COMPLAINTS_HANDLE,
    status=201,
    errors=(404, 409),
    response_model=ComplaintInFullModel,
)
def raise_complaint(asking: Asking, sent: NewComplaint, key: IdempotencyKey = None) -> Response:
    """Raise a complaint by hand; its clocks run from now on. A recording has one at most."""

    def create() -> tuple[ComplaintInFullModel, str]:
        made = asking.site.complaints.raise_(asking.who, sent.raised(), origin=asking.origin)
        return _model(asking, made), f"/v1/complaints/{made.complaint.id}"

    return once(asking, "complaints", key, sent, create)


@operation(router, "GET", "/complaints/analysis", Permission.COMPLAINTS_READ)
def analyse_complaints(asking: Asking, month: Month) -> ComplaintAnalysisModel:
    """What the complaints of a month say: of which levels, teams, vendors and causes, and how soon they were
    answered and ended. What is still open counts too."""
    since, until = span_of_month(month, asking.site.settings.zone)
    found = asking.site.complaints.analysis(asking.who, since=since, until=until)
    return ComplaintAnalysisModel.of(found, Eyes(asking.who))


@operation(router, "GET", "/complaints/{complaint_id}", Permission.COMPLAINTS_READ, errors=(404, 409))
def get_complaint(asking: Asking, response: Response, complaint_id: Number) -> ComplaintInFullModel:
    """A complaint with its steps and where it is said. Its ETag is needed for every step. Who reads it is on the
    audit trail."""
    found = asking.site.complaints.get(asking.who, complaint_id)
    with asking.site.units() as unit:
        unit.audit.record(asking.who, "complaint.read", "complaint", complaint_id, origin=asking.origin)
        unit.commit()
    return _shown(asking, response, found)


@operation(router, "POST", "/complaints/{complaint_id}/steps", Permission.COMPLAINTS_HANDLE, errors=_STEP)
def take_complaint_step(
    asking: Asking, response: Response, complaint_id: Number, sent: SentStep, if_match: IfMatch = None
) -> ComplaintInFullModel:
    """Take a step: accept, verify, handle, correct or close; an apology, a follow-up call, a word with the
    authority, the report; regrade; drop what is no complaint."""
    done = asking.site.complaints.take(
        asking.who, complaint_id, sent.asked(), version=seen_version(if_match), origin=asking.origin
    )
    return _shown(asking, response, done)


@operation(router, "PUT", "/complaints/{complaint_id}/owner", Permission.COMPLAINTS_HANDLE, errors=_STEP)
def assign_complaint(
    asking: Asking, response: Response, complaint_id: Number, sent: NewOwner, if_match: IfMatch = None
) -> ComplaintInFullModel:
    """Make a complaint somebody's to answer."""
    done = asking.site.complaints.assign(
        asking.who, complaint_id, sent.user_id, version=seen_version(if_match), origin=asking.origin
    )
    return _shown(asking, response, done)


def _shown(asking: AskingContext, response: Response, found: ComplaintInFull) -> ComplaintInFullModel:
    tag(response, found.complaint.version)
    return _model(asking, found)


def _model(asking: AskingContext, found: ComplaintInFull) -> ComplaintInFullModel:
    recording = found.complaint.recording_id
    hiding = None if recording is None else Hiding(asking, recording)
    overdue = asking.site.complaints.is_overdue(found.complaint)
    return ComplaintInFullModel.of(found, Eyes(asking.who), hiding, overdue=overdue)
