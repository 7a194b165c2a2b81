"""Did it help: what a coaching action or a training module did to faults.

Guarantee: pure. The answer is by how much the faults of those who were coached changed beyond what happened to
others at the same time, from a baseline that lies before the weeks for whose faults they were picked.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from qa_service.domain.proportions import LEVEL, Interval, Share


class Verdict(StrEnum):
    """HELPED, HARMED: the interval lies on one side of nothing. NO_EFFECT: it excludes help that would be worth
    the time. CANNOT_TELL: neither, or too few calls, or nobody comparable."""

    HELPED = "helped"
    NO_EFFECT = "no_effect"
    HARMED = "harmed"
    CANNOT_TELL = "cannot_tell"


class EffectWarning(StrEnum):
    """REGRESSION_TO_MEAN: in the weeks before, those who were coached were worse than they had been; part of what
    came after would have come anyway, and ``Effect.naive`` counts it in. WORSENED_BEFORE: so much worse that it
    was more than chance, so that the earlier baseline may not be theirs any more. TRENDS_DIFFER: they and the
    others had gone different ways before. FEW_TREATED: less than six, whose spread is taken from the others'.
    FEW_CALLS, FEW_FAULTS, FEW_PEERS, NO_HISTORY: why nothing can be told."""

    REGRESSION_TO_MEAN = "regression_to_mean"
    WORSENED_BEFORE = "worsened_before"
    TRENDS_DIFFER = "trends_differ"
    FEW_TREATED = "few_treated"
    FEW_CALLS = "few_calls"
    FEW_FAULTS = "few_faults"
    FEW_PEERS = "few_peers"
    NO_HISTORY = "no_history"


@dataclass(frozen=True, slots=True)
class EffectPolicy:
    """What an effect is measured by.

    Args:
        before_days: at most, of the baseline, which ends where the selection window begins.
        selection_days: before the session, for whose faults people may have been picked: not part of the baseline.
        after_days: at most, from the day after the session.
        min_calls: that an agent needs in baseline and afterwards each, to be counted.
        min_peers: how many others.
        min_faults: that those who were coached had in baseline and afterwards together. With fewer no interval of
            log odds can be trusted.
        min_clusters: from how many coached on their own spread is used; below, that of the others.
        worthwhile: by which share faults have to fall for it to be worth the time.
        level: of intervals.
    """

    before_days: int = 84
    selection_days: int = 28
    after_days: int = 84
    min_calls: int = 30
    min_peers: int = 8
    min_faults: int = 10
    min_clusters: int = 6
    worthwhile: float = 0.2
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class DayFaults:
    """Of one agent on one day, of the rules that were coached, added up: ``calls`` with an answer, ``faults`` of
    them."""

    agent: str
    day: date
    calls: int
    faults: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What was found. Effects below nothing are fewer faults.

    Args:
        verdict: in a word.
        points: change of the share of calls with a fault, in shares (-0.05: five points fewer); None if unknown.
        points_interval: of it.
        relative: the same as a share of the faults that there would have been (-0.3: 30 % fewer).
        relative_interval: of it.
        naive: what before and after alone would say, from the weeks just before the session, without comparison;
            relative. Shown beside the other to be seen through.
        treated: agents that were counted.
        peers: agents they were compared with.
        baseline: faults of those who were coached, before the selection window.
        selection: in the selection window.
        after: afterwards.
        peers_baseline: of the others in the same days (calls add up over sessions).
        peers_after: the same, afterwards.
        warnings: in the order of EffectWarning.
    """

    verdict: Verdict
    points: float | None
    points_interval: Interval | None
    relative: float | None
    relative_interval: Interval | None
    naive: float | None
    treated: int
    peers: int
    baseline: Share
    selection: Share
    after: Share
    peers_baseline: Share
    peers_after: Share
    warnings: tuple[EffectWarning, ...] = ()
