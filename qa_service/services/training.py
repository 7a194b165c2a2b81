"""The training catalogue, sessions, assessments and certificates; what they mean for coaching.

Guarantee: assessments and certificates are only ever added. A session that took place holds the coaching actions
of its module that those who were there had open, and their assessment decides them, in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from qa_service.domain.access import EVERYTHING, Permission, Principal, permissions_of
from qa_service.domain.coaching import ActionState, ActionStep
from qa_service.domain.training import (
    COURSES,
    MODULES,
    AssessmentKind,
    Course,
    Standing,
    TrainingModule,
    TrainingPolicy,
    standing,
)
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.coaching import ActionFilter
from qa_service.ports.people import Origin
from qa_service.ports.training import (
    Assessment,
    Attendance,
    Certificate,
    SessionState,
    SessionTerms,
    TrainingRecord,
    TrainingSession,
)
from qa_service.services.coaching_steps import take
from qa_service.services.findings import checked_note

MAX_AGENTS = 500


@dataclass(frozen=True, slots=True)
class SessionDetails:
    """A session with who is expected, of those that who asks may see."""

    session: TrainingSession
    attendances: tuple[Attendance, ...]


@dataclass(frozen=True, slots=True)
class SubjectStanding:
    """Where an agent stands in a module or course; ``expires_at``: of the last certificate."""

    subject: str
    standing: Standing
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class AgentTraining:
    """An agent's record. ``actions``: open coaching by module, with its state."""

    agent_id: str
    standings: tuple[SubjectStanding, ...]
    record: TrainingRecord
    actions: tuple[tuple[int, str, ActionState], ...]


@dataclass(frozen=True, slots=True)
class Assessed:
    """What became of an assessment. ``certificate`` None: not passed, or before the training."""

    assessment: Assessment
    certificate: Certificate | None


