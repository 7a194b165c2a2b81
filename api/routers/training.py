"""Training: the catalogue, sessions, assessments, and each agent's record."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api.access import Asking, operation
from api.masks import Eyes
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.directory import Key
from api.schemas.effects import EffectModel
from api.schemas.training import (
    AgentTrainingModel,
    AssessedModel,
    CourseList,
    CourseModel,
    ModuleList,
    ModuleModel,
    NewAssessment,
    NewCourse,
    NewModule,
    NewSession,
    SentAttendance,
    SentCourse,
    SentModule,
    SessionInFull,
    SessionModel,
)
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.domain.training import Course, TrainingModule
from qa_service.errors import InputError
from qa_service.services.training import SessionDetails

router = APIRouter(tags=["training"])

Subject = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
_Subject = Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
_EDIT = (404, 409, 412, 428)


@operation(router, "GET", "/training/modules", Permission.TRAINING_READ)
def list_training_modules(asking: Asking) -> ModuleList:
    """The catalogue: modules that came with the product, as the site edited them, and the site's own."""
    return ModuleList(items=[ModuleModel.of(module) for module in asking.site.training.modules()])


@operation(
    router,
    "POST",
    "/training/modules",
    Permission.TRAINING_MANAGE,
    status=201,
    errors=(409,),
    response_model=ModuleModel,
)
def create_training_module(asking: Asking, sent: NewModule, key: IdempotencyKey = None) -> Response:
    """Add a module."""

    def create() -> tuple[ModuleModel, str]:
        saved = asking.site.training.save(
            asking.who, sent.module(sent.name), version=None, new=True, origin=asking.origin
        )
        assert isinstance(saved, TrainingModule)
        return ModuleModel.of(saved), f"/v1/training/modules/{saved.name}"

    return once(asking, "training-modules", key, sent, create)


@operation(router, "GET", "/training/modules/{name}", Permission.TRAINING_READ, errors=(404,))
def get_training_module(asking: Asking, response: Response, name: Subject) -> ModuleModel:
    """A module; its ETag is needed to change it."""
    module = asking.site.training.module(name)
    tag(response, module.version)
    return ModuleModel.of(module)


@operation(router, "PUT", "/training/modules/{name}", Permission.TRAINING_MANAGE, errors=_EDIT)
def change_training_module(
    asking: Asking, response: Response, name: Subject, sent: SentModule, if_match: IfMatch = None
) -> ModuleModel:
    """Change a module. Assessments and certificates that were given stay what they are."""
    saved = asking.site.training.save(
        asking.who, sent.module(name), version=seen_version(if_match), origin=asking.origin
    )
    assert isinstance(saved, TrainingModule)
    tag(response, saved.version)
    return ModuleModel.of(saved)


@operation(router, "GET", "/training/modules/{name}/effect", Permission.COACHING_READ, errors=(404, 409, 503))
def get_training_effect(asking: Asking, name: Subject) -> EffectModel:
    """Whether the sessions of a module helped those who were there, against agents who were not."""
    return EffectModel.of(asking.site.coaching_effects.of_module(asking.who, name))


@operation(router, "GET", "/training/courses", Permission.TRAINING_READ)
def list_training_courses(asking: Asking) -> CourseList:
    """Courses of modules; one is the path of new agents."""
    return CourseList(items=[CourseModel.of(course) for course in asking.site.training.courses()])


@operation(
    router,
    "POST",
    "/training/courses",
    Permission.TRAINING_MANAGE,
    status=201,
    errors=(409,),
    response_model=CourseModel,
)
def create_training_course(asking: Asking, sent: NewCourse, key: IdempotencyKey = None) -> Response:
    """Add a course of modules that are there."""

    def create() -> tuple[CourseModel, str]:
        saved = asking.site.training.save(
            asking.who, sent.course(sent.name), version=None, new=True, origin=asking.origin
        )
        assert isinstance(saved, Course)
        return CourseModel.of(saved), f"/v1/training/courses/{saved.name}"

    return once(asking, "training-courses", key, sent, create)


@operation(router, "GET", "/training/courses/{name}", Permission.TRAINING_READ, errors=(404,))
def get_training_course(asking: Asking, response: Response, name: Subject) -> CourseModel:
    """A course; its ETag is needed to change it."""
    course = asking.site.training.course(name)
    tag(response, course.version)
    return CourseModel.of(course)


