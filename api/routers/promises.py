"""Promises made in calls: open until a later call keeps them, or somebody says what became of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import Asking, AskingContext, operation
from api.hiding import Hiding
from api.masks import Eyes
from api.paging import CursorText, Limit, Page, fingerprint, moment_of, page_of, read_cursor
from api.schemas.base import PRINTABLE, Number
from api.schemas.promises import PromiseInFullModel, PromiseModel, SentDecision
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.domain.promises import UNSETTLED, PromiseState
from qa_service.services.promises import PromiseInFull

router = APIRouter(tags=["promises"])

_Named = Annotated[str | None, Query(max_length=1000, pattern=PRINTABLE)]


@operation(router, "GET", "/promises", Permission.PROMISES_READ, errors=(400,), repeatable=("state",))
def list_promises(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    state: Annotated[list[PromiseState] | None, Query(max_length=12)] = None,
    team: _Named = None,
    agent_id: _Named = None,
) -> Page[PromiseModel]:
    """Promises, what is due first first; by default those that are not settled. Agents see their own."""
    states = frozenset(state) if state else UNSETTLED
    of = fingerprint("promises", sorted(states), team, agent_id, asking.who.user_id)
    after = read_cursor(cursor, of, str, int)
    found = asking.site.promises.page(
        asking.who,
        states=states,
        team=team,
        agent_id=agent_id,
        after=None if after is None else (moment_of(after[0]), after[1]),
        limit=limit + 1,
    )
    eyes = Eyes(asking.who)
    return page_of(
        found,
        limit,
        of,
        shown=lambda one: PromiseModel.of(one, asking.site.promises.state(one), eyes),
        key=lambda one: [one.due_at.isoformat(), one.id],
    )


@operation(router, "GET", "/promises/{promise_id}", Permission.PROMISES_READ, errors=(404, 409))
def get_promise(asking: Asking, response: Response, promise_id: Number) -> PromiseInFullModel:
    """A promise, where it is said and what people said of it. Its ETag is needed to settle it. Who reads it is on
    the audit trail."""
    found = asking.site.promises.get(asking.who, promise_id)
    with asking.site.units() as unit:
        unit.audit.record(asking.who, "promise.read", "promise", promise_id, origin=asking.origin)
        unit.commit()
    return _shown(asking, response, found)


@operation(
    router, "POST", "/promises/{promise_id}/decision", Permission.PROMISES_HANDLE, errors=(404, 409, 412, 428)
)
def decide_promise(
    asking: Asking, response: Response, promise_id: Number, sent: SentDecision, if_match: IfMatch = None
) -> PromiseInFullModel:
    """Say that a promise was kept or broken, or holds no more; or take back what was said."""
    done = asking.site.promises.decide(
        asking.who,
        promise_id,
        sent.decision,
        sent.note,
        version=seen_version(if_match),
        origin=asking.origin,
    )
    return _shown(asking, response, done)


def _shown(asking: AskingContext, response: Response, found: PromiseInFull) -> PromiseInFullModel:
    tag(response, found.promise.version)
    hiding = Hiding(asking, found.promise.recording_id)
    return PromiseInFullModel.of(found, asking.site.promises.state(found.promise), Eyes(asking.who), hiding)
