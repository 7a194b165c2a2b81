"""Calibration sessions on a real store: blind until closed, frozen then, and nothing overwritten."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from qa_service.db.rows import (
    CalibrationAnswerRow,
    CalibrationDecisionRow,
    CalibrationSessionRow,
    CalibrationStepRow,
    UserRow,
)
from qa_service.domain.access import PERMISSIONS, Principal, Role, Scope
from qa_service.domain.agreement import Scale, Value
from qa_service.domain.calibration import MACHINE, Criterion, Place, SessionState
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Outcome
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError, QAError
from qa_service.services.calibration import MAX_CALLS, NOTE_CHARACTERS, TITLE_CHARACTERS, Calibration
from qa_service.statistics.agreement import agreement
from tests.clocks import ManualClock
from tests.fakes import FakeRules, Workplace

GREETING, POINTS = Criterion("greeting"), Criterion("score", Scale.INTERVAL)


@dataclass
class Site:
    """Calls with an evaluation each (the machine: greeting not met), and people."""

    workplace: Workplace
    calibration: Calibration
    calls: list[int]
    manager: Principal
    reviewers: list[Principal]

    def start(self, *criteria: Criterion) -> int:
        return self.calibration.start(
            self.manager,
            title=" 十一月  校准 ",
            recording_ids=self.calls,
            criteria=criteria or (GREETING,),
            reviewers=[who.user_id for who in self.reviewers],
        ).id

    def say(self, session: int, who: Principal, *values: Value, criterion: str = "greeting") -> None:
        given = {Place(call, criterion): (value, "") for call, value in zip(self.calls, values, strict=False)}
        self.calibration.answer(who, session, given)


def person(workplace: Workplace, login: str, role: Role, scope: Scope | None = None) -> Principal:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    row = UserRow(
        login=login,
        name=login,
        display_name=login,
        roles=[role.value],
        active=True,
        failures=0,
        created_at=now,
        updated_at=now,
    )
    with workplace.database.unit_of_work() as unit:
        unit.session.add(row)
        unit.commit()
    return Principal(row.id, login, frozenset({role}), scope or Scope(), PERMISSIONS[role], "session")


@pytest.fixture
def site(workplace: Workplace) -> Site:
    workplace.packs["rules-zh"] = FakeRules("rules-zh", "sha256:rules-zh", Outcome.NOT_MET)
    calls = []
    for number in range(3):
        metadata = CallMetadata(team=f"team {number}")
        file = workplace.file(f"{number}.wav", f"say 您好{number}".encode())
        recording = workplace.ingest.receive(file, metadata).recording
        workplace.evaluate.evaluate(workplace.hear.hear(recording, metadata), metadata)
        calls.append(recording.id)
    return Site(
        workplace,
        Calibration(
            units=workplace.database.unit_of_work,
            measure=lambda answers, scale: agreement(answers, scale=scale, resamples=50),
        ),
        calls,
        person(workplace, "manager", Role.MANAGER),
        [person(workplace, f"inspector {number}", Role.INSPECTOR) for number in range(3)],
    )


def refused(act: Callable[[], object], error: type[QAError], code: str) -> None:
    with pytest.raises(error) as caught:
        act()
    assert caught.value.code == code


def test_a_session_from_the_first_answer_to_the_consensus(site: Site, clock: ManualClock) -> None:
    session, (one, two, three) = site.start(GREETING, POINTS), site.reviewers
    site.say(session, one, "met", "not_met", "not_met")
    site.say(session, two, "met", "not_met", "met")
    site.say(session, three, "met", "not_applicable")
    site.say(session, one, 80.0, 70.0, criterion="score")
    site.say(session, two, 80.0, 60.0, criterion="score")
    assert site.calibration.progress(site.manager, session) == {
        one.user_id: 5,
        two.user_id: 5,
        three.user_id: 2,
    }
    clock.advance(60)
    closed = site.calibration.close(site.manager, session, version=1)
    assert (closed.state, closed.version) == (SessionState.CLOSED, 2)

    results = site.calibration.results(one, session)
    greeting, points = results.criteria
    # Pairs of the three calls that said the same: 3 of 3, 1 of 3, 0 of 1.
    assert greeting.agreement.agreement == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert greeting.agreement.calls == 3
    assert [(pair.first, pair.second, pair.calls) for pair in greeting.agreement.pairs] == [
        (one.user_id, two.user_id, 3),
        (one.user_id, three.user_id, 2),
        (two.user_id, three.user_id, 2),
    ]
    assert points.agreement.calls == 2
    first, second, third = site.calls
    assert results.consensus == {Place(first, "greeting"): "met", Place(first, "score"): 80.0}
    open_ = {Place(second, "greeting"), Place(third, "greeting"), Place(second, "score")}
    assert set(results.undecided) == open_
    machine = {a.place: a.value for a in results.answers if a.user_id is MACHINE}
    assert machine == {Place(call, "greeting"): "not_met" for call in site.calls} | {
        Place(call, "score"): 0.0 for call in site.calls
    }

    refused(lambda: site.calibration.settle(two, session, version=2), ConflictError, "calibration_undecided")
    decided = {Place(second, "greeting"): "not_met", Place(third, "greeting"): "met", Place(second, "score"): 70.0}
    site.calibration.decide(two, session, decided, note="第二句听清了")
    settled = site.calibration.settle(two, session, version=2)
    assert (settled.state, settled.version) == (SessionState.SETTLED, 3)
    results = site.calibration.results(three, session)
    deviations = {d.user_id: d for d in results.criteria[0].deviations}
    assert (deviations[one.user_id].same, deviations[one.user_id].stricter) == (2, 1)
    assert (deviations[two.user_id].same, deviations[two.user_id].calls) == (3, 3)
    assert (deviations[three.user_id].same, deviations[three.user_id].milder) == (1, 1)
    assert (deviations[MACHINE].stricter, deviations[MACHINE].same) == (2, 1)
    assert {d.user_id: d.difference for d in results.criteria[1].deviations} == {
        one.user_id: 0.0,
        two.user_id: -5.0,
        MACHINE: -75.0,
    }
    overall = {d.user_id: d for d in results.overall}
    assert (overall[one.user_id].calls, overall[one.user_id].same, overall[one.user_id].difference) == (5, 4, None)
    with site.workplace.database.unit_of_work() as unit:
        steps = unit.session.query(CalibrationStepRow).order_by(CalibrationStepRow.id).all()
    assert [(step.to_state, step.user_id) for step in steps] == [
        ("open", site.manager.user_id),
        ("closed", site.manager.user_id),
        ("settled", two.user_id),
    ]


def test_nobody_sees_anything_of_others_until_it_is_closed(site: Site) -> None:
    session, (one, two, three) = site.start(), site.reviewers
    site.say(session, one, "met", "not_met")
    assert [answer.value for answer in site.calibration.own_answers(one, session)] == ["met", "not_met"]
    assert site.calibration.own_answers(two, session) == ()
    assert site.calibration.own_answers(site.manager, session) == ()
    for who in (one, two, site.manager):
        refused(lambda who=who: site.calibration.results(who, session), ConflictError, "calibration_not_closed")
    unasked = person(site.workplace, "unasked", Role.INSPECTOR)
    assert site.calibration.hidden_from(three, site.calls) == frozenset(site.calls)
    assert site.calibration.hidden_from(unasked, site.calls) == frozenset()
    site.calibration.close(site.manager, session, version=1)
    assert site.calibration.hidden_from(three, site.calls) == frozenset()


def test_own_answers_are_revised_until_closing_and_all_are_kept(site: Site) -> None:
    session, one = site.start(), site.reviewers[0]
    site.say(session, one, "met", "met", "met")
    site.say(session, one, "met", "not_met", "met")
    site.say(session, one, "met", "not_met", "met")
    assert [answer.value for answer in site.calibration.own_answers(one, session)] == ["met", "not_met", "met"]
    assert site.workplace.count(CalibrationAnswerRow) == 4, "what is said again is no other answer"
    site.calibration.close(site.manager, session, version=1)
    refused(lambda: site.say(session, one, "not_met"), ConflictError, "calibration_not_open")
    assert site.workplace.count(CalibrationAnswerRow) == 4


def test_no_state_is_skipped_or_left_twice(site: Site) -> None:
    session, calibration = site.start(), site.calibration
    refused(
        lambda: calibration.settle(site.manager, session, version=1),
        ConflictError,
        "calibration_transition_refused",
    )
    decided = {Place(site.calls[0], "greeting"): "met"}
    refused(lambda: calibration.decide(site.manager, session, decided), ConflictError, "calibration_not_closed")
    calibration.close(site.manager, session, version=1)
    refused(
        lambda: calibration.close(site.manager, session, version=2),
        ConflictError,
        "calibration_transition_refused",
    )
    calibration.settle(site.manager, session, version=2)
    refused(lambda: calibration.decide(site.manager, session, decided), ConflictError, "calibration_not_closed")
    for step in (calibration.close, calibration.settle):
        refused(
            lambda step=step: step(site.manager, session, version=3),
            ConflictError,
            "calibration_transition_refused",
        )
    assert site.workplace.count(CalibrationDecisionRow) == 0


def test_a_stale_version_changes_nothing(site: Site) -> None:
    session = site.start()
    refused(lambda: site.calibration.close(site.manager, session, version=2), ConflictError, "stale_version")
    assert site.calibration.session(site.manager, session).state is SessionState.OPEN
    assert site.workplace.count(CalibrationStepRow) == 1


def test_whoever_is_not_asked_sees_no_session(site: Site) -> None:
    session = site.start()
    unasked = person(site.workplace, "unasked", Role.INSPECTOR)
    elsewhere = person(site.workplace, "elsewhere", Role.MANAGER, Scope(vendor="Acme"))
    for who in (unasked, elsewhere):
        assert site.calibration.sessions(who) == ()
        refused(lambda who=who: site.calibration.session(who, session), NotFoundError, "calibration_not_found")
        refused(lambda who=who: site.say(session, who, "met"), NotFoundError, "calibration_not_found")
    refused(lambda: site.say(session, site.manager, "met"), PermissionDeniedError, "calibration_not_reviewer")
    other = person(site.workplace, "other", Role.MANAGER)
    assert [found.id for found in site.calibration.sessions(other)] == [session]
    refused(lambda: site.calibration.session(site.manager, session + 1), NotFoundError, "calibration_not_found")


def test_sessions_are_listed_from_the_newest_page_by_page(site: Site) -> None:
    sessions = [site.start() for _ in range(3)]
    listed = site.calibration.sessions(site.reviewers[0], limit=2)
    assert [session.id for session in listed] == sessions[:0:-1]
    assert [found.id for found in site.calibration.sessions(site.manager, before=listed[-1].id)] == sessions[:1]
    first = listed[0]
    assert (first.title, first.recording_ids) == ("十一月 校准", tuple(site.calls))
    assert (first.criteria, first.reviewers) == ((GREETING,), tuple(who.user_id for who in site.reviewers))


@pytest.mark.parametrize(
    "change",
    [
        {"title": "  "},
        {"title": "x" * (TITLE_CHARACTERS + 1)},
        {"recording_ids": []},
        {"recording_ids": list(range(1, MAX_CALLS + 2))},
        {"recording_ids": [1, 1]},
        {"criteria": []},
        {"criteria": [Criterion("a"), Criterion("a", Scale.ORDINAL)]},
        {"criteria": [Criterion("")]},
        {"reviewers": [1]},
        {"reviewers": [1, 1]},
        {"recording_ids": list(range(1, 201)), "criteria": [Criterion(f"r{n}") for n in range(50)]},
    ],
)
def test_sessions_that_are_none(site: Site, change: dict[str, object]) -> None:
    good = {
        "title": "November",
        "recording_ids": site.calls,
        "criteria": [GREETING],
        "reviewers": [who.user_id for who in site.reviewers],
    }
    refused(
        lambda: site.calibration.start(site.manager, **{**good, **change}),  # type: ignore[arg-type]
        InputError,
        "calibration_invalid",
    )
    assert site.workplace.count(CalibrationSessionRow) == 0


def test_calls_and_people_that_there_are_not(site: Site) -> None:
    def start(who: Principal, calls: list[int], reviewers: list[int]) -> None:
        site.calibration.start(who, title="x", recording_ids=calls, criteria=[GREETING], reviewers=reviewers)

    people = [who.user_id for who in site.reviewers]
    refused(lambda: start(site.manager, [*site.calls, 99], people), NotFoundError, "recording_not_found")
    refused(lambda: start(site.manager, site.calls, [*people, 99]), NotFoundError, "user_not_found")
    scoped = person(site.workplace, "scoped", Role.MANAGER, Scope(teams=frozenset({"team 1"})))
    refused(lambda: start(scoped, site.calls, people), NotFoundError, "recording_not_found")
    start(scoped, site.calls[1:2], people)
    with site.workplace.database.unit_of_work() as unit:
        unit.session.get_one(UserRow, people[0]).active = False
        unit.commit()
    refused(lambda: start(site.manager, site.calls, people), NotFoundError, "user_not_found")


@pytest.mark.parametrize(
    ("place", "value", "note"),
    [
        (Place(0, "greeting"), "met", ""),
        (Place(1, "closing"), "met", ""),
        (Place(1, "greeting"), "good", ""),
        (Place(1, "greeting"), 1.0, ""),
        (Place(1, "greeting"), "met", "n" * (NOTE_CHARACTERS + 1)),
    ],
)
def test_one_wrong_answer_stores_none(site: Site, place: Place, value: Value, note: str) -> None:
    session, one = site.start(), site.reviewers[0]
    assert site.calls == [1, 2, 3]
    places = {Place(2, "greeting"): ("met", ""), place: (value, note)}
    refused(lambda: site.calibration.answer(one, session, places), InputError, "calibration_answer_invalid")
    refused(lambda: site.calibration.answer(one, session, {}), InputError, "calibration_answer_invalid")
    assert site.workplace.count(CalibrationAnswerRow) == 0


def test_answers_that_come_while_it_is_closed_are_either_in_it_or_refused(site: Site) -> None:
    """Reviewers answer and managers close at once: one closes, and no answer is added afterwards."""
    session = site.start()
    start, outcomes = threading.Barrier(5), []

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
            outcomes.append("done")
        except ConflictError as error:
            outcomes.append(error.code)

    acts: list[Callable[[], object]] = [lambda who=who: site.say(session, who, "met") for who in site.reviewers]
    acts += [lambda: site.calibration.close(site.manager, session, version=1)] * 2
    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = site.workplace.count(CalibrationAnswerRow)
    assert outcomes.count("calibration_transition_refused") == 1
    assert outcomes.count("done") == 1 + stored
    assert outcomes.count("calibration_not_open") == 3 - stored
    answers = [answer for answer in site.calibration.results(site.manager, session).answers if answer.user_id]
    assert len(answers) == stored
