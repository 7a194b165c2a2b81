"""The training catalogue, sessions, assessments, certificates, and an agent's record."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from api.masks import Eyes
from api.schemas.base import MAX_ID, Moment, Name, Note, Sent, Shown, ShownTime
from qa_service.domain.coaching import ActionState
from qa_service.domain.training import AssessmentKind, Course, Standing, TrainingModule
from qa_service.ports.training import (
    Assessment,
    Attendance,
    Certificate,
    SessionState,
    SessionTerms,
    TrainingSession,
)
from qa_service.services.training import MAX_AGENTS, AgentTraining, Assessed, SessionDetails

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Points = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Days = Annotated[float, Field(gt=0, le=366, allow_inf_nan=False)]
ValidDays = Annotated[int, Field(ge=1, le=3660)]
AgentIds = Annotated[list[Name], Field(max_length=MAX_AGENTS)]

_MODULE: dict[str, Any] = {
    "title_zh": "标准话术",
    "title_en": "Standard script wording",
    "days": 2.0,
    "pass_mark": None,
    "valid_days": 365,
    "active": True,
}
_COURSE: dict[str, Any] = {
    "title_zh": "新人上岗",
    "title_en": "Onboarding",
    "modules": ["script-wording", "courtesy"],
    "days": 15.0,
    "onboarding": True,
    "pass_mark": None,
    "valid_days": None,
    "active": True,
}
_SESSION: dict[str, Any] = {
    "subject": "script-wording",
    "title": "十一月话术班",
    "starts_at": "2026-11-25T01:00:00Z",
    "ends_at": "2026-11-26T09:00:00Z",
    "place": "培训室 2",
    "trainer_id": 7,
    "change_id": None,
}


class SentModule(Sent):
    """`pass_mark` and `valid_days` null: the site's."""

    model_config = ConfigDict(json_schema_extra={"example": _MODULE})

    title_zh: Name
    title_en: Name
    days: Days
    pass_mark: Points | None = None
    valid_days: ValidDays | None = None
    active: bool = True

    def module(self, name: str) -> TrainingModule:
        return TrainingModule(
            name, self.title_zh, self.title_en, self.days, self.pass_mark, self.valid_days, self.active
        )


class NewModule(SentModule):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "new-tariff", **_MODULE}})

    name: Slug


class SentCourse(Sent):
    """Modules in their order; `onboarding`: before an agent goes live."""

    model_config = ConfigDict(json_schema_extra={"example": _COURSE})

    title_zh: Name
    title_en: Name
    modules: Annotated[list[Slug], Field(min_length=1, max_length=50)]
    days: Days
    onboarding: bool = False
    pass_mark: Points | None = None
    valid_days: ValidDays | None = None
    active: bool = True

    def course(self, name: str) -> Course:
        return Course(
            name,
            self.title_zh,
            self.title_en,
            tuple(dict.fromkeys(self.modules)),
            self.days,
            self.onboarding,
            self.pass_mark,
            self.valid_days,
            self.active,
        )


class NewCourse(SentCourse):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "refresher", **_COURSE}})

    name: Slug


class ModuleModel(Shown):
    """`version` 0: as it came with the product."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_extra={"example": {"name": "script-wording", **_MODULE, "version": 0}}
    )

    name: str
    title_zh: str
    title_en: str
    days: float
    pass_mark: float | None
    valid_days: int | None
    active: bool
    version: int

    @staticmethod
    def of(module: TrainingModule) -> "ModuleModel":
        return ModuleModel.model_validate(module)


class CourseModel(Shown):
    model_config = ConfigDict(
        from_attributes=True, json_schema_extra={"example": {"name": "onboarding", **_COURSE, "version": 0}}
    )

    name: str
    title_zh: str
    title_en: str
    modules: list[str]
    days: float
    onboarding: bool
    pass_mark: float | None
    valid_days: int | None
    active: bool
    version: int

    @staticmethod
    def of(course: Course) -> "CourseModel":
        return CourseModel.model_validate(course)


class ModuleList(Shown):
    items: list[ModuleModel]


class CourseList(Shown):
    items: list[CourseModel]


class NewSession(Sent):
    """`subject`: a module or a course; `change_id`: the change of script or rules that it trains."""

    model_config = ConfigDict(json_schema_extra={"example": {**_SESSION, "agents": ["1024", "1025"]}})

    subject: Slug
    title: Name
    starts_at: Moment
    ends_at: Moment
    place: Annotated[str, Field(max_length=200)] = ""
    trainer_id: Annotated[int, Field(ge=1, le=MAX_ID)]
    change_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    agents: AgentIds = Field(default_factory=list)

    def terms(self) -> SessionTerms:
        return SessionTerms(
            subject=self.subject,
            title=self.title,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            place=self.place,
            trainer_id=self.trainer_id,
            change_id=self.change_id,
        )


class SessionModel(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_SESSION,
                "id": 12,
                "trainer_name": "王芳",
                "state": "planned",
                "created_at": "2026-11-20T01:00:00Z",
                "version": 1,
            }
        }
    )

    id: int
    subject: str
    title: str
    starts_at: ShownTime
    ends_at: ShownTime
    place: str
    trainer_id: int
    trainer_name: str
    change_id: int | None
    state: SessionState
    created_at: ShownTime
    version: int

    @staticmethod
    def of(session: TrainingSession) -> "SessionModel":
        return SessionModel(**_session(session))


class AttendanceModel(Shown):
    """`attended` null: nobody said yet."""

    agent_id: str
    agent_name: str | None
    attended: bool | None

    @staticmethod
    def of(attendance: Attendance) -> "AttendanceModel":
        return AttendanceModel(
            agent_id=attendance.agent_id, agent_name=attendance.agent_name, attended=attendance.attended
        )


class SessionInFull(Shown):
    """With who is expected, of those in one's scope."""

    session: SessionModel
    agents: list[AttendanceModel]

    @staticmethod
    def of(details: SessionDetails) -> "SessionInFull":
        return SessionInFull(
            session=SessionModel.of(details.session),
            agents=[AttendanceModel.of(each) for each in details.attendances],
        )


