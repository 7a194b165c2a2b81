"""Collecting from folders and buckets: everything once, nothing too early, what is told later counts."""

import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from qa_service.db.rows import CallMetadataRow, EvaluationRow, JobRow, RecordingRow, SourceRow
from qa_service.domain.call import CallMetadata
from qa_service.errors import ConflictError, TransientError
from qa_service.ports import COLLECT_PRIORITY, JobState
from qa_service.services.collect_round import RETELL_S
from tests.buckets import S3
from tests.fakes import SILENT
from tests.worker.collecting import CollectingContainer, Place, bucket_place, folder_place

Make = Callable[..., CollectingContainer]


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "bucket":
        s3: S3 = request.getfixturevalue("s3")
        return bucket_place(s3.new_bucket(), "in/coming")
    return folder_place(tmp_path / "incoming")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[CollectingContainer] = []

    def one(*sources: str, **settings: object) -> CollectingContainer:
        made.append(CollectingContainer(tmp_path / "data", *sources, **settings))
        return made[-1]

    yield one
    for container in made:
        container.database.dispose()


def metadata_of(container: CollectingContainer, name: str) -> CallMetadata:
    with container.database.unit_of_work() as unit:
        (recording,) = unit.recordings.find(name)
        return unit.metadata.get(recording.id)


