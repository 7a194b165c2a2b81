"""Search: calls in which words are said."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import Asking, operation
from api.masks import Eyes
from api.paging import Page, fingerprint, page_of
from api.routers.recordings import after_of, key_of
from api.schemas.calls import CallListQuery, SearchQuery
from api.schemas.search import FoundCallModel
from qa_service.domain.access import Permission
from qa_service.domain.masking.masking import mask_text
from qa_service.domain.text import fold
from qa_service.errors import InputError
from qa_service.ports.calls import CallOrder

router = APIRouter(tags=["recordings"])


@operation(router, "GET", "/recordings/search", Permission.RECORDINGS_READ, errors=(400,))
def search_recordings(asking: Asking, asked: Annotated[SearchQuery, Query()]) -> Page[FoundCallModel]:
    """Calls in which these words are said, the newest first, and where. Masked numbers are not found, by anybody.

    Words are found within one utterance, as the recogniser wrote them. Who looked for what is on the audit trail.
    """
    eyes = Eyes(asking.who)
    eyes.check_may_ask_for(asked.customer_ref)
    eyes.check_may_ask_for(asked.call_id)
    text = fold(asked.text).text
    if len(text) < 2:
        raise InputError("search_too_short", "less than two letters or characters to look for: give more words")
    wanted = asked.filter(text=text)
    of = fingerprint("search", wanted)
    page = CallListQuery(cursor=asked.cursor)
    with asking.site.units_to_read() as unit:
        found = unit.calls.page(
            wanted,
            asking.who.scope,
            order=CallOrder.NEWEST,
            after=after_of(page, of),
            limit=asked.limit + 1,
        )
        eyes.look_away(unit, [call.recording_id for call in found])
        heard = unit.calls.conversations([call.recording_id for call in found[: asked.limit]])
    with asking.site.units() as unit:
        detail = {"text": mask_text(asked.text), "calls": min(len(found), asked.limit)}
        unit.audit.record(asking.who, "recordings.search", "recordings", "", detail, origin=asking.origin)
        unit.commit()
    return page_of(
        found,
        asked.limit,
        of,
        shown=lambda call: FoundCallModel.of(call, heard.get(call.recording_id), text, eyes),
        key=lambda call: key_of(call, CallOrder.NEWEST),
    )