@operation(router, "PUT", "/training/courses/{name}", Permission.TRAINING_MANAGE, errors=_EDIT)
def change_training_course(
    asking: Asking, response: Response, name: Subject, sent: SentCourse, if_match: IfMatch = None
) -> CourseModel:
    """Change a course."""
    saved = asking.site.training.save(
        asking.who, sent.course(name), version=seen_version(if_match), origin=asking.origin
    )
    assert isinstance(saved, Course)
    tag(response, saved.version)
    return CourseModel.of(saved)


@operation(router, "GET", "/training/sessions", Permission.TRAINING_READ, errors=(400,))
def list_training_sessions(
    asking: Asking, limit: Limit = 50, cursor: CursorText = None, subject: _Subject = None
) -> Page[SessionModel]:
    """Sessions, the last one first: those at which somebody in scope is expected, and those that one holds."""
    of = fingerprint("training-sessions", subject, asking.who.scope.agent_id)
    after = read_cursor(cursor, of, str, int)
    found = asking.site.training.sessions(
        asking.who, subject=subject, after=(_moment(after[0]), after[1]) if after else None, limit=limit + 1
    )
    return page_of(
        found, limit, of, shown=SessionModel.of, key=lambda each: [each.terms.starts_at.isoformat(), each.id]
    )


@operation(
    router,
    "POST",
    "/training/sessions",
    Permission.TRAINING_MANAGE,
    status=201,
    errors=(404,),
    response_model=SessionInFull,
)
def plan_training_session(asking: Asking, sent: NewSession, key: IdempotencyKey = None) -> Response:
    """Plan a session of a module or course for these agents."""

    def create() -> tuple[SessionInFull, str]:
        planned = asking.site.training.plan(asking.who, sent.terms(), sent.agents, origin=asking.origin)
        return SessionInFull.of(planned), f"/v1/training/sessions/{planned.session.id}"

    return once(asking, "training-sessions", key, sent, create)


@operation(router, "GET", "/training/sessions/{session_id}", Permission.TRAINING_READ, errors=(404,))
def get_training_session(asking: Asking, response: Response, session_id: Number) -> SessionInFull:
    """A session with who is expected. Its ETag is needed to say who was there."""
    return _shown(response, asking.site.training.session(asking.who, session_id))


@operation(router, "POST", "/training/sessions/{session_id}/attendance", Permission.TRAINING_MANAGE, errors=_EDIT)
def record_attendance(
    asking: Asking, response: Response, session_id: Number, sent: SentAttendance, if_match: IfMatch = None
) -> SessionInFull:
    """Say who was there, or correct it. The session is held, and so is open coaching of who was there."""
    done = asking.site.training.attend(
        asking.who, session_id, sent.attended(), version=seen_version(if_match), origin=asking.origin
    )
    return _shown(response, done)


@operation(router, "POST", "/training/sessions/{session_id}/cancel", Permission.TRAINING_MANAGE, errors=_EDIT)
def cancel_training_session(
    asking: Asking, response: Response, session_id: Number, if_match: IfMatch = None
) -> SessionInFull:
    """Call a session off."""
    done = asking.site.training.cancel(
        asking.who, session_id, version=seen_version(if_match), origin=asking.origin
    )
    return _shown(response, done)


@operation(
    router,
    "POST",
    "/training/assessments",
    Permission.TRAINING_MANAGE,
    status=201,
    errors=(404, 409),
    response_model=AssessedModel,
)
def record_assessment(asking: Asking, sent: NewAssessment, key: IdempotencyKey = None) -> Response:
    """Record an assessment. A pass after training certifies and moves coaching on; a fail means training again."""

    def create() -> tuple[AssessedModel, str]:
        assessed = asking.site.training.assess(
            asking.who,
            agent_id=sent.agent_id,
            subject=sent.subject,
            kind=sent.kind,
            score=sent.score,
            session_id=sent.session_id,
            note=sent.note,
            origin=asking.origin,
        )
        return AssessedModel.of(assessed, Eyes(asking.who)), f"/v1/agents/{sent.agent_id}/training"

    return once(asking, "training-assessments", key, sent, create)


@operation(router, "GET", "/agents/{agent_id:path}/training", Permission.TRAINING_READ, errors=(404,))
def get_agent_training(asking: Asking, agent_id: Key) -> AgentTrainingModel:
    """An agent's record: sessions, assessments, certificates, and what is open."""
    return AgentTrainingModel.of(asking.site.training.record(asking.who, agent_id), Eyes(asking.who))


def _shown(response: Response, details: SessionDetails) -> SessionInFull:
    tag(response, details.session.version)
    return SessionInFull.of(details)


def _moment(text: str) -> datetime:
    """Raises InputError ``cursor_invalid``."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment
    except ValueError:
        pass
    raise InputError("cursor_invalid", "the cursor is not of this list, filters and order: begin without one")
