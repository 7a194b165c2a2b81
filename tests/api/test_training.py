"""Training through HTTP: the catalogue, a session, an assessment, the record; rules that wait for their change."""

from datetime import timedelta
from typing import Any

from qa_service.domain.access import Role
from qa_service.domain.results import Outcome
from tests.api.calls import MASKED, PHONE
from tests.api.conftest import World
from tests.api.test_coaching import LI, call
from tests.api.test_review import ok, refused

MODULES = "/v1/training/modules"
SESSIONS = "/v1/training/sessions"
ASSESSMENTS = "/v1/training/assessments"


def session_of(world: World, **more: Any) -> dict[str, Any]:
    now = world.site.clock.now()
    return {
        "subject": "script-wording",
        "title": "话术班",
        "starts_at": (now - timedelta(hours=9)).isoformat(),
        "ends_at": (now - timedelta(hours=1)).isoformat(),
        "trainer_id": world.users[Role.TRAINER].id,
        "agents": ["1024"],
        **more,
    }


def test_the_catalogue(world: World) -> None:
    trainer, agent = world.clients[Role.TRAINER], world.clients[Role.AGENT]
    first = ok(agent.get(MODULES))["items"][0]
    assert (first["name"], first["days"], first["version"]) == ("script-wording", 2.0, 0)
    path = f"{MODULES}/script-wording"
    body = {"title_zh": "标准话术", "title_en": "Standard script wording", "days": 2.5}
    refused(agent.put(path, json=body), 403, "permission_denied")
    refused(trainer.put(path, json=body), 428, "precondition_required")
    tag = trainer.get(path).headers["etag"]
    assert ok(trainer.put(path, json=body, headers={"If-Match": tag}))["days"] == 2.5
    refused(trainer.put(path, json=body, headers={"If-Match": tag}), 412, "stale_version")
    new = {"name": "new-tariff", "title_zh": "新资费", "title_en": "New tariff", "days": 0.5}
    made = trainer.post(MODULES, json=new, headers={"Idempotency-Key": "k"})
    assert ok(made, 201) == ok(trainer.post(MODULES, json=new, headers={"Idempotency-Key": "k"}), 201)
    assert ok(trainer.get(made.headers["location"]))["version"] == 1
    course = {
        "name": "refresher",
        "title_zh": "复训",
        "title_en": "Refresher",
        "days": 1,
        "modules": ["new-tariff"],
    }
    assert ok(trainer.post("/v1/training/courses", json=course), 201)["modules"] == ["new-tariff"]
    refused(trainer.post("/v1/training/courses", json=course), 409, "training_subject_exists")
    assert [each["name"] for each in ok(agent.get("/v1/training/courses"))["items"]] == ["onboarding", "refresher"]
    refused(trainer.get(f"{MODULES}/unknown"), 404, "training_module_not_found")


def test_from_the_session_to_the_certificate(world: World) -> None:
    call(world, "any", LI, Outcome.MET, "您好")
    trainer = world.clients[Role.TRAINER]
    made = trainer.post(SESSIONS, json=session_of(world))
    assert ok(made, 201)["agents"] == [{"agent_id": "1024", "agent_name": "李娜", "attended": None}]
    path = made.headers["location"]
    refused(trainer.post(f"{path}/attendance", json={"there": ["1024"]}), 428, "precondition_required")
    tag = trainer.get(path).headers["etag"]
    held = ok(trainer.post(f"{path}/attendance", json={"there": ["1024"]}, headers={"If-Match": tag}))
    assert (held["session"]["state"], held["agents"][0]["attended"]) == ("held", True)
    refused(trainer.post(f"{path}/cancel", headers={"If-Match": "*"}), 409, "training_session_held")
    body = {
        "agent_id": "1024",
        "subject": "script-wording",
        "kind": "after",
        "score": 88,
        "session_id": held["session"]["id"],
        "note": f"电话 {PHONE}",
    }
    assessed = ok(trainer.post(ASSESSMENTS, json=body), 201)
    assert assessed["assessment"]["passed"] is True
    record = ok(world.clients[Role.AGENT].get("/v1/agents/1024/training"))
    assert record["assessments"][0]["note"] == f"电话 {MASKED}"
    assert record["certificates"] == [assessed["certificate"]]
    assert [each["attended"] for each in record["sessions"]] == [True]
    standing = {each["subject"]: each["standing"] for each in record["standings"]}
    assert (standing["script-wording"], standing["courtesy"]) == ("certified", "never")
    refused(world.clients[Role.AGENT].get("/v1/agents/2048/training"), 404, "agent_not_found")
    refused(
        trainer.post(SESSIONS, json=session_of(world, ends_at="2020-01-01T00:00:00Z")),
        422,
        "training_session_invalid",
    )
    refused(trainer.post(ASSESSMENTS, json={**body, "score": 101}), 422, "request_invalid")


