"""Review, dispute and appeal through HTTP alone."""

import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from qa_service.domain.access import Role, Scope
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity
from qa_service.services.sign_in import principal_of
from tests.api.conftest import World
from tests.api.conftest import client_of as signed_in
from tests.qa_service.reviewing import Site, results

OWN_CALL = CallMetadata(agent_id="1024", team="A", vendor="V")
NOT_MET = Outcome.NOT_MET


@pytest.fixture
def site(world: World) -> Site:
    return Site(world.site.database)


def another(world: World, name: str, role: Role, scope: Scope | None = None) -> TestClient:
    user = world.site.accounts.create("test", name, roles=[role], scope=scope or Scope())
    who = principal_of(user, via="command")
    until = world.site.clock.now() + timedelta(days=1)
    secret, _ = world.site.sign_in.issue_token(who, "all", who.permissions, expires_at=until)
    return signed_in(world.app, secret)


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def step(client: TestClient, finding: int, name: str, body: dict[str, Any] | None = None) -> Any:
    """Read the finding, then take the step on what was read."""
    tag = client.get(f"/v1/findings/{finding}").headers["etag"]
    return ok(client.post(f"/v1/findings/{finding}/{name}", json=body, headers={"If-Match": tag}))


def test_from_the_queue_to_the_last_word(world: World, site: Site) -> None:
    call = site.call("call", results(opening=NOT_MET, closing=Outcome.UNDETERMINED), metadata=OWN_CALL)
    inspector, manager = world.clients[Role.INSPECTOR], world.clients[Role.MANAGER]
    agent, leader = world.clients[Role.AGENT], world.clients[Role.LEADER]
    (line,) = ok(inspector.get("/v1/review-items"))["items"]
    assert (line["item"]["recording_id"], line["to_review"], line["item"]["kind"]) == (call, 2, "flagged")
    assert ok(inspector.post("/v1/review-items/claim"))["state"] == "claimed"
    draft = ok(inspector.get(f"/v1/recordings/{call}/sheet"))
    opening, closing = (finding["id"] for finding in draft["findings"])
    sheet = ok(
        inspector.post(
            f"/v1/findings/{closing}/verdicts",
            json={"decision": "reject", "reason": "said_otherwise"},
            headers={"If-Match": f'"v{draft["findings"][1]["version"]}"'},
        )
    )
    assert (sheet["machine"]["score"], sheet["final"]["score"]) == (pytest.approx(100 * 30 / 70), 60.0)
    refused(inspector.post(f"/v1/review-items/{call}/finish", json={}), 409, "findings_open")
    verdict = {"decision": "confirm", "note": "确实没说"}
    ok(inspector.post(f"/v1/findings/{opening}/verdicts", json=verdict, headers={"If-Match": "*"}))
    done = ok(inspector.post(f"/v1/review-items/{call}/finish", json={"note": "ok"}))
    assert (done["state"], done["done_by"]) == ("done", world.users[Role.INSPECTOR].id)

    step(agent, opening, "dispute", {"reason": "我说了"})
    assert [line["finding_id"] for line in ok(leader.get("/v1/disputes"))["items"]] == [opening]
    step(leader, opening, "advice", {"supports": True})
    own = inspector.post(
        f"/v1/findings/{opening}/decision", json={"uphold": True, "reason": "r"}, headers={"If-Match": "*"}
    )
    refused(own, 409, "not_independent")
    step(another(world, "second", Role.INSPECTOR), opening, "decision", {"uphold": True, "reason": "没有听到"})
    step(agent, opening, "appeal", {"reason": "请再听一次"})
    last = step(manager, opening, "appeal-decision", {"uphold": False, "reason": "听到了", "code": "misheard"})
    assert [each["step"] for each in last["steps"]] == ["dispute", "support", "uphold", "appeal", "overturn"]

    history = ok(agent.get(f"/v1/recordings/{call}/sheet"))
    assert (history["machine"]["score"], history["final"]["score"]) == (pytest.approx(100 * 30 / 70), 100.0)
    assert [(score["cause"], score["score"]["score"]) for score in history["scores"]] == [
        ("review", 60.0),
        ("appeal", 100.0),
    ]
    assert [each["decision"] for each in history["verdicts"]] == ["reject", "confirm", "confirm", "reject"]
    events = ok(world.clients[Role.AUDITOR].get("/v1/audit"))["items"]
    assert {"review.claim", "finding.confirm", "dispute.dispute", "appeal.overturn"} <= {
        e["action"] for e in events
    }


