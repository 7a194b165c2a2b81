"""Documents come back equal, whatever they hold."""

import json
import math
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from benchmarks.stored_calls import synthetic_calls
from qa_service.db import documents
from qa_service.domain.call import CallMetadata, Direction, HangupSide, Purpose
from qa_service.domain.conversation import (
    Conversation,
    EngineRun,
    SegmentDoubt,
    SpeakerRole,
    SpeakerSpeech,
    TextOverlay,
    Turn,
    Utterance,
    Word,
)
from qa_service.domain.faults import ChannelFault, FaultKind
from qa_service.domain.metrics import (
    ConversationMetrics,
    Interruption,
    InterruptionOutcome,
    Latency,
    RoleMetrics,
    Silence,
)
from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.results import Evidence, OpenItem
from qa_service.domain.scoring import SectionScore
from qa_service.domain.timeline import TimeSpan
from tests.qa_service.db import builders

numbers = st.floats(allow_nan=False)
counts = st.integers(0, 2**53)
words = st.text(max_size=8)
roles = st.sampled_from(SpeakerRole)


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


spans = st.tuples(numbers, numbers).map(lambda pair: TimeSpan(min(pair), max(pair)))
pairs = some(st.tuples(words, words))
utterances = st.builds(
    Utterance,
    index=counts,
    role=roles,
    channel=counts,
    start=numbers,
    end=numbers,
    text=words,
    raw_text=words,
    words=some(st.builds(Word, words, numbers, numbers, numbers)),
    word_offsets=some(counts),
    confidence=numbers,
    overlay=st.builds(TextOverlay, words, some(counts), some(words)),
    speaker=counts,
    numbers=some(
        st.builds(SpokenNumber, counts, counts, st.sampled_from(NumberKind), words, words, st.booleans())
    ),
)
conversations = st.builds(
    Conversation,
    duration_s=numbers,
    language=words,
    utterances=some(utterances),
    turns=some(st.builds(Turn, roles, numbers, numbers, some(counts))),
    speech=some(st.builds(SpeakerSpeech, counts, roles, some(spans), st.none() | numbers)),
    role_source=words,
    overlap_measurable=st.booleans(),
    provenance=some(st.builds(EngineRun, words, words, words, words, words, pairs)),
    segments=some(
        st.builds(
            SegmentDoubt,
            *(counts, counts, numbers, numbers, counts),
            *(numbers, numbers, numbers, numbers),
            attempt=counts,
            struck=st.none() | words,
        )
    ),
    faults=some(
        st.builds(
            ChannelFault,
            st.sampled_from(FaultKind),
            st.none() | counts,
            st.none() | numbers,
            some(spans),
            some(words),
        )
    ),
)
metrics = st.builds(
    ConversationMetrics,
    duration_s=numbers,
    talk=st.none() | spans,
    roles=some(
        st.builds(
            RoleMetrics,
            role=roles,
            speech=some(spans),
            speech_s=numbers,
            talk_ratio=st.none() | numbers,
            speech_rate_per_min=st.none() | numbers,
            turn_count=counts,
            longest_monologue=st.none() | spans,
            level_dbfs=st.none() | numbers,
        )
    ),
    overlaps=some(spans),
    interruptions=some(
        st.builds(
            Interruption,
            roles,
            spans,
            st.sampled_from(InterruptionOutcome),
            st.none() | st.booleans(),
            some(counts),
        )
    ),
    interruptions_measurable=st.booleans(),
    silences=some(st.builds(Silence, spans, st.none() | roles, st.none() | roles, st.booleans(), st.booleans())),
    holds=some(spans),
    latencies=some(st.builds(Latency, roles, spans)),
    hangup_side=st.none() | st.sampled_from(HangupSide),
    ring_count=st.none() | counts,
)
metadata = st.builds(
    CallMetadata,
    call_id=st.none() | words,
    direction=st.none() | st.sampled_from(Direction),
    purpose=st.none() | st.sampled_from(Purpose),
    started_at=st.none() | st.datetimes(timezones=st.none() | st.just(UTC)),
    hold_spans=st.none() | some(spans),
    extra=pairs,
)
places = st.builds(Evidence, numbers, numbers, st.none() | roles, words, some(counts), st.none() | numbers, words)
evidence = some(places)
opens = some(st.builds(OpenItem, words, counts, places))
sections = some(
    st.builds(SectionScore, words, words, st.none() | numbers, numbers, numbers, numbers, st.booleans())
)


