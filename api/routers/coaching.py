"""Coaching: who needs what, where to listen, and how far it is."""

import tempfile
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Annotated, Any, BinaryIO, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from api.access import Asking, AskingContext, operation
from api.hiding import Hiding
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import MAX_ID, PRINTABLE, Number
from api.schemas.coaching import (
    Acknowledgement,
    ActionInFull,
    ActionModel,
    Assignment,
    ClipModel,
    NewAction,
    RoundModel,
    StepTaken,
)
from api.schemas.effects import EffectModel
from api.tables import TableFormat
from api.versions import IfMatch, seen_version, tag
from qa_service.adapters.workbooks import Sheet, write_workbook
from qa_service.domain.access import Permission
from qa_service.domain.coaching import ActionState, ActionStep
from qa_service.ports.coaching import ActionFilter, Clip, CoachingAction
from qa_service.services.coaching import CoachingDetails
from qa_service.services.coaching_lists import (
    ACTION_COLUMNS,
    CALLS_HELD,
    CLIP_COLUMNS,
    action_rows,
    by_recording,
    clip_rows,
)

router = APIRouter(tags=["coaching"])

MAX_EXPORTED: Final = 2_000
_PIECE_BYTES: Final = 256 * 1024
_STEP = (404, 409, 412, 428)
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}

_Named = Annotated[str | None, Query(max_length=200, pattern=PRINTABLE)]
_States = Annotated[list[ActionState] | None, Query(max_length=len(ActionState))]


@operation(router, "GET", "/coaching", Permission.COACHING_READ, errors=(400,), repeatable=("state",))
def list_coaching(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    state: _States = None,
    agent_id: _Named = None,
    team: _Named = None,
    module: _Named = None,
    assigned_to: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    shared: Annotated[bool | None, Query(description="True: of teams and of the site; false: of agents")] = None,
) -> Page[ActionModel]:
    """Coaching actions, the most urgent first; by default those that are open."""
    wanted = ActionFilter(_states(state), agent_id, team, module, assigned_to, shared)
    of = fingerprint("coaching", wanted)
    found = asking.site.coaching.page(asking.who, wanted, after=_place(cursor, of), limit=limit + 1)
    return page_of(found, limit, of, shown=ActionModel.of, key=_key)


@operation(router, "GET", "/coaching/mine", Permission.COACHING_OWN, errors=(400,))
def list_own_coaching(asking: Asking, limit: Limit = 50, cursor: CursorText = None) -> Page[ActionModel]:
    """The agent's own, from when they are assigned on."""
    of = fingerprint("own coaching", asking.who.user_id)
    found = asking.site.coaching.mine(asking.who, after=_place(cursor, of), limit=limit + 1)
    return page_of(found, limit, of, shown=partial(ActionModel.of, to_agent=True), key=_key)


@operation(
    router,
    "GET",
    "/coaching/mine/{action_id}",
    Permission.COACHING_OWN,
    errors=(404,),
)
def get_own_coaching(asking: Asking, response: Response, action_id: Number) -> ActionInFull:
    """One of the agent's own, with what to listen to. Its ETag is needed to acknowledge it."""
    return _shown(asking, response, asking.site.coaching.get(asking.who, action_id))


