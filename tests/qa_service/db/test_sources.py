"""What collectors remember, and that one of them collects at a time, on both databases."""

from datetime import timedelta

import pytest

from qa_service.db.rows import SourceFileRow
from qa_service.db.session import Database
from qa_service.errors import ConflictError
from qa_service.ports.sources import Seen, SeenState
from tests.clocks import ManualClock
from tests.qa_service.db import builders

HERE = "/mnt/calls"


def take(database: Database, owner: str, *, every_s: float = 0.0, dead: str = "", source: str = HERE) -> bool:
    with database.unit_of_work() as unit:
        taken = unit.sources.take(source, owner, lease_s=60, every_s=every_s, is_dead=lambda name: name == dead)
        unit.commit()
    return taken


def give_back(database: Database, owner: str, *, finished: bool = True, error: str | None = None) -> None:
    with database.unit_of_work() as unit:
        unit.sources.give_back(HERE, owner, finished=finished, error=error)
        unit.commit()


def test_one_collects_at_a_time(database: Database) -> None:
    assert take(database, "a")
    assert not take(database, "b")
    assert take(database, "b", source="/mnt/other")
    give_back(database, "a")
    assert take(database, "b")


def test_a_collector_that_is_gone_is_followed_by_another(database: Database, clock: ManualClock) -> None:
    assert take(database, "a")
    assert take(database, "b", dead="a")
    clock.advance(61)
    assert take(database, "c")


def test_who_lost_a_source_is_told(database: Database, clock: ManualClock) -> None:
    assert take(database, "a")
    with database.unit_of_work() as unit:
        unit.sources.keep(HERE, "a", lease_s=120)
        unit.commit()
    clock.advance(100)
    assert not take(database, "b")
    clock.advance(21)
    assert take(database, "b")
    with pytest.raises(ConflictError) as caught, database.unit_of_work() as unit:
        unit.sources.keep(HERE, "a", lease_s=60)
    assert caught.value.code == "lease_lost"
    with pytest.raises(ConflictError):
        give_back(database, "a")


def test_a_finished_round_rests_and_an_unfinished_one_goes_on(database: Database, clock: ManualClock) -> None:
    assert take(database, "a", every_s=30)
    give_back(database, "a", finished=False)
    assert take(database, "a", every_s=30)
    give_back(database, "a", error="source_unavailable")
    assert not take(database, "b", every_s=30)
    clock.advance(30)
    assert take(database, "b", every_s=30)


def test_files_are_known_by_the_bytes_of_their_names(database: Database, clock: ManualClock) -> None:
    now = clock.now()
    keys = ["a.wav", "a\n.wav", "caf\udce9.wav", "café.wav", "x" * 4000 + ".wav", "A.wav", "日/1.wav"]
    files = [Seen(key, number, str(number), SeenState.TAKEN, now) for number, key in enumerate(keys)]
    take(database, "a")
    take(database, "a", source="/mnt/other")
    with database.unit_of_work() as unit:
        unit.sources.remember(HERE, files)
        unit.commit()
    with database.unit_of_work() as unit:
        assert unit.sources.seen(HERE, [*keys, "b.wav"]) == {file.key: file for file in files}
        assert unit.sources.seen("/mnt/other", keys) == {}


def test_what_is_remembered_last_counts(database: Database, clock: ManualClock) -> None:
    recording = builders.add_recording(database)
    first = Seen("a.wav", 1, "1", SeenState.REFUSED, clock.now(), code="file_empty", message="\x00 no bytes")
    later = Seen("a.wav", 2, "2", SeenState.TAKEN, clock.now() + timedelta(seconds=9), recording.id, "f" * 64)
    take(database, "a")
    with database.unit_of_work() as unit:
        unit.sources.remember(HERE, [first])
        assert unit.sources.refused(HERE) == {"file_empty": 1}
        unit.sources.remember(HERE, [first, later])
        assert unit.sources.seen(HERE, ["a.wav"]) == {"a.wav": later}
        assert unit.sources.refused(HERE) == {}
        assert unit.sources.places(recording.id) == [(HERE, "a.wav")]
        assert unit.session.query(SourceFileRow).count() == 1


def test_thousands_of_files_at_once(database: Database, clock: ManualClock) -> None:
    files = [Seen(f"{number}.wav", number, "1", SeenState.GROWING, clock.now()) for number in range(1200)]
    take(database, "a")
    with database.unit_of_work() as unit:
        unit.sources.remember(HERE, files)
        assert unit.sources.seen(HERE, [file.key for file in files]) == {file.key: file for file in files}