@settings(deadline=None)
@given(conversations)
def test_a_conversation_comes_back_equal(conversation: Conversation) -> None:
    assert documents.load_conversation(documents.dump_conversation(conversation)) == conversation


def test_both_readers_say_the_same() -> None:
    """Conversations are read by msgspec, and by pydantic where JSON needs liberties, as for an infinite level."""
    (call,) = synthetic_calls(1, utterances=12)
    silent = SpeakerSpeech(1, SpeakerRole.CUSTOMER, (), -math.inf)
    for conversation in (builders.conversation(), call.conversation, replace(call.conversation, speech=(silent,))):
        document = documents.dump_conversation(conversation)
        assert documents.load_conversation(document) == conversation
        assert documents._conversation().validate_json(zlib.decompress(document))[0] == conversation


@pytest.mark.parametrize(
    "document", [b"[]", b"{}", b'[{"duration_s": "long"}]', b"[null]", b'[{"duration_s": 1}', b""]
)
def test_damage_is_named_by_one_type_of_error(document: bytes) -> None:
    with pytest.raises(ValidationError):
        documents.load_conversation(zlib.compress(document))


def test_an_older_conversation_has_no_overlays_of_later_versions() -> None:
    conversation = builders.conversation()
    document = json.loads(zlib.decompress(documents.dump_conversation(conversation)))
    for utterance in document[0]["utterances"]:
        del utterance["numbers"]
    del document[0]["faults"]
    assert documents.load_conversation(zlib.compress(json.dumps(document).encode())) == conversation


@settings(deadline=None)
@given(metrics)
def test_metrics_come_back_equal(metrics: ConversationMetrics) -> None:
    assert documents.load_metrics(documents.dump_metrics(metrics)) == metrics


@settings(deadline=None)
@given(metadata)
def test_metadata_comes_back_equal(metadata: CallMetadata) -> None:
    document, digest = documents.dump_metadata(metadata)
    assert documents.load_metadata(document) == metadata
    assert documents.dump_metadata(documents.load_metadata(document))[1] == digest


@settings(deadline=None)
@given(evidence, sections, opens)
def test_what_json_columns_hold_comes_back_equal(
    evidence: tuple[Evidence, ...], sections: tuple[SectionScore, ...], opens: tuple[OpenItem, ...]
) -> None:
    assert documents.load_evidence(documents.dump_evidence(evidence)) == evidence
    assert documents.load_sections(documents.dump_sections(sections)) == sections
    assert documents.load_opens(documents.dump_opens(opens)) == opens


def test_not_a_number_stays_not_a_number() -> None:
    (read,) = documents.load_evidence(documents.dump_evidence((Evidence(0.0, 1.0, confidence=math.nan),)))
    assert read.confidence is not None
    assert math.isnan(read.confidence)


def test_a_changed_document_has_another_digest() -> None:
    first = documents.dump_metadata(CallMetadata(agent_id="7"))
    second = documents.dump_metadata(CallMetadata(agent_id="8"))
    assert first[1] != second[1]


def test_fields_of_another_version_are_ignored_and_missing_ones_take_their_default() -> None:
    started = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    older = {"started_at": started.isoformat(), "a_field_dropped_since": 1}
    assert documents.load_metadata(older) == CallMetadata(started_at=started)


def test_a_conversation_document_is_compressed() -> None:
    conversation = builders.conversation()
    document = documents.dump_conversation(conversation)
    assert len(document) < len(repr(conversation))


@pytest.mark.parametrize("document", [b"", b"not compressed"])
def test_a_damaged_document_is_not_read_as_something_else(document: bytes) -> None:
    with pytest.raises(Exception, match="decompress"):
        documents.load_conversation(document)
