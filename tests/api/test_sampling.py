"""Sampling plans through HTTP."""

from datetime import timedelta

from qa_service.domain.access import Role
from qa_service.domain.call import CallMetadata
from tests.api.conftest import World
from tests.api.test_review import ok, refused
from tests.qa_service.reviewing import Site, results

PATH = "/v1/sampling-plans"
PLAN = {"name": "每天十通", "per_agent": 2, "new_agent_days": 0, "teams": ["A"]}


def test_a_plan_from_its_beginning_to_the_draw(world: World) -> None:
    site, manager = Site(world.site.database), world.clients[Role.MANAGER]
    yesterday = world.site.clock.now() - timedelta(days=1)
    calls = {
        site.call(f"call {n}", results(), metadata=CallMetadata(agent_id="1024", team="A", started_at=yesterday))
        for n in range(5)
    }
    made = manager.post(PATH, json=PLAN, headers={"Idempotency-Key": "k"})
    again = manager.post(PATH, json=PLAN, headers={"Idempotency-Key": "k"})
    assert ok(made, 201) == ok(again, 201)
    path = made.headers["location"]
    refused(manager.post(PATH, json=PLAN), 409, "sampling_plan_exists")
    refused(manager.put(path, json={**PLAN, "per_agent": 3}), 428, "precondition_required")
    tag = manager.get(path).headers["etag"]
    changed = manager.put(path, json={**PLAN, "per_agent": 3}, headers={"If-Match": tag})
    assert ok(changed)["per_agent"] == 3
    refused(manager.put(path, json=PLAN, headers={"If-Match": tag}), 412, "stale_version")

    day = yesterday.astimezone(world.site.settings.zone).date()
    drawn = ok(manager.post(f"{path}/draws", json={"day": day.isoformat()}), 201)
    assert (drawn["candidates"], drawn["drawn"]) == (5, 3)
    refused(manager.post(f"{path}/draws", json={"day": day.isoformat()}), 409, "period_drawn")
    refused(manager.post(f"{path}/draws", json={"day": "2999-01-01"}), 422, "period_not_over")
    assert ok(manager.get(f"{path}/draws"))["items"] == [drawn]
    first = ok(manager.get(f"/v1/sampling-draws/{drawn['id']}/calls?limit=2"))
    second = ok(manager.get(f"/v1/sampling-draws/{drawn['id']}/calls?limit=2&cursor={first['next']}"))
    sampled = first["items"] + second["items"]
    assert {call["recording_id"] for call in sampled} <= calls
    assert {call["inclusion_probability"] for call in sampled} == {0.6}
    assert {call["assigned_to"] for call in sampled} == {world.users[Role.INSPECTOR].id}
    queued = ok(world.clients[Role.INSPECTOR].get("/v1/review-items?kind=sampled"))["items"]
    assert len(queued) == 3


def test_what_is_no_plan_is_refused(world: World) -> None:
    manager = world.clients[Role.MANAGER]
    for wrong in (
        {"per_agent": 0},
        {"per_agent": 1e9},
        {"risk_share": 2},
        {"period": "year"},
        {"name": ""},
        {"x": 1},
    ):
        refused(manager.post(PATH, json={**PLAN, **wrong}), 422, "request_invalid")
    refused(manager.get(f"{PATH}/999"), 404, "sampling_plan_not_found")
    refused(manager.get("/v1/sampling-draws/999/calls"), 404, "sampling_draw_not_found")
    refused(manager.get(f"{PATH}/999/draws?cursor=abc"), 400, "cursor_invalid")
    assert ok(manager.get(PATH)) == {"items": []}
