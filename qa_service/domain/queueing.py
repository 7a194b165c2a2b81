"""In which order people look at calls, and which unflagged calls they look at.

Guarantee: pure. The order is that of expected value: what a wrong answer costs (severity), times how unsure the
answer is (uncertainty), times how near the deadline is (urgency).

- Uncertainty is the variance of the next verdict, m(1-m), where m is the mean of the posterior Beta distribution
  of a rule's precision: the verdicts so far on a uniform prior (Laplace's rule of succession). It is learned for
  each rule and each outcome, doubts apart from faults; a rule that nobody has judged is as unsure as can be.
- Urgency grows by e every ``urgency_days``: e^((t - due)/τ). All calls' urgency grows by the same factor at the
  same time, so their order never changes by waiting, and its logarithm without t can be stored and indexed.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from qa_service.domain.results import Outcome, RuleResult, Severity
from qa_service.domain.working_days import WorkCalendar

# Further than any two deadlines lie apart: what stands at the head does so whatever its value.
_HEAD: Final = 1e6
_HASH_BITS: Final = 64


class QueueKind(StrEnum):
    """Why a call is looked at: something was found, chance chose it, or a sampling plan drew it."""

    FLAGGED = "flagged"
    RANDOM = "random"
    SAMPLED = "sampled"


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts so far on one outcome of one rule: ``confirmed`` it was a fault, ``rejected`` it was none."""

    confirmed: int = 0
    rejected: int = 0

    @property
    def uncertainty(self) -> float:
        """Variance of the next verdict, in (0, 0.25]."""
        mean = (self.confirmed + 1) / (self.confirmed + self.rejected + 2)
        return mean * (1.0 - mean)


NO_VERDICTS: Final = Tally()


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """How a site reviews. Days are working days of ``calendar``, except those of urgency, which are days.

    Args:
        weights: what a wrong answer on a rule of each severity costs, in any unit.
        random_share: probability with which an unflagged call is looked at.
        seed: chooses another random slice.
        random_value: severity times uncertainty that a call without findings stands for: one minor finding of a
            rule that nobody has judged.
    """

    calendar: WorkCalendar = field(default_factory=WorkCalendar)
    weights: Mapping[Severity, float] = field(
        default_factory=lambda: {Severity.MINOR: 1.0, Severity.MAJOR: 3.0, Severity.CRITICAL: 10.0}
    )
    random_share: float = 0.02
    seed: str = ""
    random_value: float = 0.25
    urgency_days: float = 1.0
    due_days: int = 10
    complaint_due_days: int = 2

    def chosen(self, sha256: str) -> bool:
        """Whether the recording with this digest is of the random slice; the same answer for ever."""
        return _uniform(f"{self.seed}:{sha256}") < self.random_share

    def due(self, since: datetime, grade: int | None) -> datetime:
        days = self.due_days if grade is None else self.complaint_due_days
        return self.calendar.deadline(since, days)

    def value(self, results: Iterable[RuleResult], tallies: Mapping[tuple[str, Outcome], Tally]) -> float:
        """Severity times uncertainty, summed over results that need a person; without any, of a random call.

        ``tallies``: by rule and outcome. A graded result counts as often as its grade says.
        """
        total = sum(
            self.weights[result.severity]
            * (result.grade or 1)
            * tallies.get((result.rule, result.outcome), NO_VERDICTS).uncertainty
            for result in results
        )
        return total or self.random_value

    def rank(self, value: float, due: datetime, *, head: bool) -> float:
        """Place in the queue, lowest first: minus the logarithm of value times urgency, at the epoch's time."""
        days = due.timestamp() / timedelta(days=1).total_seconds()
        return days / self.urgency_days - math.log(value) - (_HEAD if head else 0.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call stands in the queue, and why. ``grade``: of its gravest complaint, when it has one."""

    kind: QueueKind
    due_at: datetime
    value: float
    rank: float
    grade: int | None
    inclusion_probability: float


def place(
    policy: ReviewPolicy,
    *,
    sha256: str,
    since: datetime,
    results: Iterable[RuleResult],
    undecided: Set[str],
    tallies: Mapping[tuple[str, Outcome], Tally],
    due_before: datetime | None = None,
) -> Place | None:
    """A call's place in the queue; None: nobody need look at it.

    A complaint is looked at even where it was answered well. Waiting never begins anew: ``due_before`` is the
    deadline that the call had already.

    Args:
        since: from when deadlines run.
        results: of the evaluation in force.
        undecided: rules whose findings no person has decided.
        tallies: verdicts so far, by rule and outcome.
    """
    results = tuple(results)
    grade = max((r.grade for r in results if r.grade is not None and r.scored), default=None)
    wanting = [result for result in results if result.rule in undecided]
    if wanting or grade is not None:
        kind, probability = QueueKind.FLAGGED, 1.0
    elif policy.chosen(sha256):
        kind, probability = QueueKind.RANDOM, policy.random_share
    else:
        return None
    due = policy.due(since, grade)
    due = due if due_before is None else min(due, due_before)
    value = policy.value(wanting, tallies)
    return Place(kind, due, value, policy.rank(value, due, head=grade is not None), grade, probability)


def _uniform(text: str) -> float:
    """A number in [0, 1) that is the same for the same text."""
    head = hashlib.sha256(text.encode()).digest()[: _HASH_BITS // 8]
    return int.from_bytes(head) / float(1 << _HASH_BITS)
