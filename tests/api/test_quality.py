"""Figures of rules through the API, and what a manager decides on them."""

from datetime import timedelta

import pytest

from qa_service.domain.access import Role
from qa_service.domain.lifecycle import RuleState, RuleVersion
from qa_service.domain.proportions import share
from qa_service.domain.quality import Judged, QualityPolicy, RuleAt, RuleRecord, measure
from tests.api.conftest import World

CLOSING = RuleAt("service-zh", "closing", "sha256:c")
OPENING = RuleAt("service-zh", "opening", "sha256:o")


@pytest.fixture
def measured(world: World) -> World:
    """A site on which the rule ``closing`` falls short, and ``opening`` does not."""
    site = world.site
    records = {
        CLOSING: RuleRecord(faults=(Judged(20, 10), Judged(20, 12)), in_force=True),
        OPENING: RuleRecord(faults=(Judged(2, 2),), in_force=True),
    }
    until = site.clock.now()
    with site.database.unit_of_work() as unit:
        unit.rule_versions.note("d", [RuleVersion(CLOSING.pack, CLOSING.rule, CLOSING.digest, "{}")])
        figures = measure(records, QualityPolicy())
        unit.quality.add("day 1", since=until - timedelta(weeks=13), until=until, figures=figures)
        unit.quality.propose(CLOSING, share(22, 40), target=0.8)
        unit.commit()
    return world


def test_nothing_is_measured_yet(world: World) -> None:
    answer = world.clients[Role.MANAGER].get("/v1/quality/rules")
    assert answer.json() == {"since": None, "until": None, "rules": []}


def test_figures_and_their_history(measured: World) -> None:
    trainer = measured.clients[Role.TRAINER]
    closing, opening = trainer.get("/v1/quality/rules").json()["rules"]
    assert (closing["version"]["rule"], opening["version"]["rule"]) == ("closing", "opening")
    precision = closing["precision"]
    assert (precision["count"], precision["total"], precision["value"]) == (22, 40, 0.55)
    assert 0.39 < precision["interval"]["low"] < 0.55 < precision["interval"]["high"] < 0.70
    assert (closing["short"], opening["short"], closing["recall"]) == (True, False, None)
    assert closing["weeks"] == [{"judged": 20, "right": 12}, {"judged": 20, "right": 10}]
    only = trainer.get("/v1/quality/rules", params={"short": True}).json()["rules"]
    assert only == [closing]
    assert trainer.get("/v1/quality/rules", params={"rule": "opening"}).json()["rules"] == [opening]
    assert trainer.get("/v1/quality/rules", params={"pack": "other"}).json()["rules"] == []
    history = trainer.get("/v1/quality/rules/service-zh/closing/history").json()["measurements"]
    assert [then["figures"] for then in history] == [closing]


def test_a_manager_decides_on_a_proposal_once(measured: World) -> None:
    manager, inspector = measured.clients[Role.MANAGER], measured.clients[Role.INSPECTOR]
    (proposal,) = inspector.get("/v1/quality/proposals").json()["items"]
    assert (proposal["version"]["rule"], proposal["accepted"]) == ("closing", None)
    path = f"/v1/quality/proposals/{proposal['id']}/decision"
    assert inspector.post(path, json={"accept": True}).json()["code"] == "permission_denied"
    decided = manager.post(path, json={"accept": True, "note": "误判太多"}).json()
    assert (decided["accepted"], decided["decided_by"]) == (True, measured.users[Role.MANAGER].id)
    again = manager.post(path, json={"accept": False})
    assert (again.status_code, again.json()["code"]) == (409, "shadow_proposal_decided")
    assert inspector.get("/v1/quality/proposals").json()["items"] == []
    assert inspector.get("/v1/quality/proposals", params={"undecided": False}).json()["items"] == [decided]
    with measured.site.database.unit_of_work() as unit:
        assert unit.rule_versions.states("service-zh") == {("closing", "sha256:c"): RuleState.RETIRED}


def test_a_declined_proposal_changes_no_rule(measured: World) -> None:
    manager = measured.clients[Role.MANAGER]
    (proposal,) = manager.get("/v1/quality/proposals").json()["items"]
    path = f"/v1/quality/proposals/{proposal['id']}/decision"
    assert manager.post(path, json={"accept": "yes"}).json()["code"] == "request_invalid"
    assert manager.post(path, json={"accept": False}).json()["accepted"] is False
    with measured.site.database.unit_of_work() as unit:
        assert unit.rule_versions.states("service-zh") == {}