@operation(
    router,
    "GET",
    "/coaching/export",
    Permission.COACHING_READ,
    repeatable=("state",),
    response_class=StreamingResponse,
    responses={200: {"description": "The workbook", "content": {TableFormat.XLSX.media_type: _FILE}}},
)
def export_coaching(
    asking: Asking,
    state: _States = None,
    agent_id: _Named = None,
    team: _Named = None,
    module: _Named = None,
) -> StreamingResponse:
    """The list as a workbook of two sheets, actions and where to listen; 2,000 actions and 5,000 places at most,
    those of the most urgent actions. It is on the audit trail."""
    wanted = ActionFilter(_states(state), agent_id, team, module)
    actions: list[CoachingAction] = []
    while len(actions) < MAX_EXPORTED:
        after = (actions[-1].priority, actions[-1].id) if actions else None
        page = asking.site.coaching.page(asking.who, wanted, after=after, limit=200)
        actions += page
        if len(page) < 200:
            break
    clips = by_recording(actions, partial(asking.site.coaching.clips, asking.who))
    with asking.site.units() as unit:
        detail = {"actions": len(actions)}
        unit.audit.record(asking.who, "coaching.export", "coaching", "", detail, origin=asking.origin)
        unit.commit()
    sheets = (
        Sheet("coaching", ACTION_COLUMNS, action_rows(actions)),
        Sheet("evidence", CLIP_COLUMNS, clip_rows(clips, _Quotes(asking))),
    )
    folder = asking.site.settings.data_dir / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by whoever reads it to the end
    write_workbook(file, sheets, folder=folder)
    file.seek(0)
    name = f"coaching-{asking.site.clock.now():%Y%m%dT%H%M%SZ}.xlsx"
    return StreamingResponse(
        _pieces(file),
        media_type=TableFormat.XLSX.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@operation(router, "POST", "/coaching/rounds", Permission.COACHING_MANAGE)
def propose_coaching(asking: Asking) -> RoundModel:
    """Look now at what figures and findings show, as every night: propose, extend, withdraw; of one's scope."""
    return RoundModel.of(asking.site.coaching_rounds.propose(asking.who, origin=asking.origin))


@operation(
    router,
    "POST",
    "/coaching",
    Permission.COACHING_MANAGE,
    status=201,
    errors=(404, 409),
    response_model=ActionModel,
)
def create_coaching(asking: Asking, sent: NewAction, key: IdempotencyKey = None) -> Response:
    """Propose a module for an agent by hand."""

    def create() -> tuple[ActionModel, str]:
        action = asking.site.coaching.add(
            asking.who, agent_id=sent.agent_id, module=sent.module, note=sent.note, origin=asking.origin
        )
        return ActionModel.of(action), f"/v1/coaching/{action.id}"

    return once(asking, "coaching", key, sent, create)


@operation(router, "GET", "/coaching/{action_id}", Permission.COACHING_READ, errors=(404,))
def get_coaching(asking: Asking, response: Response, action_id: Number) -> ActionInFull:
    """An action with what to listen to and its steps. Its ETag is needed to go on with it."""
    return _shown(asking, response, asking.site.coaching.get(asking.who, action_id))


@operation(router, "GET", "/coaching/{action_id}/effect", Permission.COACHING_READ, errors=(404, 409, 503))
def get_coaching_effect(asking: Asking, action_id: Number) -> EffectModel:
    """Whether coaching an agent helped, against agents who had none; one agent's calls seldom tell."""
    return EffectModel.of(asking.site.coaching_effects.of_action(asking.who, action_id))


@operation(router, "POST", "/coaching/{action_id}/assign", Permission.COACHING_MANAGE, errors=_STEP)
def assign_coaching(
    asking: Asking, response: Response, action_id: Number, sent: Assignment, if_match: IfMatch = None
) -> ActionInFull:
    """Give it to a leader, trainer or manager, to be held within working days."""
    done = asking.site.coaching.assign(
        asking.who,
        action_id,
        assigned_to=sent.assigned_to,
        due_days=sent.due_days,
        note=sent.note,
        version=seen_version(if_match),
        origin=asking.origin,
    )
    return _shown(asking, response, done)


@operation(router, "POST", "/coaching/{action_id}/steps", Permission.COACHING_MANAGE, errors=_STEP)
def step_coaching(
    asking: Asking, response: Response, action_id: Number, sent: StepTaken, if_match: IfMatch = None
) -> ActionInFull:
    """Say that it was held, assessed, failed, closed or dismissed, or write a note."""
    done = asking.site.coaching.step(
        asking.who,
        action_id,
        ActionStep(sent.step),
        note=sent.note,
        version=seen_version(if_match),
        origin=asking.origin,
    )
    return _shown(asking, response, done)


@operation(router, "POST", "/coaching/{action_id}/acknowledge", Permission.COACHING_OWN, errors=_STEP)
def acknowledge_coaching(
    asking: Asking, response: Response, action_id: Number, sent: Acknowledgement, if_match: IfMatch = None
) -> ActionInFull:
    """The agent has understood what was said in the coaching."""
    done = asking.site.coaching.acknowledge(
        asking.who, action_id, note=sent.note, version=seen_version(if_match), origin=asking.origin
    )
    return _shown(asking, response, done)


class _Quotes:
    """Of clips, as who asks may see them; each call is read once where its clips follow each other."""

    def __init__(self, asking: AskingContext) -> None:
        self._asking = asking
        self.hiding = lru_cache(maxsize=CALLS_HELD)(partial(Hiding, asking))

    def __call__(self, clip: Clip) -> str:
        shown = ClipModel.of(clip, self._asking.who, self.hiding(clip.recording_id))
        return "" if shown.evidence is None else shown.evidence.quote


def _shown(asking: AskingContext, response: Response, details: CoachingDetails) -> ActionInFull:
    tag(response, details.action.version)
    quotes = _Quotes(asking)
    told = {
        clip: ClipModel.of(clip, asking.who, quotes.hiding(clip.recording_id))
        for clip in sorted(details.clips, key=lambda clip: clip.recording_id)
    }
    clips = [told[clip] for clip in details.clips]
    to_agent = asking.who.scope.agent_id is not None
    return ActionInFull.of_details(details, clips, quotes.hiding(0), to_agent=to_agent)


def _states(state: list[ActionState] | None) -> frozenset[ActionState]:
    return frozenset(state) if state else frozenset(each for each in ActionState if each.is_open)


def _place(cursor: str | None, of: str) -> tuple[float, int] | None:
    keys = read_cursor(cursor, of, float, int)
    return None if keys is None else (keys[0], keys[1])


def _key(action: CoachingAction) -> list[float | int]:
    return [float(action.priority), action.id]


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
