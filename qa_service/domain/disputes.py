"""How long each step of a dispute may take.

Guarantee: pure. Agents lose a right when its time has passed; who has to answer them does not gain one: a decision
that comes late still counts, and advice that does not come is done without.
"""

from dataclasses import dataclass, field
from datetime import datetime

from qa_service.domain.review import FindingState
from qa_service.domain.working_days import WorkCalendar


@dataclass(frozen=True, slots=True)
class Terms:
    """Working days of ``calendar`` in which an agent may dispute, a leader advise, an inspector or manager decide,
    and an agent appeal."""

    calendar: WorkCalendar = field(default_factory=WorkCalendar)
    dispute_days: int = 5
    advice_days: int = 3
    decision_days: int = 5
    appeal_days: int = 5

    def due(self, state: FindingState, since: datetime) -> datetime | None:
        """Until when the step that follows ``state`` is to be taken; None: nothing has to follow."""
        days = {
            FindingState.DISPUTED: self.advice_days,
            FindingState.ADVISED: self.decision_days,
            FindingState.UPHELD: self.appeal_days,
            FindingState.APPEALED: self.decision_days,
        }.get(state)
        return None if days is None else self.calendar.deadline(since, days)

    def disputable_until(self, told_at: datetime) -> datetime:
        """``told_at``: when the finding was made, or a person confirmed it."""
        return self.calendar.deadline(told_at, self.dispute_days)
