"""Metrics of built calls, with the default options."""

from collections.abc import Sequence
from dataclasses import replace

from qa_service.domain.alignment import AlignmentOptions, build_conversation
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, SpeakerRole, SpeakerSpeech, Transcript
from qa_service.domain.metrics import (
    ConversationMetrics,
    MetricOptions,
    RoleMetrics,
    measure,
)
from tests.builders import (
    overlay,
)

OPTIONS = MetricOptions()

Edges = tuple[float, float]
"""Start and end of a stretch, in seconds."""


def measured(call: Conversation, **metadata: object) -> ConversationMetrics:
    return measure(call, replace(CallMetadata(), **metadata), OPTIONS)  # type: ignore[arg-type]


def of(call: Conversation, role: SpeakerRole) -> RoleMetrics:
    found = measured(call).of(role)
    assert found is not None
    return found


def build(
    channels: Sequence[SpeakerSpeech], heard: Sequence[Transcript], *, duration_s: float = 60.0
) -> Conversation:
    return build_conversation(
        duration_s=duration_s,
        language="zh",
        speech=channels,
        transcripts=heard,
        simplified=lambda raw, _: raw,
        overlay=overlay,
        role_source="metadata",
        overlap_measurable=True,
        provenance=(),
        options=AlignmentOptions(utterance_pause_s=0.75),
    )
