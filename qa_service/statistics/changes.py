"""How much the faults of some changed beyond those of others: a difference in differences on log odds.

Guarantee: the same counts give the same figures. Agents, not calls, are what is independent: an agent's calls,
days and weeks hang together in ways that nobody measures, and the spread between agents has all of it in it.

On log odds, since what changes faults for everybody changes them by a factor: an agent with twice the faults loses
twice as many, and a difference of shares would call that an effect.

numpy is loaded when something is measured, not when this is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, isinf, log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

FAR: Final = 3.0
"""In standard deviations: whose change is further than this from that of the others is taken for none of them."""


@dataclass(frozen=True)
class Windows:
    """By agent: calls and faults, before and after."""

    before_calls: Floats
    before_faults: Floats
    after_calls: Floats
    after_faults: Floats

    def __len__(self) -> int:
        return len(self.before_calls)

    @property
    def complete(self) -> bool:
        """Whether each agent has calls in both windows, as everything else here needs."""
        return bool((self.before_calls > 0).all() and (self.after_calls > 0).all())

    @cached_property
    def weights(self) -> Floats:
        """Of agents: the same before and after, so that who had more calls afterwards changes no rate. Those of
        Mantel and Haenszel: large where both windows are."""
        weights: Floats = self.before_calls * self.after_calls / (self.before_calls + self.after_calls)
        shares: Floats = weights / weights.sum()
        return shares

    @cached_property
    def both(self) -> tuple[float, float]:
        """Rates of all, before and after."""
        before, after = (_rate(1.0, brought.sum(), spread.sum()) for brought, spread in self._parts)
        return float(before), float(after)

    @property
    def _parts(self) -> Iterator[tuple[Floats, Floats]]:
        """Before and after, by agent: what each brings to the rate of all, and to its variance."""
        import numpy as np

        for calls, faults in (
            (self.before_calls, self.before_faults),
            (self.after_calls, self.after_faults),
        ):
            yield self.weights * faults / calls, np.square(self.weights) / calls

    @property
    def change(self) -> float:
        before, after = self.both
        return _logit(after) - _logit(before)

    @cached_property
    def jackknife(self) -> float:
        """Variance of ``change`` by leaving out each agent in turn: on the safe side with few agents (it is the
        sandwich estimator CR3: Bell, McCaffrey 2002, "Bias reduction in standard errors for linear regression with
        multi-stage samples", Survey Methodology 28:169-181)."""
        import numpy as np

        count = len(self)
        before, after = (
            _rate(1 - self.weights, brought.sum() - brought, spread.sum() - spread)
            for brought, spread in self._parts
        )
        changes = np.log(after / (1 - after)) - np.log(before / (1 - before))
        return (count - 1) / count * float(np.square(changes - self.change).sum())

    @cached_property
    def chance(self) -> Floats:
        """By agent: the variance of a change that calls alone give, each like all others."""
        before, after = self.both
        return 1 / (self.before_calls * before * (1 - before)) + 1 / (self.after_calls * after * (1 - after))

    def only(self, kept: Mask) -> Windows:
        return Windows(
            *(side[kept] for side in (self.before_calls, self.before_faults, self.after_calls, self.after_faults))
        )

    @cached_property
    def ordinary(self) -> Windows:
        """Those who are left when who changed far more than the others is taken away, one by one, at most one in
        five: otherwise one who got worse makes everybody else's change look small, and hides the next."""
        import numpy as np

        left = self
        for _ in range(len(self) // 5):
            apart = np.abs(left.steps - left.typical) / np.sqrt(left.chance + left.between)
            worst = int(np.argmax(apart))
            if apart[worst] < FAR:
                break
            left = left.only(np.arange(len(left)) != worst)
        return left

    @cached_property
    def steps(self) -> Floats:
        """By agent, the change of log odds, as steps from the rate of all: logarithms of each agent's own rate of
        a few calls there are none."""
        before, after = self.both
        late = (self.after_faults / self.after_calls - after) / (after * (1 - after))
        steps: Floats = late - (self.before_faults / self.before_calls - before) / (before * (1 - before))
        return steps

    @property
    def typical(self) -> float:
        precision = 1 / self.chance
        return float((precision * self.steps).sum() / precision.sum())

    @cached_property
    def between(self) -> float:
        """Variance of true changes between agents (DerSimonian, Laird 1986, "Meta-analysis in clinical
        trials")."""
        import numpy as np

        precision = 1 / self.chance
        heterogeneity = float((precision * np.square(self.steps - self.typical)).sum())
        scale = float(precision.sum() - np.square(precision).sum() / precision.sum())
        return max(0.0, (heterogeneity - (len(self) - 1)) / scale)


@dataclass(frozen=True, slots=True)
class Contrast:
    """``beta``: change of log odds beyond that of the others, with its standard error and degrees of freedom.

    ``without``: the rate that there would have been without it.
    """

    beta: float
    error: float
    freedom: float
    without: float

    def bounds(self, level: float) -> tuple[float, float]:
        half = _student(self.freedom, (1 + level) / 2) * self.error
        return self.beta - half, self.beta + half

    @property
    def p(self) -> float:
        """Two-sided."""
        from scipy.special import ndtr, stdtr

        score = -abs(self.beta) / self.error
        return float(2 * (ndtr(score) if isinf(self.freedom) else stdtr(self.freedom, score)))

    def points(self, beta: float) -> float:
        """What ``beta`` does to the rate that there would have been."""
        return _expit(_logit(self.without) + beta) - self.without

    def relative(self, beta: float) -> float:
        return self.points(beta) / self.without


def contrast(treated: Windows, others: Windows, *, min_clusters: int) -> Contrast:
    """How much ``treated`` changed beyond ``others``.

    With ``min_clusters`` or more treated the spread is their own; of fewer it cannot be known, and that of the
    others is used. Degrees of freedom by Satterthwaite (1946), "An approximate distribution of estimates of
    variance components".
    """
    count = len(treated)
    if count >= min_clusters:
        parts = [(treated.jackknife, count - 1.0)]
    else:
        weights = treated.weights**2
        # The others' typical rate is not theirs: what chance gives is by their own counts.
        parts = [
            (float((weights * treated.chance).sum()), inf),
            (float(weights.sum()) * others.between, len(others) - 1.0),
        ]
    parts.append((others.jackknife, len(others) - 1.0))
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / freedom for part, freedom in parts)
    without = _expit(_logit(treated.both[0]) + others.change)
    return Contrast(
        treated.change - others.change, variance**0.5, variance**2 / spread if spread else inf, without
    )


def _rate(weight: Floats | float, brought: Floats, spread: Floats) -> Floats:
    """Of agents of that ``weight`` in all; half a fault and half a call without are added, so that none of a few
    is not nothing."""
    size = weight * weight / spread
    return (brought / weight * size + 0.5) / (size + 1)


def _student(freedom: float, probability: float) -> float:
    from scipy.special import ndtri, stdtrit

    return float(ndtri(probability) if isinf(freedom) else stdtrit(freedom, probability))


def _logit(rate: float) -> float:
    return log(rate / (1 - rate))


def _expit(odds: float) -> float:
    return 1 / (1 + exp(-odds))
