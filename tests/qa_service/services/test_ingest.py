"""Receiving: the same bytes are one recording, what cannot be read changes nothing, metadata only grows."""

import os
from pathlib import Path

import pytest

from qa_service.db.rows import CallMetadataRow, RecordingRow
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError
from qa_service.services.ingest import updated
from tests.fakes import Workplace


def test_the_same_bytes_under_two_names_are_one_recording(workplace: Workplace) -> None:
    first = workplace.ingest.receive(workplace.file("a.wav", b"call"), None)
    second = workplace.ingest.receive(workplace.file("b.wav", b"call"), None)
    assert (first.new, second.new) == (True, False)
    assert first.recording.id == second.recording.id
    assert second.recording.path.endswith("b.wav")
    assert workplace.count(RecordingRow) == len(workplace.stored_blobs()) == 1


def test_other_bytes_under_the_same_name_are_another_recording(workplace: Workplace) -> None:
    first = workplace.ingest.receive(workplace.file("a.wav", b"call"), None)
    second = workplace.ingest.receive(workplace.file("a.wav", b"other call"), None)
    assert first.recording.id != second.recording.id


@pytest.fixture
def unreadable(workplace: Workplace) -> dict[str, Path]:
    closed = workplace.file("closed.wav", b"call")
    closed.chmod(0)
    too_long = workplace.folder / ("a" * 300)
    return {
        "missing": workplace.folder / "missing.wav",
        "empty": workplace.file("empty.wav", b""),
        "directory": workplace.folder,
        "below a file": workplace.file("file", b"call") / "below.wav",
        "too long": too_long,
        "closed": closed,
    }


@pytest.mark.parametrize(
    ("which", "code", "hint"),
    [
        ("missing", "file_missing", "check the path"),
        ("empty", "file_empty", "export it again"),
        ("directory", "file_unreadable", "Is a directory"),
        ("below a file", "file_unreadable", "Not a directory"),
        ("too long", "file_unreadable", "File name too long"),
        ("closed", "file_unreadable", "Permission denied"),
    ],
)
def test_what_cannot_be_read_changes_nothing(
    workplace: Workplace, unreadable: dict[str, Path], which: str, code: str, hint: str
) -> None:
    if which == "closed" and os.access(unreadable[which], os.R_OK):
        return  # root reads everything
    with pytest.raises(InputError) as caught:
        workplace.ingest.receive(unreadable[which], CallMetadata(call_id="C-1"))
    assert caught.value.code == code
    assert hint in caught.value.message
    assert caught.value.context["path"] == str(unreadable[which])
    assert workplace.stored_blobs() == []
    assert workplace.count(RecordingRow) == workplace.count(CallMetadataRow) == 0


def test_metadata_that_comes_late_is_kept(workplace: Workplace) -> None:
    path = workplace.file("a.wav", b"call")
    assert workplace.ingest.receive(path, None).metadata == CallMetadata()
    early = workplace.ingest.receive(path, CallMetadata(call_id="C-1", agent_id="8023"))
    late = workplace.ingest.receive(path, CallMetadata(agent_id="9000", direction=Direction.INBOUND))
    assert early.metadata == CallMetadata(call_id="C-1", agent_id="8023")
    assert late.metadata == CallMetadata(call_id="C-1", agent_id="9000", direction=Direction.INBOUND)
    with workplace.database.unit_of_work() as unit:
        assert unit.metadata.get(late.recording.id) == late.metadata


def test_no_metadata_erases_none(workplace: Workplace) -> None:
    path = workplace.file("a.wav", b"call")
    known = CallMetadata(call_id="C-1", agent_channel=0, extra=(("skill", "gold"),))
    workplace.ingest.receive(path, known)
    assert workplace.ingest.receive(path, None).metadata == known
    assert workplace.ingest.receive(path, CallMetadata()).metadata == known


def test_zero_and_no_holds_are_knowledge() -> None:
    stored = CallMetadata(agent_channel=1, ring_count=3, hold_spans=(TimeSpan(1.0, 2.0),))
    latest = CallMetadata(agent_channel=0, ring_count=0, hold_spans=())
    assert updated(stored, latest) == CallMetadata(agent_channel=0, ring_count=0, hold_spans=())
