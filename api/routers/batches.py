"""Batch runs: many recordings as one task. Workers fill and run them; here they are asked for and followed."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Response
from fastapi.concurrency import run_in_threadpool

from api.access import Asking, AskingContext, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.progress import EventStream, Seen, seen
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.batches import BatchInFull, BatchModel, FailedRecording, NewBatch, Retried, Retry
from qa_service.domain.access import Permission
from qa_service.domain.batch_runs import BatchRun
from qa_service.domain.masking.masking import mask_reference
from qa_service.errors import InputError, NotFoundError
from qa_service.ports import UnitOfWork
from qa_service.services.batch_runs import Also

_FAILURES: Final = 200
_TEAMS: Final = 1000

router = APIRouter(tags=["batches"])


@operation(router, "GET", "/batches", Permission.BATCHES_READ, errors=(400,))
def list_batches(asking: Asking, limit: Limit = 50, cursor: CursorText = None) -> Page[BatchModel]:
    """Batch runs, the newest first; for accounts of some teams, runs of these teams."""
    of = fingerprint("batches")
    before = (read_cursor(cursor, of, int) or [None])[0]
    with asking.site.units_to_read() as unit:
        found = unit.batch_runs.page(before=before, limit=limit + 1, teams=_teams(asking, unit))
    return page_of(found, limit, of, shown=BatchModel.of, key=lambda run: [run.id])


@operation(
    router, "POST", "/batches", Permission.BATCHES_RUN, status=201, errors=(409,), response_model=BatchModel
)
def create_batch(asking: Asking, sent: NewBatch, key: IdempotencyKey = None) -> Response:
    """Ask for a run; the same that has not ended goes on. An account of some teams names one of them."""
    if sent.force and sent.rescore:
        raise InputError("batch_run_invalid", "`force` hears anew, `rescore` hears nothing: ask for one of them")
    if sent.since and sent.until and sent.since >= sent.until:
        raise InputError("date_invalid", "no time lies between `since` and `until`: give `since` before `until`")
    with asking.site.units_to_read() as unit:
        teams = _teams(asking, unit)
    if teams is not None and sent.team not in teams:
        raise InputError("team_unknown", "the run would be of more than your teams: name one of them as `team`")
    pack = None if sent.pack is None else asking.site.shelf.where(sent.pack)

    def create() -> tuple[BatchModel, str]:
        run, _ = asking.site.batch_runs.request(
            since=sent.since,
            until=sent.until,
            team=sent.team,
            pack=pack,
            force=sent.force,
            rescore=sent.rescore,
            also=_recorded(asking, "batch.create", sent.model_dump(mode="json")),
        )
        return BatchModel.of(run), f"/v1/batches/{run.id}"

    return once(asking, "batches", key, sent, create)


@operation(router, "GET", "/batches/{batch_id}", Permission.BATCHES_READ, errors=(404,))
def get_batch(asking: Asking, batch_id: Number) -> BatchInFull:
    """A run: how far it is, what came of it, what failed."""
    with asking.site.units_to_read() as unit:
        run = _reached(asking, unit, batch_id)
        failures = unit.batch_runs.failures(batch_id, _FAILURES) if run.tally.failed else []
    sees_numbers = asking.who.may(Permission.NUMBERS_READ)
    return BatchInFull.with_failures(
        run,
        [
            FailedRecording(recording_id=id_, name=_name(path, sees_numbers), code=code)
            for id_, path, code in failures
        ],
    )


@operation(router, "POST", "/batches/{batch_id}/cancel", Permission.BATCHES_RUN, errors=(404, 409))
def cancel_batch(asking: Asking, batch_id: Number) -> BatchModel:
    """Take back what nobody works on yet. What is under way is finished; what others want stays."""
    with asking.site.units_to_read() as unit:
        _reached(asking, unit, batch_id)
    return BatchModel.of(asking.site.batch_runs.cancel(batch_id, also=_recorded(asking, "batch.cancel")))


@operation(router, "POST", "/batches/{batch_id}/retry", Permission.BATCHES_RUN, errors=(404, 409))
def retry_batch(asking: Asking, batch_id: Number, sent: Retry) -> Retried:
    """Try failed recordings once more."""
    with asking.site.units_to_read() as unit:
        _reached(asking, unit, batch_id)
    also = _recorded(asking, "batch.retry", {"code": sent.code})
    run, count = asking.site.batch_runs.retry(batch_id, code=sent.code, also=also)
    return Retried(count=count, batch=BatchModel.of(run))


_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events `progress` and, at last, `ended`; the data of each is the run as `GET` tells it",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "The run has ended, and the client has its last event: do not come back"},
}


@operation(
    router,
    "GET",
    "/batches/{batch_id}/events",
    Permission.BATCHES_READ,
    errors=(404, 503),
    responses=_EVENTS,
    response_class=EventStream,
)
async def follow_batch(
    asking: Asking,
    batch_id: Number,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", max_length=100, description="As browsers send it")
    ] = None,
) -> Response:
    """How far a run is, as Server-Sent Events until it has ended. Who is cut off comes back."""

    def look() -> Seen:
        with asking.site.units_to_read() as unit:
            run = _reached(asking, unit, batch_id)
        return seen(BatchModel.of(run).model_dump(mode="json"), ended=run.ended_at is not None)

    first = await run_in_threadpool(look)
    if first.ended and first.number == last_event_id:
        return Response(status_code=204)
    thing = ("batch", batch_id)
    return asking.site.followers.follow(asking.who.user_id, thing, look, last=last_event_id)


def _teams(asking: AskingContext, unit: UnitOfWork) -> Sequence[str] | None:
    """The teams whose runs somebody may reach; None: everybody's."""
    scope = asking.who.scope
    if scope.is_everything:
        return None
    return [team.name for team in unit.directory.teams(scope, after=None, limit=_TEAMS)]


def _reached(asking: AskingContext, unit: UnitOfWork, run_id: int) -> BatchRun:
    """Raises NotFoundError ``batch_run_not_found``; also for runs of other teams."""
    run = unit.batch_runs.get(run_id)
    teams = _teams(asking, unit)
    if teams is not None and run.selection.team not in teams:
        raise NotFoundError("batch_run_not_found", f"no batch run has the number {run_id}: list the runs")
    return run


def _recorded(asking: AskingContext, action: str, detail: dict[str, Any] | None = None) -> Also:
    def also(unit: UnitOfWork, run: BatchRun) -> None:
        unit.audit.record(asking.who, action, "batch", run.id, detail, origin=asking.origin)

    return also


def _name(path: str, sees_numbers: bool) -> str:
    name = path.rpartition("/")[2]
    return name if sees_numbers else mask_reference(name)
