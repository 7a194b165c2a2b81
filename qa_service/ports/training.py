"""The training catalogue, sessions, assessments and certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from qa_service.domain.access import Scope
from qa_service.domain.training import AssessmentKind, Course, TrainingModule


class SessionState(StrEnum):
    PLANNED = "planned"
    HELD = "held"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What a session is about, when, where and by whom. ``change_id``: the change that it trains."""

    subject: str
    title: str
    starts_at: datetime
    ends_at: datetime
    place: str
    trainer_id: int
    change_id: int | None = None


@dataclass(frozen=True, slots=True)
class TrainingSession:
    id: int
    terms: SessionTerms
    trainer_name: str
    state: SessionState
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Attendance:
    """``attended`` None: nobody said yet."""

    agent_id: str
    agent_name: str | None
    attended: bool | None


@dataclass(frozen=True, slots=True)
class Assessment:
    id: int
    agent_id: str
    subject: str
    kind: AssessmentKind
    session_id: int | None
    change_id: int | None
    score: float
    pass_mark: float
    passed: bool
    note: str
    assessed_by: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Certificate:
    id: int
    agent_id: str
    subject: str
    assessment_id: int
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """Everything of one agent, the oldest first."""

    sessions: tuple[tuple[TrainingSession, bool | None], ...]
    assessments: tuple[Assessment, ...]
    certificates: tuple[Certificate, ...]


class TrainingRepository(Protocol):
    def modules(self) -> Sequence[TrainingModule]:
        """Those that the site wrote."""
        ...

    def courses(self) -> Sequence[Course]:
        """Those that the site wrote."""
        ...

    def save(self, subject: TrainingModule | Course, *, version: int) -> None:
        """Store it as the edit after ``version``; 0: as the first one.

        Raises:
            ConflictError: ``stale_version``.
        """
        ...

    def add_session(self, terms: SessionTerms, agents: Sequence[str]) -> TrainingSession: ...

    def session(self, session_id: int) -> TrainingSession:
        """Raises NotFoundError ``training_session_not_found``."""
        ...

    def sessions(
        self,
        scope: Scope,
        *,
        trainer_id: int,
        subject: str | None,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> Sequence[TrainingSession]:
        """The last one first, of those at which an agent in ``scope`` is expected or which this account holds."""
        ...

    def set_state(self, session: TrainingSession, state: SessionState) -> TrainingSession:
        """Raises ConflictError ``stale_version``."""
        ...

    def attendances(self, session_id: int, scope: Scope) -> Sequence[Attendance]: ...

    def attend(self, session_id: int, attended: Mapping[str, bool | None]) -> None: ...

    def add_assessment(
        self,
        *,
        agent_id: str,
        subject: str,
        kind: AssessmentKind,
        session_id: int | None,
        change_id: int | None,
        score: float,
        pass_mark: float,
        passed: bool,
        note: str,
        by: int,
    ) -> Assessment: ...

    def certify(self, assessment: Assessment, *, expires_at: datetime) -> Certificate: ...

    def record(self, agent_id: str) -> TrainingRecord: ...

    def trained(self, subject: str, *, since: datetime) -> Mapping[str, datetime]:
        """Agents who attended a session of it since then, and when they first did."""
        ...
