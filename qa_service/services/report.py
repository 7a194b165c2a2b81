"""The published form of a scored recording: the JSON that users script against.

Guarantee: keys and meanings are stable; times are rounded to milliseconds here and nowhere before.
"""

from math import isinf
from typing import Any

from qa_service.domain.conversation import Conversation, EngineRun
from qa_service.domain.faults import ChannelFault
from qa_service.domain.metrics import ConversationMetrics
from qa_service.domain.numbers.entity import SpokenNumber
from qa_service.domain.results import Evidence, RuleResult
from qa_service.domain.scoring import Evaluation
from qa_service.ports import StoredEvaluation


def scored(
    *, path: str, second_path: str | None, sha256: str, conversation: Conversation, evaluation: StoredEvaluation
) -> dict[str, Any]:
    """One line of ``qa score --format json`` for a scored recording; ``second_path`` of a call in two files."""
    return {
        "recording": {
            "path": path,
            "second_path": second_path,
            "sha256": sha256,
            "duration_s": _ms(conversation.duration_s),
            "channels": conversation.channels,
        },
        "status": "scored",
        "error": None,
        "conversation": {
            "language": conversation.language,
            "languages": {code: round(share, 3) for code, share in conversation.languages.items()},
            "role_source": conversation.role_source,
            "role_probability": None
            if conversation.role_probability is None
            else round(conversation.role_probability, 3),
            "utterances": [
                {
                    "role": u.role.value,
                    "channel": u.channel,
                    "speaker": u.speaker,
                    "start": _ms(u.start),
                    "end": _ms(u.end),
                    "text": u.text,
                    "confidence": round(u.confidence, 3),
                    "respelled": [list(place) for place in u.respelled],
                    "numbers": [_number(number) for number in u.numbers],
                }
                for u in conversation.utterances
            ],
            "faults": [_fault(fault) for fault in conversation.faults],
        },
        "metrics": _metrics(evaluation.metrics),
        "results": [_result(result) for result in evaluation.results],
        "evaluation": _evaluation(evaluation.evaluation),
        "provenance": {
            "pack": evaluation.pack,
            "ruleset": evaluation.ruleset_digest,
            "engines": [_engine(run) for run in conversation.provenance],
        },
    }


def failed(*, path: str, second_path: str | None, code: str, message: str) -> dict[str, Any]:
    """One line of ``qa score --format json`` for a recording that could not be scored."""
    return {
        "recording": {"path": path, "second_path": second_path},
        "status": "failed",
        "error": {"code": code, "message": message},
        "conversation": None,
        "metrics": None,
        "results": None,
        "evaluation": None,
        "provenance": None,
    }


def _number(number: SpokenNumber) -> dict[str, Any]:
    return {
        "span": [number.start, number.end],
        "kind": number.kind.value,
        "value": number.value,
        "unit": number.unit or None,
        "approximate": number.approximate,
    }


def _ms(seconds: float) -> float:
    return round(seconds, 3)


def _fault(fault: ChannelFault) -> dict[str, Any]:
    return {
        "kind": fault.kind.value,
        "channel": fault.channel,
        "measure": fault.measure,
        "value": None if fault.value is None else round(fault.value, 4),
        "spans": [{"start": _ms(span.start), "end": _ms(span.end)} for span in fault.spans],
        "quotes": list(fault.quotes),
    }


def _metrics(metrics: ConversationMetrics) -> dict[str, Any]:
    return {
        "talk_s": {m.role.value: _ms(m.speech_s) for m in metrics.roles},
        "talk_ratio": {
            m.role.value: None if m.talk_ratio is None else round(m.talk_ratio, 3) for m in metrics.roles
        },
        "overlap_s": _ms(metrics.overlap_s),
        "dead_air_s": _ms(metrics.dead_air_s),
        "hold_s": _ms(metrics.hold_s),
        "speech_rate_per_min": {
            m.role.value: None if m.speech_rate_per_min is None else round(m.speech_rate_per_min)
            for m in metrics.roles
        },
        "turn_count": {m.role.value: m.turn_count for m in metrics.roles},
        "longest_monologue_s": {
            m.role.value: None if m.longest_monologue is None else _ms(m.longest_monologue.duration_s)
            for m in metrics.roles
        },
        "level_dbfs": {
            # Digital silence is at minus infinity, which JSON does not know.
            m.role.value: None if m.level_dbfs is None or isinf(m.level_dbfs) else round(m.level_dbfs, 1)
            for m in metrics.roles
        },
        "silences": [
            {"start": _ms(s.span.start), "end": _ms(s.span.end), "warned": s.warned, "long": s.long}
            for s in metrics.silences
        ],
        "interruptions": [
            {
                "role": i.role.value,
                "start": _ms(i.overlap.start),
                "end": _ms(i.overlap.end),
                "outcome": i.outcome.value,
                "violation": i.violation,
            }
            for i in metrics.interruptions
        ],
        "hangup_side": None if metrics.hangup_side is None else metrics.hangup_side.value,
    }


def _result(result: RuleResult) -> dict[str, Any]:
    return {
        "rule": result.rule,
        "title": result.title,
        "outcome": result.outcome.value,
        "severity": result.severity.value,
        "reason": result.reason or None,
        "scored": result.scored,
        "unscored": result.unscored or None,
        "same_event_as": result.same_event_as,
        "style": dict(result.style),
        "grade": result.grade,
        "opens": [
            {"item": one.item, "due_days": one.due_days, "evidence": _evidence(one.evidence)}
            for one in result.opens
        ],
        "evidence": [_evidence(e) for e in result.evidence],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "start": _ms(evidence.start),
        "end": _ms(evidence.end),
        "role": None if evidence.role is None else evidence.role.value,
        "quote": evidence.quote,
        "utterances": list(evidence.utterances),
        "confidence": None if evidence.confidence is None else round(evidence.confidence, 3),
        "note": evidence.note or None,
    }


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "scorecard": evaluation.scorecard,
        "score": None if evaluation.score is None else round(evaluation.score, 1),
        "raw_score": None if evaluation.raw_score is None else round(evaluation.raw_score, 1),
        "bonus": round(evaluation.bonus, 1),
        "coverage": round(evaluation.coverage, 3),
        "fatal": evaluation.fatal,
        "sections": [
            {
                "name": section.name,
                "title": section.title,
                "score": None if section.score is None else round(section.score, 1),
                "fatal": section.fatal,
            }
            for section in evaluation.sections
        ],
    }


def _engine(run: EngineRun) -> dict[str, Any]:
    return {
        "stage": run.stage,
        "engine": run.engine,
        "model": run.model,
        "revision": run.revision,
        "device": run.device,
    }
