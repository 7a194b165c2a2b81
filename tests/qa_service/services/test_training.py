"""Training on a real store: catalogue, sessions, assessments, certificates, and what becomes of coaching."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial

import pytest

from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING, Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.coaching import ActionState, RoundPolicy
from qa_service.domain.training import (
    MODULES,
    AssessmentKind,
    Course,
    Standing,
    TrainingModule,
    TrainingPolicy,
)
from qa_service.domain.working_days import WorkCalendar
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError
from qa_service.ports.coaching import ActionFilter
from qa_service.ports.training import SessionState, SessionTerms
from qa_service.services.coaching import Coaching
from qa_service.services.coaching_rounds import Causes, CoachingRounds
from qa_service.services.training import Training
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
AFTER = AssessmentKind.AFTER


@pytest.fixture
def site(database: Database) -> Site:
    site = Site(database)
    for agent, team in (("1024", "A"), ("2048", "B")):
        site.call(agent, metadata=CallMetadata(agent_id=agent, team=team, started_at=NOON))
    return site


@pytest.fixture
def training(database: Database, clock: ManualClock) -> Training:
    units = database.unit_of_work
    return Training(units=units, units_to_read=units, clock=clock, policy=TrainingPolicy())


@pytest.fixture
def coaching(database: Database, clock: ManualClock) -> Coaching:
    units = database.unit_of_work
    rounds = CoachingRounds(
        units=units,
        units_to_read=units,
        clock=clock,
        zone=UTC,
        at=time(5),
        policy=RoundPolicy(),
        rules=dict,
        causes=lambda _now, _before: Causes(),
    )
    return Coaching(
        units=units, units_to_read=units, clock=clock, calendar=WorkCalendar(), due_days=5, rounds=rounds
    )


@pytest.fixture
def trainer(site: Site) -> Principal:
    return site.person("trainer", Role.TRAINER)


def terms(trainer: Principal, subject: str = "courtesy", *, begins: datetime = NOON) -> SessionTerms:
    return SessionTerms(subject, "一班", begins, begins + timedelta(hours=8), "", trainer.user_id)


def state_of(site: Site, agent: str = "1024") -> list[ActionState]:
    with site.database.unit_of_work() as unit:
        found = unit.coaching.page(ActionFilter(agent_id=agent), EVERYTHING, after=None, limit=9)
    return [action.state for action in found]


def trail(site: Site) -> list[tuple[str, str]]:
    """Of steps of coaching, the first one first."""
    with site.database.unit_of_work() as unit:
        events = unit.audit.page(before=None, limit=50, thing="coaching")
    return [(event.name, event.action) for event in events if event.action != "coaching.create"][::-1]


def test_the_shipped_catalogue_is_edited_and_added_to(training: Training, trainer: Principal) -> None:
    assert training.modules() == MODULES
    edited = replace(training.module("courtesy"), days=1.5, pass_mark=90.0)
    assert training.save(trainer, edited, version=0).version == 1
    with pytest.raises(ConflictError, match="stale_version"):
        training.save(trainer, edited, version=0)
    training.save(trainer, replace(edited, days=2.0), version=1)
    assert (training.module("courtesy").days, training.module("courtesy").version) == (2.0, 2)
    new = TrainingModule("new-tariff", "新资费", "New tariff", 0.5)
    training.save(trainer, new, version=None, new=True)
    with pytest.raises(ConflictError, match="training_subject_exists"):
        training.save(trainer, new, version=None, new=True)
    assert [module.name for module in training.modules()] == [*(each.name for each in MODULES), "new-tariff"]
    with pytest.raises(NotFoundError, match="training_module_not_found"):
        training.save(trainer, replace(new, name="unknown"), version=None)
    course = Course("refresher", "复训", "Refresher", ("courtesy", "new-tariff"), 1.0)
    training.save(trainer, course, version=None, new=True)
    assert training.course("refresher").modules == ("courtesy", "new-tariff")
    with pytest.raises(InputError, match="training_subject_invalid"):
        training.save(trainer, replace(course, modules=("unknown",)), version=1)
    with pytest.raises(NotFoundError, match="training_course_not_found"):
        training.save(trainer, replace(course, name="courtesy"), version=None)


def test_a_session_holds_coaching_and_a_pass_assesses_it(
    site: Site, training: Training, coaching: Coaching, trainer: Principal, clock: ManualClock
) -> None:
    coaching.add(trainer, agent_id="1024", module="courtesy")
    coaching.add(trainer, agent_id="2048", module="courtesy")
    planned = training.plan(trainer, terms(trainer), ["1024", "2048", "1024"])
    assert [each.agent_id for each in planned.attendances] == ["1024", "2048"]
    done = training.attend(trainer, planned.session.id, {"1024": True, "2048": False}, version=1)
    assert (done.session.state, done.session.version) == (SessionState.HELD, 2)
    assert state_of(site) == [ActionState.HELD]
    assert trail(site) == [("trainer", "coaching.assign"), ("trainer", "coaching.hold")]
    assert state_of(site, "2048") == [ActionState.PROPOSED], "who was not there was not coached"
    before = training.assess(trainer, agent_id="1024", subject="courtesy", kind=AssessmentKind.BEFORE, score=20.0)
    assert before.certificate is None
    assert state_of(site) == [ActionState.HELD], "before the training it decides nothing"
    failed = training.assess(
        trainer, agent_id="1024", subject="courtesy", kind=AFTER, score=79.9, session_id=planned.session.id
    )
    assert (failed.assessment.passed, failed.certificate) == (False, None)
    assert state_of(site) == [ActionState.ASSIGNED], "a failed assessment means training again"
    assert trail(site)[-1] == ("trainer", "coaching.fail")
    assert _standing(training, trainer) is Standing.RETRAINING
    again = training.plan(trainer, terms(trainer), ["1024"])
    training.attend(trainer, again.session.id, {"1024": True}, version=None)
    clock.advance(60)
    passed = training.assess(trainer, agent_id="1024", subject="courtesy", kind=AFTER, score=80.0)
    assert passed.certificate is not None
    assert passed.certificate.expires_at == passed.assessment.at + timedelta(days=365)
    assert state_of(site) == [ActionState.ASSESSED]
    assert _standing(training, trainer) is Standing.CERTIFIED
    record = training.record(trainer, "1024")
    assert len(record.record.sessions) == 2
    assert [each.score for each in record.record.assessments] == [20.0, 79.9, 80.0]
    assert [(module, state) for _, module, state in record.actions] == [("courtesy", ActionState.ASSESSED)]
    clock.advance(timedelta(days=365))
    assert _standing(training, trainer) is Standing.EXPIRED


def _standing(training: Training, who: Principal, subject: str = "courtesy") -> Standing:
    (found,) = [each.standing for each in training.record(who, "1024").standings if each.subject == subject]
    return found


def test_onboarding_needs_every_module_first(site: Site, training: Training, trainer: Principal) -> None:
    def assess(subject: str, score: float) -> None:
        training.assess(trainer, agent_id="1024", subject=subject, kind=AFTER, score=score)

    with pytest.raises(ConflictError, match="course_incomplete"):
        assess("onboarding", 95.0)
    assess("onboarding", 10.0)  # what is failed may always be recorded
    for module in MODULES:
        assess(module.name, 85.0)
    assess("onboarding", 95.0)
    assert _standing(training, trainer, "onboarding") is Standing.CERTIFIED
    assess("courtesy", 10.0)
    with pytest.raises(ConflictError, match="courtesy"):
        assess("onboarding", 95.0)


def test_a_course_holds_the_coaching_of_its_modules(
    site: Site, training: Training, coaching: Coaching, trainer: Principal
) -> None:
    coaching.add(trainer, agent_id="1024", module="courtesy")
    planned = training.plan(trainer, terms(trainer, "onboarding"), ["1024"])
    training.attend(trainer, planned.session.id, {"1024": True}, version=None)
    assert state_of(site) == [ActionState.HELD]


def test_sessions_are_seen_and_refused(
    site: Site, training: Training, trainer: Principal, clock: ManualClock
) -> None:
    later = training.plan(trainer, terms(trainer, begins=clock.now() + timedelta(days=1)), ["2048"])
    first = training.plan(trainer, terms(trainer), ["1024"])
    found = training.sessions(trainer, subject=None, after=None, limit=9)
    assert [each.id for each in found] == [later.session.id, first.session.id], "the last one first"
    place = (later.session.terms.starts_at, later.session.id)
    assert [each.id for each in training.sessions(trainer, subject=None, after=place, limit=9)] == [
        first.session.id
    ]
    agent = site.person("agent", Role.AGENT, scope=Scope(agent_id="1024"))
    assert [each.id for each in training.sessions(agent, subject=None, after=None, limit=9)] == [first.session.id]
    with pytest.raises(NotFoundError, match="training_session_not_found"):
        training.session(agent, later.session.id)
    with pytest.raises(NotFoundError, match="agent_not_found"):
        training.record(agent, "2048")
    leader = site.person("leader", Role.LEADER, scope=Scope(teams=frozenset({"A"})))
    with pytest.raises(NotFoundError, match="training_session_not_found"):
        training.session(leader, later.session.id)
    with pytest.raises(ConflictError, match="training_session_not_begun"):
        training.attend(trainer, later.session.id, {"2048": True}, version=None)
    with pytest.raises(ConflictError, match="stale_version"):
        training.attend(trainer, first.session.id, {"1024": True}, version=9)
    training.cancel(trainer, first.session.id, version=1)
    with pytest.raises(ConflictError, match="training_session_cancelled"):
        training.attend(trainer, first.session.id, {"1024": True}, version=None)
    held = training.plan(trainer, terms(trainer), [])
    training.attend(trainer, held.session.id, {"1024": True}, version=None)
    with pytest.raises(ConflictError, match="training_session_held"):
        training.cancel(trainer, held.session.id, version=None)
    corrected = training.attend(trainer, held.session.id, {"1024": False}, version=None)
    assert [each.attended for each in corrected.attendances] == [False]


def test_a_trainer_of_some_teams_reaches_their_sessions(
    site: Site, training: Training, trainer: Principal, clock: ManualClock
) -> None:
    other = site.person("other", Role.TRAINER, scope=Scope(teams=frozenset({"B"})))

    def seen() -> list[int]:
        return [each.id for each in training.sessions(other, subject=None, after=None, limit=9)]

    theirs = training.plan(trainer, terms(trainer), ["1024"]).session
    for refused in (training.session, partial(training.cancel, version=None)):
        with pytest.raises(NotFoundError, match="training_session_not_found"):
            refused(other, theirs.id)
    with pytest.raises(NotFoundError, match="training_session_not_found"):
        training.attend(other, theirs.id, {}, version=None)
    held = training.plan(trainer, terms(other), []).session
    common = training.plan(trainer, terms(trainer), ["1024", "2048"]).session
    assert seen() == [common.id, held.id]
    assert [each.agent_id for each in training.session(other, common.id).attendances] == ["2048"]
    with pytest.raises(PermissionDeniedError, match="outside_scope"):
        training.cancel(other, common.id, version=None)
    assert training.cancel(other, held.id, version=None).session.state is SessionState.CANCELLED
    own = training.plan(other, terms(trainer), ["2048"]).session
    assert training.cancel(other, own.id, version=None).session.state is SessionState.CANCELLED
    with pytest.raises(InputError, match="training_session_invalid"):
        training.plan(other, terms(trainer), [])


def test_the_catalogue_is_for_who_reaches_everybody(site: Site, training: Training) -> None:
    other = site.person("other", Role.TRAINER, scope=Scope(vendor="W"))
    with pytest.raises(PermissionDeniedError, match="outside_scope"):
        training.save(other, replace(training.module("courtesy"), pass_mark=0.0), version=None)
    assert training.modules() == MODULES


def test_what_is_no_session_or_assessment_is_refused(site: Site, training: Training, trainer: Principal) -> None:
    inspector = site.person("inspector", Role.INSPECTOR)
    for wrong in (
        replace(terms(trainer), ends_at=NOON),
        terms(inspector),
    ):
        with pytest.raises(InputError, match="training_session_invalid"):
            training.plan(trainer, wrong, [])
    with pytest.raises(NotFoundError, match="training_module_not_found"):
        training.plan(trainer, terms(trainer, "unknown"), [])
    with pytest.raises(NotFoundError, match="agent_not_found"):
        training.plan(trainer, terms(trainer), ["nobody"])
    planned = training.plan(trainer, terms(trainer), ["1024"])
    for subject, score, session in (
        ("courtesy", 101.0, None),
        ("courtesy", 90.0, planned.session.id),  # which was not held
        ("script-wording", 90.0, planned.session.id),
    ):
        with pytest.raises(InputError, match="assessment_invalid"):
            training.assess(trainer, agent_id="1024", subject=subject, kind=AFTER, score=score, session_id=session)
