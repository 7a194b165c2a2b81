"""Recordings: lists of calls, one call, what was heard of it, and the work on it."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from api.access import Asking, AskingContext, operation
from api.masks import Eyes
from api.paging import Page, fingerprint, page_of, read_cursor
from api.schemas.base import Number
from api.schemas.calls import CallListQuery
from api.schemas.metadata import MetadataModel, as_seen
from api.schemas.recordings import CallModel, ConversationModel, JobModel, RecordingModel
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.errors import InputError, NotFoundError
from qa_service.ports.calls import CallOrder, Key, ListedCall

router = APIRouter(tags=["recordings"])

_BAD_CURSOR: Final = "the cursor is not of this list, filters and order: begin without one"


@operation(router, "GET", "/recordings", Permission.RECORDINGS_READ, errors=(400,))
def list_recordings(asking: Asking, asked: Annotated[CallListQuery, Query()]) -> Page[CallModel]:
    """Calls that you may see, the newest first unless another order is asked for."""
    eyes = Eyes(asking.who)
    eyes.check_may_ask_for(asked.customer_ref)
    eyes.check_may_ask_for(asked.call_id)
    of = fingerprint("recordings", asked.filter(), asked.order)
    after = after_of(asked, of)
    with asking.site.units_to_read() as unit:
        found = unit.calls.page(
            asked.filter(), asking.who.scope, order=asked.order, after=after, limit=asked.limit + 1
        )
        eyes.look_away(unit, [call.recording_id for call in found])
    return page_of(
        found,
        asked.limit,
        of,
        shown=lambda call: CallModel.of(call, eyes),
        key=lambda call: key_of(call, asked.order),
    )


@operation(router, "GET", "/recordings/{recording_id}", Permission.RECORDINGS_READ, errors=(404,))
def get_recording(asking: Asking, response: Response, recording_id: Number) -> RecordingModel:
    """A call; the ETag is that of its metadata."""
    eyes = Eyes(asking.who)
    with asking.site.units_to_read() as unit:
        found = unit.calls.details(recording_id, asking.who.scope)
        eyes.look_away(unit, [recording_id])
    tag(response, found.metadata_version)
    return RecordingModel.of_details(found, eyes)


@operation(router, "GET", "/recordings/{recording_id}/conversation", Permission.RECORDINGS_READ, errors=(404,))
def get_conversation(
    asking: Asking,
    recording_id: Number,
    words: Annotated[bool, Query(description="Each word with its time and confidence too")] = False,
) -> ConversationModel:
    """What was heard. Who reads it is on the audit trail."""
    with asking.site.units_to_read() as unit:
        unit.calls.get(recording_id, asking.who.scope)
        found = unit.calls.conversation(recording_id)
    record(asking, "conversation.read", recording_id, {"conversation": found.id})
    seen = Eyes(asking.who).call(found.conversation)
    return ConversationModel.of(recording_id, found, seen, words=words)


@operation(
    router,
    "PUT",
    "/recordings/{recording_id}/metadata",
    Permission.RECORDINGS_WRITE,
    errors=(404, 412, 428),
)
def put_metadata(
    asking: Asking, response: Response, recording_id: Number, sent: MetadataModel, if_match: IfMatch = None
) -> RecordingModel:
    """Replace what is told of a call; it is scored again where that was told late.

    A reference that is sent as it was shown, masked, stays what it is.
    """
    eyes = Eyes(asking.who)
    told = sent.metadata(zone=asking.site.settings.zone)
    found = asking.site.calls.tell(
        asking.who,
        recording_id,
        lambda stored: as_seen(told, stored, eyes),
        version=seen_version(if_match),
        origin=asking.origin,
    )
    tag(response, found.metadata_version)
    return RecordingModel.of_details(found, eyes)


@operation(router, "GET", "/recordings/{recording_id}/job", Permission.RECORDINGS_READ, errors=(404,))
def get_job(asking: Asking, recording_id: Number) -> JobModel:
    """The work on a recording: the job that changed last."""
    with asking.site.units_to_read() as unit:
        unit.calls.get(recording_id, asking.who.scope)
        job = unit.calls.job(recording_id)
    if job is None:
        raise NotFoundError(
            "job_missing", f"nothing was asked of recording {recording_id}: queue it in a batch run"
        )
    return JobModel.of(job)


def record(asking: AskingContext, action: str, recording_id: int, detail: dict[str, object]) -> None:
    """Who saw, played or exported what of a call."""
    with asking.site.units() as unit:
        unit.audit.record(asking.who, action, "recording", recording_id, detail, origin=asking.origin)
        unit.commit()


def key_of(call: ListedCall, order: CallOrder) -> list[object]:
    """What the cursor behind a call holds."""
    return [call.final_score if order.by_score else call.at.isoformat(), call.recording_id]


def after_of(asked: CallListQuery, of: str) -> Key | None:
    """Where a page begins. Raises InputError ``cursor_invalid``."""
    if asked.order.by_score:
        keys = read_cursor(asked.cursor, of, float, int)
        return None if keys is None else (keys[0], keys[1])
    keys = read_cursor(asked.cursor, of, str, int)
    if keys is None:
        return None
    try:
        at = datetime.fromisoformat(keys[0])
        if at.tzinfo is None:
            raise ValueError("no zone")
    except ValueError as error:
        raise InputError("cursor_invalid", _BAD_CURSOR) from error
    return at, keys[1]
