"""The speech stage: done once for each recording, engine and option; silent audio is a coded failure."""

import re
import zlib
from dataclasses import replace
from itertools import pairwise

import pytest
from sqlalchemy import select

from qa_service.db.rows import ConversationRow, EngineRunRow
from qa_service.domain.alignment import AlignmentOptions
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, EngineRun, SpeakerRole
from qa_service.domain.faults import ChannelFault, ChannelInspection, ChannelSignal, FaultKind
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError, NotFoundError
from qa_service.services.process import HearRecording
from tests.fakes import DURATION_S, HUMMING, SILENT, Workplace

NOTHING = CallMetadata()


def test_a_heard_recording_is_not_heard_again(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    first = workplace.hear.hear(recording, NOTHING)
    workplace.delete_blobs()
    assert workplace.hear.hear(recording, NOTHING) == first
    assert workplace.decoder.decoded == workplace.transcriber.heard == [b"call"]
    assert workplace.count(ConversationRow) == 1
    assert workplace.count(EngineRunRow) == 4


def test_what_is_heard(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    heard = workplace.hear.hear(recording, NOTHING).conversation
    assert [(u.role, u.channel, u.text) for u in heard.utterances] == [
        (SpeakerRole.AGENT, 0, "您好"),
        (SpeakerRole.CUSTOMER, 1, "您好"),
    ]
    assert heard.provenance == (
        workplace.inspector.run,
        workplace.detector.run,
        workplace.attributor.run,
        workplace.transcriber.run,
    )
    assert heard.faults == ()
    with workplace.database.unit_of_work() as unit:
        stored = unit.recordings.get(recording.id)
    assert (stored.duration_s, stored.channels) == (DURATION_S, 2)


def test_every_changed_engine_or_option_is_heard_again(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    keys = [workplace.hear.hear(recording, NOTHING).stage_key]

    def hear_again(hear: HearRecording, metadata: CallMetadata = NOTHING) -> None:
        keys.append(hear.hear(recording, metadata).stage_key)

    workplace.transcriber.model = "base"
    hear_again(workplace.hear)
    workplace.detector.options = (("threshold", "0.6"),)
    hear_again(workplace.hear)
    workplace.decoder.channel_map = (1, 2)
    hear_again(workplace.hear)
    workplace.diarizer.model = "other voices"
    hear_again(workplace.hear)
    workplace.inspector.model = "other ears"
    hear_again(workplace.hear)
    workplace.annotator.revision = "2"
    hear_again(workplace.hear)
    hear_again(workplace.hearing(alignment=AlignmentOptions(utterance_pause_s=0.5)))
    hear_again(workplace.hearing(language="en"))
    hear_again(workplace.hearing(agent_channel=1))
    hear_again(workplace.hear, CallMetadata(language="en", agent_channel=1))
    assert len(set(keys)) == len(keys) == len(workplace.transcriber.heard) == workplace.count(ConversationRow)


def test_hot_words_are_written_and_other_words_are_another_text(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"say abc"), None).recording
    knowing = workplace.hearing(hot_words=("优购商城", "王立娟"))
    said = knowing.hear(recording, NOTHING).conversation.utterances[0]
    assert (said.text, said.raw_text, said.respelled) == ("王立娟", "abc", ((0, 3),))
    assert said.overlay.folded == "王立娟"
    assert workplace.hear.hear(recording, NOTHING).conversation.utterances[0].text == "abc"
    assert workplace.hearing(hot_words=("王立娟", "优购商城")).key(recording, NOTHING) == knowing.key(
        recording, NOTHING
    )


def test_the_agents_name_is_a_hot_word_where_it_can_be_one(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"say abc"), None).recording
    named = workplace.hear.hear(recording, CallMetadata(agent_name="王立娟")).conversation
    assert named.utterances[0].text == "王立娟"
    nobody = workplace.hear.key(recording, NOTHING)
    for name in ("王丽", "Emily Stone", ""):
        assert workplace.hear.key(recording, CallMetadata(agent_name=name)) == nobody


def test_metadata_that_speech_does_not_depend_on_costs_nothing(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    keys = [
        workplace.hear.key(recording, metadata)
        for metadata in (NOTHING, CallMetadata(agent_id="8023", call_id="C-1", ring_count=2))
    ]
    assert all(a == b for a, b in pairwise(keys))


def test_the_key_follows_the_bytes_not_the_name(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    assert workplace.hear.key(replace(recording, id=99, path="b.wav"), NOTHING) == workplace.hear.key(
        recording, NOTHING
    )
    assert workplace.hear.key(replace(recording, sha256="0" * 64), NOTHING) != workplace.hear.key(
        recording, NOTHING
    )


@pytest.mark.parametrize(
    ("site", "told", "source", "roles"),
    [
        (0, 1, "metadata", [SpeakerRole.CUSTOMER, SpeakerRole.AGENT]),
        (0, None, "site default", [SpeakerRole.AGENT, SpeakerRole.CUSTOMER]),
        (None, 0, "metadata", [SpeakerRole.AGENT, SpeakerRole.CUSTOMER]),
        (None, None, "unknown", [SpeakerRole.UNKNOWN, SpeakerRole.UNKNOWN]),
    ],
)
def test_where_roles_come_from(
    workplace: Workplace, site: int | None, told: int | None, source: str, roles: list[SpeakerRole]
) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    hear = workplace.hearing(agent_channel=site)
    heard = hear.hear(recording, CallMetadata(agent_channel=told)).conversation
    assert heard.role_source == source
    assert [channel.role for channel in heard.speech] == roles


def test_roles_that_metadata_confirms_come_from_metadata(workplace: Workplace) -> None:
    """The site's default was right; the reader is told who says so, and nothing is heard twice."""
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    guessed = workplace.hear.hear(recording, NOTHING).conversation
    told = workplace.hear.hear(recording, CallMetadata(agent_channel=0)).conversation
    assert (guessed.role_source, told.role_source) == ("site default", "metadata")
    assert workplace.transcriber.heard == [b"call"]


def test_speakers_on_one_channel_stay_unknown_where_their_words_do_not_tell(workplace: Workplace) -> None:
    workplace.decoder.channels = 1
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    heard = workplace.hear.hear(recording, CallMetadata(agent_channel=0)).conversation
    assert (heard.role_source, heard.role_probability, heard.channels) == ("unknown", 0.5, 1)
    assert not heard.overlap_measurable
    assert [(u.role, u.channel, u.speaker) for u in heard.utterances] == [
        (SpeakerRole.UNKNOWN, 0, 0),
        (SpeakerRole.UNKNOWN, 0, 1),
    ]


def test_roles_on_one_channel_are_inferred_and_kept_with_their_probability(workplace: Workplace) -> None:
    workplace.decoder.channels = 1
    workplace.attributor.roles = (SpeakerRole.CUSTOMER, SpeakerRole.AGENT)
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    for _ in range(2):  # from the store the second time
        heard = workplace.hear.hear(recording, CallMetadata(agent_channel=0)).conversation
        assert (heard.role_source, heard.role_probability) == ("script cues", 0.97)
        assert not heard.overlap_measurable
        assert [(u.role, u.speaker) for u in heard.utterances] == [
            (SpeakerRole.CUSTOMER, 0),
            (SpeakerRole.AGENT, 1),
        ]
        assert [run.stage for run in heard.provenance] == ["channels", "vad", "diarization", "roles", "asr"]
    assert len(workplace.transcriber.heard) == 1
    with workplace.database.unit_of_work() as unit:
        assert unit.recordings.get(recording.id).channels == 1


SOUND = ChannelSignal(peak_dbfs=-10.0)


def heard_with(workplace: Workplace, inspection: ChannelInspection) -> Conversation:
    workplace.inspector.inspection = inspection
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    workplace.hear.hear(recording, NOTHING)
    return workplace.hear.hear(recording, NOTHING).conversation  # as it is stored


def test_what_leaks_is_no_speech_and_a_fault(workplace: Workplace) -> None:
    leak = ChannelSignal(peak_dbfs=-10.0, leaked=(TimeSpan(0.0, 2.0),), leakage_db=-9.0)
    heard = heard_with(workplace, ChannelInspection((SOUND, leak)))
    assert workplace.detector.leaked == [((), (TimeSpan(0.0, 2.0),))]
    assert heard.faults == (ChannelFault(FaultKind.CROSS_TALK, 1, -9.0, (TimeSpan(0.0, 2.0),)),)


def test_the_same_audio_on_both_is_taken_apart_and_told(workplace: Workplace) -> None:
    heard = heard_with(workplace, ChannelInspection((SOUND, SOUND), explained_share=0.99))
    assert (heard.channels, len(heard.speech), heard.overlap_measurable) == (1, 2, False)
    assert heard.faults == (ChannelFault(FaultKind.SAME_AUDIO, None, 0.99),)


def test_a_dead_channel_keeps_its_role(workplace: Workplace) -> None:
    heard = heard_with(workplace, ChannelInspection((ChannelSignal(peak_dbfs=None), SOUND)))
    assert heard.faults == (ChannelFault(FaultKind.DEAD, 0),)
    assert heard.unheard_roles == {SpeakerRole.AGENT}


@pytest.mark.parametrize("told", [None, 0])
def test_swapped_channels_are_put_right_whoever_told_them(workplace: Workplace, told: int | None) -> None:
    workplace.attributor.roles = (SpeakerRole.CUSTOMER, SpeakerRole.AGENT)
    workplace.attributor.probability = 0.995
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    for _ in range(2):  # from the store the second time, where nobody's telling counts any more
        heard = workplace.hear.hear(recording, CallMetadata(agent_channel=told)).conversation
        assert (heard.role_source, heard.role_probability) == ("script cues", 0.995)
        assert [u.role for u in heard.utterances] == [SpeakerRole.CUSTOMER, SpeakerRole.AGENT]
        assert [(f.kind, f.quotes) for f in heard.faults] == [(FaultKind.SWAPPED, ("您", "您"))]
        assert heard.overlap_measurable
    assert len(workplace.transcriber.heard) == 1


def test_metadata_tells_how_many_speak(workplace: Workplace) -> None:
    workplace.decoder.channels = 1
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    workplace.hear.hear(recording, NOTHING)
    workplace.hear.hear(recording, CallMetadata(speakers=2))
    assert workplace.diarizer.expected == [None, 2]


def test_the_language_is_taken_from_metadata_then_from_the_site(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    hear = workplace.hearing(language="en")
    assert hear.hear(recording, NOTHING).conversation.language == "en"
    assert hear.hear(recording, CallMetadata(language="zh")).conversation.language == "zh"


def test_both_files_of_a_call_are_heard_in_their_order(workplace: Workplace) -> None:
    sides = [
        workplace.file(name, content) for name, content in (("7-out.wav", b"agent "), ("7-in.wav", b"customer"))
    ]
    recording = workplace.ingest.receive(sides[0], None, second=sides[1]).recording
    swapped = workplace.ingest.receive(sides[1], None, second=sides[0]).recording
    assert workplace.hear.key(recording, NOTHING) != workplace.hear.key(swapped, NOTHING)
    workplace.hear.hear(recording, NOTHING)
    workplace.hear.hear(swapped, NOTHING)
    assert workplace.decoder.decoded == [b"agent customer", b"customeragent "]


def test_silent_audio_is_a_coded_failure(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", SILENT), None).recording
    with pytest.raises(InputError) as caught:
        workplace.hear.hear(recording, NOTHING)
    assert caught.value.code == "silent_audio"
    assert workplace.transcriber.heard == []
    assert workplace.count(ConversationRow) == 0


def test_speech_without_a_word_is_a_coded_failure(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", HUMMING), None).recording
    with pytest.raises(InputError) as caught:
        workplace.hear.hear(recording, NOTHING)
    assert caught.value.code == "no_words"
    assert workplace.count(ConversationRow) == 0


def test_a_deleted_blob_is_a_coded_failure(workplace: Workplace) -> None:
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    workplace.delete_blobs()
    with pytest.raises(NotFoundError) as caught:
        workplace.hear.hear(recording, NOTHING)
    assert caught.value.code == "blob_not_found"


def test_no_transaction_is_open_while_an_engine_works(workplace: Workplace) -> None:
    """On SQLite another writer would otherwise wait for the whole call."""
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording

    def write(content: bytes) -> None:
        with workplace.database.unit_of_work() as unit:
            unit.recordings.set_audio(recording.id, duration_s=1.0, channels=1)
            unit.commit()

    workplace.transcriber.during = write
    assert workplace.hear.hear(recording, NOTHING)


def test_engines_that_disagree_keep_the_first_result(workplace: Workplace) -> None:
    """Another worker finished the same recording meanwhile: its conversation is the conversation."""
    recording = workplace.ingest.receive(workplace.file("a.wav", b"call"), None).recording
    other = Workplace(workplace.database, workplace.folder)
    others = []
    workplace.transcriber.during = lambda _: others.append(other.hear.hear(recording, NOTHING))
    assert workplace.hear.hear(recording, NOTHING) == others[0]
    assert workplace.count(ConversationRow) == 1


def test_the_engines_are_known_before_any_audio(workplace: Workplace) -> None:
    assert workplace.hear.engines == (
        EngineRun("channels", "fake", "ears", "1", "cpu"),
        EngineRun("vad", "fake", "vad", "1", "cpu", (("threshold", "0.5"),)),
        EngineRun("diarization", "fake", "voices", "1", "cpu"),
        EngineRun("asr", "fake", "tiny", "1", "cpu"),
        EngineRun("roles", "fake", "cues", "1", "cpu"),
    )


def test_card_codes_are_in_no_row(workplace: Workplace) -> None:
    """What the recogniser wrote is replaced before anything is stored; when it was said is kept."""
    said = "say 安全码三五七好"
    recording = workplace.ingest.receive(workplace.file("a.wav", said.encode()), None).recording
    heard = workplace.hear.hear(recording, NOTHING).conversation
    assert {u.text for u in heard.utterances} == {"安全码***好"}
    assert len(heard.card_codes) == 2
    with workplace.database.unit_of_work() as unit:
        stored = unit.conversations.in_force(recording.id)
    assert stored is not None
    assert stored.conversation == heard
    with workplace.database.unit_of_work(read_only=True) as unit:
        compressed = unit.session.scalars(select(ConversationRow.document)).all()
    for document in (zlib.decompress(one).decode() for one in compressed):
        assert "安全码***" in document
        assert not re.search("三.{0,200}五.{0,200}七", document)
