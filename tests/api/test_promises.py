"""Promises through HTTP alone, within scope and with numbers masked."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from qa_service.domain.access import Role
from qa_service.domain.promises import PromisePolicy
from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult, Severity
from qa_service.services.aftercare import Aftercare
from qa_service.services.promise_watch import PromiseWatch
from tests.api.calls import MASKED, PHONE, TOLD
from tests.api.conftest import World
from tests.qa_service.reviewing import Site, results


@pytest.fixture
def site(world: World) -> Site:
    return Site(world.site.database)


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def made(world: World, site: Site, name: str, **told: Any) -> int:
    """A call with a promise that a worker has looked at; its number."""
    item = OpenItem("promise", 3, Evidence(1.0, 2.0, quote="三天内回电"))
    promising = RuleResult("cannot-answer-now", "不能当场答复", Outcome.MET, Severity.MAJOR, opens=(item,))
    when = world.site.clock.now() - timedelta(hours=1)
    call = site.call(name, (*results(), promising), metadata=replace(TOLD, started_at=when, **told))
    units, reading = world.site.units, world.site.units_to_read
    watch = PromiseWatch(units=units, units_to_read=reading, clock=world.site.clock, policy=PromisePolicy())
    Aftercare(units=units, units_to_read=reading, looks=(watch.look_at,), clock=world.site.clock).look_after()
    return call


def test_from_the_list_to_the_decision(world: World, site: Site) -> None:
    call = made(world, site, "call")
    leader, agent = world.clients[Role.LEADER], world.clients[Role.AGENT]
    (line,) = ok(agent.get("/v1/promises"))["items"]
    assert (line["recording_id"], line["state"], line["customer_ref"]) == (call, "open", MASKED)
    assert ok(world.clients[Role.MANAGER].get("/v1/promises"))["items"][0]["customer_ref"] == PHONE
    path = f"/v1/promises/{line['id']}"
    answer = leader.get(path)
    assert ok(answer)["evidence"][0]["quote"] == "三天内回电"
    body = {"decision": "broken", "note": f"客户 {PHONE} 没有接到电话"}
    refused(leader.post(f"{path}/decision", json=body), 428, "precondition_required")
    refused(agent.post(f"{path}/decision", json=body, headers={"If-Match": "*"}), 403, "permission_denied")
    done = ok(leader.post(f"{path}/decision", json=body, headers={"If-Match": answer.headers["etag"]}))
    assert (done["promise"]["state"], done["decisions"][0]["note"]) == ("broken", f"客户 {MASKED} 没有接到电话")
    refused(
        leader.post(f"{path}/decision", json=body, headers={"If-Match": answer.headers["etag"]}),
        412,
        "stale_version",
    )
    assert ok(leader.get("/v1/promises"))["items"] == []
    assert len(ok(leader.get("/v1/promises?state=broken&state=kept"))["items"]) == 1


def test_another_teams_promise_does_not_exist(world: World, site: Site) -> None:
    made(world, site, "call", team="B", agent_id="2048")
    (line,) = ok(world.clients[Role.MANAGER].get("/v1/promises?team=B"))["items"]
    for role in (Role.LEADER, Role.AGENT):
        assert ok(world.clients[role].get("/v1/promises"))["items"] == []
        refused(world.clients[role].get(f"/v1/promises/{line['id']}"), 404, "promise_not_found")


def test_a_call_to_be_scored_blind_is_not_told(world: World, site: Site) -> None:
    call = made(world, site, "call")
    manager = world.clients[Role.MANAGER]
    (line,) = ok(manager.get("/v1/promises"))["items"]
    session = {
        "title": "校准",
        "recording_ids": [call],
        "criteria": [{"name": "closing"}],
        "reviewers": [world.users[Role.INSPECTOR].id, world.users[Role.MANAGER].id],
    }
    ok(manager.post("/v1/calibration-sessions", json=session), 201)
    assert ok(manager.get("/v1/promises"))["items"] == []
    path = f"/v1/promises/{line['id']}"
    refused(manager.get(path), 409, "call_blind")
    body = {"decision": "kept", "note": "已回电"}
    refused(manager.post(f"{path}/decision", json=body, headers={"If-Match": "*"}), 409, "call_blind")
    assert len(ok(world.clients[Role.LEADER].get("/v1/promises"))["items"]) == 1


def test_pages(world: World, site: Site) -> None:
    for number in range(3):
        made(world, site, f"call {number}", customer_ref=f"C-{number}")
    manager = world.clients[Role.MANAGER]
    first = ok(manager.get("/v1/promises?limit=2"))
    rest = ok(manager.get(f"/v1/promises?limit=2&cursor={first['next']}"))
    assert len({line["id"] for line in first["items"] + rest["items"]}) == 3
    assert rest["next"] is None
    refused(manager.get(f"/v1/promises?state=kept&cursor={first['next']}"), 400, "cursor_invalid")