def test_two_inspectors_race_for_two_hundred_calls(world: World, site: Site) -> None:
    calls = {site.call(f"call {number}", metadata=OWN_CALL) for number in range(200)}
    inspectors = [world.clients[Role.INSPECTOR], another(world, "second", Role.INSPECTOR)]
    claimed: list[list[int]] = [[] for _ in range(4)]

    def work(number: int) -> None:
        client = inspectors[number % 2]
        while (answer := client.post("/v1/review-items/claim")).status_code == 200:
            claimed[number].append(answer.json()["recording_id"])
        assert answer.status_code == 204, answer.text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [call for mine in claimed for call in mine]
    assert sorted(taken) == sorted(calls)
    holders = {"first": 0, "second": 0}
    for name, client in zip(holders, inspectors, strict=True):
        cursor = ""
        while True:
            page = ok(client.get(f"/v1/review-items?mine=true&limit=200{cursor}"))
            holders[name] += len(page["items"])
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
    assert holders == {
        "first": len(claimed[0]) + len(claimed[2]),
        "second": len(claimed[1]) + len(claimed[3]),
    }


def test_a_missed_fault_is_added_once(world: World, site: Site) -> None:
    call = site.call("call", metadata=OWN_CALL)
    inspector = world.clients[Role.INSPECTOR]
    path, body = f"/v1/recordings/{call}/findings", {"rule": "closing", "start": 1.0, "end": 2.0}
    refused(inspector.post(path, json=body), 409, "claim_missing")
    ok(inspector.post(f"/v1/review-items/{call}/claim"))
    first = inspector.post(path, json=body, headers={"Idempotency-Key": "one"})
    again = inspector.post(path, json=body, headers={"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert again.headers["location"] == first.headers["location"]
    assert ok(inspector.get(first.headers["location"]))["finding"]["origin"] == "human"
    refused(inspector.post(path, json=body), 409, "finding_exists")


def test_what_is_not_seen_cannot_be_decided(world: World, site: Site) -> None:
    call = site.call("call", metadata=OWN_CALL)
    finding = site.finding(call).id
    inspector, path = world.clients[Role.INSPECTOR], f"/v1/findings/{finding}/verdicts"
    ok(inspector.post(f"/v1/review-items/{call}/claim"))
    confirm = {"decision": "confirm"}
    refused(inspector.post(path, json=confirm), 428, "precondition_required")
    refused(inspector.post(path, json=confirm, headers={"If-Match": '"v9"'}), 412, "stale_version")
    refused(inspector.post(path, json={"decision": "reject"}, headers={"If-Match": "*"}), 422, "verdict_invalid")
    for body in (
        {"decision": "maybe"},
        {"decision": "correct", "start": "NaN", "end": 1},
        {"decide": 1},
        [],
        None,
    ):
        assert inspector.post(path, json=body, headers={"If-Match": "*"}).status_code == 422
    assert site.sheet(call).verdicts == ()


def test_others_calls_are_not_there(world: World, site: Site) -> None:
    call = site.call("call", metadata=CallMetadata(agent_id="7", team="B", vendor="W"))
    finding = site.finding(call).id
    agent, leader = world.clients[Role.AGENT], world.clients[Role.LEADER]
    tag = {"If-Match": "*"}
    for client in (agent, leader):
        refused(client.get(f"/v1/recordings/{call}/sheet"), 404, "recording_not_found")
        refused(client.get(f"/v1/findings/{finding}"), 404, "finding_not_found")
        assert ok(client.get("/v1/disputes"))["items"] == []
    for name, body in (("acknowledge", None), ("dispute", {"reason": "r"}), ("appeal", {"reason": "r"})):
        refused(agent.post(f"/v1/findings/{finding}/{name}", json=body, headers=tag), 404, "finding_not_found")
    advice = leader.post(f"/v1/findings/{finding}/advice", json={"supports": True}, headers=tag)
    refused(advice, 404, "finding_not_found")
    confined = another(world, "of A", Role.INSPECTOR, Scope(teams=frozenset({"A"})))
    assert ok(confined.get("/v1/review-items"))["items"] == []
    assert confined.post("/v1/review-items/claim").status_code == 204
    refused(confined.post(f"/v1/review-items/{call}/claim"), 404, "recording_not_found")
    refused(confined.get(f"/v1/review-items/{call}"), 404, "recording_not_found")


def test_a_call_that_is_scored_blind_elsewhere_is_not_shown(world: World, site: Site) -> None:
    call = site.call("call", metadata=OWN_CALL)
    inspector, manager = world.clients[Role.INSPECTOR], world.clients[Role.MANAGER]
    reviewers = [world.users[Role.INSPECTOR].id, world.users[Role.TRAINER].id]
    session = {"title": "t", "recording_ids": [call], "criteria": [{"name": "closing"}], "reviewers": reviewers}
    ok(manager.post("/v1/calibration-sessions", json=session), 201)
    assert ok(inspector.get("/v1/review-items"))["items"] == []
    assert inspector.post("/v1/review-items/claim").status_code == 204
    refused(inspector.post(f"/v1/review-items/{call}/claim"), 409, "call_blind")
    refused(inspector.get(f"/v1/recordings/{call}/sheet"), 409, "call_blind")
    refused(inspector.get(f"/v1/findings/{site.finding(call).id}"), 409, "call_blind")
    refused(inspector.get(f"/v1/recordings/{call}/evaluations"), 409, "call_blind")
    evaluation = site.sheet(call).evaluation
    refused(inspector.get(f"/v1/evaluations/{evaluation.id}"), 409, "call_blind")
    page = inspector.get(f"/console/calls/{call}")
    assert (page.status_code, "call_blind" in page.text) == (409, True)
    for who, score in ((inspector, None), (manager, evaluation.evaluation.score)):
        (listed,) = ok(who.get("/v1/recordings"))["items"]
        assert listed["score"] == listed["final_score"] == score
        assert ok(who.get(f"/v1/recordings/{call}"))["score"] == score
    assert len(ok(manager.get("/v1/review-items"))["items"]) == 1


def test_numbers_are_hidden_from_those_who_may_not_see_them(world: World, site: Site) -> None:
    said = RuleResult(
        "privacy",
        "privacy",
        NOT_MET,
        Severity.MAJOR,
        (Evidence(0.5, 1.25, quote="您好", utterances=(0,)),),
    )
    call = site.call("call", (*results(), said), metadata=OWN_CALL)
    finding = site.finding(call, "privacy").id
    ok(world.clients[Role.INSPECTOR].post(f"/v1/review-items/{call}/claim"))
    noted = {"decision": "confirm", "note": "客户的手机是13812345678"}
    ok(
        world.clients[Role.INSPECTOR].post(
            f"/v1/findings/{finding}/verdicts", json=noted, headers={"If-Match": "*"}
        )
    )
    for role, seen in ((Role.INSPECTOR, True), (Role.AGENT, False), (Role.LEADER, False)):
        sheet = ok(world.clients[role].get(f"/v1/recordings/{call}/sheet"))
        assert ("13812345678" in sheet["verdicts"][0]["note"]) is seen
        assert sheet["findings"][0]["evidence"][0]["quote"] == "您好"


def test_pages_and_cursors(world: World, site: Site) -> None:
    calls = {site.call(f"call {number}", metadata=OWN_CALL) for number in range(5)}
    inspector = world.clients[Role.INSPECTOR]
    seen, path = [], "/v1/review-items?limit=2"
    cursor = ""
    while True:
        page = ok(inspector.get(path + cursor))
        seen += [line["item"]["recording_id"] for line in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert (len(seen), set(seen)) == (5, calls)
    refused(inspector.get(f"/v1/review-items?limit=2&kind=random{cursor}"), 400, "cursor_invalid")
    agent = world.clients[Role.AGENT]
    for call in calls:
        step(agent, site.finding(call).id, "dispute", {"reason": "r"})
    first = ok(agent.get("/v1/disputes?limit=3"))
    second = ok(agent.get(f"/v1/disputes?limit=3&cursor={first['next']}"))
    assert len({line["finding_id"] for line in first["items"] + second["items"]}) == 5
    assert second["next"] is None
    assert ok(agent.get("/v1/disputes?state=appealed"))["items"] == []


def test_a_call_is_assigned_by_who_may(world: World, site: Site) -> None:
    call = site.call("call", metadata=OWN_CALL)
    manager, inspector = world.clients[Role.MANAGER], world.clients[Role.INSPECTOR]
    path = f"/v1/review-items/{call}/assignee"
    assert ok(manager.put(path, json={"user_id": world.users[Role.MANAGER].id}))["assigned_to"]
    assert inspector.post("/v1/review-items/claim").status_code == 204
    refused(manager.put(path, json={"user_id": 999}), 404, "user_not_found")
    refused(manager.put(path, json={"user_id": world.users[Role.AGENT].id}), 404, "user_not_found")
    ok(manager.put(path, json={"user_id": None}))
    assert ok(inspector.post("/v1/review-items/claim"))["recording_id"] == call
    ok(inspector.post(f"/v1/review-items/{call}/release"))
    refused(inspector.post(f"/v1/review-items/{call}/release"), 409, "claim_missing")
