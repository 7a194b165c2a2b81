"""Calls as lists show them follow what is stored of their recordings, whoever wrote it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Delete, Update, delete, select, update

from qa_service.db import documents
from qa_service.db.calls import catch_up
from qa_service.db.rows import AgentRow, CallRow, EvaluationRow, ScorecardRow, TeamRow
from qa_service.db.session import Database
from qa_service.domain.call import CallMetadata, Direction
from qa_service.domain.scoring import Scorecard, ScorecardItem, ScorecardSection
from qa_service.services.upkeep import Upkeep
from tests.clocks import ManualClock
from tests.qa_service.db import builders

STARTED = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
TOLD = CallMetadata(
    call_id="c-1", agent_id="1024", agent_name="小李", team="A", vendor="V", direction=Direction.INBOUND,
    customer_ref="k", started_at=STARTED,
)  # fmt: skip


def columns(database: Database, recording_id: int) -> dict[str, object]:
    with database.unit_of_work(read_only=True) as unit:
        row = unit.session.get_one(CallRow, recording_id)
        return {column.key: getattr(row, column.key) for column in CallRow.__table__.columns}


def scored(database: Database, metadata: CallMetadata = TOLD) -> int:
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        unit.metadata.put(recording.id, metadata)
        unit.recordings.set_audio(recording.id, duration_s=12.5, channels=2)
        stored = unit.conversations.add("k", recording.id, builders.conversation(), elapsed_s=1.0)
        builders.add_evaluation(unit, "e", stored)
        unit.commit()
    return recording.id


def test_a_recording_is_a_call_at_once(database: Database, clock: ManualClock) -> None:
    row = columns(database, builders.add_recording(database).id)
    assert (row["at"], row["evaluation_id"], row["agent_id"], row["to_review"]) == (clock.now(), None, None, 0)


def test_it_holds_what_is_told_and_found(database: Database) -> None:
    row = columns(database, scored(database))
    assert (row["at"], row["agent_id"], row["team"], row["vendor"]) == (STARTED, "1024", "A", "V")
    assert (row["duration_s"], row["language"], row["direction"]) == (12.5, "zh", "inbound")
    assert row["score"] == row["final_score"] == builders.evaluation().score
    assert (row["to_review"], row["worst"]) == (2, 2)


def test_metadata_that_comes_late_moves_it(database: Database, clock: ManualClock) -> None:
    recording_id = scored(database, CallMetadata())
    assert columns(database, recording_id)["at"] == clock.now()
    with database.unit_of_work() as unit:
        unit.metadata.put(recording_id, TOLD)
        unit.commit()
    assert columns(database, recording_id)["team"] == "A"


def test_agents_and_teams_are_known_from_their_first_call(database: Database) -> None:
    scored(database)
    second = builders.add_recording(database, b"second")
    with database.unit_of_work() as unit:
        unit.metadata.put(second.id, CallMetadata(agent_id="1024", started_at=STARTED - timedelta(days=1)))
        unit.commit()
        agent = unit.session.get_one(AgentRow, "1024")
        assert (agent.name, agent.team, agent.first_call_at) == ("小李", "A", STARTED - timedelta(days=1))
        assert unit.session.scalars(select(TeamRow.name)).all() == ["A"]
    told_by_the_directory = columns(database, second.id)
    assert (told_by_the_directory["team"], told_by_the_directory["vendor"]) == ("A", "V")


@pytest.mark.parametrize("lost", [delete(CallRow), update(CallRow).values(evaluation_id=None, score=None)])
def test_what_an_earlier_version_left_out_is_made_up_for(
    database: Database, clock: ManualClock, lost: Delete | Update
) -> None:
    recording_id = scored(database)
    before = columns(database, recording_id)
    with database.unit_of_work() as unit:
        unit.session.execute(lost)
        unit.commit()
    upkeep = Upkeep(units=database.unit_of_work, is_dead=frozenset[str]().__contains__, clock=clock)
    with database.unit_of_work() as unit:
        assert list(catch_up(unit.session, since=clock.now() + timedelta(seconds=1), limit=10)) == []
        assert list(catch_up(unit.session, since=clock.now(), limit=10)) == [recording_id]
        assert list(catch_up(unit.session, since=clock.now(), limit=10)) == []
    upkeep.sweep(count=1)
    assert columns(database, recording_id) == before


def test_the_migration_fills_the_same_rows(database: Database, database_url: str) -> None:
    recording_id = scored(database)
    before = columns(database, recording_id)
    builders.downgrade(database_url, "0009")
    database.upgrade()
    assert columns(database, recording_id) == before
    with database.unit_of_work(read_only=True) as unit:
        assert unit.session.get_one(AgentRow, "1024").first_call_at == STARTED
        assert unit.session.get_one(TeamRow, "A").vendor == "V"


def test_a_scorecard_is_kept_once(database: Database) -> None:
    card = Scorecard("c", 0.6, (ScorecardSection("s", "S", (ScorecardItem("opening", 5.0),)),))
    recording = builders.add_recording(database)
    with database.unit_of_work() as unit:
        stored = unit.conversations.add("k", recording.id, builders.conversation(), elapsed_s=1.0)
        for key in ("e", "f"):
            unit.evaluations.add(
                key,
                conversation=stored,
                pack="p",
                ruleset_digest="d",
                evaluation=builders.evaluation(),
                results=(),
                metrics=builders.metrics(),
                scorecard=card,
            )
        unit.commit()
        kept = unit.session.scalars(select(ScorecardRow)).one()
        assert documents.load_scorecard(kept.document) == card
        assert set(unit.session.scalars(select(EvaluationRow.scorecard_digest))) == {kept.digest}