def test_sessions_in_pages(world: World) -> None:
    trainer = world.clients[Role.TRAINER]
    made = [ok(trainer.post(SESSIONS, json=session_of(world, agents=[])), 201)["session"]["id"] for _ in range(3)]
    page = ok(trainer.get(f"{SESSIONS}?limit=2"))
    rest = ok(trainer.get(f"{SESSIONS}?limit=2&cursor={page['next']}"))
    assert [each["id"] for each in page["items"] + rest["items"]] == made[::-1]
    assert ok(trainer.get(f"{SESSIONS}?subject=courtesy"))["items"] == []
    refused(trainer.get(f"{SESSIONS}?cursor={page['next']}&subject=courtesy"), 400, "cursor_invalid")
    assert ok(world.clients[Role.AGENT].get(SESSIONS))["items"] == [], "an agent sees those it is expected at"


def test_a_rule_is_not_published_before_its_change_is_assessed(world: World) -> None:
    manager, trainer = world.clients[Role.MANAGER], world.clients[Role.TRAINER]
    pack = "/v1/rule-packs/service-zh"
    tag = {"If-Match": manager.get(pack).headers["etag"]}
    # A shipped rule that was retired comes back as a new one does.
    with world.site.units() as unit:
        rules = world.site.shelf.load("service-zh")
        (version,) = [each for each in rules.versions if each.rule == "jargon"]
        unit.rule_versions.held([version])
        world.site.approvals.withdraw(unit, version, by="li.na")
        unit.commit()
    body = {"title": "不说行话", "pack": "service-zh", "rules": [{"rule": "jargon"}]}
    made = trainer.post("/v1/script-changes", json=body)
    change = ok(made, 201)
    assert (change["change"]["state"], change["waits_for"]) == ("drafted", "the manager's approval")
    only = {"rules": ["jargon"]}
    ok(manager.post(f"{pack}/approve", json=only, headers=tag))
    refused(manager.post(f"{pack}/publish", json=only, headers=tag), 409, "script_change_pending")
    assert ok(manager.get(pack))["digest"], "and nothing else was touched"
    (state,) = [rule["state"] for rule in ok(manager.get(pack))["rules"] if rule["rule"] == "jargon"]
    assert state == "approved"
    path = made.headers["location"]
    seen = trainer.get(path).headers["etag"]
    refused(
        trainer.post(f"{path}/steps", json={"step": "approve"}, headers={"If-Match": seen}),
        403,
        "permission_denied",
    )
    ok(manager.post(f"{path}/steps", json={"step": "approve"}, headers={"If-Match": seen}))
    refused(
        manager.post(f"{path}/steps", json={"step": "train"}, headers={"If-Match": "*"}),
        409,
        "script_change_refused",
    )
    done = ok(manager.post(f"{pack}/publish", json={**only, "override": "监管要求"}, headers=tag))
    assert [step["rule"] for step in done["taken"]] == ["jargon"]
    after = ok(trainer.get(path))
    assert (after["change"]["state"], after["steps"][-1]["note"]) == ("live", "监管要求")
    assert ok(trainer.get("/v1/script-changes?state=live"))["items"] == [after["change"]]
