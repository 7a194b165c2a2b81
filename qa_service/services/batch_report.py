"""A batch run as a JSON object (`docs/operations/batches.md`). Names are stable; seconds are rounded here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from qa_service.domain.batch_runs import BatchRun

SET_ASIDE = "worker_died"
"""The failure of jobs that workers were lost over."""


def document(run: BatchRun, *, failures: Sequence[tuple[int, str, str]] | None = None) -> dict[str, Any]:
    """``failures``: failed recordings by number, path and code; None: not asked for."""
    tally, selection = run.tally, run.selection
    told = {
        "id": run.id,
        "key": run.key,
        "kind": run.kind.value,
        "state": run.state.value,
        "waiting_for": run.waiting.value if run.waiting else None,
        "created_at": _text(run.created_at),
        "seen_at": _text(run.seen_at),
        "ended_at": _text(run.ended_at),
        "selection": {
            "since": _text(selection.since),
            "until": _text(selection.until),
            "team": selection.team,
            "pack": selection.pack,
            "force": selection.force,
        },
        "progress": {
            "calls": run.total,
            "handled": tally.handled,
            "left": run.left,
            "audio_hours": round(tally.audio_s / 3600, 4),
            "active_s": round(run.active_s, 1),
            "calls_per_hour": _rounded(run.calls_per_hour),
            "audio_hours_per_hour": _rounded(run.audio_hours_per_hour),
            "eta_s": _rounded(run.eta_s),
        },
        "summary": {
            "up_to_date": tally.up_to_date,
            "not_heard": tally.not_heard,
            "queued": tally.queued,
            "scored": tally.scored,
            "flagged": tally.flagged,
            "undetermined": tally.undetermined,
            "failed": tally.failed,
            "set_aside": tally.failures.get(SET_ASIDE, 0),
            "withdrawn": tally.withdrawn,
            "failures": dict(sorted(tally.failures.items())),
        },
        "cost": {"cpu_s": round(tally.cpu_s, 1), "gpu_s": round(tally.gpu_s, 1)},
    }
    if failures is not None:
        told["failed_recordings"] = [
            {"recording": number, "path": path, "code": code} for number, path, code in failures
        ]
    return told


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
