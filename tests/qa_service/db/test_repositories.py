"""The repositories' contract, on both databases."""

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from qa_service.db.rows import (
    CallMetadataRow,
    EngineRunRow,
    EvaluationRow,
    FindingRow,
    RecordingRow,
    RuleResultRow,
)
from qa_service.db.session import Database, SqlUnitOfWork
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.results import Outcome, RuleResult, Severity
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import NotFoundError
from qa_service.ports import StoredConversation, UnitOfWork
from tests.clocks import ManualClock
from tests.qa_service.db import builders


def test_the_unit_of_work_is_the_port(database: Database) -> None:
    def takes_port(unit: UnitOfWork) -> None:
        unit.commit()

    with database.unit_of_work() as unit:
        takes_port(unit)


def test_a_recording_is_known_by_its_bytes(database: Database) -> None:
    with database.unit_of_work() as unit:
        first, first_is_new = unit.recordings.add(builders.blob(), path="calls/a.wav")
        again, again_is_new = unit.recordings.add(builders.blob(), path="moved/b.wav")
        other, _ = unit.recordings.add(builders.blob(b"other"), path="calls/a.wav")
        unit.commit()
    assert (first_is_new, again_is_new) == (True, False)
    assert again.id == first.id != other.id
    assert (first.path, again.path) == ("calls/a.wav", "moved/b.wav")
    with database.unit_of_work() as unit:
        assert unit.recordings.get(first.id) == again
    assert (again.duration_s, again.channels) == (None, None)


def test_two_files_are_one_recording_in_their_order(database: Database) -> None:
    out, into = builders.blob(b"out"), builders.blob(b"in, longer")
    with database.unit_of_work() as unit:
        first, is_new = unit.recordings.add(out, path="calls/7-out.wav", second=(into, "calls/7-in.wav"))
        again, again_is_new = unit.recordings.add(out, path="moved/7-out.wav", second=(into, "moved/7-in.wav"))
        swapped, _ = unit.recordings.add(into, path="calls/7-in.wav", second=(out, "calls/7-out.wav"))
        alone, _ = unit.recordings.add(out, path="calls/7-out.wav")
        unit.commit()
    assert (is_new, again_is_new) == (True, False)
    assert len({first.id, swapped.id, alone.id}) == 3
    assert again.id == first.id
    assert first.sha256 == hashlib.sha256(f"{out.sha256}\n{into.sha256}\n".encode()).hexdigest()
    assert first.size_bytes == out.size_bytes + into.size_bytes
    assert (first.blob_uris, swapped.blob_uris) == ((out.uri, into.uri), (into.uri, out.uri))
    assert (alone.blob_uris, alone.second_path) == ((out.uri,), None)
    with database.unit_of_work() as unit:
        assert unit.recordings.get(first.id) == again
        assert (again.path, again.second_path) == ("moved/7-out.wav", "moved/7-in.wav")
        assert unit.recordings.find("moved/7-in.wav") == (again,)
        assert unit.recordings.find("7-in.wav") == (again, swapped)
        assert unit.recordings.find(first.sha256[:12]) == (again,)


def test_the_audio_of_a_recording_is_filled_in(database: Database) -> None:
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        unit.recordings.set_audio(recording.id, duration_s=12.5, channels=2)
        unit.commit()
    with database.unit_of_work() as unit:
        known = unit.recordings.get(recording.id)
    assert (known.duration_s, known.channels) == (12.5, 2)


def test_a_recording_is_found_by_digest_path_and_file_name(database: Database) -> None:
    first = builders.add_recording(database, b"1", "calls/monday/a.wav")
    second = builders.add_recording(database, b"2", "calls/tuesday/a.wav")
    with database.unit_of_work() as unit:
        find = unit.recordings.find
        assert find("a.wav") == (first, second)
        assert find("calls/tuesday/a.wav") == (second,)
        assert find(first.sha256) == find(first.sha256[:12]) == find(first.sha256[:12].upper()) == (first,)
        assert find("monday") == find("") == find("%") == find("_.wav") == find(first.sha256 + "0") == ()


def test_any_file_name_can_be_stored(database: Database) -> None:
    path = "calls/\udcff\x00" + "长" * 1_500 + "/😀.wav"
    recording = builders.add_recording(database, b"odd", path)
    with database.unit_of_work() as unit:
        assert unit.recordings.find(path) == unit.recordings.find("😀.wav") == (recording,)


