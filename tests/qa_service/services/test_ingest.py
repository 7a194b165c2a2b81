"""Receiving: the same bytes are one recording, what cannot be read changes nothing, metadata only grows."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from qa_service.db.rows import CallMetadataRow, RecordingRow
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError
from qa_service.ports import ByteSource, StoredBlob
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
    os.mkfifo(workplace.folder / "pipe.wav")
    return {
        "missing": workplace.folder / "missing.wav",
        "empty": workplace.file("empty.wav", b""),
        "directory": workplace.folder,
        "below a file": workplace.file("file", b"call") / "below.wav",
        "too long": too_long,
        "pipe": workplace.folder / "pipe.wav",
        "device": Path("/dev/zero"),
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
        ("pipe", "file_unreadable", "not a regular file"),
        ("device", "file_unreadable", "not a regular file"),
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


def test_a_file_that_is_still_written_changes_nothing(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, put_all = workplace.file("a.wav", b"half a call"), workplace.blobs.put_all

    def meanwhile(sources: Sequence[ByteSource]) -> tuple[StoredBlob, ...]:
        with path.open("ab") as writer:
            writer.write(b", and more")
        return put_all(sources)

    with monkeypatch.context() as patch:
        patch.setattr(workplace.blobs, "put_all", meanwhile)
        with pytest.raises(InputError, match=r"file_changing: .*when it is written to its end"):
            workplace.ingest.receive(path, None)
    assert workplace.stored_blobs() == []
    assert workplace.count(RecordingRow) == 0
    assert workplace.ingest.receive(path, None).new


# Two files ----------------------------------------------------------------------------------------------------


def test_two_files_are_one_recording(workplace: Workplace) -> None:
    out, into = workplace.file("7-out.wav", b"agent"), workplace.file("7-in.wav", b"customer")
    first = workplace.ingest.receive(out, CallMetadata(call_id="C-7"), second=into)
    again = workplace.ingest.receive(out, None, second=into)
    swapped = workplace.ingest.receive(into, None, second=out)
    assert (first.new, again.new, swapped.new) == (True, False, True)
    assert first.recording == again.recording
    assert (first.recording.path, first.recording.second_path) == (str(out), str(into))
    assert again.metadata == CallMetadata(call_id="C-7")
    assert swapped.recording.blob_uris == first.recording.blob_uris[::-1]
    assert len(workplace.stored_blobs()) == 2


@pytest.mark.parametrize(
    ("first", "second", "code", "named"),
    [
        (b"agent", None, "side_missing", "7-in.wav, the other side of 7-out.wav"),
        (None, b"customer", "side_missing", "7-out.wav, the other side of 7-in.wav"),
        (None, None, "file_missing", "neither"),
        (b"agent", b"", "file_empty", "7-in.wav"),
        (b"", b"customer", "file_empty", "7-out.wav"),
        (b"agent", b"agent", "pair_invalid", "7-out.wav and 7-in.wav"),
    ],
)
def test_half_a_call_changes_nothing(
    workplace: Workplace, first: bytes | None, second: bytes | None, code: str, named: str
) -> None:
    contents = {"7-out.wav": first, "7-in.wav": second}
    paths = [workplace.folder / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        if content is not None:
            workplace.file(path.name, content)
    with pytest.raises(InputError) as caught:
        workplace.ingest.receive(paths[0], None, second=paths[1])
    assert caught.value.code == code
    assert named in caught.value.message
    assert workplace.stored_blobs() == []
    assert workplace.count(RecordingRow) == 0


def test_two_names_of_one_file_are_not_two_sides(workplace: Workplace) -> None:
    path = workplace.file("a.wav", b"agent")
    link = workplace.folder / "b.wav"
    link.symlink_to(path)
    with pytest.raises(InputError, match="pair_invalid"):
        workplace.ingest.receive(path, None, second=link)


def test_sides_that_differ_at_their_end_are_two(workplace: Workplace) -> None:
    sides = [workplace.file(name, bytes(1024 * 1024) + end) for name, end in (("a.wav", b"1"), ("b.wav", b"2"))]
    received = workplace.ingest.receive(sides[0], None, second=sides[1])
    assert received.recording.size_bytes == 2 * (1024 * 1024 + 1)


# Metadata -----------------------------------------------------------------------------------------------------


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
