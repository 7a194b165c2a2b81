"""Evaluations: what a call was scored by whom, when and by which rules."""

from fastapi import APIRouter

from api.access import Asking, operation
from api.masks import Eyes
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.routers.recordings import record
from api.schemas.base import Number
from api.schemas.evaluations import EvaluationHeadModel, EvaluationModel
from qa_service.domain.access import Permission
from qa_service.services.findings import not_blind

router = APIRouter(tags=["evaluations"])


@operation(
    router, "GET", "/recordings/{recording_id}/evaluations", Permission.RECORDINGS_READ, errors=(400, 404, 409)
)
def list_evaluations(
    asking: Asking, recording_id: Number, limit: Limit = 50, cursor: CursorText = None
) -> Page[EvaluationHeadModel]:
    """The evaluations of a call, the newest first. One that was made earlier may be in force again."""
    of = fingerprint("evaluations", recording_id)
    before = read_cursor(cursor, of, int)
    with asking.site.units_to_read() as unit:
        unit.calls.get(recording_id, asking.who.scope)
        not_blind(unit, asking.who, recording_id)
        found = unit.calls.evaluations(recording_id, before=before[0] if before else None, limit=limit + 1)
    return page_of(found, limit, of, shown=EvaluationHeadModel.of, key=lambda head: [head.id])


@operation(router, "GET", "/evaluations/{evaluation_id}", Permission.RECORDINGS_READ, errors=(404, 409))
def get_evaluation(asking: Asking, evaluation_id: Number) -> EvaluationModel:
    """Every rule's answer with its evidence, and what it was made by. Who reads it is on the audit trail."""
    eyes = Eyes(asking.who)
    with asking.site.units_to_read() as unit:
        found = unit.calls.evaluation(evaluation_id, asking.who.scope)
        not_blind(unit, asking.who, found.head.recording_id)
        seen = None if eyes.see_numbers else eyes.call(unit.calls.conversation_of(found.head))
    record(asking, "evaluation.read", found.head.recording_id, {"evaluation": evaluation_id})
    return EvaluationModel.of_details(found, eyes, seen)
