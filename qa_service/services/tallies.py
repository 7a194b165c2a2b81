"""Counting what changes from one judgement of a call to another, call by call.

Guarantee: memory grows with rules, agents and teams, never with calls; which calls are kept as samples does not
depend on the order in which they come.
"""

from bisect import insort
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from qa_service.domain.results import Evidence, Outcome
from qa_service.ports import HeardCall
from qa_service.services.backtest_report import GroupChange, ScoreChange

SAMPLES = 3
GROUPS = 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
POINT = 1.0 - 1e-9
EVIDENCE = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one pack says about a call. ``evidence`` where it is at hand; else ``evaluation_id`` tells where."""

    outcomes: Mapping[str, Outcome]
    score: float | None
    fatal: bool
    evidence: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)
    evaluation_id: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class KeptCall:
    """A call kept as a sample: those with the smallest digests, which is as good as by lot."""

    sha256: str
    recording_id: int
    path: str = field(compare=False)
    evidence: tuple[Evidence, ...] = field(compare=False, default=())
    evaluation_id: int | None = field(compare=False, default=None)


@dataclass
class FlipTally:
    calls: int = 0
    samples: list[KeptCall] = field(default_factory=list)


@dataclass
class _GroupTally:
    calls: int = 0
    change: float = 0.0


class ChangeTally:
    """Adds up judgements of calls before and after."""

    def __init__(self) -> None:
        self.changed_calls = 0
        self.flips: dict[tuple[str, Outcome | None, Outcome | None], FlipTally] = {}
        self.newly_fatal = FlipTally()
        self.no_longer_fatal = 0
        self._scored = 0
        self._sums = [0.0, 0.0]
        self._up = self._down = self._appeared = self._disappeared = 0
        self._changes: Counter[int] = Counter()
        self._agents: dict[str | None, _GroupTally] = {}
        self._teams: dict[str | None, _GroupTally] = {}

    def add(self, call: HeardCall, before: Judgement, after: Judgement) -> None:
        changed = False
        for rule in after.outcomes.keys() | before.outcomes.keys():
            was, is_now = before.outcomes.get(rule), after.outcomes.get(rule)
            if was is is_now:
                continue
            changed = True
            evidence = after.evidence.get(rule) or before.evidence.get(rule) or ()
            where = None if evidence else before.evaluation_id
            _keep(self.flips.setdefault((rule, was, is_now), FlipTally()), call, evidence, where)
        if after.fatal and not before.fatal:
            _keep(self.newly_fatal, call, (), None)
        self.no_longer_fatal += before.fatal and not after.fatal
        self._score(call, before.score, after.score)
        self.changed_calls += changed or before.score != after.score or before.fatal != after.fatal

    def scores(self) -> ScoreChange:
        return ScoreChange(
            self._scored,
            self._sums[0] / self._scored if self._scored else None,
            self._sums[1] / self._scored if self._scored else None,
            self._up,
            self._down,
            self._appeared,
            self._disappeared,
            self._quantiles(),
        )

    def agents(self) -> tuple[GroupChange, ...]:
        return _most_affected(self._agents)

    def teams(self) -> tuple[GroupChange, ...]:
        return _most_affected(self._teams)

    def _score(self, call: HeardCall, before: float | None, after: float | None) -> None:
        if before is None or after is None:
            self._appeared += before is None and after is not None
            self._disappeared += before is not None and after is None
            return
        change = after - before
        self._scored += 1
        self._sums[0] += before
        self._sums[1] += after
        self._up += change >= POINT
        self._down += change <= -POINT
        self._changes[round(change)] += 1
        metadata = call.metadata
        for groups, name in (
            (self._agents, metadata.agent_id or metadata.agent_name),
            (self._teams, metadata.team),
        ):
            group = groups.setdefault(name, _GroupTally())
            group.calls += 1
            group.change += change

    def _quantiles(self) -> tuple[tuple[float, int], ...]:
        found = []
        for share in QUANTILES if self._scored else ():
            seen = 0
            for change in sorted(self._changes):
                seen += self._changes[change]
                if seen >= share * self._scored:
                    found.append((share, change))
                    break
        return tuple(found)


def _keep(tally: FlipTally, call: HeardCall, evidence: tuple[Evidence, ...], evaluation_id: int | None) -> None:
    tally.calls += 1
    if len(tally.samples) == SAMPLES and call.sha256 > tally.samples[-1].sha256:
        return
    insort(
        tally.samples,
        KeptCall(call.sha256, call.recording_id, call.path, evidence[:EVIDENCE], evaluation_id),
    )
    del tally.samples[SAMPLES:]


def _most_affected(groups: Mapping[str | None, _GroupTally]) -> tuple[GroupChange, ...]:
    """By what their calls gain or lose together: a mean over few calls says little."""
    moved = [(name, group) for name, group in groups.items() if abs(group.change) > 1e-9]
    moved.sort(key=lambda one: (-abs(one[1].change), one[0] or ""))
    return tuple(GroupChange(name, group.calls, group.change / group.calls) for name, group in moved[:GROUPS])
