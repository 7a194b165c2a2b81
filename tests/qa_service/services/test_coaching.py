"""Coaching on a real store: what is proposed, extended and withdrawn; what may be heard; who takes which step."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial

import pytest

from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING, Principal, Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.causes import Cause
from qa_service.domain.coaching import ActionState, ActionStep, RoundPolicy, RuleInfo
from qa_service.domain.figures import FaultLine
from qa_service.domain.results import Evidence, Outcome, Severity
from qa_service.domain.review import Decision, Reason
from qa_service.domain.working_days import WorkCalendar
from qa_service.errors import ConflictError, InputError, NotFoundError
from qa_service.ports.coaching import ActionFilter, ClipKind, CoachingAction
from qa_service.services.coaching import Coaching
from qa_service.services.coaching_lists import by_recording
from qa_service.services.coaching_rounds import Causes, CoachingRounds
from qa_service.services.review import Review
from tests.clocks import ManualClock
from tests.qa_service.reviewing import Site, results

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
LI = CallMetadata(agent_id="1024", agent_name="李娜", team="A", vendor="V", started_at=NOON)
WANG = replace(LI, agent_id="2048", agent_name="王芳")
RULES = {
    rule: RuleInfo(rule, rule, severity, module)
    for rule, severity, module in (
        ("opening", Severity.MAJOR, "script-wording"),
        ("closing", Severity.MINOR, "script-wording"),
        ("argue", Severity.CRITICAL, "courtesy"),
    )
}


class Told:
    """Statistics that say what they are told to."""

    def __init__(self) -> None:
        self.causes = Causes()
        self.lines: Sequence[FaultLine] = ()

    def __call__(self, now: Sequence[FaultLine], before: Sequence[FaultLine]) -> Causes:
        del before
        self.lines = now
        return self.causes


@pytest.fixture
def site(database: Database) -> Site:
    return Site(database)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def rounds(database: Database, clock: ManualClock, told: Told) -> CoachingRounds:
    return CoachingRounds(
        units=database.unit_of_work,
        units_to_read=database.unit_of_work,
        clock=clock,
        zone=UTC,
        at=time(5),
        policy=RoundPolicy(best_score=60.0),
        rules=lambda: RULES,
        causes=told,
    )


@pytest.fixture
def coaching(database: Database, clock: ManualClock, rounds: CoachingRounds) -> Coaching:
    return Coaching(
        units=database.unit_of_work,
        units_to_read=database.unit_of_work,
        clock=clock,
        calendar=WorkCalendar(),
        due_days=5,
        rounds=rounds,
    )


@pytest.fixture
def trainer(site: Site) -> Principal:
    return site.person("trainer", Role.TRAINER)


@pytest.fixture
def inspector(site: Site) -> Principal:
    return site.person("inspector", Role.INSPECTOR)


@pytest.fixture
def review(database: Database, clock: ManualClock) -> Review:
    return Review(units=database.unit_of_work, units_to_read=database.unit_of_work, clock=clock, claim_s=600)


def counted(site: Site) -> None:
    with site.database.unit_of_work() as unit:
        unit.figures.recount(limit=10_000)
        unit.commit()


def faulty(site: Site, count: int, *, of: CallMetadata = LI, named: str = "call") -> list[int]:
    """Calls without an opening."""
    made = [
        site.call(
            f"{named} {of.agent_id} {number}",
            results(opening=NOT_MET),
            metadata=replace(of, started_at=NOON + timedelta(minutes=number)),
        )
        for number in range(count)
    ]
    counted(site)
    return made


def decide(site: Site, review: Review, who: Principal, call: int, *, fault: bool) -> None:
    review.claim(who, call)
    decision, reason = (Decision.CONFIRM, "") if fault else (Decision.REJECT, Reason.MISHEARD)
    review.decide(who, site.finding(call).id, decision, reason=reason)


def listed(site: Site, scope: Scope = EVERYTHING) -> Sequence[CoachingAction]:
    with site.database.unit_of_work() as unit:
        return unit.coaching.page(ActionFilter(), scope, after=None, limit=50)


def special(*agents: str) -> Causes:
    return Causes(agents={(agent, "opening"): Cause.SPECIAL for agent in agents})


def test_who_stands_out_is_proposed_once_with_evidence(
    site: Site, rounds: CoachingRounds, coaching: Coaching, told: Told, trainer: Principal
) -> None:
    calls = faulty(site, 7)
    said = (Evidence(1.0, 2.0, quote="您好"),)
    answers = tuple(replace(result, evidence=said) for result in results())
    good = site.call("good", answers, metadata=WANG)
    counted(site)
    told.causes = special("1024")
    assert rounds.propose(trainer).proposed == 1
    assert rounds.propose(trainer).proposed == 0, "one open action of an agent and module"
    (action,) = listed(site)
    assert (action.owner.agent_id, action.owner.team, action.owner.vendor) == ("1024", "A", "V")
    assert (action.agent_name, action.module, action.state) == ("李娜", "script-wording", ActionState.PROPOSED)
    (need,) = action.rules
    assert (need.rule, need.cause, need.now.calls, need.now.faults) == ("opening", Cause.SPECIAL, 7, 7)
    assert (need.now.confirmed, need.now.unreviewed) == (0, 7), "what nobody reviewed is marked so"
    assert (need.peers.calls, need.peers.faults) == (1, 0)
    details = coaching.get(trainer, action.id)
    faults = [clip for clip in details.clips if clip.kind is ClipKind.FAULT]
    assert [clip.recording_id for clip in faults] == calls[:1:-1], "five, the latest first"
    assert {clip.confirmed for clip in faults} == {False}
    (best,) = [clip for clip in details.clips if clip.kind is ClipKind.BEST]
    assert (best.recording_id, best.owner.agent_id, best.rule) == (good, "2048", "opening")


def test_a_later_round_extends_what_is_open(
    site: Site, rounds: CoachingRounds, coaching: Coaching, told: Told, trainer: Principal, clock: ManualClock
) -> None:
    faulty(site, 3)
    told.causes = special("1024")
    rounds.propose(trainer)
    (action,) = listed(site)
    coaching.assign(trainer, action.id, assigned_to=trainer.user_id)
    clock.advance(timedelta(days=1))
    faulty(site, 2, named="later")
    done = rounds.propose(trainer)
    assert (done.proposed, done.extended, done.withdrawn) == (0, 1, 0)
    (again,) = listed(site)
    assert (again.id, again.state, again.rules[0].now.faults) == (action.id, ActionState.ASSIGNED, 5)
    assert again.until == action.until + timedelta(days=1)
    assert again.selected_until == action.until, "by what somebody was picked stays"
    assert rounds.propose(trainer).extended == 0, "nothing new"
    steps = [step.step for step in coaching.get(trainer, action.id).steps]
    assert steps == [ActionStep.PROPOSE, ActionStep.ASSIGN, ActionStep.EXTEND]


def test_cleared_and_disputed_findings_fall_out(
    site: Site,
    rounds: CoachingRounds,
    coaching: Coaching,
    told: Told,
    trainer: Principal,
    review: Review,
    inspector: Principal,
) -> None:
    first, second = faulty(site, 2)
    told.causes = special("1024")
    decide(site, review, inspector, second, fault=True)
    counted(site)
    rounds.propose(trainer)
    (action,) = listed(site)
    clips = coaching.get(trainer, action.id).clips
    assert [(clip.recording_id, clip.confirmed) for clip in clips] == [(second, True), (first, False)]
    decide(site, review, inspector, first, fault=False)
    assert [clip.recording_id for clip in coaching.get(trainer, action.id).clips] == [second], "at once"
    decide(site, review, inspector, second, fault=False)
    assert coaching.get(trainer, action.id).clips == ()
    counted(site)
    done = rounds.propose(trainer)
    assert (done.withdrawn, listed(site)[0].state) == (1, ActionState.DISMISSED)


def test_a_common_cause_is_the_teams(site: Site, rounds: CoachingRounds, told: Told, trainer: Principal) -> None:
    faulty(site, 2)
    faulty(site, 2, of=WANG)
    told.causes = Causes(
        agents={("1024", "opening"): Cause.COMMON, ("2048", "opening"): Cause.COMMON},
        shared=[("A", "opening"), (None, "opening")],
    )
    assert rounds.propose(trainer).proposed == 2
    owners = {(action.owner.team, action.owner.agent_id) for action in listed(site)}
    assert owners == {("A", None), (None, None)}
    assert listed(site, Scope(agent_id="1024")) == [], "nothing of it on an agent's list"
    assert {action.rules[0].cause for action in listed(site)} == {Cause.COMMON}


def test_who_stands_out_from_what_everybody_has_is_coached_besides(
    site: Site, rounds: CoachingRounds, told: Told, trainer: Principal
) -> None:
    faulty(site, 2)
    faulty(site, 2, of=WANG)
    told.causes = replace(special("1024"), shared=[("A", "opening")])
    rounds.propose(trainer)
    owners = {(action.owner.agent_id, action.rules[0].cause) for action in listed(site)}
    assert owners == {(None, Cause.COMMON), ("1024", Cause.SPECIAL)}


def test_what_everybody_has_is_not_laid_on_who_has_few_calls(
    site: Site,
    rounds: CoachingRounds,
    told: Told,
    trainer: Principal,
    review: Review,
    inspector: Principal,
) -> None:
    for call in faulty(site, 2):
        decide(site, review, inspector, call, fault=True)
    counted(site)
    told.causes = Causes(shared=[(None, "opening")])
    rounds.propose(trainer)
    assert [action.owner.agent_id for action in listed(site)] == [None]
    told.causes = Causes(shared=[("B", "opening")])
    rounds.propose(trainer)
    assert "1024" in [action.owner.agent_id for action in listed(site)], "another team's trouble is not this one's"


def test_few_calls_need_confirmed_faults_and_doubts_accuse_nobody(
    site: Site, rounds: CoachingRounds, trainer: Principal, review: Review, inspector: Principal
) -> None:
    first, second = faulty(site, 2)
    site.call("doubt", results(opening=UNDETERMINED), metadata=WANG)
    counted(site)
    assert rounds.propose(trainer).proposed == 0, "too few to compare, and nobody looked"
    decide(site, review, inspector, first, fault=True)
    decide(site, review, inspector, second, fault=True)
    counted(site)
    assert rounds.propose(trainer).proposed == 1
    assert [action.owner.agent_id for action in listed(site)] == ["1024"]


def test_a_leader_proposes_for_the_own_team_and_compares_with_all(
    site: Site, rounds: CoachingRounds, told: Told
) -> None:
    faulty(site, 2)
    faulty(site, 2, of=replace(WANG, team="B"))
    told.causes = special("1024", "2048")
    leader = site.person("leader", Role.LEADER, scope=Scope(teams=frozenset({"B"})))
    assert rounds.propose(leader).proposed == 1
    assert [action.owner.agent_id for action in listed(site)] == ["2048"]
    assert {line.keys for line in told.lines} == {("A", "1024"), ("B", "2048")}


def test_a_leader_hears_no_calls_of_another_team(
    site: Site, rounds: CoachingRounds, coaching: Coaching, told: Told, trainer: Principal
) -> None:
    own = faulty(site, 3)
    elsewhere = faulty(site, 2, of=replace(LI, team="B"), named="elsewhere")
    said = tuple(replace(result, evidence=(Evidence(1.0, 2.0, quote="您好"),)) for result in results())
    site.call("good", said, metadata=WANG)
    counted(site)
    told.causes = special("1024")
    rounds.propose(trainer)
    (action,) = listed(site)
    leader = site.person("leader", Role.LEADER, scope=Scope(teams=frozenset({"A"})))
    agent = site.person("agent", Role.AGENT, scope=Scope(agent_id="1024"))
    coaching.assign(trainer, action.id, assigned_to=leader.user_id)

    def heard(who: Principal, kind: ClipKind) -> set[int]:
        clips = coaching.get(who, action.id).clips
        assert coaching.clips(who, [action.id]) == {action.id: clips}
        return {clip.recording_id for clip in clips if clip.kind is kind}

    assert heard(trainer, ClipKind.FAULT) == heard(agent, ClipKind.FAULT) == {*own, *elsewhere}
    assert heard(leader, ClipKind.FAULT) == set(own)
    exported = by_recording(listed(site), partial(coaching.clips, trainer), most=4)
    calls = [clip.recording_id for _, clip in exported]
    assert (len(calls), calls) == (4, sorted(calls)), "no more than are wanted, call by call"
    assert len(heard(leader, ClipKind.BEST)) == len(heard(agent, ClipKind.BEST)) == 1


def test_what_is_assigned_stays_with_whoever_holds_it(
    site: Site, rounds: CoachingRounds, coaching: Coaching, told: Told, trainer: Principal
) -> None:
    """An agent who works for several teams has most calls now here, now there."""
    faulty(site, 3)
    told.causes = special("1024")
    rounds.propose(trainer)
    faulty(site, 5, of=replace(LI, team="B", vendor="W"), named="B")
    rounds.propose(trainer)
    (action,) = listed(site)
    assert (action.owner.team, action.owner.vendor) == ("B", "W"), "a proposal follows the agent"
    leader = site.person("leader", Role.LEADER, scope=Scope(teams=frozenset({"B"})))
    coaching.assign(leader, action.id, assigned_to=leader.user_id)
    faulty(site, 9, named="back")
    rounds.propose(trainer)
    again = coaching.get(leader, action.id).action
    assert (again.owner, again.rules[0].now.faults) == (action.owner, 17)


def test_what_is_proposed_by_hand_stays_with_its_team(
    site: Site, rounds: CoachingRounds, coaching: Coaching, told: Told, trainer: Principal
) -> None:
    faulty(site, 3)
    made = coaching.add(trainer, agent_id="1024", module="script-wording")
    faulty(site, 5, of=replace(LI, team="B", vendor="W"), named="B")
    told.causes = special("1024")
    assert rounds.propose(trainer).extended == 1
    assert coaching.get(trainer, made.id).action.owner == made.owner


def test_a_leader_takes_back_nothing_that_another_team_needs(
    site: Site, rounds: CoachingRounds, told: Told
) -> None:
    faulty(site, 3)
    told.causes = special("1024")
    leader = site.person("leader", Role.LEADER, scope=Scope(teams=frozenset({"A"})))
    assert rounds.propose(leader).proposed == 1
    faulty(site, 5, of=replace(LI, team="B"), named="B")
    assert rounds.propose(leader).withdrawn == 0
    assert [action.state for action in listed(site)] == [ActionState.PROPOSED]
    told.causes = Causes()
    assert rounds.propose(leader).withdrawn == 1, "nobody needs it"


def test_a_night_is_done_once_and_waits_for_its_figures(
    site: Site, rounds: CoachingRounds, told: Told, clock: ManualClock, database: Database
) -> None:
    told.causes = special("1024")
    faulty(site, 2)
    site.call("not counted yet", results(opening=NOT_MET), metadata=LI)
    clock.set(datetime(2026, 3, 3, 5, 30, tzinfo=UTC))
    assert rounds.look_after() is None, "figures are being counted"
    counted(site)
    done = rounds.look_after()
    assert done is not None
    assert done.proposed == 1
    assert rounds.look_after() is None
    another = CoachingRounds(
        units=database.unit_of_work,
        units_to_read=database.unit_of_work,
        clock=clock,
        zone=UTC,
        at=time(5),
        policy=RoundPolicy(),
        rules=lambda: RULES,
        causes=told,
    )
    assert another.look_after() is None, "another worker finds it done"
    clock.advance(timedelta(days=1))
    site.call("still counting", results(), metadata=replace(LI, started_at=NOON + timedelta(days=1)))
    clock.advance(timedelta(hours=3))
    assert another.look_after() is not None, "it does not wait for ever"


def test_what_a_night_does_is_on_the_audit_trail(
    site: Site, rounds: CoachingRounds, told: Told, clock: ManualClock
) -> None:
    told.causes = special("1024")
    for day in range(3):
        faulty(site, 1, named=f"day {day}")
        told.causes = special("1024") if day < 2 else Causes()
        clock.set(datetime(2026, 3, 3 + day, 8, tzinfo=UTC))
        assert rounds.look_after() is not None
    with site.database.unit_of_work() as unit:
        events = unit.audit.page(before=None, limit=9, thing="coaching")
    (action,) = listed(site)
    assert [(event.name, event.action, event.thing_id, event.detail["state"]) for event in events[::-1]] == [
        ("machine", "coaching.propose", str(action.id), "proposed"),
        ("machine", "coaching.extend", str(action.id), "proposed"),
        ("machine", "coaching.withdraw", str(action.id), "dismissed"),
    ]


def test_the_way_of_an_action(
    site: Site, coaching: Coaching, rounds: CoachingRounds, told: Told, trainer: Principal
) -> None:
    faulty(site, 2)
    told.causes = special("1024")
    rounds.propose(trainer)
    (action,) = listed(site)
    agent = site.person("agent", Role.AGENT, scope=Scope(agent_id="1024"))
    with pytest.raises(NotFoundError, match="coaching_not_found"):
        coaching.get(agent, action.id)  # a proposal that nobody looked at
    assert coaching.mine(agent, after=None, limit=9) == []
    stranger = site.person("stranger", Role.LEADER, scope=Scope(teams=frozenset({"B"})))
    with pytest.raises(NotFoundError):
        coaching.get(stranger, action.id)
    with pytest.raises(InputError, match="assignee_invalid"):
        coaching.assign(trainer, action.id, assigned_to=stranger.user_id)
    with pytest.raises(ConflictError, match="coaching_transition_refused"):
        coaching.step(trainer, action.id, ActionStep.HOLD)
    assigned = coaching.assign(trainer, action.id, assigned_to=trainer.user_id)
    assert assigned.action.due_at == datetime(2026, 3, 10, tzinfo=UTC), "five working days after a Monday"
    assert [each.id for each in coaching.mine(agent, after=None, limit=9)] == [action.id]
    with pytest.raises(ConflictError, match="stale_version"):
        coaching.step(trainer, action.id, ActionStep.HOLD, version=action.version)
    held = coaching.step(trainer, action.id, ActionStep.HOLD, version=assigned.action.version)
    assert held.action.held_at is not None
    coaching.acknowledge(agent, action.id, note="明白了")
    with pytest.raises(ConflictError, match="coaching_transition_refused"):
        coaching.acknowledge(agent, action.id)
    with pytest.raises(InputError, match="reason_missing"):
        coaching.step(trainer, action.id, ActionStep.DISMISS)
    coaching.step(trainer, action.id, ActionStep.ASSESS)
    closed = coaching.step(trainer, action.id, ActionStep.CLOSE)
    assert [step.to_state.value for step in closed.steps] == [
        *("proposed", "assigned", "held", "acknowledged", "assessed", "closed"),
    ]
    assert rounds.propose(trainer).proposed == 1, "what is closed does not keep a new need away"


def test_by_hand_with_what_the_figures_show(
    site: Site, coaching: Coaching, told: Told, trainer: Principal, rounds: CoachingRounds
) -> None:
    faulty(site, 2)
    told.causes = special("1024")
    made = coaching.add(trainer, agent_id="1024", module="courtesy", note="新人")
    assert (made.by_hand, made.rules, made.owner.team) == (True, (), "A")
    with pytest.raises(ConflictError, match="coaching_open"):
        coaching.add(trainer, agent_id="1024", module="courtesy")
    with pytest.raises(NotFoundError, match="agent_not_found"):
        coaching.add(trainer, agent_id="nobody", module="courtesy")
    with pytest.raises(NotFoundError, match="training_module_not_found"):
        coaching.add(trainer, agent_id="1024", module="no such module")
    shown = coaching.add(trainer, agent_id="1024", module="script-wording")
    assert [rule.rule for rule in shown.rules] == ["opening"]
    assert rounds.propose(trainer).withdrawn == 0, "what people proposed stays"
