"""Training on SQLAlchemy. Assessments and certificates are only ever added."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from qa_service.db.directory import agents_within
from qa_service.db.inserting import insert_missing, insert_or_get, storable
from qa_service.db.rows import (
    AgentRow,
    TeamRow,
    TrainingAssessmentRow,
    TrainingAttendanceRow,
    TrainingCertificateRow,
    TrainingSessionRow,
    TrainingSubjectRow,
    UserRow,
)
from qa_service.domain.access import Scope
from qa_service.domain.training import AssessmentKind, Course, TrainingModule
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock
from qa_service.ports.training import (
    Assessment,
    Attendance,
    Certificate,
    SessionState,
    SessionTerms,
    TrainingRecord,
    TrainingSession,
)


class SqlTrainingRepository:
    """Implements ``TrainingRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def modules(self) -> Sequence[TrainingModule]:
        rows = self._session.scalars(select(TrainingSubjectRow).order_by(TrainingSubjectRow.name))
        return [_module(row) for row in rows if row.modules is None]

    def courses(self) -> Sequence[Course]:
        rows = self._session.scalars(select(TrainingSubjectRow).order_by(TrainingSubjectRow.name))
        return [_course(row) for row in rows if row.modules is not None]

    def save(self, subject: TrainingModule | Course, *, version: int) -> None:
        values: dict[str, Any] = {
            "title_zh": storable(subject.title_zh),
            "title_en": storable(subject.title_en),
            "modules": list(subject.modules) if isinstance(subject, Course) else None,
            "days": subject.days,
            "onboarding": isinstance(subject, Course) and subject.onboarding,
            "pass_mark": subject.pass_mark,
            "valid_days": subject.valid_days,
            "active": subject.active,
        }
        if version == 0:
            _, saved = insert_or_get(
                self._session,
                lambda: self._session.get(TrainingSubjectRow, subject.name),
                lambda: TrainingSubjectRow(name=subject.name, version=1, **values),
            )
        else:
            saved = (
                self._session.scalar(
                    update(TrainingSubjectRow)
                    .where(TrainingSubjectRow.name == subject.name, TrainingSubjectRow.version == version)
                    .values(**values, version=version + 1)
                    .returning(TrainingSubjectRow.name)
                    .execution_options(synchronize_session=False)
                )
                is not None
            )
            self._session.expire_all()
        if not saved:
            raise ConflictError(
                "stale_version", f"{subject.name} has changed meanwhile: read it again, then change it"
            )

    def add_session(self, terms: SessionTerms, agents: Sequence[str]) -> TrainingSession:
        row = TrainingSessionRow(
            subject=terms.subject,
            title=storable(terms.title),
            starts_at=terms.starts_at,
            ends_at=terms.ends_at,
            place=storable(terms.place),
            trainer_id=terms.trainer_id,
            change_id=terms.change_id,
            state=SessionState.PLANNED.value,
            created_at=self._clock.now(),
            version=1,
        )
        self._session.add(row)
        self._session.flush()
        self.attend(row.id, dict.fromkeys(agents))
        return self.session(row.id)

    def session(self, session_id: int) -> TrainingSession:
        found = self._session.execute(_sessions().where(TrainingSessionRow.id == session_id)).one_or_none()
        if found is None:
            raise NotFoundError(
                "training_session_not_found",
                f"no session has the number {session_id}: list them to see which exist",
                session_id=session_id,
            )
        return _training_session(*found)

    def sessions(
        self,
        scope: Scope,
        *,
        trainer_id: int,
        subject: str | None,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> Sequence[TrainingSession]:
        query = _sessions()
        if subject is not None:
            query = query.where(TrainingSessionRow.subject == subject)
        if not scope.is_everything:
            expected = (
                select(TrainingAttendanceRow.session_id)
                .join(AgentRow, AgentRow.agent_id == TrainingAttendanceRow.agent_id)
                .outerjoin(TeamRow, TeamRow.name == AgentRow.team)
                .where(*agents_within(scope))
            )
            own = TrainingSessionRow.trainer_id == trainer_id
            query = query.where(or_(own, TrainingSessionRow.id.in_(expected)))
        if after is not None:
            place: Any = tuple_(TrainingSessionRow.starts_at, TrainingSessionRow.id)
            begin: Any = tuple_(*after, types=[TrainingSessionRow.starts_at.type, TrainingSessionRow.id.type])
            query = query.where(place < begin)
        ordered = query.order_by(TrainingSessionRow.starts_at.desc(), TrainingSessionRow.id.desc()).limit(limit)
        return [_training_session(*row) for row in self._session.execute(ordered)]

    def set_state(self, session: TrainingSession, state: SessionState) -> TrainingSession:
        moved = self._session.scalar(
            update(TrainingSessionRow)
            .where(TrainingSessionRow.id == session.id, TrainingSessionRow.version == session.version)
            .values(state=state.value, version=TrainingSessionRow.version + 1)
            .returning(TrainingSessionRow.id)
            .execution_options(synchronize_session=False)
        )
        if moved is None:
            raise ConflictError(
                "stale_version",
                f"session {session.id} has changed meanwhile: read it again, then change it",
                session_id=session.id,
            )
        return self.session(session.id)

    def attendances(self, session_id: int, scope: Scope) -> Sequence[Attendance]:
        rows = self._session.execute(
            select(TrainingAttendanceRow.agent_id, AgentRow.name, TrainingAttendanceRow.attended)
            .join(AgentRow, AgentRow.agent_id == TrainingAttendanceRow.agent_id)
            .outerjoin(TeamRow, TeamRow.name == AgentRow.team)
            .where(TrainingAttendanceRow.session_id == session_id, *agents_within(scope))
            .order_by(TrainingAttendanceRow.agent_id)
        )
        return [Attendance(*row) for row in rows]

    def attend(self, session_id: int, attended: Mapping[str, bool | None]) -> None:
        rows = [{"session_id": session_id, "agent_id": agent, "attended": None} for agent in sorted(attended)]
        insert_missing(self._session, TrainingAttendanceRow, "session_id,agent_id", rows)
        for there in (True, False):
            agents = sorted(agent for agent, said in attended.items() if said is there)
            if agents:
                self._session.execute(
                    update(TrainingAttendanceRow)
                    .where(
                        TrainingAttendanceRow.session_id == session_id,
                        TrainingAttendanceRow.agent_id.in_(agents),
                    )
                    .values(attended=there)
                    .execution_options(synchronize_session=False)
                )

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
    ) -> Assessment:
        row = TrainingAssessmentRow(
            agent_id=agent_id,
            subject=subject,
            kind=kind.value,
            session_id=session_id,
            change_id=change_id,
            score=score,
            pass_mark=pass_mark,
            passed=passed,
            note=storable(note),
            assessed_by=by,
            at=self._clock.now(),
        )
        self._session.add(row)
        self._session.flush()
        return _assessment(row)

    def certify(self, assessment: Assessment, *, expires_at: datetime) -> Certificate:
        row = TrainingCertificateRow(
            agent_id=assessment.agent_id,
            subject=assessment.subject,
            assessment_id=assessment.id,
            issued_at=assessment.at,
            expires_at=expires_at,
        )
        self._session.add(row)
        self._session.flush()
        return _certificate(row)

    def record(self, agent_id: str) -> TrainingRecord:
        attended = self._session.execute(
            _sessions()
            .add_columns(TrainingAttendanceRow.attended)
            .join(TrainingAttendanceRow, TrainingAttendanceRow.session_id == TrainingSessionRow.id)
            .where(TrainingAttendanceRow.agent_id == agent_id)
            .order_by(TrainingSessionRow.starts_at, TrainingSessionRow.id)
        )
        assessments = self._session.scalars(
            select(TrainingAssessmentRow)
            .where(TrainingAssessmentRow.agent_id == agent_id)
            .order_by(TrainingAssessmentRow.id)
        )
        certificates = self._session.scalars(
            select(TrainingCertificateRow)
            .where(TrainingCertificateRow.agent_id == agent_id)
            .order_by(TrainingCertificateRow.id)
        )
        return TrainingRecord(
            tuple((_training_session(row, name), there) for row, name, there in attended),
            tuple(map(_assessment, assessments)),
            tuple(map(_certificate, certificates)),
        )

    def trained(self, subject: str, *, since: datetime) -> Mapping[str, datetime]:
        rows = self._session.execute(
            select(TrainingAttendanceRow.agent_id, func.min(TrainingSessionRow.starts_at))
            .join(TrainingSessionRow, TrainingSessionRow.id == TrainingAttendanceRow.session_id)
            .where(
                TrainingSessionRow.subject == subject,
                TrainingSessionRow.state == SessionState.HELD.value,
                TrainingSessionRow.starts_at >= since,
                TrainingAttendanceRow.attended.is_(True),
            )
            .group_by(TrainingAttendanceRow.agent_id)
        )
        return {agent_id: at for agent_id, at in rows if at is not None}


