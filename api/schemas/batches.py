"""Batch runs."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.schemas.base import Moment, Name, Sent, Shown, ShownTime
from qa_service.domain.batch_runs import BatchKind, BatchRun, BatchState, Waiting
from qa_service.services.batch_report import document


class NewBatch(Sent):
    """Recordings that were received in ``[since, until)``; nothing given: all of them.

    ``force`` hears and scores everything anew, ``rescore`` scores again what is stored, without audio.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"since": "2026-11-01T00:00:00+08:00", "team": "A", "rescore": True}}
    )

    since: Moment | None = None
    until: Moment | None = None
    team: Name | None = None
    pack: Name | None = Field(default=None, description="A rule pack's id; null: by the call's language")
    force: bool = False
    rescore: bool = False


class Retry(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"code": "worker_died"}})

    code: Name | None = Field(default=None, description="Only what failed with this code")


class SelectionModel(Shown):
    since: ShownTime | None
    until: ShownTime
    team: str | None
    pack: str | None
    force: bool


class ProgressModel(Shown):
    """``eta_s``: null where it cannot be told."""

    calls: int
    handled: int
    left: int
    audio_hours: float
    active_s: float
    calls_per_hour: float | None
    audio_hours_per_hour: float | None
    eta_s: float | None


class SummaryModel(Shown):
    """What became of the recordings. ``failures``: by code."""

    up_to_date: int
    not_heard: int
    queued: int
    scored: int
    flagged: int
    undetermined: int
    failed: int
    set_aside: int
    withdrawn: int
    failures: dict[str, int]


class CostModel(Shown):
    cpu_s: float
    gpu_s: float


class BatchModel(Shown):
    id: int
    kind: BatchKind
    state: BatchState
    waiting_for: Waiting | None
    created_at: ShownTime
    seen_at: ShownTime
    ended_at: ShownTime | None
    selection: SelectionModel
    progress: ProgressModel
    summary: SummaryModel
    cost: CostModel

    @staticmethod
    def of(run: BatchRun) -> "BatchModel":
        return BatchModel.model_validate(_told(run))


class FailedRecording(Shown):
    """``name``: of its file; numbers in it are masked for those who may not see them."""

    recording_id: int
    name: str
    code: str


class BatchInFull(BatchModel):
    """``failed_recordings``: the first 200."""

    failed_recordings: Annotated[list[FailedRecording], Field(max_length=200)]

    @staticmethod
    def with_failures(run: BatchRun, failed: list[FailedRecording]) -> "BatchInFull":
        return BatchInFull.model_validate({**_told(run), "failed_recordings": failed})


class Retried(Shown):
    """``count``: how many recordings are tried again."""

    count: int
    batch: BatchModel


def _told(run: BatchRun) -> dict[str, Any]:
    """As commands tell it, with times as the API writes them."""
    selection = run.selection
    return {
        **document(run),
        "created_at": run.created_at,
        "seen_at": run.seen_at,
        "ended_at": run.ended_at,
        "selection": {
            "since": selection.since,
            "until": selection.until,
            "team": selection.team,
            "pack": selection.pack,
            "force": selection.force,
        },
    }
