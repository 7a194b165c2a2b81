"""A change of script or rules: nothing of it scores before those whom it concerns were trained and have passed."""

from datetime import UTC, datetime, timedelta

import pytest

from qa_service.db.session import Database
from qa_service.domain.access import Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.lifecycle import RuleState, RuleTransition
from qa_service.domain.training import AssessmentKind, ChangeState, ChangeStep, TrainingPolicy
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError
from qa_service.ports.script_changes import ChangedRule, ChangeTerms
from qa_service.ports.training import SessionTerms
from qa_service.services.script_changes import ScriptChanges
from qa_service.services.training import Training
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
TEAM_A = Scope(teams=frozenset({"A"}))
SCRIPT = ChangeTerms("新开头语", "您好，这里是商城", None, (), TEAM_A)
RULE = ChangeTerms(
    "开头语", "", "service-zh", (ChangedRule("opening"), ChangedRule("closing", "sha256:9")), TEAM_A
)


@pytest.fixture
def site(database: Database) -> Site:
    site = Site(database)
    for agent, team, days in (("1", "A", 0), ("2", "A", 1), ("3", "B", 0), ("4", "A", 60)):
        at = NOON - timedelta(days=days)
        site.call(agent, metadata=CallMetadata(agent_id=agent, team=team, started_at=at))
    return site


@pytest.fixture
def changes(database: Database, clock: ManualClock) -> ScriptChanges:
    units = database.unit_of_work
    return ScriptChanges(units=units, units_to_read=units, clock=clock, policy=TrainingPolicy())


@pytest.fixture
def training(database: Database, clock: ManualClock) -> Training:
    units = database.unit_of_work
    return Training(units=units, units_to_read=units, clock=clock, policy=TrainingPolicy())


@pytest.fixture
def trainer(site: Site) -> Principal:
    return site.person("trainer", Role.TRAINER)


@pytest.fixture
def manager(site: Site) -> Principal:
    return site.person("manager", Role.MANAGER)


def trained(training: Training, trainer: Principal, change_id: int) -> int:
    terms = SessionTerms(
        "script-wording", "新话术", NOON, NOON + timedelta(hours=1), "", trainer.user_id, change_id
    )
    session = training.plan(trainer, terms, ["1", "2"]).session
    training.attend(trainer, session.id, {"1": True, "2": True}, version=None)
    return session.id


def assess(training: Training, trainer: Principal, session_id: int, agent: str, score: float) -> None:
    training.assess(
        trainer,
        agent_id=agent,
        subject="script-wording",
        kind=AssessmentKind.AFTER,
        score=score,
        session_id=session_id,
    )


def publish(site: Site, changes: ScriptChanges, rule: str, digest: str, override: str = "") -> None:
    step = RuleTransition("service-zh", rule, digest, RuleState.APPROVED, RuleState.LIVE, "li.na", NOON)
    with site.database.unit_of_work() as unit:
        changes.may_publish(unit, [step], "li.na", override)
        unit.commit()


def test_a_script_on_its_way(
    site: Site, changes: ScriptChanges, training: Training, trainer: Principal, manager: Principal
) -> None:
    change = changes.draft(trainer, SCRIPT).change
    assert change.state is ChangeState.DRAFTED
    with pytest.raises(PermissionDeniedError, match="permission_denied"):
        changes.step(trainer, change.id, ChangeStep.APPROVE)
    with pytest.raises(ConflictError, match="script_change_refused"):
        changes.step(manager, change.id, ChangeStep.TRAIN)
    approved = changes.step(manager, change.id, ChangeStep.APPROVE, version=1)
    assert approved.waits_for == "a session in which it is trained"
    with pytest.raises(ConflictError, match="no session of it took place"):
        changes.step(trainer, change.id, ChangeStep.TRAIN)
    with pytest.raises(ConflictError, match="stale_version"):
        changes.step(trainer, change.id, ChangeStep.TRAIN, version=1)
    session = trained(training, trainer, change.id)
    changes.step(trainer, change.id, ChangeStep.TRAIN)
    assess(training, trainer, session, "1", 90.0)
    with pytest.raises(ConflictError, match="1 of 2 agents concerned have passed, 80% are needed"):
        changes.step(trainer, change.id, ChangeStep.ASSESS)
    assess(training, trainer, session, "2", 10.0)
    with pytest.raises(ConflictError, match="1 of 2"):
        changes.step(trainer, change.id, ChangeStep.ASSESS)
    assess(training, trainer, session, "2", 95.0)
    assert changes.get(change.id).passed.passed == 2, "of those with calls lately, in the teams concerned"
    changes.step(trainer, change.id, ChangeStep.ASSESS)
    done = changes.step(manager, change.id, ChangeStep.GO_LIVE)
    assert (done.change.state, done.waits_for) == (ChangeState.LIVE, "")
    assert [step.step.value for step in done.steps] == ["draft", "approve", "train", "assess", "go_live"]