class SentAttendance(Sent):
    """Who was there, and who was expected and was not."""

    model_config = ConfigDict(json_schema_extra={"example": {"there": ["1024"], "absent": ["1025"]}})

    there: AgentIds = Field(default_factory=list)
    absent: AgentIds = Field(default_factory=list)

    def attended(self) -> dict[str, bool]:
        """Who is named in both was there."""
        return {**dict.fromkeys(self.absent, False), **dict.fromkeys(self.there, True)}


class NewAssessment(Sent):
    """`score`: of 100 points. What passes, the subject or the site says."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "agent_id": "1024",
                "subject": "script-wording",
                "kind": "after",
                "score": 86.0,
                "session_id": None,
                "note": "",
            }
        }
    )

    agent_id: Name
    subject: Slug
    kind: AssessmentKind = AssessmentKind.AFTER
    score: Points
    session_id: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    note: Note = ""


class AssessmentModel(Shown):
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
    at: ShownTime

    @staticmethod
    def of(assessment: Assessment, eyes: Eyes) -> "AssessmentModel":
        shown = AssessmentModel.model_validate(assessment)
        return shown.model_copy(update={"note": eyes.text(assessment.note)})


class CertificateModel(Shown):
    id: int
    agent_id: str
    subject: str
    assessment_id: int
    issued_at: ShownTime
    expires_at: ShownTime

    @staticmethod
    def of(certificate: Certificate) -> "CertificateModel":
        return CertificateModel.model_validate(certificate)


class AssessedModel(Shown):
    """`certificate` null: not passed, or assessed before the training."""

    assessment: AssessmentModel
    certificate: CertificateModel | None

    @staticmethod
    def of(assessed: Assessed, eyes: Eyes) -> "AssessedModel":
        certificate = assessed.certificate
        return AssessedModel(
            assessment=AssessmentModel.of(assessed.assessment, eyes),
            certificate=None if certificate is None else CertificateModel.of(certificate),
        )


class StandingModel(Shown):
    """`retraining`: the last assessment was failed; `expires_at`: of the last certificate."""

    subject: str
    standing: Standing
    expires_at: ShownTime | None


class AttendedModel(Shown):
    session: SessionModel
    attended: bool | None


class OpenActionModel(Shown):
    """Coaching that is open."""

    id: int
    module: str
    state: ActionState


class AgentTrainingModel(Shown):
    """An agent's record, the oldest first, and where the agent stands in each subject."""

    agent_id: str
    standings: list[StandingModel]
    sessions: list[AttendedModel]
    assessments: list[AssessmentModel]
    certificates: list[CertificateModel]
    coaching: list[OpenActionModel]

    @staticmethod
    def of(training: AgentTraining, eyes: Eyes) -> "AgentTrainingModel":
        record = training.record
        return AgentTrainingModel(
            agent_id=training.agent_id,
            standings=[
                StandingModel(subject=each.subject, standing=each.standing, expires_at=each.expires_at)
                for each in training.standings
            ],
            sessions=[
                AttendedModel(session=SessionModel.of(session), attended=there)
                for session, there in record.sessions
            ],
            assessments=[AssessmentModel.of(each, eyes) for each in record.assessments],
            certificates=[CertificateModel.of(each) for each in record.certificates],
            coaching=[
                OpenActionModel(id=id_, module=module, state=state) for id_, module, state in training.actions
            ],
        )


def _session(session: TrainingSession) -> dict[str, Any]:
    terms = session.terms
    return {
        "id": session.id,
        "subject": terms.subject,
        "title": terms.title,
        "starts_at": terms.starts_at,
        "ends_at": terms.ends_at,
        "place": terms.place,
        "trainer_id": terms.trainer_id,
        "trainer_name": session.trainer_name,
        "change_id": terms.change_id,
        "state": session.state,
        "created_at": session.created_at,
        "version": session.version,
    }