def _sessions() -> Select[*tuple[Any, ...]]:
    told: Select[*tuple[Any, ...]] = (
        select(TrainingSessionRow, UserRow.display_name)
        .join(UserRow, UserRow.id == TrainingSessionRow.trainer_id)
        .execution_options(populate_existing=True)
    )
    return told


def _module(row: TrainingSubjectRow) -> TrainingModule:
    return TrainingModule(
        name=row.name,
        title_zh=row.title_zh,
        title_en=row.title_en,
        days=row.days,
        pass_mark=row.pass_mark,
        valid_days=row.valid_days,
        active=row.active,
        version=row.version,
    )


def _course(row: TrainingSubjectRow) -> Course:
    return Course(
        name=row.name,
        title_zh=row.title_zh,
        title_en=row.title_en,
        modules=tuple(row.modules or ()),
        days=row.days,
        onboarding=row.onboarding,
        pass_mark=row.pass_mark,
        valid_days=row.valid_days,
        active=row.active,
        version=row.version,
    )


def _training_session(row: TrainingSessionRow, trainer_name: str) -> TrainingSession:
    return TrainingSession(
        id=row.id,
        terms=SessionTerms(
            subject=row.subject,
            title=row.title,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            place=row.place,
            trainer_id=row.trainer_id,
            change_id=row.change_id,
        ),
        trainer_name=trainer_name,
        state=SessionState(row.state),
        created_at=row.created_at,
        version=row.version,
    )


def _assessment(row: TrainingAssessmentRow) -> Assessment:
    return Assessment(
        id=row.id,
        agent_id=row.agent_id,
        subject=row.subject,
        kind=AssessmentKind(row.kind),
        session_id=row.session_id,
        change_id=row.change_id,
        score=row.score,
        pass_mark=row.pass_mark,
        passed=row.passed,
        note=row.note,
        assessed_by=row.assessed_by,
        at=row.at,
    )


def _certificate(row: TrainingCertificateRow) -> Certificate:
    return Certificate(
        id=row.id,
        agent_id=row.agent_id,
        subject=row.subject,
        assessment_id=row.assessment_id,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
    )