def test_a_change_needs_an_account_that_reaches_whom_it_concerns(
    site: Site, changes: ScriptChanges, trainer: Principal
) -> None:
    change = changes.draft(trainer, SCRIPT).change
    for scope in (Scope(teams=frozenset({"B"})), Scope(vendor="W")):
        other = site.person(f"other {scope.vendor}", Role.MANAGER, scope=scope)
        for step in (ChangeStep.APPROVE, ChangeStep.WITHDRAW):
            with pytest.raises(PermissionDeniedError, match="outside_scope"):
                changes.step(other, change.id, step, note="no")
        with pytest.raises(PermissionDeniedError, match="outside_scope"):
            changes.draft(other, SCRIPT)
    own = site.person("own", Role.MANAGER, scope=Scope(teams=frozenset({"A", "C"})))
    assert changes.step(own, change.id, ChangeStep.APPROVE).change.state is ChangeState.APPROVED


def test_rules_wait_for_their_change(
    site: Site, changes: ScriptChanges, training: Training, trainer: Principal, manager: Principal
) -> None:
    change = changes.draft(trainer, RULE).change
    publish(site, changes, "argue", "sha256:1")  # of which nothing was said
    publish(site, changes, "closing", "sha256:1")  # another version than the change is about
    for rule, digest in (("opening", "sha256:1"), ("closing", "sha256:9")):
        with pytest.raises(ConflictError, match=r"script_change_pending.*the manager's approval"):
            publish(site, changes, rule, digest)
    changes.step(manager, change.id, ChangeStep.APPROVE)
    session = trained(training, trainer, change.id)
    changes.step(trainer, change.id, ChangeStep.TRAIN)
    for agent in ("1", "2"):
        assess(training, trainer, session, agent, 90.0)
    with pytest.raises(ConflictError, match="script_change_pending"):
        publish(site, changes, "opening", "sha256:1")
    changes.step(trainer, change.id, ChangeStep.ASSESS)
    with pytest.raises(ConflictError, match="when its rules are published"):
        changes.step(manager, change.id, ChangeStep.GO_LIVE)
    publish(site, changes, "opening", "sha256:1")
    assert changes.get(change.id).change.state is ChangeState.LIVE
    publish(site, changes, "opening", "sha256:2")  # nothing waits any more


def test_a_reason_overrides_and_stays_on_record(
    site: Site, changes: ScriptChanges, trainer: Principal, manager: Principal
) -> None:
    first, second = changes.draft(trainer, RULE).change, changes.draft(trainer, SCRIPT).change
    publish(site, changes, "opening", "sha256:1", "监管要求今日生效")
    done = changes.get(first.id)
    assert done.change.state is ChangeState.LIVE
    assert (done.steps[-1].step, done.steps[-1].name, done.steps[-1].note) == (
        *(ChangeStep.OVERRIDE, "li.na", "监管要求今日生效"),
    )
    with site.database.unit_of_work() as unit:
        (event,) = unit.audit.page(before=None, limit=9, action="script_change.override")
    assert (event.name, event.detail["note"]) == ("li.na", "监管要求今日生效")
    with pytest.raises(PermissionDeniedError):
        changes.step(trainer, second.id, ChangeStep.OVERRIDE, note="急")
    with pytest.raises(InputError, match="reason_missing"):
        changes.step(manager, second.id, ChangeStep.OVERRIDE)
    withdrawn = changes.step(trainer, second.id, ChangeStep.WITHDRAW, note="不改了")
    assert withdrawn.change.state is ChangeState.WITHDRAWN
    assert [each.id for each in changes.page(states=None, before=None, limit=9)] == [second.id, first.id]
    assert changes.page(states=frozenset({ChangeState.DRAFTED}), before=None, limit=9) == []


def test_what_changes_nothing_is_no_change(site: Site, changes: ScriptChanges, trainer: Principal) -> None:
    for wrong in (
        ChangeTerms("空", " ", None, (), Scope()),
        ChangeTerms("规则", "", None, (ChangedRule("opening"),), Scope()),
        ChangeTerms("规则", "", "service-zh", (), Scope()),
    ):
        with pytest.raises(InputError, match="script_change_invalid"):
            changes.draft(trainer, wrong)
    with pytest.raises(NotFoundError, match="script_change_not_found"):
        changes.get(999)