def test_a_reference_that_is_no_unicode_finds_nothing(database: Database) -> None:
    with database.unit_of_work() as unit:
        assert unit.recordings.find("\udcff\x00") == ()


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda unit: unit.recordings.get(7), "recording_not_found"),
        (lambda unit: unit.recordings.set_audio(7, duration_s=1.0, channels=1), "recording_not_found"),
        (lambda unit: unit.conversations.get(7), "conversation_not_found"),
        (lambda unit: unit.metadata.put(7, CallMetadata()), "row_parent_unknown"),
        (lambda unit: unit.jobs.enqueue("process", "k", 7, {}), "row_parent_unknown"),
        (
            lambda unit: unit.conversations.add("k", 7, builders.conversation(), elapsed_s=1.0),
            "row_parent_unknown",
        ),
    ],
)
def test_what_is_missing_is_not_found(
    database: Database, act: Callable[[SqlUnitOfWork], object], code: str
) -> None:
    with database.unit_of_work() as unit:
        with pytest.raises(NotFoundError) as caught:
            act(unit)
        assert caught.value.code == code
        # The transaction can still be used.
        unit.recordings.add(builders.blob(), path="a.wav")
        unit.commit()


def test_metadata_counts_its_changes(database: Database, clock: ManualClock) -> None:
    recording = builders.add_recording(database)
    first = CallMetadata(agent_id="7", direction=Direction.INBOUND, extra=(("skill", "gold"),))
    second = CallMetadata(agent_id="8", started_at=clock.now(), hold_spans=(TimeSpan(1.0, 2.5),))

    def version() -> tuple[int, CallMetadata]:
        with database.unit_of_work() as unit:
            row = unit.session.get(CallMetadataRow, recording.id)
            assert row is not None
            return row.version, unit.metadata.get(recording.id)

    with database.unit_of_work() as unit:
        assert unit.metadata.get(recording.id) == CallMetadata()
        unit.metadata.put(recording.id, first)
        assert unit.metadata.get(recording.id) == first
        unit.commit()
    assert version() == (1, first)
    with database.unit_of_work() as unit:
        unit.metadata.put(recording.id, first)
        unit.commit()
    assert version() == (1, first)
    with database.unit_of_work() as unit:
        unit.metadata.put(recording.id, second)
        assert unit.metadata.get(recording.id) == second
        unit.commit()
    assert version() == (2, second)


def test_a_conversation_is_stored_once_a_key(database: Database) -> None:
    recording = builders.add_recording(database)
    conversation = builders.conversation()
    with database.unit_of_work() as unit:
        assert unit.conversations.by_key("k") is None
        assert not unit.conversations.has("k")
        stored = unit.conversations.add("k", recording.id, conversation, elapsed_s=1.5)
        unit.commit()
    assert stored.conversation == conversation
    with database.unit_of_work() as unit:
        again = unit.conversations.add("k", recording.id, conversation, elapsed_s=9.0)
        unit.commit()
    with database.unit_of_work() as unit:
        assert unit.conversations.by_key("k") == unit.conversations.get(stored.id) == again == stored
        assert unit.conversations.has("k")
        runs = unit.session.scalars(select(EngineRunRow).order_by(EngineRunRow.id)).all()
    assert [(run.stage, run.model, run.options) for run in runs] == [
        ("vad", "silero-vad", [["threshold", "0.5"]]),
        ("asr", "base", []),
    ]


def _add_conversation(database: Database) -> StoredConversation:
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        stored = unit.conversations.add("stage", recording.id, builders.conversation(), elapsed_s=1.0)
        unit.commit()
    return stored


def _count(unit: SqlUnitOfWork, row: type) -> int | None:
    return unit.session.scalar(select(func.count()).select_from(row))


