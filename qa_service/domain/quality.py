"""How good each rule is, by what people said of its findings.

Guarantee: pure. Every figure belongs to one version of one rule: what is changed starts again without figures. A
finding counts once, as it was decided last, whoever decided: reviewer, dispute or appeal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from qa_service.domain.proportions import LEVEL, Share, fisher_less, holm, share
from qa_service.domain.recall import Heard, Missed, Recall, missed, recall
from qa_service.domain.results import Outcome

WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, order=True)
class RuleAt:
    """A version of a rule.

    ``digest``: of the rule's version; of the whole rule set for what was evaluated before versions were kept.
    """

    pack: str
    rule: str
    digest: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Findings that people decided: how many, and how many were faults. ``contested``: those of which a dispute or
    an appeal was decided; ``overturned``: those of them that turned out to be none."""

    total: int = 0
    faults: int = 0
    contested: int = 0
    overturned: int = 0

    def __add__(self, other: "Judged") -> "Judged":
        return Judged(
            self.total + other.total,
            self.faults + other.faults,
            self.contested + other.contested,
            self.overturned + other.overturned,
        )

    @property
    def precision(self) -> Share:
        return share(self.faults, self.total)


NONE: Final = Judged()


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """All that is known of one version of a rule.

    ``faults`` and ``doubts``: verdicts on what the machine said was a fault, and on what it left open, by week,
    the last one first. ``flagged``: findings by outcome, in the calls of ``heard``. ``in_force``: whether it found
    anything in the last week.
    """

    faults: tuple[Judged, ...] = ()
    doubts: tuple[Judged, ...] = ()
    flagged: Mapping[Outcome, int] = field(default_factory=dict)
    heard: tuple[Heard, ...] = ()
    in_force: bool = False


@dataclass(frozen=True, slots=True)
class QualityPolicy:
    """What a site asks of rules.

    Args:
        target: of the findings of a rule, the share that is to be right.
        targets: the same for single rules.
        min_verdicts: with fewer a rule is in no doubt, however low its bound.
        weeks: how far back verdicts count.
        recent_weeks: what is compared with the weeks before.
        alarm: how improbable a fall has to be, over all rules together.
    """

    target: float = 0.8
    targets: Mapping[str, float] = field(default_factory=dict)
    min_verdicts: int = 30
    weeks: int = 13
    recent_weeks: int = 4
    alarm: float = 0.05

    def target_of(self, rule: str) -> float:
        return self.targets.get(rule, self.target)

    def falls_short(self, rule: str, precision: Share) -> bool:
        """Whether enough verdicts leave it open that the rule is as good as it is to be."""
        return precision.total >= self.min_verdicts and precision.interval.low < self.target_of(rule)

    def edges(self, until: datetime) -> tuple[datetime, ...]:
        """Where weeks begin, the last one first."""
        return tuple(until - WEEK * (number + 1) for number in range(self.weeks))


@dataclass(frozen=True, slots=True)
class Drift:
    """Precision of the last weeks against that of the weeks before.

    ``p``: how probable so few are, if nothing has changed, for having looked at all rules (Holm). ``fallen``:
    whether that is too improbable.
    """

    recent: Share
    before: Share
    p: float
    fallen: bool


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """How good a version of a rule is.

    Attributes:
        of: the version.
        precision: of what it said was a fault, what was one.
        doubts: of what it left open, what was a fault.
        overturned: of what was disputed to the end, what turned out to be no fault.
        recall: of the faults that there are, what it brought before a person; None where nobody can tell.
        missed: in about how many calls it missed one; None where nobody has heard a random slice.
        drift: None where there are no verdicts to compare.
        weeks: verdicts on faults and how many were right, by week, the oldest first.
        target: what its precision is to be.
        short: whether its lower bound falls under the target.
        in_force: whether it found anything in the last week.
    """

    of: RuleAt
    precision: Share
    doubts: Share
    overturned: Share
    recall: Recall | None
    missed: Missed | None
    drift: Drift | None
    weeks: tuple[tuple[int, int], ...]
    target: float
    short: bool
    in_force: bool


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of all versions of rules that people judged, as of ``until``."""

    id: int
    since: datetime
    until: datetime
    figures: tuple[RuleFigures, ...]


@dataclass(frozen=True, slots=True)
class ShadowProposal:
    """A rule that is to be tried without being scored. ``accepted`` is None until somebody decides.

    ``precision``: why it was proposed, against ``target``.
    """

    id: int
    of: RuleAt
    precision: Share
    target: float
    created_at: datetime
    accepted: bool | None = None
    decided_by: int | None = None
    decided_at: datetime | None = None
    note: str = ""


def measure(
    records: Mapping[RuleAt, RuleRecord], policy: QualityPolicy, *, level: float = LEVEL
) -> tuple[RuleFigures, ...]:
    """The figures of every version, by pack and rule."""
    compared = {of: _windows(known, policy) for of, known in records.items()}
    adjusted = holm(
        {
            of: fisher_less(recent.count, recent.total, before.count, before.total)
            for of, (recent, before) in compared.items()
            if recent.total and before.total
        }
    )
    found = []
    for of, known in sorted(records.items()):
        figures = _figures(of, known, policy, level)
        if of in adjusted:
            recent, before = compared[of]
            figures = replace(figures, drift=Drift(recent, before, adjusted[of], adjusted[of] < policy.alarm))
        found.append(figures)
    return tuple(found)


def _windows(known: RuleRecord, policy: QualityPolicy) -> tuple[Share, Share]:
    recent, before = known.faults[: policy.recent_weeks], known.faults[policy.recent_weeks :]
    return _total(recent).precision, _total(before).precision


def _figures(of: RuleAt, known: RuleRecord, policy: QualityPolicy, level: float) -> RuleFigures:
    faults, doubts = _total(known.faults), _total(known.doubts)
    both = faults + doubts
    flagged = [
        (known.flagged.get(Outcome.NOT_MET, 0), faults.precision),
        (known.flagged.get(Outcome.UNDETERMINED, 0), doubts.precision),
    ]
    return RuleFigures(
        of=of,
        precision=faults.precision,
        doubts=doubts.precision,
        overturned=share(both.overturned, both.contested),
        recall=recall(flagged, known.heard, level=level),
        missed=missed(known.heard, level=level),
        drift=None,
        weeks=tuple((week.total, week.faults) for week in reversed(known.faults)),
        target=policy.target_of(of.rule),
        short=policy.falls_short(of.rule, faults.precision),
        in_force=known.in_force,
    )


def _total(weeks: Sequence[Judged]) -> Judged:
    return sum(weeks, NONE)


def to_propose(
    records: Mapping[RuleAt, RuleRecord],
    decided: Mapping[RuleAt, ShadowProposal],
    policy: QualityPolicy,
    until: datetime,
) -> tuple[tuple[RuleAt, Share], ...]:
    """Versions in force that fall short, with the precision that says so.

    What somebody has decided on is proposed again only for verdicts that are newer, and fall short by themselves.

    Args:
        records: of every version.
        decided: the last proposal of each version that has one; an open one is not repeated.
        policy: what is asked of rules.
        until: when the last week of ``records`` ended.
    """
    found = []
    for of, known in sorted(records.items()):
        last = decided.get(of)
        if not known.in_force or (last is not None and last.decided_at is None):
            continue
        weeks = known.faults
        if last is not None and last.decided_at is not None:
            weeks = weeks[: max(0, (until - last.decided_at) // WEEK)]
        precision = _total(weeks).precision
        if policy.falls_short(of.rule, precision):
            found.append((of, precision))
    return tuple(found)
