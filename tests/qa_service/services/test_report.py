"""The published form: the contract's keys, and times that people can read."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from qa_service.domain.call import CallMetadata, HangupSide
from qa_service.domain.conversation import Conversation, EngineRun
from qa_service.domain.faults import ChannelFault, FaultKind
from qa_service.domain.metrics import MetricOptions, measure
from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult, Severity
from qa_service.domain.scoring import Evaluation, SectionScore
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import StoredEvaluation
from qa_service.services import report
from tests.builders import AGENT, CUSTOMER, conversation, utterance

KEYS: dict[str, set[str]] = {
    "recording": {"path", "second_path", "sha256", "duration_s", "channels"},
    "conversation": {"language", "languages", "role_source", "role_probability", "utterances", "faults"},
    "metrics": {
        *("talk_s", "talk_ratio", "overlap_s", "dead_air_s", "hold_s", "speech_rate_per_min", "turn_count"),
        *("longest_monologue_s", "level_dbfs", "silences", "interruptions", "hangup_side"),
    },
    "evaluation": {"scorecard", "score", "raw_score", "bonus", "coverage", "fatal", "sections"},
    "provenance": {"pack", "ruleset", "engines"},
}
THIRD = 1 / 3


def call() -> Conversation:
    return replace(
        conversation(
            utterance("您好请问有什么可以帮您", 1.0 + THIRD, 4.0 + THIRD, confidence=2 / 3),
            utterance("我想查一下我的话费", 3.0, 9.0 + THIRD, role=CUSTOMER),
            duration_s=20 + THIRD,
        ),
        provenance=(EngineRun("asr", "whisper", "base", "1", "cpu", (("beam", "1"),)),),
    )


def stored(*results: RuleResult, score: float | None = 200 / 3) -> StoredEvaluation:
    section = SectionScore("opening", "开场", score, 2.0, 3.0, 4.0, False)
    return StoredEvaluation(
        id=7,
        key="k",
        recording_id=1,
        conversation_id=1,
        pack="service-zh",
        ruleset_digest="sha256:ab",
        evaluation=Evaluation("service-zh", score, score, THIRD, False, (section,)),
        results=results,
        metrics=measure(call(), CallMetadata(hangup_side=HangupSide.AGENT), MetricOptions()),
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
    )


def line(*results: RuleResult, score: float | None = 200 / 3) -> dict[str, Any]:
    document = report.scored(
        path="a.wav", second_path=None, sha256="ab", conversation=call(), evaluation=stored(*results, score=score)
    )
    parsed: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
    assert parsed == document, "nothing changes on the way through JSON"
    return parsed


def test_a_scored_line_has_exactly_the_contracts_keys() -> None:
    document = line()
    assert set(document) == {"status", "error", "results", *KEYS}
    assert (document["status"], document["error"]) == ("scored", None)
    assert {name: set(document[name]) for name in KEYS} == KEYS


def test_times_are_rounded_to_milliseconds() -> None:
    document = line()
    assert document["recording"]["duration_s"] == 20.333
    first, second = document["conversation"]["utterances"]
    assert first == {
        "role": "agent",
        "channel": 0,
        "speaker": 0,
        "start": 1.333,
        "end": 4.333,
        "text": "您好请问有什么可以帮您",
        "confidence": 0.667,
        "respelled": [],
        "numbers": [],
    }
    assert (second["start"], second["end"]) == (3.0, 9.333)
    assert document["metrics"]["talk_s"] == {"agent": 3.0, "customer": 6.333}
    assert document["metrics"]["overlap_s"] == 1.333
    assert document["metrics"]["hangup_side"] == "agent"


def test_shares_of_a_mixed_calls_languages() -> None:
    assert line()["conversation"]["languages"] == {"zh": 1.0}
    chinese, english = utterance("您好", 0.0, 2.0), utterance("hello", 2.0, 3.0)
    document = report.scored(
        path="a.wav",
        second_path=None,
        sha256="ab",
        conversation=conversation(chinese, replace(english, language="en")),
        evaluation=stored(),
    )
    assert document["conversation"]["languages"] == {"zh": 0.667, "en": 0.333}


def test_numbers_lie_on_the_text() -> None:
    said = utterance("三千二百八十元")
    amount = SpokenNumber(0, 7, NumberKind.AMOUNT, "3280", "CNY")
    document = report.scored(
        path="a.wav",
        second_path=None,
        sha256="ab",
        conversation=conversation(replace(said, numbers=(amount,))),
        evaluation=stored(),
    )
    assert document["conversation"]["utterances"][0]["numbers"] == [
        {"span": [0, 7], "kind": "amount", "value": "3280", "unit": "CNY", "approximate": False}
    ]


def test_faults_say_what_they_measure() -> None:
    faults = (
        ChannelFault(FaultKind.CROSS_TALK, 1, -9.81234, (TimeSpan(1 / 3, 2.0),)),
        ChannelFault(FaultKind.SWAPPED, None, 0.99567, (TimeSpan(1.0, 2.0),), ("工号",)),
        ChannelFault(FaultKind.DEAD, 0),
    )
    document = report.scored(
        path="a.wav",
        second_path=None,
        sha256="ab",
        conversation=replace(call(), faults=faults),
        evaluation=stored(),
    )
    assert document["conversation"]["faults"] == [
        {
            "kind": "cross_talk",
            "channel": 1,
            "measure": "leakage_db",
            "value": -9.8123,
            "spans": [{"start": 0.333, "end": 2.0}],
            "quotes": [],
        },
        {
            "kind": "swapped",
            "channel": None,
            "measure": "probability",
            "value": 0.9957,
            "spans": [{"start": 1.0, "end": 2.0}],
            "quotes": ["工号"],
        },
        {"kind": "dead", "channel": 0, "measure": "peak_dbfs", "value": None, "spans": [], "quotes": []},
    ]


def test_scores_are_rounded_and_may_be_withheld() -> None:
    assert line()["evaluation"] == {
        "scorecard": "service-zh",
        "score": 66.7,
        "raw_score": 66.7,
        "bonus": 0.0,
        "coverage": 0.333,
        "fatal": False,
        "sections": [{"name": "opening", "title": "开场", "score": 66.7, "fatal": False}],
    }
    assert line(score=None)["evaluation"]["score"] is None


def test_a_result_with_its_evidence() -> None:
    result = RuleResult(
        rule="opening",
        title="开场",
        outcome=Outcome.NOT_MET,
        severity=Severity.MAJOR,
        evidence=(
            Evidence(1.0 + THIRD, 4.0 + THIRD, AGENT, "您好", (0,), 2 / 3, "没有工号"),
            Evidence(1.0, 2.0),
        ),
        same_event_as="closing",
        style=(("祝福", True), ("姓名", None)),
        grade=2,
        opens=(OpenItem("call-back", 3, Evidence(1 + THIRD, 2.0, AGENT, "三天内回复您")),),
    )
    assert line(result)["results"] == [
        {
            "rule": "opening",
            "title": "开场",
            "outcome": "not_met",
            "severity": "major",
            "reason": None,
            "scored": True,
            "unscored": None,
            "same_event_as": "closing",
            "style": {"祝福": True, "姓名": None},
            "grade": 2,
            "opens": [
                {
                    "item": "call-back",
                    "due_days": 3,
                    "evidence": {
                        **{"start": 1.333, "end": 2.0, "role": "agent", "quote": "三天内回复您"},
                        **{"utterances": [], "confidence": None, "note": None},
                    },
                }
            ],
            "evidence": [
                {
                    "start": 1.333,
                    "end": 4.333,
                    "role": "agent",
                    "quote": "您好",
                    "utterances": [0],
                    "confidence": 0.667,
                    "note": "没有工号",
                },
                {
                    "start": 1.0,
                    "end": 2.0,
                    "role": None,
                    "quote": "",
                    "utterances": [],
                    "confidence": None,
                    "note": None,
                },
            ],
        }
    ]


def test_provenance_names_rules_and_engines() -> None:
    engine = {"stage": "asr", "engine": "whisper", "model": "base", "revision": "1", "device": "cpu"}
    assert line()["provenance"] == {"pack": "service-zh", "ruleset": "sha256:ab", "engines": [engine]}


def test_silence_is_no_number() -> None:
    """A silent channel's level is minus infinity, which JSON does not know."""
    evaluation = stored()
    roles = tuple(replace(role, level_dbfs=-math.inf) for role in evaluation.metrics.roles)
    evaluation = replace(evaluation, metrics=replace(evaluation.metrics, roles=roles))
    document = report.scored(
        path="a.wav", second_path="b.wav", sha256="ab", conversation=call(), evaluation=evaluation
    )
    assert document["metrics"]["level_dbfs"] == {"agent": None, "customer": None}
    assert document["recording"]["second_path"] == "b.wav"


def test_a_failed_line_has_every_top_level_key() -> None:
    assert report.failed(
        path="a.wav", second_path="b.wav", code="file_empty", message="the file holds no bytes"
    ) == {
        "recording": {"path": "a.wav", "second_path": "b.wav"},
        "status": "failed",
        "error": {"code": "file_empty", "message": "the file holds no bytes"},
        "conversation": None,
        "metrics": None,
        "results": None,
        "evaluation": None,
        "provenance": None,
    }