def test_what_is_new_is_received_once_and_scored(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("1.wav", b"one")
    place.put("2026/03/02/2.wav", b"two")
    place.put("notes.txt", b"no recording")
    assert container.outcomes() == {"1.wav": "new", "2026/03/02/2.wav": "new"}
    assert container.outcomes() == {}
    assert container.score() == 2
    place.put("3.wav", b"three")
    assert container.outcomes() == {"3.wav": "new"}
    assert container.score() == 1
    assert container.workplace.count(EvaluationRow) == 3


def test_a_round_without_changes_opens_nothing(place: Place, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    container = make(place.name)
    place.put("1.wav", b"one")
    place.put("call_metadata.csv", b"file,agent_id\n1.wav,7\n")
    container.collect()
    container.collect()
    monkeypatch.setattr(io, "open", None)
    for source in container.collector.sources:
        monkeypatch.setattr(type(source), "receive", None)
        monkeypatch.setattr(type(source), "read", None, raising=False)
    monkeypatch.setattr("qa_service.adapters.metadata_sources.load_metadata", None)
    assert container.outcomes() == {}


def test_who_asked_for_nothing_waits_for_those_who_did(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("1.wav", b"one")
    container.collect()
    with container.database.unit_of_work() as unit:
        (job,) = unit.session.query(JobRow).all()
        assert -job.rank == COLLECT_PRIORITY < 0


def test_what_is_new_waits_for_the_night_where_there_is_one(place: Place, make: Make) -> None:
    container = make(place.name, nightly_at="01:00")
    place.put("1.wav", b"one")
    container.collect()
    assert container.score() == 0
    with container.database.unit_of_work() as unit:
        (recording,) = unit.recordings.find("1.wav")
    container.jobs.run(container.jobs.enqueue(recording, CallMetadata(), pack=None).id)  # by the nightly run
    place.put("call_metadata.csv", b"file,agent_id\n1.wav,7\n")
    container.collect()  # which does not come back to calls of other days
    assert container.score() == 1


def test_what_is_told_of_a_call_that_the_night_came_to_in_vain_is_not_lost(place: Place, make: Make) -> None:
    container = make(place.name, nightly_at="01:00")
    place.put("1.wav", SILENT)
    container.collect()
    with container.database.unit_of_work() as unit:
        (recording,) = unit.recordings.find("1.wav")
    job = container.jobs.run(container.jobs.enqueue(recording, CallMetadata(), pack=None).id)
    assert job.state is JobState.FAILED
    place.put("call_metadata.csv", b"file,agent_id\n1.wav,7\n")
    container.collect()
    assert container.score() == 1


def test_what_is_too_large_is_not_copied(place: Place, make: Make) -> None:
    container = make(place.name, max_file_bytes=3)
    place.put("1.wav", b"one")
    place.put("2.wav", b"more")
    assert container.outcomes() == {"1.wav": "new", "2.wav": "file_too_large"}
    assert len(container.workplace.stored_blobs()) == 1


def test_a_full_disk_ends_the_round(place: Place, make: Make) -> None:
    place.put("1.wav", b"one")
    full = make(place.name, min_free_bytes=2**62)
    with pytest.raises(TransientError) as caught:
        full.collect()
    assert (caught.value.code, full.workplace.stored_blobs()) == ("disk_full", [])
    full.database.dispose()
    assert make(place.name).outcomes() == {"1.wav": "new"}


def test_moved_renamed_and_doubled_files_are_one_recording(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("1.wav", b"one")
    container.collect()
    container.score()
    place.delete("1.wav")
    place.put("archive/one.wav", b"one")
    place.put("copy.wav", b"one")
    assert set(container.outcomes().values()) == {"known"}
    assert container.score() == 0
    assert container.workplace.count(RecordingRow) == 1


def test_a_replaced_file_is_another_recording(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("1.wav", b"half")
    container.collect()
    place.put("1.wav", b"the whole of it")
    assert container.outcomes() == {"1.wav": "new"}
    assert container.workplace.count(RecordingRow) == 2


def test_the_same_name_in_two_sources_is_two_files(place: Place, make: Make, tmp_path: Path) -> None:
    other = folder_place(tmp_path / "other")
    container = make(place.name, other.name)
    place.put("1.wav", b"one")
    other.put("1.wav", b"another")
    assert [(one.source, one.key) for one in container.collect()] == [
        (place.name, "1.wav"),
        (other.name, "1.wav"),
    ]
    assert container.collect() == []
    assert container.workplace.count(RecordingRow) == 2


def test_refused_files_are_remembered_until_they_change_or_somebody_asks(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("1.wav", b"")
    place.put("2.wav", b"two")
    assert container.outcomes() == {"1.wav": "file_empty", "2.wav": "new"}
    assert container.outcomes() == {}
    assert container.outcomes(again=True) == {"1.wav": "file_empty"}
    place.put("1.wav", b"one")
    assert container.outcomes() == {"1.wav": "new"}


def test_what_the_sidecar_says_comes_along(place: Place, make: Make) -> None:
    container = make(place.name, filename_template="{agent_id}_{call_id}")
    place.put("day/7_a.wav", b"one")
    place.put("day/call_metadata.csv", "file,agent_name\n7_a.wav,王芳\n".encode())
    container.collect()
    told = metadata_of(container, "7_a.wav")
    assert (told.agent_id, told.call_id, told.agent_name) == ("7", "a", "王芳")


def test_late_metadata_is_evaluated_again(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("1.wav", b"one")
    place.put("2.wav", b"two")
    container.collect()
    assert container.score() == 2
    place.put("call_metadata.csv", b"file,agent_id,queue\n1.wav,7,sales\n")
    assert container.outcomes() == {"1.wav": "told"}
    assert container.score() == 1
    assert container.outcomes() == {}
    place.put("call_metadata.csv", b"file,agent_id,queue\n1.wav,8,sales\n2.wav,9,\n")
    assert container.outcomes() == {"1.wav": "told", "2.wav": "told"}
    assert (metadata_of(container, "1.wav").agent_id, metadata_of(container, "2.wav").agent_id) == ("8", "9")
    assert container.score() == 2
    assert container.workplace.count(EvaluationRow) == 5


def test_a_sidecar_that_breaks_takes_nothing_back(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("1.wav", b"one")
    place.put("call_metadata.csv", b"file,agent_id\n1.wav,7\n")
    container.collect()
    place.put("call_metadata.csv", b"\xff\xfe\x00 what is this")
    place.put("2.wav", b"two")
    assert container.outcomes() == {"1.wav": "metadata_unreadable", "2.wav": "metadata_unreadable"}
    assert metadata_of(container, "1.wav").agent_id == "7"
    place.put("call_metadata.csv", b"file,agent_id\n1.wav,7\n2.wav,8\n")
    assert container.outcomes() == {"2.wav": "new"}


def test_the_same_recording_under_two_names_that_disagree(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("call_metadata.csv", b"file,agent_id\n1.wav,7\n2.wav,8\n")
    place.put("1.wav", b"one")
    container.collect()
    place.put("2.wav", b"one")
    assert container.outcomes() == {"2.wav": "metadata_conflict"}
    assert metadata_of(container, "1.wav").agent_id == "7"  # and its name is the first one's
    place.delete("1.wav")  # so it was moved
    assert container.outcomes(again=True) == {"2.wav": "told"}


def test_two_sides_wait_for_each_other(place: Place, make: Make) -> None:
    container = make(place.name, leg_suffixes="-out,-in")
    place.put("a-in.wav", b"in")
    assert container.outcomes() == {"a-in.wav": "waiting"}
    assert container.outcomes() == {}
    place.put("a-out.wav", b"out")
    assert container.outcomes() == {"a-out.wav": "new"}
    assert container.outcomes() == {}
    with container.database.unit_of_work() as unit:
        (recording,) = unit.recordings.find("a-out.wav")
    assert recording.second_path is not None
    assert recording.second_path.endswith("a-in.wav")
    assert container.score() == 1


def test_a_side_in_another_folder(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("one/call_metadata.csv", b"file,second_file,agent_channel\na.wav,../two/b.wav,1\n")
    place.put("one/a.wav", b"agent")
    assert container.outcomes() == {"one/a.wav": "pair_invalid"}  # b, coming alone, would be a call by itself


def test_sides_in_two_folders_and_one_table_for_all(make: Make, tmp_path: Path) -> None:
    place = folder_place(tmp_path / "incoming")
    table = tmp_path / "incoming" / "all.csv"
    table.write_text("file,second_file,agent_id\none/a.wav,two/b.wav,7\n")
    container = make(place.name, source_metadata=table)
    place.put("two/b.wav", b"customer")
    assert container.outcomes() == {"two/b.wav": "waiting"}
    place.put("one/a.wav", b"agent")
    assert container.outcomes() == {"one/a.wav": "new"}


def test_two_sides_of_the_same_sound_are_refused(place: Place, make: Make) -> None:
    container = make(place.name, leg_suffixes="-out,-in")
    place.put("a-in.wav", b"same")
    place.put("a-out.wav", b"same")
    assert container.outcomes() == {"a-in.wav": "pair_invalid", "a-out.wav": "pair_invalid"}
    assert container.outcomes() == {}


def test_one_defect_is_one_files(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("call_metadata.csv", b"file,agent_id\n1.wav,7\n1.wav,8\n")
    for number in range(3):
        place.put(f"{number}.wav", b"call %d" % number)
    assert container.outcomes() == {"0.wav": "new", "1.wav": "metadata_conflict", "2.wav": "new"}


def test_a_collector_at_work_is_left_alone(place: Place, make: Make) -> None:
    place.put("1.wav", b"one")
    container = make(place.name)
    (source,) = container.collector.sources
    running = container.collector.collect(source)
    next(running)
    other = make(place.name)
    other.owner = "elsewhere:1:1:1"
    with pytest.raises(ConflictError) as caught:
        list(other.collector.collect(source))
    assert caught.value.code == "source_busy"
    assert other.collector.turn() == 0
    running.close()
    assert list(other.collector.collect(source)) == []


def test_a_turn_that_is_over_is_taken_up_again(place: Place, make: Make) -> None:
    container = make(place.name)
    for number in range(5):
        place.put(f"{number}.wav", b"call %d" % number)
    container.collector.turn_s = 0.0
    turns = [container.collector.turn() for _ in range(8)]
    assert sum(turns) == 5
    assert turns[:5] == [1] * 5  # each takes at least one, however short its time is
    assert container.score() == 5


def test_the_time_to_list_is_no_part_of_the_turn(
    place: Place, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = make(place.name)
    for number in range(3):
        place.put(f"{number}.wav", b"call %d" % number)
    (source,) = container.collector.sources
    walk, listed_s = source.walk, [0.0]

    def slowly(folder: Path | None = None) -> Iterator[object]:
        yield from walk(folder)
        listed_s[0] += 2 * container.collector.turn_s

    monkeypatch.setattr(source, "walk", slowly)
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + listed_s[0])
    monkeypatch.setattr("qa_service.services.collect.time", clock)
    assert container.collector.turn() == 3


def test_in_turns_a_finished_source_rests(place: Place, make: Make) -> None:
    container = make(place.name, collect_every_s=3600)
    place.put("1.wav", b"one")
    assert container.collector.turn() == 1
    place.put("2.wav", b"two")
    assert container.collector.turn() == 0
    assert container.outcomes() == {"2.wav": "new"}  # but who asks is not put off


@pytest.mark.slow
def test_a_thousand_files(tmp_path: Path, make: Make) -> None:
    place = folder_place(tmp_path / "incoming")
    container = make(place.name)
    for number in range(1000):
        place.put(f"{number:04d}.wav", b"call %d" % (number % 990))
    outcomes = container.outcomes()
    assert len(outcomes) == 1000
    assert sorted(set(outcomes.values())) == ["known", "new"]
    assert container.workplace.count(RecordingRow) == 990
    assert container.outcomes() == {}


def test_a_table_for_all_that_is_written_to_all_day(place: Place, make: Make, tmp_path: Path) -> None:
    """It never settles: now and then it is read all the same."""
    table = tmp_path / "all.csv"
    table.write_text("file,agent_id\n1.wav,7\n")
    container = make(place.name, source_metadata=table)
    place.put("1.wav", b"one")
    container.collect()
    object.__setattr__(container.collector.means, "settle_s", 3 * 24 * 3600.0)
    table.write_text("file,agent_id\n1.wav,8\n2.wav,9\n")
    assert container.outcomes() == {}
    container.wall.advance(RETELL_S)
    assert container.outcomes() == {"1.wav": "told"}


def test_a_turn_ends_no_listing_in_which_nothing_happens(
    place: Place, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an archive that takes longer to list than a turn would never be seen to its end."""
    monkeypatch.setattr("qa_service.services.collect_round._AT_ONCE", 1)
    monkeypatch.setattr("qa_service.services.collect._SHARE", 0)
    container = make(place.name)
    for number in range(3):
        place.put(f"{number}.wav", b"")
    container.collect()
    container.collector.turn_s = 0.0
    place.put("later.wav", b"late")
    assert container.collector.turn() == 1


def test_a_deleted_recording_does_not_come_back(place: Place, make: Make) -> None:
    container = make(place.name)
    place.put("1.wav", b"one")
    container.collect()
    with container.database.unit_of_work() as unit:
        unit.session.query(JobRow).delete()
        unit.session.query(CallMetadataRow).delete()
        unit.session.query(RecordingRow).delete()
        unit.commit()
    assert container.outcomes() == {}
    place.put("call_metadata.csv", b"file,agent_id\n1.wav,7\n")
    assert container.outcomes() == {}
    assert container.workplace.count(RecordingRow) == 0


def test_a_source_whose_rounds_are_long_rests_longer(
    place: Place, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = make(place.name, collect_every_s=1)
    (source,) = container.collector.sources
    walk = source.walk

    def slowly(folder: Path | None = None) -> Iterator[object]:
        time.sleep(0.3)
        yield from walk(folder)

    monkeypatch.setattr(source, "walk", slowly)
    container.collector.turn()
    with container.database.unit_of_work() as unit:
        (row,) = unit.session.query(SourceRow).all()
    assert row.checked_at is not None
    assert (row.checked_at - datetime.now(UTC)).total_seconds() > 1.0
    place.put("1.wav", b"one")
    assert container.outcomes() == {"1.wav": "new"}  # who asks is not put off
