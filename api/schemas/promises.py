"""Promises made in calls."""

from typing import Any

from pydantic import ConfigDict

from api.hiding import Hiding
from api.masks import Eyes
from api.schemas.base import Sent, Shown, ShownTime
from api.schemas.disputes import Why
from api.schemas.evaluations import EvidenceModel
from qa_service.domain.promises import PromiseDecision, PromiseState
from qa_service.ports.promises import Promise
from qa_service.services.promises import PromiseInFull


class SentDecision(Sent):
    """`kept`, `broken`, `withdrawn` (it holds no more), or `reopen`: what was said is taken back."""

    model_config = ConfigDict(json_schema_extra={"example": {"decision": "kept", "note": "当天在柜台答复"}})

    decision: PromiseDecision
    note: Why


_PROMISE: dict[str, Any] = {
    "id": 12,
    "recording_id": 101,
    "rule": "cannot-answer-now",
    "item": "promise",
    "state": "kept",
    "customer_ref": "C-1",
    "agent_id": "1024",
    "agent_name": "王芳",
    "team": "A",
    "vendor": "V",
    "queue": "billing",
    "promised_at": "2026-11-20T04:30:00Z",
    "due_at": "2026-11-23T16:00:00Z",
    "followed_by": 117,
    "followed_at": "2026-11-21T02:00:00Z",
    "kept_late": False,
    "decided": None,
    "version": 2,
}


class PromiseModel(Shown):
    """`state`: by calls and people together. `followed_by`: the call that kept it, or probably did (`confirm`).
    `unknown`: without a reference of the customer nobody can follow it. `decided`: what people said."""

    model_config = ConfigDict(json_schema_extra={"example": _PROMISE})

    id: int
    recording_id: int
    rule: str
    item: str
    state: PromiseState
    customer_ref: str | None
    agent_id: str | None
    agent_name: str | None
    team: str | None
    vendor: str | None
    queue: str | None
    promised_at: ShownTime
    due_at: ShownTime
    followed_by: int | None
    followed_at: ShownTime | None
    kept_late: bool
    decided: PromiseDecision | None
    version: int

    @staticmethod
    def of(promise: Promise, state: PromiseState, eyes: Eyes) -> "PromiseModel":
        return PromiseModel(
            id=promise.id,
            recording_id=promise.recording_id,
            rule=promise.rule,
            item=promise.item,
            state=state,
            customer_ref=eyes.reference(promise.customer_ref),
            agent_id=promise.of.agent_id,
            agent_name=promise.agent_name,
            team=promise.of.team,
            vendor=promise.of.vendor,
            queue=promise.queue,
            promised_at=promise.promised_at,
            due_at=promise.due_at,
            followed_by=promise.followed_by,
            followed_at=promise.followed_at,
            kept_late=promise.kept_late,
            decided=promise.decided,
            version=promise.version,
        )


class PromiseDecisionModel(Shown):
    decision: PromiseDecision
    user_id: int
    user_name: str | None
    note: str
    at: ShownTime


class PromiseInFullModel(Shown):
    """A promise with what people said of it, and where it is said."""

    promise: PromiseModel
    decisions: list[PromiseDecisionModel]
    evidence: list[EvidenceModel]

    @staticmethod
    def of(found: PromiseInFull, state: PromiseState, eyes: Eyes, hiding: Hiding) -> "PromiseInFullModel":
        return PromiseInFullModel(
            promise=PromiseModel.of(found.promise, state, eyes),
            decisions=[
                PromiseDecisionModel(
                    decision=one.decision,
                    user_id=one.user_id,
                    user_name=one.user_name,
                    note=eyes.text(one.note),
                    at=one.at,
                )
                for one in found.decisions
            ],
            evidence=hiding.evidence(found.evidence),
        )
