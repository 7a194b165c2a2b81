"""What is read for a backtest: each recording once, with what is in force."""

import zlib
from dataclasses import replace

import pytest
from sqlalchemy import text

from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.errors import InputError
from qa_service.ports import HeardCall, ScoredBefore
from tests.clocks import ManualClock
from tests.qa_service.db import builders


def add(database: Database, name: str, *, heard: int = 1, scored: bool = False) -> int:
    """A recording with so many conversations, the first of them scored; its number."""
    recording = builders.add_recording(database, name.encode(), f"calls/{name}.wav")
    with database.unit_of_work() as unit:
        for number in range(heard):
            spoken = replace(builders.conversation(), language=f"zh{number or ''}")
            stored = unit.conversations.add(f"{name}/{number}", recording.id, spoken, elapsed_s=1.0)
            if scored and not number:
                builders.add_evaluation(unit, f"e{name}", stored)
        unit.commit()
    return recording.id


def pages(database: Database, limit: int) -> list[list[HeardCall]]:
    found: list[list[HeardCall]] = []
    with database.unit_of_work(read_only=True) as unit:
        while page := unit.history.page(after=found[-1][-1].recording_id if found else 0, limit=limit):
            found.append(list(page))
    return found


def test_pages_hold_each_heard_recording_once(database: Database) -> None:
    builders.add_recording(database, b"unheard")
    ids = [add(database, name, heard=2, scored=name == "c") for name in "abcde"]
    found = pages(database, 2)
    assert [[call.recording_id for call in page] for page in found] == [ids[:2], ids[2:4], ids[4:]]
    with database.unit_of_work(read_only=True) as unit:
        assert unit.history.count() == 5
        assert [call.recording_id for call in unit.history.among([ids[3], ids[0], 999])] == [ids[0], ids[3]]
        assert unit.history.page(after=ids[-1], limit=2) == ()


def test_a_call_comes_with_its_metadata_and_what_it_was_scored_with(
    database: Database, clock: ManualClock
) -> None:
    first, second = add(database, "a", heard=2, scored=True), add(database, "b", heard=2)
    metadata = CallMetadata(agent_id="7", started_at=clock.now())
    with database.unit_of_work() as unit:
        unit.metadata.put(second, metadata)
        evaluation = unit.evaluations.latest(first)
        assert evaluation is not None
        newest = unit.conversations.by_key("b/1")
        unit.commit()
    assert newest is not None
    received = clock.now()
    clock.advance(3_600)
    scored, unscored = pages(database, 9)[0]
    assert (scored.path, scored.sha256) == ("calls/a.wav", builders.blob(b"a").sha256)
    assert scored.scored == ScoredBefore(evaluation.id, "service-zh", "d1", 66.5, True)
    assert (scored.conversation_id, scored.language) == (evaluation.conversation_id, "zh")
    assert (scored.metadata, scored.started_at) == (CallMetadata(), received)
    assert (unscored.conversation_id, unscored.language, unscored.scored) == (newest.id, "zh1", None)
    assert (unscored.metadata, unscored.started_at) == (metadata, metadata.started_at)


def test_outcomes_and_evidence_of_stored_evaluations(database: Database) -> None:
    recording = add(database, "a", scored=True)
    with database.unit_of_work(read_only=True) as unit:
        evaluation = unit.evaluations.latest(recording)
        assert evaluation is not None
        outcomes = unit.history.outcomes([evaluation.id, 999])
        assert outcomes == {evaluation.id: {r.rule: r.outcome for r in builders.results()}, 999: {}}
        assert outcomes[evaluation.id]["z.greeting"] is Outcome.NOT_MET
        assert unit.history.evidence(evaluation.id, "z.greeting") == builders.results()[0].evidence
        assert unit.history.evidence(evaluation.id, "m.closing") == ()
        assert unit.history.evidence(evaluation.id, "unknown") == ()


@pytest.mark.parametrize("document", [b"", b"not compressed", zlib.compress(b'[{"duration_s":"long"}]')])
def test_a_conversation_that_cannot_be_read_is_an_answer(database: Database, document: bytes) -> None:
    for name in "ab":
        add(database, name)
    with database.unit_of_work() as unit:
        unit.session.execute(
            text("UPDATE conversations SET document = :d WHERE stage_key = 'a/0'"), {"d": document}
        )
        unit.commit()
    with database.unit_of_work(read_only=True) as unit:
        (damaged, sound) = [call.conversation_id for call in unit.history.page(after=0, limit=9)]
        found = unit.history.conversations([damaged, sound, 999])
    assert set(found) == {damaged, sound}
    assert found[sound] == builders.conversation()
    error = found[damaged]
    assert isinstance(error, InputError)
    assert error.code == "conversation_unreadable"
