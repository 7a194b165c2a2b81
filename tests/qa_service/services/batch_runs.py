"""What the tests of batch runs have in common."""

from sqlalchemy import select

from qa_service.db.rows import JobRow
from qa_service.domain.batch_runs import BatchRun
from qa_service.domain.call import CallMetadata
from qa_service.ports import StoredEvaluation
from qa_service.services.batch_runs import BatchRuns
from tests.clocks import ManualClock
from tests.fakes import Workplace


def receive(workplace: Workplace, *contents: bytes, team: str | None = None) -> list[int]:
    told = CallMetadata(team=team) if team else None
    return [
        workplace.ingest.receive(workplace.file(f"{content.decode()}.wav", content), told).recording.id
        for content in contents
    ]


def calls(count: int, name: str = "call") -> list[bytes]:
    return [f"{name} {number}".encode() for number in range(count)]


def requested(runs: BatchRuns, clock: ManualClock, **selection: object) -> BatchRun:
    """A run of what was received before now."""
    clock.advance(1)
    run, new = runs.request(**selection)  # type: ignore[arg-type]
    assert new
    return run


def look(runs: BatchRuns, run: BatchRun) -> BatchRun:
    runs.look_after()
    return runs.get(run.id)


def work(workplace: Workplace, owner: str = "worker") -> int:
    """Everything that is due."""
    done = 0
    while ended := sum(1 for _ in workplace.jobs(owner).run_due()):
        done += ended
    return done


def states(workplace: Workplace) -> list[str]:
    with workplace.database.unit_of_work(read_only=True) as unit:
        return list(unit.session.scalars(select(JobRow.state).order_by(JobRow.id)))


def latest(workplace: Workplace, recording_id: int = 1) -> StoredEvaluation:
    with workplace.database.unit_of_work(read_only=True) as unit:
        found = unit.evaluations.latest(recording_id)
    assert found is not None
    return found


def raise_once(workplace: Workplace, error: Exception) -> None:
    def during(_: bytes) -> None:
        workplace.transcriber.during = lambda _: None
        raise error

    workplace.transcriber.during = during
