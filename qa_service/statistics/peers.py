"""What faults are to be expected of somebody who is like the others.

Guarantee: the same counts give the same figures. Nobody is compared with a group that he or she is part of; who
stands far out is left out of what the others are measured by.

The model: log odds of agents are normally distributed around those of their group; their calls are a sample of
what they do. What the spread is, is itself only known from so many others, so the distribution that a count is
held against is Student's, mixed with the binomial: exact for few calls, and right for many.

numpy and SciPy are loaded when something is measured, not when this is imported.
"""

from __future__ import annotations

from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

# Who is less probable than this among the others is not taken for one of them when they are measured.
_OUT: Final = 0.001
# A spread of rates is known as well as half as many normal deviates would have it: rates have a long upper end.
# With all of them nine of a hundred looks named somebody by chance where five should (350 simulated, docs).
_KNOWN: Final = 0.5
# Points of the distribution that counts are held against: the body, and the upper end, where unlikely counts come
# from. Against 2,000 points each, probabilities down to 1e-8 are within 1 % (measured, tests).
_GRID: Final = 80
_BODY: Final = 0.9
_DEPTH: Final = 25.0


class Peers:
    """Agents by calls and faults of one rule.

    Args:
        calls: of each agent, none without.
        faults: of each agent.
        least_spread: how much agents differ at least, as a standard deviation of log odds.
    """

    def __init__(self, calls: Floats, faults: Floats, *, least_spread: float) -> None:
        self.calls, self.faults, self.least = calls, faults, least_spread

    def __len__(self) -> int:
        return len(self.calls)

    @cached_property
    def ordinary(self) -> Mask:
        """Who is left when those who stand far out are taken away, one by one, at most one in five."""
        import numpy as np

        kept = np.ones(len(self), dtype=bool)
        for _ in range(len(self) // 5):
            _, p = self.against(self._others(kept), known=1.0)
            p = np.where(kept, p, 1.0)
            worst = int(np.argmin(p))
            if p[worst] >= _OUT:
                break
            kept[worst] = False
        return kept

    @property
    def site(self) -> Mask:
        """By agent, the row of the ordinary others."""
        return self._others(self.ordinary)

    def _others(self, kept: Mask) -> Mask:
        import numpy as np

        others: Mask = kept[None, :] & ~np.eye(len(self), dtype=bool)
        return others

    def against(
        self, others: Mask, spread_of: Mask | None = None, *, known: float = _KNOWN
    ) -> tuple[Floats, Floats]:
        """By agent: the rate of others, and how probable as many faults, or more, are of one who is like them.

        Args:
            others: (agent, agent): in the row of each agent, whom it is held against; each row has some.
            spread_of: from whom the spread between agents is taken, if from more than ``others``.
            known: how well, in degrees of freedom by agent.
        """
        import numpy as np
        from scipy.special import betainc, expit, logit, stdtrit

        spread_of = others if spread_of is None else spread_of
        rate, spread = self._rate(others), self._spread(spread_of)
        deviation = np.sqrt(spread + self._error(others, rate, spread))[:, None]
        # The mean of rates is that of the others, not the rate of the mean of log odds.
        middle = (logit(rate) - spread * (1 - 2 * rate) / 2)[:, None]
        freedom = np.maximum(1.0, known * (spread_of.sum(axis=1) - 1.0))[:, None]
        steps = (np.arange(_GRID) + 0.5) / _GRID
        upper = (1 - _BODY) * np.exp(-steps * _DEPTH)  # how much probability lies beyond
        weights = np.concatenate([np.full(_GRID, _BODY / _GRID), upper * _DEPTH / _GRID])
        # The upper end by symmetry: one minus a very small probability is one.
        scores = np.concatenate(
            [stdtrit(freedom, steps[None, :] * _BODY), -stdtrit(freedom, upper[None, :])], axis=1
        )
        chance = expit(middle + deviation * scores)
        faults, calls = self.faults[:, None], self.calls[:, None]
        tails = np.where(faults > 0, betainc(np.maximum(faults, 1), calls - faults + 1, chance), 1.0)
        return rate, np.minimum(1.0, (tails * weights).sum(axis=1) / weights.sum())

    def group(self, mine: Mask, *, least_team_spread: float) -> tuple[float, float]:
        """The rate of all others, and how probable so high a rate is of a group that is like the other groups.

        Args:
            mine: who belongs to the group, three or more.
            least_team_spread: how much groups differ at least beyond their agents, as a standard deviation of log
                odds.
        """
        import numpy as np
        from scipy.stats import t

        own, others = mine.copy(), ~mine & self.ordinary
        # One agent alone makes no team stand out: it is judged without its worst.
        own[int(np.argmax(np.where(mine, self.faults / self.calls, -1.0)))] = False
        rows = np.stack([own, others])
        rates, spreads, known = self._rate(rows), self._spread(rows), rows.sum(axis=1) - 1.0
        # How much agents differ within groups: between the two it is what is asked for.
        spread = (spreads * known).sum(keepdims=True) / known.sum()
        error = float(self._error(rows, rates, spread).sum()) + least_team_spread**2
        high, usual = (log(rate / (1 - rate)) for rate in rates)
        return float(rates[1]), float(t.sf((high - usual) / error**0.5, _KNOWN * known.sum()))

    def design(self, mine: Mask) -> float:
        """By how much a rate of these agents together varies more than their calls alone would have it."""
        if mine.sum() < 2:
            return 1.0
        row = mine[None, :]
        rate = self._rate(row)
        within = 1 / float(self.calls[mine].sum() * rate[0] * (1 - rate[0]))
        return float(self._error(row, rate, self._spread(row))[0]) / within

    def _rate(self, rows: Mask) -> Floats:
        """Of all calls of the agents of each row; half a fault and half a call without are added."""
        rates: Floats = (rows @ self.faults + 0.5) / (rows @ self.calls + 1)
        return rates

    def _spread(self, rows: Mask) -> Floats:
        """Variance of log odds between the agents of each row.

        By moments of rates (Kleinman 1973, "Proportions with extraneous variance", JASA 68:46-54), which need no
        logarithm of a rate of nothing.
        """
        import numpy as np

        rate = self._rate(rows)
        own = self.faults / self.calls
        total = rows @ self.calls
        scale = total - (rows @ np.square(self.calls)) / total
        around = rows @ (self.calls * own**2) - 2 * rate * (rows @ self.faults) + rate**2 * total
        found = around - (rows.sum(axis=1) - 1) * rate * (1 - rate)
        variance = np.divide(found, scale, out=np.zeros_like(found), where=scale > 0)
        spread: Floats = np.maximum(self.least**2, variance / (rate * (1 - rate)) ** 2)
        return spread

    def _error(self, rows: Mask, rate: Floats, spread: Floats) -> Floats:
        """Variance of the log odds of the rate of each row."""
        import numpy as np

        total = rows @ self.calls
        error: Floats = spread * (rows @ np.square(self.calls)) / total**2 + 1 / (total * rate * (1 - rate))
        return error
