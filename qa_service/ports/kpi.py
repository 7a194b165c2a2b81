"""KPIs of months that were closed, and appraisals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from qa_service.domain.access import CallOwner, Scope
from qa_service.domain.kpi import Appraiser, Kpi


@dataclass(frozen=True, slots=True)
class AgentKpi:
    """The KPI of an agent's month; ``owner``: whose the agent is, or was when the month was closed."""

    agent_id: str
    owner: CallOwner
    month: date
    kpi: Kpi


@dataclass(frozen=True, slots=True)
class Closing:
    """A month was closed; ``number`` counts them: what was corrected later is a new one, and the old ones stay.

    ``policy``: by which weights and targets, as they were.
    """

    id: int
    month: date
    number: int
    note: str
    policy: Mapping[str, Any]
    user_id: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What somebody said of an agent's month, 0 to 100; the last one of an appraiser holds."""

    id: int
    agent_id: str
    month: date
    appraiser: Appraiser
    points: float
    note: str
    user_id: int
    by: str
    at: datetime


class KpiRepository(Protocol):
    def appraise(
        self,
        agent_id: str,
        month: date,
        appraiser: Appraiser,
        *,
        points: float,
        note: str,
        user_id: int,
        by: str,
    ) -> Appraisal: ...

    def appraisals(self, month: date, agents: Collection[str]) -> Sequence[Appraisal]:
        """All that were given, by number."""
        ...

    def close(
        self,
        month: date,
        number: int,
        results: Sequence[AgentKpi],
        *,
        note: str,
        policy: Mapping[str, Any],
        user_id: int,
        by: str,
    ) -> Closing:
        """Raises ConflictError ``stale_version`` when somebody closed it with this number."""
        ...

    def closings(self, month: date) -> Sequence[Closing]:
        """The newest first."""
        ...

    def results(
        self, closing_id: int, scope: Scope, *, team: str | None = None, agent_id: str | None = None
    ) -> Sequence[AgentKpi]:
        """By agent; what is outside ``scope`` is not there."""
        ...