class Training:
    """Args:
    units: where it is stored.
    units_to_read: the same, for reading only.
    clock: by which certificates expire.
    policy: pass mark and validity where modules say nothing.
    """

    def __init__(
        self, *, units: UnitOfWorkFactory, units_to_read: UnitOfWorkFactory, clock: Clock, policy: TrainingPolicy
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._policy = policy

    def modules(self) -> tuple[TrainingModule, ...]:
        """The shipped ones with the site's edits, then the site's own."""
        with self._units_to_read() as unit:
            return tuple(_modules(unit).values())

    def courses(self) -> tuple[Course, ...]:
        """As ``modules``."""
        with self._units_to_read() as unit:
            return tuple(_courses(unit).values())

    def module(self, name: str) -> TrainingModule:
        """Raises NotFoundError ``training_module_not_found``."""
        with self._units_to_read() as unit:
            return module_of(unit, name)

    def course(self, name: str) -> Course:
        """Raises NotFoundError ``training_course_not_found``."""
        with self._units_to_read() as unit:
            return _course_of(unit, name)

    def save(
        self,
        who: Principal,
        subject: TrainingModule | Course,
        *,
        version: int | None,
        new: bool = False,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> TrainingModule | Course:
        """Edit a module or course, or add one.

        Raises:
            NotFoundError: ``training_module_not_found``, ``training_course_not_found``.
            ConflictError: ``stale_version``, ``training_subject_exists``.
            InputError: ``training_subject_invalid``, for a course of unknown modules.
            PermissionDeniedError: ``outside_scope``.
        """
        if not who.scope.is_everything:
            raise PermissionDeniedError(
                "outside_scope", "the catalogue is everybody's: ask somebody whose account reaches all"
            )
        with self._units() as unit:
            modules, courses = _modules(unit), _courses(unit)
            known = modules.get(subject.name) or courses.get(subject.name)
            if new and known is not None:
                raise ConflictError(
                    "training_subject_exists", f"there is a {subject.name} already: choose another name"
                )
            if not new and (known is None or type(known) is not type(subject)):
                raise _unknown(subject)
            if isinstance(subject, Course) and (missing := sorted(set(subject.modules) - set(modules))):
                raise InputError(
                    "training_subject_invalid", f"there is no module {missing[0]}: name modules of the catalogue"
                )
            before = 0 if known is None else known.version
            if version is not None and version != before:
                raise ConflictError(
                    "stale_version", f"{subject.name} has changed meanwhile: read it again, then change it"
                )
            unit.training.save(subject, version=before)
            action = "training_subject.create" if new else "training_subject.change"
            unit.audit.record(who, action, "training_subject", subject.name, origin=origin)
            unit.commit()
        return replace(subject, version=before + 1)

    def plan(
        self,
        who: Principal,
        terms: SessionTerms,
        agents: Sequence[str],
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> SessionDetails:
        """Plan a session for these agents.

        Raises:
            NotFoundError: ``agent_not_found``, ``training_module_not_found``, ``script_change_not_found``.
            InputError: ``training_session_invalid``.
        """
        if not terms.starts_at < terms.ends_at or len(agents) > MAX_AGENTS:
            raise InputError(
                "training_session_invalid",
                f"a session ends after it begins and has at most {MAX_AGENTS} agents: correct it",
            )
        with self._units() as unit:
            _subject_of(unit, terms.subject)
            trainer = unit.users.get(terms.trainer_id)
            if not trainer.active or Permission.COACHING_MANAGE not in permissions_of(trainer.roles):
                raise InputError(
                    "training_session_invalid", "a session is held by a trainer, leader or manager: name one"
                )
            if terms.change_id is not None:
                unit.script_changes.get(terms.change_id)
            for agent_id in dict.fromkeys(agents):
                unit.directory.agent(agent_id, who.scope)
            if not (agents or who.scope.is_everything or terms.trainer_id == who.user_id):
                raise InputError(
                    "training_session_invalid",
                    "a session of nobody that somebody else holds would be out of your reach: name agents",
                )
            session = unit.training.add_session(terms, list(dict.fromkeys(agents)))
            unit.audit.record(who, "training_session.create", "training_session", session.id, origin=origin)
            unit.commit()
            return self._details(unit, who, session)

    def session(self, who: Principal, session_id: int) -> SessionDetails:
        """Raises NotFoundError ``training_session_not_found``."""
        with self._units_to_read() as unit:
            return self._details(unit, who, self._own(unit, who, session_id))

    def sessions(
        self, who: Principal, *, subject: str | None, after: tuple[datetime, int] | None, limit: int
    ) -> Sequence[TrainingSession]:
        """The last one first; those at which somebody in scope is expected, and those that ``who`` holds."""
        with self._units_to_read() as unit:
            return unit.training.sessions(
                who.scope, trainer_id=who.user_id, subject=subject, after=after, limit=limit
            )

    def attend(
        self,
        who: Principal,
        session_id: int,
        attended: Mapping[str, bool],
        *,
        version: int | None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> SessionDetails:
        """Say who was there: the session is held, and so is the coaching of its module of who was.

        Raises:
            ConflictError: ``stale_version``, ``training_session_cancelled``.
            NotFoundError: ``agent_not_found``, ``training_session_not_found``.
        """
        with self._units() as unit:
            session = self._held(unit, who, session_id, version)
            if session.terms.starts_at > self._clock.now():
                raise ConflictError(
                    "training_session_not_begun", "the session has not begun: say who was there when it has"
                )
            for agent_id in attended:
                unit.directory.agent(agent_id, who.scope)
            unit.training.attend(session_id, dict(attended))
            session = unit.training.set_state(session, SessionState.HELD)
            subjects = _covered(unit, session.terms.subject)
            for agent_id in sorted(agent for agent, there in attended.items() if there):
                for module in subjects:
                    self._hold(unit, who, agent_id, module, session, origin)
            detail = {"there": sum(attended.values()), "absent": len(attended) - sum(attended.values())}
            unit.audit.record(
                who, "training_session.attend", "training_session", session_id, detail, origin=origin
            )
            unit.commit()
            return self._details(unit, who, session)

    def cancel(
        self,
        who: Principal,
        session_id: int,
        *,
        version: int | None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> SessionDetails:
        """Raises as ``attend`` does, ``training_session_held``, and PermissionDeniedError ``outside_scope``."""
        with self._units() as unit:
            session = self._held(unit, who, session_id, version)
            if len(unit.training.attendances(session_id, who.scope)) < len(
                unit.training.attendances(session_id, EVERYTHING)
            ):
                raise PermissionDeniedError(
                    "outside_scope",
                    "agents whom your account does not reach are expected too: ask somebody whose account does",
                )
            if session.state is SessionState.HELD:
                raise ConflictError(
                    "training_session_held", "the session took place: correct who was there instead"
                )
            session = unit.training.set_state(session, SessionState.CANCELLED)
            unit.audit.record(who, "training_session.cancel", "training_session", session_id, origin=origin)
            unit.commit()
            return self._details(unit, who, session)

    def assess(
        self,
        who: Principal,
        *,
        agent_id: str,
        subject: str,
        kind: AssessmentKind,
        score: float,
        session_id: int | None = None,
        note: str = "",
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> Assessed:
        """Record an assessment of 0 to 100 points. After training a pass certifies; a fail means training again.

        Raises:
            NotFoundError: ``agent_not_found``, ``training_module_not_found``, ``training_session_not_found``.
            InputError: ``assessment_invalid``.
            ConflictError: ``course_incomplete``.
        """
        note = checked_note(note)
        if not 0.0 <= score <= 100.0:
            raise InputError("assessment_invalid", "an assessment has 0 to 100 points: correct the score")
        with self._units() as unit:
            unit.directory.agent(agent_id, who.scope)
            about = _subject_of(unit, subject)
            session = None if session_id is None else self._own(unit, who, session_id)
            if session is not None and (
                session.terms.subject != subject or session.state is not SessionState.HELD
            ):
                raise InputError(
                    "assessment_invalid", "the session is of something else, or was not held: name another one"
                )
            mark = self._policy.mark_of(about)
            passed = score >= mark
            if isinstance(about, Course) and kind is AssessmentKind.AFTER and passed:
                self._whole(unit, agent_id, about)
            assessment = unit.training.add_assessment(
                agent_id=agent_id,
                subject=subject,
                kind=kind,
                session_id=session_id,
                change_id=None if session is None else session.terms.change_id,
                score=score,
                pass_mark=mark,
                passed=passed,
                note=note,
                by=who.user_id,
            )
            certificate = None
            if kind is AssessmentKind.AFTER:
                if passed:
                    expires_at = self._policy.expiry_of(about, assessment.at)
                    certificate = unit.training.certify(assessment, expires_at=expires_at)
                step = ActionStep.ASSESS if passed else ActionStep.FAIL
                self._move(unit, who, agent_id, subject, step, f"assessment {assessment.id}", origin)
            detail = {"agent": agent_id, "subject": subject, "kind": kind.value, "passed": passed}
            unit.audit.record(who, "training.assess", "assessment", assessment.id, detail, origin=origin)
            unit.commit()
        return Assessed(assessment, certificate)

    def record(self, who: Principal, agent_id: str) -> AgentTraining:
        """Everything of one agent. Raises NotFoundError ``agent_not_found``."""
        now = self._clock.now()
        with self._units_to_read() as unit:
            unit.directory.agent(agent_id, who.scope)
            record = unit.training.record(agent_id)
            wanted = ActionFilter(states=_OPEN if who.scope.agent_id is None else _SEEN, agent_id=agent_id)
            actions = unit.coaching.page(wanted, who.scope, after=None, limit=200)
            known: list[TrainingModule | Course] = [*_modules(unit).values(), *_courses(unit).values()]
        standings = tuple(
            _standing(record, subject.name, now)
            for subject in known
            if subject.active or subject.name in _in(record)
        )
        return AgentTraining(
            agent_id, standings, record, tuple((each.id, each.module, each.state) for each in actions)
        )

    def _whole(self, unit: UnitOfWork, agent_id: str, course: Course) -> None:
        """Raises ConflictError ``course_incomplete``."""
        record, now = unit.training.record(agent_id), self._clock.now()
        missing = [
            module
            for module in course.modules
            if _standing(record, module, now).standing is not Standing.CERTIFIED
        ]
        if missing:
            raise ConflictError(
                "course_incomplete",
                f"the agent has no valid certificate of {', '.join(missing)}: assess those first",
                missing=missing,
            )

    def _hold(
        self,
        unit: UnitOfWork,
        who: Principal,
        agent_id: str,
        module: str,
        session: TrainingSession,
        origin: Origin,
    ) -> None:
        """What was proposed is the trainer's by the session."""
        for action in unit.coaching.page(_open_of(agent_id, module), EVERYTHING, after=None, limit=1):
            assigned = None
            note = f"session {session.id}"
            if action.state is ActionState.PROPOSED:
                assigned = take(
                    *(unit, who, action, ActionStep.ASSIGN),
                    note=note,
                    origin=origin,
                    assigned_to=session.terms.trainer_id,
                    due_at=session.terms.ends_at,
                )
            take(unit, who, assigned or action, ActionStep.HOLD, note=note, origin=origin)

    def _move(
        self,
        unit: UnitOfWork,
        who: Principal,
        agent_id: str,
        module: str,
        step: ActionStep,
        note: str,
        origin: Origin,
    ) -> None:
        for action in unit.coaching.page(_open_of(agent_id, module), EVERYTHING, after=None, limit=1):
            take(unit, who, action, step, note=note, origin=origin)

    def _own(self, unit: UnitOfWork, who: Principal, session_id: int) -> TrainingSession:
        session = unit.training.session(session_id)
        reached = (
            who.scope.is_everything
            or session.terms.trainer_id == who.user_id
            or unit.training.attendances(session_id, who.scope)
        )
        if not reached:
            raise NotFoundError(
                "training_session_not_found",
                f"no session has the number {session_id}: list them to see which exist",
                session_id=session_id,
            )
        return session

    def _held(self, unit: UnitOfWork, who: Principal, session_id: int, version: int | None) -> TrainingSession:
        session = self._own(unit, who, session_id)
        if version is not None and version != session.version:
            raise ConflictError(
                "stale_version", f"session {session_id} has changed meanwhile: read it again, then change it"
            )
        if session.state is SessionState.CANCELLED:
            raise ConflictError("training_session_cancelled", "the session was cancelled: plan another one")
        return session

    def _details(self, unit: UnitOfWork, who: Principal, session: TrainingSession) -> SessionDetails:
        return SessionDetails(session, tuple(unit.training.attendances(session.id, who.scope)))


_OPEN = frozenset(state for state in ActionState if state.is_open)
_SEEN = _OPEN - {ActionState.PROPOSED}


def _open_of(agent_id: str, module: str) -> ActionFilter:
    return ActionFilter(states=_OPEN, agent_id=agent_id, module=module)


def module_of(unit: UnitOfWork, name: str) -> TrainingModule:
    """Raises NotFoundError ``training_module_not_found``."""
    found = _modules(unit).get(name)
    if found is None:
        raise NotFoundError(
            "training_module_not_found", "there is no such module: list the catalogue to see which exist"
        )
    return found


def _course_of(unit: UnitOfWork, name: str) -> Course:
    found = _courses(unit).get(name)
    if found is None:
        raise NotFoundError(
            "training_course_not_found", "there is no such course: list the courses to see which exist"
        )
    return found


def _subject_of(unit: UnitOfWork, name: str) -> TrainingModule | Course:
    return _courses(unit).get(name) or module_of(unit, name)


def _covered(unit: UnitOfWork, subject: str) -> tuple[str, ...]:
    about = _subject_of(unit, subject)
    return about.modules if isinstance(about, Course) else (subject,)


def _modules(unit: UnitOfWork) -> dict[str, TrainingModule]:
    return {each.name: each for each in (*MODULES, *unit.training.modules())}


def _courses(unit: UnitOfWork) -> dict[str, Course]:
    return {each.name: each for each in (*COURSES, *unit.training.courses())}


def _unknown(subject: TrainingModule | Course) -> NotFoundError:
    if isinstance(subject, Course):
        return NotFoundError(
            "training_course_not_found", "there is no such course: list the courses to see which exist"
        )
    return NotFoundError(
        "training_module_not_found", "there is no such module: list the catalogue to see which exist"
    )


def _in(record: TrainingRecord) -> set[str]:
    return {assessment.subject for assessment in record.assessments}


def _standing(record: TrainingRecord, subject: str, now: datetime) -> SubjectStanding:
    after = [
        each.passed for each in record.assessments if each.subject == subject and each.kind is AssessmentKind.AFTER
    ]
    expires_at = max((each.expires_at for each in record.certificates if each.subject == subject), default=None)
    return SubjectStanding(subject, standing(after, expires_at, now), expires_at)
