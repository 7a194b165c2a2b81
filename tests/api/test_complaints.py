"""Complaints through HTTP alone, within scope and with numbers masked."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from qa_service.domain.access import Role
from qa_service.domain.complaints import ComplaintPolicy
from qa_service.domain.results import Outcome
from qa_service.services.aftercare import Aftercare
from qa_service.services.complaint_watch import ComplaintWatch
from tests.api.calls import MASKED, PHONE, TOLD
from tests.api.conftest import World
from tests.qa_service.reviewing import Site, found, results


@pytest.fixture
def site(world: World) -> Site:
    return Site(world.site.database)


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def raised(world: World, site: Site, name: str = "call", *, team: str = "A", grade: int = 2) -> int:
    """A call with a complaint that a worker has looked at; its number."""
    told = replace(TOLD, team=team, started_at=world.site.clock.now() - timedelta(hours=1))
    call = site.call(name, (*results(), found("complaint", Outcome.NOT_MET, grade=grade)), metadata=told)
    units = world.site.units
    watch = ComplaintWatch(
        units=units, units_to_read=world.site.units_to_read, clock=world.site.clock, policy=ComplaintPolicy()
    )
    Aftercare(
        units=units, units_to_read=world.site.units_to_read, looks=(watch.look_at,), clock=world.site.clock
    ).look_after()
    return call


def test_from_the_list_to_the_end(world: World, site: Site) -> None:
    call = raised(world, site)
    leader = world.clients[Role.LEADER]
    (line,) = ok(leader.get("/v1/complaints"))["items"]
    assert (line["recording_id"], line["state"], line["level"], line["overdue"]) == (call, "raised", 2, False)
    path = f"/v1/complaints/{line['id']}"
    answer = leader.get(path)
    assert ok(answer)["evidence"][0]["quote"] == "您好"
    seen = {"If-Match": answer.headers["etag"]}
    accepted = leader.post(f"{path}/steps", json={"step": "accept"}, headers=seen)
    assert ok(accepted)["complaint"]["owner_id"] == world.users[Role.LEADER].id
    refused(leader.post(f"{path}/steps", json={"step": "apologise"}, headers=seen), 412, "stale_version")
    refused(leader.post(f"{path}/steps", json={"step": "apologise"}), 428, "precondition_required")
    for body in (
        {"step": "apologise", "note": f"致电 {PHONE}"},
        {"step": "verify", "valid": True, "cause": "complaint", "note": "属实"},
        {"step": "handle", "note": "已处理"},
        {"step": "report", "note": "书面报告"},
        {"step": "correct", "note": "已培训"},
    ):
        last = leader.post(f"{path}/steps", json=body, headers={"If-Match": "*"})
        assert last.status_code == 200, last.text
    assert last.json()["complaint"]["state"] == "corrected"
    assert last.json()["steps"][1]["note"] == f"致电 {MASKED}"
    assert ok(leader.get("/v1/complaints"))["items"] == []
    assert len(ok(leader.get("/v1/complaints?state=corrected"))["items"]) == 1
    events = {event["action"] for event in ok(world.clients[Role.AUDITOR].get("/v1/audit"))["items"]}
    assert {"complaint.raise", "complaint.read", "complaint.accept", "complaint.correct"} <= events


def test_numbers_are_for_who_may_see_them(world: World, site: Site) -> None:
    raised(world, site)
    for role, shown in ((Role.MANAGER, PHONE), (Role.LEADER, MASKED)):
        (line,) = ok(world.clients[role].get("/v1/complaints"))["items"]
        assert line["customer_ref"] == shown


def test_another_teams_complaint_does_not_exist(world: World, site: Site) -> None:
    raised(world, site, team="B")
    (line,) = ok(world.clients[Role.MANAGER].get("/v1/complaints"))["items"]
    leader, path = world.clients[Role.LEADER], f"/v1/complaints/{line['id']}"
    assert ok(leader.get("/v1/complaints"))["items"] == []
    refused(leader.get(path), 404, "complaint_not_found")
    refused(
        leader.post(f"{path}/steps", json={"step": "accept"}, headers={"If-Match": "*"}),
        404,
        "complaint_not_found",
    )
    body = {"level": 1, "what": "投诉", "team": "B", "vendor": "V"}
    refused(leader.post("/v1/complaints", json=body), 403, "outside_scope")


def test_raised_by_hand_once_for_each_key(world: World) -> None:
    manager, body = world.clients[Role.MANAGER], {"level": 3, "what": "12366 转来", "customer_ref": "C-1"}
    first = manager.post("/v1/complaints", json=body, headers={"Idempotency-Key": "one"})
    again = manager.post("/v1/complaints", json=body, headers={"Idempotency-Key": "one"})
    assert (first.status_code, first.headers["location"]) == (201, again.headers["location"])
    assert ok(manager.get(first.headers["location"]))["complaint"]["level"] == 3
    assert len(ok(manager.get("/v1/complaints"))["items"]) == 1
    leader = world.users[Role.LEADER].id
    path = first.headers["location"] + "/owner"
    refused(manager.put(path, json={"user_id": leader}, headers={"If-Match": "*"}), 422, "complaint_owner_unfit")
    own = manager.put(path, json={"user_id": world.users[Role.MANAGER].id}, headers={"If-Match": "*"})
    assert ok(own)["complaint"]["owner_name"] == "manager.user"
    assert len(ok(manager.get("/v1/complaints?mine=true&level=3"))["items"]) == 1


def test_pages_and_their_cursor(world: World, site: Site) -> None:
    for number in range(3):
        raised(world, site, f"call {number}", grade=1)
    manager = world.clients[Role.MANAGER]
    first = ok(manager.get("/v1/complaints?limit=2"))
    rest = ok(manager.get(f"/v1/complaints?limit=2&cursor={first['next']}"))
    assert len({line["id"] for line in first["items"] + rest["items"]}) == 3
    assert rest["next"] is None
    refused(manager.get(f"/v1/complaints?level=1&cursor={first['next']}"), 400, "cursor_invalid")


def test_a_call_to_be_scored_blind_is_told_its_owner_alone(world: World, site: Site) -> None:
    call = raised(world, site)
    inspector, manager = world.clients[Role.INSPECTOR], world.clients[Role.MANAGER]
    (line,) = ok(inspector.get("/v1/complaints"))["items"]
    session = {
        "title": "校准",
        "recording_ids": [call],
        "criteria": [{"name": "closing"}],
        "reviewers": [world.users[Role.INSPECTOR].id, world.users[Role.MANAGER].id],
    }
    ok(manager.post("/v1/calibration-sessions", json=session), 201)
    path = f"/v1/complaints/{line['id']}"
    assert ok(inspector.get("/v1/complaints"))["items"] == []
    refused(inspector.get(path), 409, "call_blind")
    accept = {"step": "accept", "note": ""}
    refused(manager.post(f"{path}/steps", json=accept, headers={"If-Match": "*"}), 409, "call_blind")
    own = {"user_id": world.users[Role.MANAGER].id}
    ok(world.clients[Role.LEADER].put(f"{path}/owner", json=own, headers={"If-Match": "*"}))
    assert len(ok(manager.get("/v1/complaints"))["items"]) == 1
    assert ok(manager.get(path))["evidence"] == []
    ok(manager.post(f"{path}/steps", json=accept, headers={"If-Match": "*"}))


def test_a_month(world: World, site: Site) -> None:
    raised(world, site)
    month = world.site.clock.now().astimezone(world.site.settings.zone).strftime("%Y-%m")
    found = ok(world.clients[Role.AUDITOR].get(f"/v1/complaints/analysis?month={month}"))
    assert (found["all"]["complaints"], found["by_level"][0]["of"], found["by_team"][0]["of"]) == (1, "2", "A")
    assert found["all"]["valid"]["value"] is None
    assert found["response_s"] == {"count": 1, "value": None, "low": None, "high": None}
    refused(world.clients[Role.AUDITOR].get("/v1/complaints/analysis?month=2026-13"), 422, "request_invalid")
