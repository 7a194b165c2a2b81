"""Sampling plans: so many calls of each agent, drawn for every period once."""

from datetime import date

from fastapi import APIRouter, Response

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.sampling import (
    NewDraw,
    SampledCallModel,
    SamplingDrawModel,
    SamplingPlanList,
    SamplingPlanModel,
    SentPlan,
)
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.errors import InputError

router = APIRouter(tags=["sampling"])


@operation(router, "GET", "/sampling-plans", Permission.SAMPLING_MANAGE)
def list_sampling_plans(asking: Asking) -> SamplingPlanList:
    """The plans for calls of one's scope. A site has a few."""
    plans = asking.site.sampling.plans(asking.who)
    return SamplingPlanList(items=[SamplingPlanModel.of(plan) for plan in plans])


@operation(
    router,
    "POST",
    "/sampling-plans",
    Permission.SAMPLING_MANAGE,
    status=201,
    errors=(409,),
    response_model=SamplingPlanModel,
)
def create_sampling_plan(asking: Asking, sent: SentPlan, key: IdempotencyKey = None) -> Response:
    """Make a plan. The day it is made on is the first that it draws."""

    def create() -> tuple[SamplingPlanModel, str]:
        plan = asking.site.sampling.create(asking.who, sent.terms(), origin=asking.origin)
        return SamplingPlanModel.of(plan), f"/v1/sampling-plans/{plan.id}"

    return once(asking, "sampling-plans", key, sent, create)


@operation(router, "GET", "/sampling-plans/{plan_id}", Permission.SAMPLING_MANAGE, errors=(404,))
def get_sampling_plan(asking: Asking, response: Response, plan_id: Number) -> SamplingPlanModel:
    """A plan; its ETag is needed to change it."""
    plan = asking.site.sampling.get(asking.who, plan_id)
    tag(response, plan.version)
    return SamplingPlanModel.of(plan)


@operation(router, "PUT", "/sampling-plans/{plan_id}", Permission.SAMPLING_MANAGE, errors=(404, 409, 412, 428))
def change_sampling_plan(
    asking: Asking, response: Response, plan_id: Number, sent: SentPlan, if_match: IfMatch = None
) -> SamplingPlanModel:
    """Change a plan; what it has drawn stays."""
    plan = asking.site.sampling.change(
        asking.who, plan_id, sent.terms(), version=seen_version(if_match), origin=asking.origin
    )
    tag(response, plan.version)
    return SamplingPlanModel.of(plan)


@operation(router, "GET", "/sampling-plans/{plan_id}/draws", Permission.SAMPLING_MANAGE, errors=(400, 404))
def list_sampling_draws(
    asking: Asking, plan_id: Number, limit: Limit = 50, cursor: CursorText = None
) -> Page[SamplingDrawModel]:
    """What a plan has drawn, the last period first."""
    of = fingerprint("draws", plan_id)
    keys = read_cursor(cursor, of, str)
    found = asking.site.sampling.draws(
        asking.who, plan_id, before=_day(keys[0]) if keys else None, limit=limit + 1
    )
    return page_of(found, limit, of, shown=SamplingDrawModel.of, key=lambda draw: [draw.period_start.isoformat()])


@operation(
    router, "POST", "/sampling-plans/{plan_id}/draws", Permission.SAMPLING_MANAGE, status=201, errors=(404, 409)
)
def draw_sample(asking: Asking, plan_id: Number, sent: NewDraw) -> SamplingDrawModel:
    """Draw a period that is over now, rather than when its time comes. A period is drawn once."""
    return SamplingDrawModel.of(asking.site.sampling.draw(asking.who, plan_id, sent.day, origin=asking.origin))


@operation(router, "GET", "/sampling-draws/{draw_id}/calls", Permission.SAMPLING_MANAGE, errors=(400, 404))
def list_sampled_calls(
    asking: Asking, draw_id: Number, limit: Limit = 50, cursor: CursorText = None
) -> Page[SampledCallModel]:
    """The calls of a draw, each with the probability with which it was drawn."""
    of = fingerprint("sampled", draw_id)
    after = (read_cursor(cursor, of, int) or [0])[0]
    found = asking.site.sampling.calls(asking.who, draw_id, after=after, limit=limit + 1)
    return page_of(found, limit, of, shown=SampledCallModel.of, key=lambda call: [call.recording_id])


def _day(text: str) -> date:
    """Raises InputError ``cursor_invalid``."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            "cursor_invalid", "the cursor is not of this list, filters and order: begin without one"
        ) from error
