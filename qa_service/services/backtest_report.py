"""What a candidate pack would change: the figures of a backtest, and their published form.

Guarantee: keys and meanings of the JSON are stable; ``before`` is what is stored (or what the other pack says),
``after`` what the candidate says.
"""

from dataclasses import dataclass
from typing import Any

from qa_service.domain.results import Evidence, Outcome


@dataclass(frozen=True, slots=True)
class SampleCall:
    """A call to listen to. ``evidence`` is the candidate's, or what it no longer finds."""

    recording_id: int
    path: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Flip:
    """Calls in which a rule's verdict changes from one outcome to another; None: the pack has no such rule."""

    rule: str
    before: Outcome | None
    after: Outcome | None
    calls: int
    samples: tuple[SampleCall, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What calls are compared with. ``in_force``: by the rules that ``qa score`` would use today."""

    pack: str
    digest: str
    calls: int
    in_force: bool


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """Scores of the calls that have one before and after; ``up`` and ``down``: by a point or more.

    ``quantiles`` of the change, rounded to whole points: (share of calls, at most so much).
    """

    calls: int
    mean_before: float | None
    mean_after: float | None
    up: int
    down: int
    appeared: int
    disappeared: int
    quantiles: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class GroupChange:
    """An agent or a team: calls with a score before and after, and the mean of its change."""

    name: str | None
    calls: int
    mean_change: float


@dataclass(frozen=True, slots=True)
class Unread:
    recording_id: int
    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """``calls``: those that the candidate judged; ``without_baseline`` of them were never scored."""

    pack: str
    digest: str
    language: str
    against: str | None
    calls: int
    changed_calls: int
    without_baseline: int
    baselines: tuple[Baseline, ...]
    skipped_languages: tuple[tuple[str, int], ...]
    unread: tuple[Unread, ...]
    unread_calls: int
    flips: tuple[Flip, ...]
    scores: ScoreChange
    newly_fatal: int
    no_longer_fatal: int
    newly_fatal_samples: tuple[SampleCall, ...]
    agents: tuple[GroupChange, ...]
    teams: tuple[GroupChange, ...]


def document(report: BacktestReport) -> dict[str, Any]:
    """The JSON of ``qa rules backtest --format json``."""
    scores = report.scores
    return {
        "pack": report.pack,
        "ruleset": report.digest,
        "language": report.language,
        "against": report.against,
        "calls": report.calls,
        "changed_calls": report.changed_calls,
        "without_baseline": report.without_baseline,
        "baselines": [
            {"pack": one.pack, "ruleset": one.digest, "calls": one.calls, "in_force": one.in_force}
            for one in report.baselines
        ],
        "skipped_languages": dict(report.skipped_languages),
        "unread_calls": report.unread_calls,
        "unread": [
            {"recording": one.recording_id, "path": one.path, "error": {"code": one.code, "message": one.message}}
            for one in report.unread
        ],
        "flips": [
            {
                "rule": flip.rule,
                "from": flip.before and flip.before.value,
                "to": flip.after and flip.after.value,
                "calls": flip.calls,
                "samples": [_sample(one) for one in flip.samples],
            }
            for flip in report.flips
        ],
        "scores": {
            "calls": scores.calls,
            "mean_before": _round(scores.mean_before),
            "mean_after": _round(scores.mean_after),
            "up": scores.up,
            "down": scores.down,
            "appeared": scores.appeared,
            "disappeared": scores.disappeared,
            "quantiles": {f"{share:g}": change for share, change in scores.quantiles},
        },
        "fatal": {
            "newly": report.newly_fatal,
            "no_longer": report.no_longer_fatal,
            "samples": [_sample(one) for one in report.newly_fatal_samples],
        },
        "agents": [_group(one) for one in report.agents],
        "teams": [_group(one) for one in report.teams],
    }


def _sample(call: SampleCall) -> dict[str, Any]:
    return {
        "recording": call.recording_id,
        "path": call.path,
        "evidence": [
            {
                "start": round(one.start, 3),
                "end": round(one.end, 3),
                "role": one.role and one.role.value,
                "quote": one.quote,
            }
            for one in call.evidence
        ],
    }


def _group(group: GroupChange) -> dict[str, Any]:
    return {"name": group.name, "calls": group.calls, "mean_change": round(group.mean_change, 2)}


def _round(mean: float | None) -> float | None:
    return None if mean is None else round(mean, 2)
