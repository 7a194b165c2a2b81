"""Evaluations: a call's history, and one with its results, evidence and provenance."""

from typing import Any

from pydantic import ConfigDict, Field

from api.masks import Eyes, SeenCall
from api.schemas.base import Shown, ShownTime
from api.schemas.recordings import EngineModel
from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.results import Evidence, OpenItem, Outcome, Severity
from qa_service.ports.calls import EvaluationDetails, EvaluationHead, JudgedRule

_HEAD: dict[str, Any] = {
    "id": 815,
    "recording_id": 4711,
    "conversation_id": 600,
    "pack": "service-zh",
    "ruleset_digest": "sha256:0d6b…",
    "scorecard": "service-zh",
    "score": 72.5,
    "raw_score": 72.5,
    "bonus": 0.0,
    "coverage": 0.94,
    "fatal": False,
    "in_force": True,
    "created_at": "2026-11-20T01:42:11Z",
    "engines": [
        {"stage": "asr", "engine": "faster-whisper", "model": "base", "revision": "1", "device": "cpu"},
    ],
}
_EVIDENCE: dict[str, Any] = {
    "start": 14.0,
    "end": 16.2,
    "role": "agent",
    "quote": "您听我说完",
    "utterances": [3],
    "confidence": 0.88,
    "note": "",
}


class EvaluationHeadModel(Shown):
    """A filled scorecard. ``score`` is the machine's; null: too little could be determined (``coverage``)."""

    model_config = ConfigDict(json_schema_extra={"example": _HEAD})

    id: int
    recording_id: int
    conversation_id: int
    pack: str
    ruleset_digest: str = Field(description="Of the rules that it was made by, and of which of them were live")
    scorecard: str
    score: float | None
    raw_score: float | None = Field(description="Before fatal findings are applied")
    bonus: float
    coverage: float
    fatal: bool
    in_force: bool = Field(description="Whether it is the one that counts now")
    created_at: ShownTime
    engines: list[EngineModel]

    @staticmethod
    def of(head: EvaluationHead) -> "EvaluationHeadModel":
        return EvaluationHeadModel(**_head(head))


class SectionModel(Shown):
    """Points of a section. ``score`` null: nothing in it was determined."""

    name: str
    title: str
    score: float | None
    earned: float
    determined: float
    applicable: float
    fatal: bool


class EvidenceModel(Shown):
    """Where to listen, and the words. Seconds; ``utterances`` of the conversation."""

    model_config = ConfigDict(json_schema_extra={"example": _EVIDENCE})

    start: float
    end: float
    role: SpeakerRole | None
    quote: str
    utterances: list[int]
    confidence: float | None
    note: str


class OpenItemModel(Shown):
    """What the call leaves to be done, until ``due_days`` after it."""

    item: str
    due_days: int
    evidence: EvidenceModel


class StyleModel(Shown):
    """A part of the script that is reported and never scored; ``heard`` null: cannot be told."""

    name: str
    heard: bool | None


class FindingModel(Shown):
    """The finding that a result opened."""

    id: int
    state: str
    version: int


class ResultModel(Shown):
    """What a rule says of the call. ``undetermined`` is an answer: nobody is convicted on doubt."""

    id: int
    rule: str
    title: str
    outcome: Outcome
    severity: Severity
    reason: str = Field(description="Why it is undetermined or not applicable: a stable code")
    scored: bool
    unscored: str = Field(description="Why it is not scored: recorded_only, shadow or not_live")
    same_event_as: str | None = Field(description="The rule that counts the same event already")
    grade: int | None = Field(description="Of a complaint: 1 to 3")
    evidence: list[EvidenceModel]
    style: list[StyleModel]
    opens: list[OpenItemModel]
    finding: FindingModel | None


class EvaluationModel(EvaluationHeadModel):
    """An evaluation with everything that it consists of."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_HEAD,
                "sections": [
                    {
                        "name": "opening",
                        "title": "开场",
                        "score": 100.0,
                        "earned": 10.0,
                        "determined": 10.0,
                        "applicable": 10.0,
                        "fatal": False,
                    }
                ],
                "results": [
                    {
                        "id": 31007,
                        "rule": "interruption",
                        "title": "抢话",
                        "outcome": "not_met",
                        "severity": "major",
                        "reason": "",
                        "scored": True,
                        "unscored": "",
                        "same_event_as": None,
                        "grade": None,
                        "evidence": [_EVIDENCE],
                        "style": [],
                        "opens": [],
                        "finding": {"id": 120, "state": "open", "version": 1},
                    }
                ],
                "metrics": {"duration_s": 183.4},
            }
        }
    )

    sections: list[SectionModel]
    results: list[ResultModel]
    metrics: dict[str, Any] = Field(description="Conversation metrics, each with its spans in seconds")

    @staticmethod
    def of_details(found: EvaluationDetails, eyes: Eyes, seen: SeenCall | None) -> "EvaluationModel":
        """``seen``: the conversation that it was made of, for who may not see all of it."""
        return EvaluationModel(
            **_head(found.head),
            sections=[SectionModel.model_validate(section) for section in found.sections],
            results=[_result(judged, eyes, seen) for judged in found.results],
            metrics=found.metrics,
        )


def _head(head: EvaluationHead) -> dict[str, Any]:
    values = {name: getattr(head, name) for name in EvaluationHeadModel.model_fields}
    return values | {"engines": [EngineModel.of(run) for run in head.engines]}


def _result(judged: JudgedRule, eyes: Eyes, seen: SeenCall | None) -> ResultModel:
    result = judged.result

    def evidence(one: Evidence) -> EvidenceModel:
        (shown,) = (one,) if seen is None else seen.evidence((one,))
        return EvidenceModel(
            start=shown.start,
            end=shown.end,
            role=shown.role,
            quote=shown.quote,
            utterances=list(shown.utterances),
            confidence=shown.confidence,
            note=eyes.text(shown.note),
        )

    def item(one: OpenItem) -> OpenItemModel:
        return OpenItemModel(item=eyes.text(one.item), due_days=one.due_days, evidence=evidence(one.evidence))

    return ResultModel(
        id=judged.id,
        rule=result.rule,
        title=result.title,
        outcome=result.outcome,
        severity=result.severity,
        reason=result.reason,
        scored=result.scored,
        unscored=result.unscored,
        same_event_as=result.same_event_as,
        grade=result.grade,
        evidence=[evidence(one) for one in result.evidence],
        style=[StyleModel(name=name, heard=heard) for name, heard in result.style],
        opens=[item(one) for one in result.opens],
        finding=None if judged.finding is None else FindingModel.model_validate(judged.finding),
    )
