"""Dispute and appeal: each step needs the ETag of the finding as it was read."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import Asking, AskingContext, operation
from api.hiding import Hiding
from api.paging import CursorText, Limit, Page, fingerprint, moment_of, read_cursor, write_cursor
from api.routers.recordings import record
from api.schemas.base import Number
from api.schemas.disputes import (
    Advice,
    DisputeDecision,
    DisputeLineModel,
    DisputeModel,
    Objection,
    Withdrawal,
)
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.domain.review import FindingState
from qa_service.services.disputes import WAITING, Dispute

router = APIRouter(tags=["disputes"])

_STEP = (404, 409, 412, 428)


@operation(router, "GET", "/disputes", Permission.DISPUTES_READ, errors=(400,), repeatable=("state",))
def list_disputes(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    state: Annotated[list[FindingState] | None, Query(max_length=12)] = None,
) -> Page[DisputeLineModel]:
    """Findings that wait for somebody, what is due first first; by default those that an agent waits for."""
    states = frozenset(state) if state else WAITING
    of = fingerprint("disputes", sorted(states), asking.who.user_id)
    after = read_cursor(cursor, of, str, int)
    page = asking.site.disputes.page(
        asking.who, states=states, after=(moment_of(after[0]), after[1]) if after else None, limit=limit
    )
    return Page(
        items=[DisputeLineModel.of(line) for line in page.lines],
        next=None if page.next is None else write_cursor(of, [page.next[0].isoformat(), page.next[1]]),
    )


@operation(router, "GET", "/findings/{finding_id}", Permission.RECORDINGS_READ, errors=(404, 409))
def get_finding(asking: Asking, response: Response, finding_id: Number) -> DisputeModel:
    """A finding and the steps of its dispute. Who reads it is on the audit trail."""
    found = asking.site.disputes.get(asking.who, finding_id)
    record(asking, "finding.read", found.finding.recording_id, {"finding": finding_id})
    return _shown(asking, response, found)


@operation(router, "POST", "/findings/{finding_id}/acknowledge", Permission.DISPUTES_RAISE, errors=_STEP)
def acknowledge_finding(
    asking: Asking, response: Response, finding_id: Number, if_match: IfMatch = None
) -> DisputeModel:
    """The agent accepts a finding."""
    done = asking.site.disputes.acknowledge(
        asking.who, finding_id, version=seen_version(if_match), origin=asking.origin
    )
    return _shown(asking, response, done)


@operation(router, "POST", "/findings/{finding_id}/dispute", Permission.DISPUTES_RAISE, errors=_STEP)
def dispute_finding(
    asking: Asking, response: Response, finding_id: Number, sent: Objection, if_match: IfMatch = None
) -> DisputeModel:
    """The agent objects to a finding."""
    done = asking.site.disputes.raise_(
        asking.who, finding_id, sent.reason, version=seen_version(if_match), origin=asking.origin
    )
    return _shown(asking, response, done)


@operation(router, "POST", "/findings/{finding_id}/withdraw", Permission.DISPUTES_RAISE, errors=_STEP)
def withdraw_dispute(
    asking: Asking, response: Response, finding_id: Number, sent: Withdrawal, if_match: IfMatch = None
) -> DisputeModel:
    """The agent takes an objection or appeal back that is not decided."""
    done = asking.site.disputes.withdraw(
        asking.who, finding_id, sent.reason, version=seen_version(if_match), origin=asking.origin
    )
    return _shown(asking, response, done)


@operation(router, "POST", "/findings/{finding_id}/advice", Permission.DISPUTES_ADVISE, errors=_STEP)
def advise_on_dispute(
    asking: Asking, response: Response, finding_id: Number, sent: Advice, if_match: IfMatch = None
) -> DisputeModel:
    """The team leader says whether the agent is right."""
    done = asking.site.disputes.advise(
        asking.who,
        finding_id,
        supports=sent.supports,
        reason=sent.reason,
        version=seen_version(if_match),
        origin=asking.origin,
    )
    return _shown(asking, response, done)


@operation(router, "POST", "/findings/{finding_id}/decision", Permission.DISPUTES_DECIDE, errors=_STEP)
def decide_dispute(
    asking: Asking, response: Response, finding_id: Number, sent: DisputeDecision, if_match: IfMatch = None
) -> DisputeModel:
    """An inspector who had no part in it decides a dispute."""
    done = asking.site.disputes.decide(
        asking.who,
        finding_id,
        uphold=sent.uphold,
        reason=sent.reason,
        code=sent.code,
        version=seen_version(if_match),
        origin=asking.origin,
    )
    return _shown(asking, response, done)


@operation(router, "POST", "/findings/{finding_id}/appeal", Permission.DISPUTES_RAISE, errors=_STEP)
def appeal_decision(
    asking: Asking, response: Response, finding_id: Number, sent: Objection, if_match: IfMatch = None
) -> DisputeModel:
    """The agent asks for the second, final instance."""
    done = asking.site.disputes.appeal(
        asking.who, finding_id, sent.reason, version=seen_version(if_match), origin=asking.origin
    )
    return _shown(asking, response, done)


@operation(router, "POST", "/findings/{finding_id}/appeal-decision", Permission.APPEALS_DECIDE, errors=_STEP)
def decide_appeal(
    asking: Asking, response: Response, finding_id: Number, sent: DisputeDecision, if_match: IfMatch = None
) -> DisputeModel:
    """A manager who had no part in it decides an appeal; nothing follows."""
    done = asking.site.disputes.decide_appeal(
        asking.who,
        finding_id,
        uphold=sent.uphold,
        reason=sent.reason,
        code=sent.code,
        version=seen_version(if_match),
        origin=asking.origin,
    )
    return _shown(asking, response, done)


def _shown(asking: AskingContext, response: Response, dispute: Dispute) -> DisputeModel:
    tag(response, dispute.finding.version)
    return DisputeModel.of(dispute, Hiding(asking, dispute.finding.recording_id))
