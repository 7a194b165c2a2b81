"""Did it help: faults of those who were coached against those of others, before and after.

Guarantee: the same days give the same answer. People are picked for coaching because of bad weeks, and bad weeks
are followed by better ones whatever is done: the baseline therefore ends before those weeks begin. Where a
comparison cannot be made, nothing is said.

numpy and SciPy are loaded when something is measured, not when this is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import sqrt
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Final

from qa_service.domain.effects import DayFaults, Effect, EffectPolicy, EffectWarning, Verdict
from qa_service.domain.proportions import Interval, Share, share
from qa_service.statistics.changes import Contrast, Windows, contrast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Span = tuple[int, int]

_DEFAULT: Final = EffectPolicy()
# Of the greatest of some dozens of normal deviates, two standard deviations.
_MARGIN: Final = 1.0


def coaching_effect(
    days: Iterable[DayFaults], agent: str, held: date, *, policy: EffectPolicy = _DEFAULT
) -> Effect:
    """What coaching one agent did; see ``module_effect``. One agent's calls seldom tell: CANNOT_TELL is the usual
    answer of a few weeks."""
    return module_effect(days, {agent: held}, policy=policy)


def module_effect(
    days: Iterable[DayFaults], treated: Mapping[str, date], *, policy: EffectPolicy = _DEFAULT
) -> Effect:
    """What a session did to those who were there.

    A difference in differences: how faults of the treated changed from baseline to afterwards, less how those of
    all other agents in ``days`` did around the same dates. Who had the same training at another time should not be
    among the others.

    Args:
        days: of treated and others, of one rule or added up over the rules that were trained; several of one agent
            and day are added up.
        treated: by agent, when the session was.
        policy: windows and minimum samples.
    """
    history = _History(days)
    sessions = sorted(set(treated.values()))
    counted = {
        agent: day
        for agent, day in treated.items()
        if agent in history.index and history.enough(agent, day, policy)
    }
    seen = {agent: day for agent, day in treated.items() if agent in history.index}
    peers = [
        agent
        for agent in history.index
        if agent not in treated and all(history.enough(agent, day, policy) for day in sessions)
    ]
    effect = _Counts(history, counted or seen, peers, policy)
    fails = []
    if not effect.calls("baseline"):
        fails.append(EffectWarning.NO_HISTORY)
    elif not counted:
        fails.append(EffectWarning.FEW_CALLS)
    elif effect.faults("baseline") + effect.faults("after") < policy.min_faults:
        fails.append(EffectWarning.FEW_FAULTS)
    if len(peers) < policy.min_peers:
        fails.append(EffectWarning.FEW_PEERS)
    if fails:
        return effect.answer(Verdict.CANNOT_TELL, None, fails)
    return _judge(effect, policy)


def _judge(effect: _Counts, policy: EffectPolicy) -> Effect:
    found = effect.contrast("baseline", "after")
    low, high = found.bounds(policy.level)
    warnings = []
    picked = effect.contrast("baseline", "selection") if effect.selected else None
    worsened = False
    if picked is not None and picked.beta > picked.error:
        worsened = effect.worsened()
        warnings.append(EffectWarning.WORSENED_BEFORE if worsened else EffectWarning.REGRESSION_TO_MEAN)
    halves = effect.contrast("first", "second") if effect.halved else None
    apart = halves is not None and halves.p < 1 - policy.level
    if apart:
        warnings.append(EffectWarning.TRENDS_DIFFER)
    if len(effect.treated) < policy.min_clusters:
        warnings.append(EffectWarning.FEW_TREATED)

    verdict = Verdict.CANNOT_TELL
    if apart:
        verdict = Verdict.CANNOT_TELL
    elif high < 0:
        verdict = Verdict.HELPED
    elif low > 0:
        # Worse than long ago is no harm of the session's, if it was as bad in the weeks before it.
        late = effect.contrast("selection", "after") if effect.selected else found
        verdict = Verdict.HARMED if late.bounds(policy.level)[0] > 0 else Verdict.CANNOT_TELL
    elif found.relative(low) > -policy.worthwhile and not worsened:
        verdict = Verdict.NO_EFFECT
    return effect.answer(verdict, found, warnings)


class _History:
    """Calls and faults by agent up to each day, so that any window is a difference of two columns."""

    def __init__(self, days: Iterable[DayFaults]) -> None:
        import numpy as np

        kept = [one for one in days if one.calls]
        self.index = {agent: number for number, agent in enumerate(sorted({one.agent for one in kept}))}
        ordinals = [one.day.toordinal() for one in kept] or [0]
        self.first, self.past = min(ordinals), max(ordinals) + 1
        tables = np.zeros((2, len(self.index), self.past - self.first + 1))
        for one in kept:
            at = self.index[one.agent], one.day.toordinal() - self.first + 1
            tables[0][at] += one.calls
            tables[1][at] += one.faults
        self.tables = tables.cumsum(axis=2)

    def window(self, agent: str, span: Span) -> tuple[float, float]:
        """Calls and faults in ``[first, past)``."""
        begins, ends = (min(max(day, self.first), self.past) - self.first for day in span)
        row = self.tables[:, self.index[agent]]
        return float(row[0, ends] - row[0, begins]), float(row[1, ends] - row[1, begins])

    def enough(self, agent: str, day: date, policy: EffectPolicy) -> bool:
        spans = _spans(day, policy)
        return all(self.window(agent, spans[name])[0] >= policy.min_calls for name in ("baseline", "after"))


def _spans(day: date, policy: EffectPolicy) -> Mapping[str, Span]:
    """Windows around a session; its own day is in none."""
    at = day.toordinal()
    ends = at - policy.selection_days
    begins = ends - policy.before_days
    return {
        "baseline": (begins, ends),
        "selection": (ends, at),
        "after": (at + 1, at + 1 + policy.after_days),
    }


class _Counts:
    """Windows of those who are compared."""

    def __init__(
        self, history: _History, treated: Mapping[str, date], peers: list[str], policy: EffectPolicy
    ) -> None:
        self.history, self.treated, self.peers, self.policy = history, treated, peers, policy
        self.sessions = sorted(set(treated.values()))

    def span(self, name: str, day: date) -> Span:
        """Of the named window; ``first`` and ``second`` are halves of the baseline that there is."""
        spans = _spans(day, self.policy)
        if name not in ("first", "second"):
            return spans[name]
        begins, ends = max(spans["baseline"][0], self.history.first), spans["baseline"][1]
        middle = (begins + ends) // 2
        return (begins, middle) if name == "first" else (middle, ends)

    def calls(self, name: str) -> float:
        return self._own(name)[0]

    def faults(self, name: str) -> float:
        return self._own(name)[1]

    def own(self, before: str, after: str) -> Windows:
        rows = []
        for agent, day in self.treated.items():
            windows = [self.history.window(agent, self.span(name, day)) for name in (before, after)]
            rows.append((*windows[0], *windows[1]))
        return _windows(rows)

    def others(self, before: str, after: str) -> Windows:
        """Peers around the same dates: of each session they count as much as agents were in it."""
        rows = []
        held = list(self.treated.values())
        shares = {day: held.count(day) / len(held) for day in self.sessions}
        for agent in self.peers:
            row = [0.0] * 4
            for day, part in shares.items():
                for at, name in enumerate((before, after)):
                    calls, faults = self.history.window(agent, self.span(name, day))
                    row[2 * at] += part * calls
                    row[2 * at + 1] += part * faults
            rows.append(tuple(row))
        return _windows(rows)

    def contrast(self, before: str, after: str) -> Contrast:
        return contrast(self.own(before, after), self.others(before, after), min_clusters=self.policy.min_clusters)

    @property
    def selected(self) -> bool:
        """Whether there is anything in the selection window to compare."""
        return self._both("selection", "baseline")

    @property
    def halved(self) -> bool:
        return self._both("first", "second")

    def _both(self, one: str, other: str) -> bool:
        own, others = self.own(one, other), self.others(one, other)
        return all(bool((side.before_calls > 0).all() and (side.after_calls > 0).all()) for side in (own, others))

    def worsened(self) -> bool:
        """Whether the treated were worse in the selection window than the worst of all of them would be by
        chance."""
        own, others = self.own("baseline", "selection"), self.others("baseline", "selection")
        between = others.between
        scores: list[float] = []
        for at in range(len(own)):
            alone = _windows(
                [
                    (
                        float(own.before_calls[at]),
                        float(own.before_faults[at]),
                        float(own.after_calls[at]),
                        float(own.after_faults[at]),
                    )
                ]
            )
            scores.append((alone.change - others.change) / (float(alone.chance[0]) + between) ** 0.5)
        everybody = len(own) + len(others)
        worst = [NormalDist().inv_cdf(1 - (rank + 0.625) / (everybody + 0.25)) for rank in range(len(own))]
        return fmean(scores) > fmean(worst) + _MARGIN / sqrt(len(own))

    def answer(self, verdict: Verdict, found: Contrast | None, warnings: list[EffectWarning]) -> Effect:
        points = relative = points_interval = relative_interval = None
        if found is not None:
            low, high = found.bounds(self.policy.level)
            points, relative = found.points(found.beta), found.relative(found.beta)
            points_interval = Interval(found.points(low), found.points(high))
            relative_interval = Interval(found.relative(low), found.relative(high))
        naive = None
        (late, late_faults), (after, after_faults) = (self._own(name) for name in ("selection", "after"))
        if late_faults and after:
            naive = (after_faults / after) / (late_faults / late) - 1
        return Effect(
            verdict=verdict,
            points=points,
            points_interval=points_interval,
            relative=relative,
            relative_interval=relative_interval,
            naive=naive,
            treated=len(self.treated),
            peers=len(self.peers),
            baseline=self._share(self._own("baseline")),
            selection=self._share(self._own("selection")),
            after=self._share(self._own("after")),
            peers_baseline=self._share(self._others("baseline")),
            peers_after=self._share(self._others("after")),
            warnings=tuple(warning for warning in EffectWarning if warning in warnings),
        )

    def _share(self, counts: tuple[float, float]) -> Share:
        return share(round(counts[1]), round(counts[0]), level=self.policy.level)

    def _own(self, name: str) -> tuple[float, float]:
        return self._sum((agent, self.span(name, day)) for agent, day in self.treated.items())

    def _others(self, name: str) -> tuple[float, float]:
        return self._sum((agent, self.span(name, day)) for day in self.sessions for agent in self.peers)

    def _sum(self, spans: Iterable[tuple[str, Span]]) -> tuple[float, float]:
        """Calls and faults."""
        windows = [self.history.window(agent, span) for agent, span in spans]
        return sum(calls for calls, _ in windows), sum(faults for _, faults in windows)


def _windows(rows: Sequence[tuple[float, ...]]) -> Windows:
    import numpy as np

    table = np.array(rows, dtype=float).reshape(-1, 4)
    return Windows(table[:, 0], table[:, 1], table[:, 2], table[:, 3])
