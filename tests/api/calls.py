"""Calls in the store of a test's application: told, heard and scored, with a number in what is said."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from api.site import Site
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity
from qa_service.domain.scoring import Evaluation, SectionScore
from tests import builders
from tests.qa_service.db.builders import blob, metrics

PHONE = "13812345678"
MASKED = "138****5678"
SAID = f"我的手机号是{PHONE}"
NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TOLD = CallMetadata(
    call_id="c-1",
    agent_id="1024",
    agent_name="王芳",
    team="A",
    vendor="V",
    queue="billing",
    direction=Direction.INBOUND,
    customer_ref=PHONE,
    started_at=NOON,
)
OTHER = replace(TOLD, call_id="c-2", agent_id="2048", team="B", vendor="W", customer_ref="C-1")


@dataclass(frozen=True)
class Placed:
    recording_id: int
    conversation_id: int = 0
    evaluation_id: int = 0


def add_call(
    site: Site, name: str = "a", metadata: CallMetadata = TOLD, *, score: float | None = 72.5, fatal: bool = False
) -> Placed:
    """A scored call; its only finding quotes the number."""
    heard = builders.conversation(
        builders.utterance("您好，请说您的手机号", 0.0),
        builders.utterance(SAID, 4.0, role=builders.CUSTOMER, index=1),
        duration_s=12.5,
    )
    quote = Evidence(4.0, 8.0, builders.CUSTOMER, SAID, (1,), 0.9, "")
    results = (
        RuleResult("privacy", "隐私", Outcome.NOT_MET, Severity.MAJOR, (quote,)),
        RuleResult("opening", "开场", Outcome.MET, Severity.MINOR),
    )
    filled = Evaluation("service-zh", score, score, 0.9, fatal, (SectionScore("s", "节", 50, 5, 10, 10, fatal),))
    with site.units() as unit:
        recording, _ = unit.recordings.add(blob(name.encode()), path=f"/srv/calls/{name}_{PHONE}.wav")
        unit.metadata.put(recording.id, metadata)
        unit.recordings.set_audio(recording.id, duration_s=12.5, channels=2)
        conversation = unit.conversations.add(f"k-{name}", recording.id, heard, elapsed_s=1.0)
        stored = unit.evaluations.add(
            f"e-{name}",
            conversation=conversation,
            pack="service-zh",
            ruleset_digest="sha256:d",
            evaluation=filled,
            results=results,
            metrics=metrics(),
        )
        unit.commit()
    return Placed(recording.id, conversation.id, stored.id)


def add_unscored(site: Site, name: str, metadata: CallMetadata = TOLD) -> Placed:
    with site.units() as unit:
        recording, _ = unit.recordings.add(blob(name.encode()), path=f"{name}.wav")
        unit.metadata.put(recording.id, metadata)
        unit.commit()
    return Placed(recording.id)


def at(minutes: int, metadata: CallMetadata = TOLD) -> CallMetadata:
    return replace(metadata, call_id=f"c-{minutes}", started_at=NOON + timedelta(minutes=minutes))