def test_an_evaluation_is_stored_once_a_key_with_all_it_was_made_of(
    database: Database, clock: ManualClock
) -> None:
    conversation = _add_conversation(database)
    with database.unit_of_work() as unit:
        assert unit.evaluations.by_key("e1") is None
        assert unit.evaluations.latest(conversation.recording_id) is None
        stored = builders.add_evaluation(unit, "e1", conversation)
        unit.commit()
    assert stored.evaluation == builders.evaluation()
    assert stored.results == builders.results()
    assert stored.metrics == builders.metrics()
    assert (stored.created_at, stored.created_at.tzinfo) == (clock.now(), UTC)
    clock.advance(60)
    with database.unit_of_work() as unit:
        assert builders.add_evaluation(unit, "e1", conversation) == stored
        unit.commit()
    with database.unit_of_work() as unit:
        assert unit.evaluations.by_key("e1") == unit.evaluations.latest(conversation.recording_id) == stored
        assert _count(unit, EvaluationRow) == 1
        assert _count(unit, RuleResultRow) == len(builders.results())
        newer = builders.add_evaluation(unit, "e2", conversation)
        assert unit.evaluations.latest(conversation.recording_id) == newer


def test_a_finding_opens_for_each_result_that_needs_a_person(database: Database) -> None:
    conversation = _add_conversation(database)
    with database.unit_of_work() as unit:
        evaluation = builders.add_evaluation(unit, "e1", conversation)
        unit.commit()
    with database.unit_of_work() as unit:
        findings = unit.session.execute(
            select(RuleResultRow.rule, FindingRow.state, FindingRow.version, FindingRow.evaluation_id)
            .join(FindingRow.result)
            .order_by(RuleResultRow.position)
        ).all()
    assert [tuple(row) for row in findings] == [
        ("z.greeting", "open", 1, evaluation.id),
        ("a.tone", "open", 1, evaluation.id),
    ]


def test_a_rule_answers_once_an_evaluation(database: Database) -> None:
    conversation = _add_conversation(database)
    twice = (RuleResult("r", "R", Outcome.MET, Severity.MINOR),) * 2
    with database.unit_of_work() as unit, pytest.raises(IntegrityError):
        unit.evaluations.add(
            "e",
            conversation=conversation,
            pack="p",
            ruleset_digest="d",
            evaluation=builders.evaluation(),
            results=twice,
            metrics=builders.metrics(),
        )


def test_the_same_bytes_added_at_once_are_one_recording(database: Database) -> None:
    _at_once(database, 4, lambda unit: unit.recordings.add(builders.blob(), path="a.wav"))
    with database.unit_of_work() as unit:
        assert _count(unit, RecordingRow) == 1


def test_the_same_evaluation_added_at_once_is_one(database: Database) -> None:
    conversation = _add_conversation(database)
    _at_once(database, 4, lambda unit: builders.add_evaluation(unit, "e", conversation))
    with database.unit_of_work() as unit:
        assert _count(unit, EvaluationRow) == 1
        assert _count(unit, FindingRow) == 2


def test_metadata_changed_at_once_counts_every_change(database: Database) -> None:
    recording = builders.add_recording(database)
    names = iter("abcd")
    _at_once(database, 4, lambda unit: unit.metadata.put(recording.id, CallMetadata(agent_name=next(names))))
    with database.unit_of_work() as unit:
        row = unit.session.get(CallMetadataRow, recording.id)
        assert row is not None
        assert row.version == 4


def test_the_loser_of_a_race_gets_the_winners_row(postgresql_url: str, clock: ManualClock) -> None:
    """The race itself, step by step: the second insert waits for the first transaction, then takes its row."""
    database = Database(postgresql_url, clock=clock)
    database.upgrade()
    outcome: list[tuple[int, bool]] = []

    def lose() -> None:
        with database.unit_of_work() as unit:
            recording, is_new = unit.recordings.add(builders.blob(), path="a.wav")
            outcome.append((recording.id, is_new))
            unit.commit()

    loser = threading.Thread(target=lose)
    with database.unit_of_work() as unit, database.unit_of_work() as watcher:
        winner, _ = unit.recordings.add(builders.blob(), path="a.wav")
        loser.start()
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        for _ in range(1_000):
            if watcher.session.scalar(waiting):
                break
            threading.Event().wait(0.01)
            watcher.session.rollback()
        unit.commit()
    loser.join()
    database.dispose()
    assert outcome == [(winner.id, False)]


def _at_once(database: Database, count: int, act: Callable[[SqlUnitOfWork], object]) -> None:
    start = threading.Barrier(count)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            start.wait()
            with database.unit_of_work() as unit:
                act(unit)
                unit.commit()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
