"""Small stored things for the tests of the store."""

import hashlib

from alembic import command

from qa_service.db import migrating
from qa_service.db.engine import open_engine, parse_url
from qa_service.db.session import Database, SqlUnitOfWork
from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import (
    Conversation,
    EngineRun,
    SpeakerRole,
    SpeakerSpeech,
    TextOverlay,
    Turn,
    Utterance,
    Word,
)
from qa_service.domain.metrics import ConversationMetrics, MetricOptions, measure
from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult, Severity
from qa_service.domain.scoring import Evaluation, SectionScore
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import StoredBlob, StoredConversation, StoredEvaluation


def blob(content: bytes = b"call") -> StoredBlob:
    digest = hashlib.sha256(content).hexdigest()
    return StoredBlob(sha256=digest, uri=f"blob:{digest}", size_bytes=len(content))


def add_recording(database: Database, content: bytes = b"call", path: str = "calls/a.wav") -> Recording:
    with database.unit_of_work() as unit:
        recording, _ = unit.recordings.add(blob(content), path=path)
        unit.commit()
    return recording


def conversation() -> Conversation:
    word = Word(" 您好", 0.5, 1.25, 0.875)
    overlay = TextOverlay("您好", (0, 1), ("nin", "hao"))
    utterance = Utterance(
        index=0,
        role=SpeakerRole.AGENT,
        channel=0,
        start=0.5,
        end=1.25,
        text="您好",
        raw_text="您好",
        words=(word,),
        word_offsets=(0,),
        confidence=0.875,
        overlay=overlay,
    )
    return Conversation(
        duration_s=12.5,
        language="zh",
        utterances=(utterance,),
        turns=(Turn(SpeakerRole.AGENT, 0.5, 1.25, (0,)),),
        speech=(
            SpeakerSpeech(0, SpeakerRole.AGENT, (TimeSpan(0.5, 1.25),), -23.5),
            SpeakerSpeech(1, SpeakerRole.CUSTOMER, ()),
        ),
        role_source="metadata",
        overlap_measurable=True,
        provenance=(
            EngineRun("vad", "silero", "silero-vad", "5", "cpu", (("threshold", "0.5"),)),
            EngineRun("asr", "faster-whisper", "base", "1", "cuda"),
        ),
    )


def metrics() -> ConversationMetrics:
    return measure(conversation(), CallMetadata(), MetricOptions())


def evaluation() -> Evaluation:
    return Evaluation(
        scorecard="service",
        score=66.5,
        raw_score=80.25,
        bonus=2.5,
        coverage=0.75,
        fatal=True,
        sections=(SectionScore("opening", "开场", None, 0.0, 0.0, 10.0, False),),
    )


def results() -> tuple[RuleResult, ...]:
    """One result of each kind that matters for findings; only the first two need a person."""
    quote = Evidence(0.5, 1.25, SpeakerRole.AGENT, "您好", (0,), 0.875, "greeting")
    return (
        RuleResult("z.greeting", "问候", Outcome.NOT_MET, Severity.MAJOR, (quote,)),
        RuleResult("a.tone", "语气", Outcome.UNDETERMINED, Severity.MINOR, reason="low_confidence"),
        RuleResult("e.doubt", "存疑", Outcome.UNDETERMINED, Severity.MINOR, reason="maybe_said", review=False),
        RuleResult(
            "f.promise",
            "承诺",
            Outcome.MET,
            Severity.MINOR,
            grade=2,
            opens=(OpenItem("call-back", 3, quote), OpenItem("reply", 1, Evidence(0.0, 0.5))),
        ),
        RuleResult(
            "m.closing",
            "结束语",
            Outcome.MET,
            Severity.MINOR,
            style=(("祝福", True), ("致谢", False), ("姓名", None)),
        ),
        RuleResult("b.style", "口头禅", Outcome.NOT_MET, Severity.MINOR, scored=False),
        RuleResult("c.same", "同一事件", Outcome.NOT_MET, Severity.CRITICAL, same_event_as="z.greeting"),
        RuleResult("d.hold", "等待", Outcome.NOT_APPLICABLE, Severity.MINOR, reason="no_hold"),
    )


def add_evaluation(unit: SqlUnitOfWork, key: str, conversation: StoredConversation) -> StoredEvaluation:
    return unit.evaluations.add(
        key,
        conversation=conversation,
        pack="service-zh",
        ruleset_digest="d1",
        evaluation=evaluation(),
        results=results(),
        metrics=metrics(),
    )


def downgrade(database_url: str, revision: str) -> None:
    """Take an upgraded database back to ``revision``."""
    engine = open_engine(parse_url(database_url))
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":  # as the upgrade itself does; outside any transaction
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            command.downgrade(migrating.configuration(connection), revision)
    engine.dispose()
