"""Runs of ``qa score`` over the recorded calls, and what they left in the store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from qa_service.adapters.clock import SystemClock
from qa_service.db.rows import ConversationRow, EngineRunRow, EvaluationRow, JobRow, RecordingRow, Row
from qa_service.db.session import Database
from qa_service.ports import JobState
from tests.cli import json_lines
from tests.corpus import ROOT

EXAMPLES = ROOT / "examples" / "calls"
TABLES: tuple[type[Row], ...] = (RecordingRow, ConversationRow, EngineRunRow, EvaluationRow, JobRow)


@dataclass(frozen=True)
class Store:
    """The data directory of finished runs."""

    data: Path

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        database = Database(f"sqlite:///{self.data / 'qa.db'}", clock=SystemClock())
        with database.unit_of_work(read_only=True) as unit:
            counts = {
                table.__tablename__: unit.session.scalar(select(func.count()).select_from(table)) or 0
                for table in TABLES
            }
            jobs = unit.session.execute(select(JobRow.state, JobRow.lease_owner)).all()
        counts["jobs not done"] = sum(state != JobState.DONE.value for state, _ in jobs)
        counts["leases"] = sum(owner is not None for _, owner in jobs)
        database.dispose()
        return counts

    def digests(self) -> set[str]:
        """Of every file that a recording consists of."""
        database = Database(f"sqlite:///{self.data / 'qa.db'}", clock=SystemClock())
        with database.unit_of_work(read_only=True) as unit:
            rows = unit.session.execute(select(RecordingRow.blob_uri, RecordingRow.second_blob_uri)).all()
        database.dispose()
        return {uri.removeprefix("blob:") for row in rows for uri in row if uri}

    def blobs(self) -> list[Path]:
        """Every file of the blob store, unfinished copies included."""
        return [path for path in (self.data / "blobs").rglob("*") if path.is_file()]


@dataclass(frozen=True)
class Run:
    """One run of ``qa score --format json``."""

    store: Store
    output: str
    progress: str
    elapsed_s: float

    @property
    def calls(self) -> dict[str, dict[str, Any]]:
        return by_call(json_lines(self.output))


def outcomes(line: dict[str, Any]) -> dict[str, str]:
    return {result["rule"]: result["outcome"] for result in line["results"]}


def result(line: dict[str, Any], rule: str) -> dict[str, Any]:
    (found,) = (result for result in line["results"] if result["rule"] == rule)
    answer: dict[str, Any] = found
    return answer


def starts(line: dict[str, Any], rule: str) -> list[float]:
    """When the evidence of a rule starts, in seconds."""
    return [evidence["start"] for evidence in result(line, rule)["evidence"]]


def by_call(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Lines by the name of the call: ``zh01``."""
    return {Path(line["recording"]["path"]).name.partition(".")[0]: line for line in lines}
