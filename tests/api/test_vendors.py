"""Vendors through HTTP alone: own calls beside what was agreed, for who may see all of them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx

from qa_service.domain.access import Role, Scope
from qa_service.services.sign_in import principal_of
from tests.api.calls import TOLD, add_unscored
from tests.api.conftest import World, client_of


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_vendors_months(world: World) -> None:
    when = world.site.clock.now() - timedelta(days=20)
    add_unscored(world.site, "a", replace(TOLD, started_at=when, vendor="外包/一", team="X", ring_count=2))
    manager = world.clients[Role.MANAGER]
    month = when.astimezone(world.site.settings.zone).strftime("%Y-%m")
    found = ok(manager.get(f"/v1/vendors/外包%2F一/performance?months=2&until={month}"))
    assert (found["name"], [one["month"] for one in found["months"]][-1]) == ("外包/一", f"{month}-01")
    figures = {one["measure"]: one for one in found["months"][-1]["figures"]}
    first = figures["first_contact_resolution"]
    assert (first["value"], first["size"], first["verdict"], first["source"]) == (1.0, 1, "no_target", "calls")
    assert (figures["satisfaction"]["value"], figures["satisfaction"]["verdict"]) == (None, "unknown")
    assert {one["trend"] for one in found["trends"]} == {"cannot_tell"}
    assert found["contacts"] == {"first": 1, "resolved": 1, "waiting": 0, "unfollowed": 0}
    compared = ok(manager.get(f"/v1/vendors/performance?month={month}"))
    assert [one["name"] for one in compared["vendors"]] == ["外包/一"]
    assert len(ok(manager.get("/v1/vendors/外包%2F一/performance"))["months"]) == 6


def test_a_vendors_leader_sees_the_own_one(world: World) -> None:
    add_unscored(world.site, "a", TOLD)
    add_unscored(world.site, "b", replace(TOLD, vendor="W", team="B", call_id="c-2"))
    user = world.site.accounts.create("test", "site.lead", roles=[Role.LEADER], scope=Scope(vendor="V"))
    who = principal_of(user, via="command")
    until = world.site.clock.now() + timedelta(days=1)
    secret, _ = world.site.sign_in.issue_token(who, "all", who.permissions, expires_at=until)
    leader = client_of(world.app, secret)
    assert ok(leader.get("/v1/vendors/V/performance"))["name"] == "V"
    for client, name in ((leader, "W"), (world.clients[Role.LEADER], "V")):  # the second one leads a team of it
        answer = client.get(f"/v1/vendors/{name}/performance")
        assert (answer.status_code, answer.json()["code"]) == (404, "vendor_not_found")
