"""Coaching through HTTP: proposed from confirmed findings, worked on, seen by the agent, exported."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any
from weakref import WeakSet

import openpyxl
import pytest
from fastapi.testclient import TestClient

from api.access import AskingContext
from api.hiding import Hiding
from qa_service.domain.access import Role
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity
from qa_service.domain.review import Decision
from qa_service.services.coaching_lists import CALLS_HELD
from qa_service.services.sign_in import principal_of
from tests import builders
from tests.api.calls import MASKED, PHONE
from tests.api.conftest import World
from tests.api.test_review import ok, refused
from tests.qa_service.db.builders import blob, metrics
from tests.qa_service.reviewing import CARD, fill

PATH = "/v1/coaching"
LI = CallMetadata(agent_id="1024", agent_name="李娜", team="A", vendor="V", call_id="c")
WANG = replace(LI, agent_id="2048", agent_name="王芳")


def call(world: World, name: str, told: CallMetadata, outcome: Outcome, said: str) -> int:
    """A call with one rule's answer and the words it is about."""
    at = world.site.clock.now() - timedelta(days=1)
    heard = builders.conversation(builders.utterance(said, 0.0), duration_s=20.0)
    answer = RuleResult(
        "opening", "开头语", outcome, Severity.MAJOR, (Evidence(0.0, 4.0, builders.AGENT, said, (0,)),)
    )
    with world.site.units() as unit:
        recording, _ = unit.recordings.add(blob(name.encode()), path=f"{name}.wav")
        unit.metadata.put(recording.id, replace(told, started_at=at))
        conversation = unit.conversations.add(f"k-{name}", recording.id, heard, elapsed_s=1.0)
        unit.evaluations.add(
            f"e-{name}",
            conversation=conversation,
            pack="service-zh",
            ruleset_digest="d",
            evaluation=replace(fill(CARD, (answer,)), score=95.0, raw_score=95.0, coverage=1.0),
            results=(answer,),
            metrics=metrics(),
            scorecard=CARD,
        )
        unit.review.place(recording.id, world.site.settings.review_policy)
        unit.commit()
    return recording.id


def confirmed(world: World, recording_id: int) -> None:
    who = principal_of(world.users[Role.INSPECTOR], via="session")
    with world.site.units() as unit:
        (finding,) = unit.verdicts.sheet(recording_id).findings
    world.site.review.claim(who, recording_id)
    world.site.review.decide(who, finding.id, Decision.CONFIRM)


def counted(world: World) -> None:
    with world.site.units() as unit:
        unit.figures.recount(limit=10_000)
        unit.commit()


def in_need(world: World) -> dict[str, Any]:
    """李娜 has two confirmed faults, 王芳 did it right; the proposal that comes of it."""
    for number in range(2):
        confirmed(world, call(world, f"bad{number}", LI, Outcome.NOT_MET, f"喂，你的手机号是{PHONE}吧"))
    call(world, "good", WANG, Outcome.MET, "您好，商城客服王芳，工号2048，为您服务")
    counted(world)
    done = ok(world.clients[Role.TRAINER].post(f"{PATH}/rounds"))
    assert done == {"proposed": 1, "extended": 0, "withdrawn": 0}
    (action,) = ok(world.clients[Role.TRAINER].get(PATH))["items"]
    assert isinstance(action, dict)
    return action


def step(client: TestClient, path: str, body: dict[str, Any], *, read: str = "") -> Any:
    tag = client.get(read or path.rsplit("/", 1)[0]).headers["etag"]
    return ok(client.post(path, json=body, headers={"If-Match": tag}))


def test_from_the_proposal_to_the_end(world: World) -> None:
    action = in_need(world)
    trainer, agent = world.clients[Role.TRAINER], world.clients[Role.AGENT]
    assert (action["agent_id"], action["module"], action["state"]) == ("1024", "script-wording", "proposed")
    (rule,) = action["rules"]
    assert (rule["rule"], rule["now"]["confirmed"], rule["cause"]) == ("opening", 2, "too_few")
    path = f"{PATH}/{action['id']}"
    assert ok(agent.get(f"{PATH}/mine"))["items"] == []
    refused(agent.get(f"{PATH}/mine/{action['id']}"), 404, "coaching_not_found")
    refused(trainer.post(f"{path}/assign", json={"assigned_to": 1}), 428, "precondition_required")
    body = {"assigned_to": world.users[Role.LEADER].id, "due_days": 3}
    assigned = step(trainer, f"{path}/assign", body)
    assert (assigned["state"], assigned["assigned_to"]) == ("assigned", world.users[Role.LEADER].id)
    leader = world.clients[Role.LEADER]
    step(leader, f"{path}/steps", {"step": "note", "note": f"先听录音 {PHONE}"})
    held = step(leader, f"{path}/steps", {"step": "hold"})
    assert held["state"] == "held"
    refused(
        leader.post(f"{path}/steps", json={"step": "close"}, headers={"If-Match": "*"}),
        409,
        "coaching_transition_refused",
    )
    refused(
        leader.post(f"{path}/steps", json={"step": "acknowledge"}, headers={"If-Match": "*"}),
        422,
        "request_invalid",
    )
    own = f"{PATH}/mine/{action['id']}"
    assert step(agent, f"{path}/acknowledge", {"note": "好"}, read=own)["state"] == "acknowledged"
    refused(agent.get(path), 403, "permission_denied")
    assert [each["id"] for each in ok(agent.get(f"{PATH}/mine"))["items"]] == [action["id"]]
    step(trainer, f"{path}/steps", {"step": "assess"})
    done = step(trainer, f"{path}/steps", {"step": "close"})
    assert [each["step"] for each in done["steps"]] == [
        *("propose", "assign", "note", "hold", "acknowledge", "assess", "close"),
    ]
    assert ok(trainer.get(PATH))["items"] == []
    assert len(ok(trainer.get(f"{PATH}?state=closed&agent_id=1024"))["items"]) == 1
    with world.site.units_to_read() as unit:
        trail = {event.action for event in unit.audit.page(before=None, limit=50, thing="coaching")}
    assert trail >= {
        "coaching.propose",
        "coaching.assign",
        "coaching.hold",
        "coaching.acknowledge",
        "coaching.close",
    }


def test_an_agent_hears_a_colleague_without_a_name_and_no_numbers(world: World) -> None:
    action = in_need(world)
    path = f"{PATH}/{action['id']}"
    trainer, manager = world.clients[Role.TRAINER], world.clients[Role.MANAGER]
    step(trainer, f"{path}/assign", {"assigned_to": world.users[Role.TRAINER].id})
    clips = ok(manager.get(path))["clips"]
    faults = [clip for clip in clips if clip["kind"] == "fault"]
    assert {clip["confirmed"] for clip in faults} == {True}
    assert all(PHONE in clip["evidence"]["quote"] for clip in faults), "who may see numbers does"
    (best,) = [clip for clip in clips if clip["kind"] == "best"]
    assert (best["agent_id"], best["agent_name"]) == ("2048", "王芳")
    told = ok(trainer.get(path))["clips"]
    assert all(MASKED in clip["evidence"]["quote"] for clip in told if clip["kind"] == "fault")
    own = ok(world.clients[Role.AGENT].get(f"{PATH}/mine/{action['id']}"))
    (seen,) = [clip for clip in own["clips"] if clip["kind"] == "best"]
    assert (seen["agent_id"], seen["agent_name"], seen["finding_id"]) == (None, None, None)
    assert seen["evidence"]["quote"] == "您好，商城客服＊，工号＊，为您服务"
    assert PHONE not in world.clients[Role.AGENT].get(f"{PATH}/mine/{action['id']}").text


def test_an_agent_sees_the_others_only_where_they_are_several(world: World) -> None:
    action = in_need(world)
    trainer, agent = world.clients[Role.TRAINER], world.clients[Role.AGENT]
    step(trainer, f"{PATH}/{action['id']}/assign", {"assigned_to": world.users[Role.TRAINER].id})
    own = f"{PATH}/mine/{action['id']}"
    assert action["rules"][0]["peers"]["calls"] == 1, "a trainer sees them"
    assert ok(agent.get(own))["rules"][0]["peers"] is None, "one other is somebody"
    assert ok(agent.get(f"{PATH}/mine"))["items"][0]["rules"][0]["peers"] is None
    for number in range(2):
        told = replace(LI, agent_id=f"9{number}", agent_name=None)
        call(world, f"other{number}", told, Outcome.MET, "您好")
    counted(world)
    call(world, "new", LI, Outcome.NOT_MET, "喂")
    counted(world)
    ok(trainer.post(f"{PATH}/rounds"))
    assert ok(agent.get(own))["rules"][0]["peers"]["calls"] == 3


def test_the_agents_page_tells_of_open_coaching(world: World) -> None:
    action = in_need(world)
    trainer, agent = world.clients[Role.TRAINER], world.clients[Role.AGENT]
    page = "/v1/agents/1024/page"
    told = {"id": action["id"], "module": "script-wording", "state": "proposed", "due_at": None}
    assert ok(trainer.get(page))["coaching"] == [told]
    assert ok(agent.get(page))["coaching"] == [], "before anybody looked at it"
    assert ok(world.clients[Role.SERVICE].get(page))["coaching"] == [], "who may not read coaching"
    step(trainer, f"{PATH}/{action['id']}/assign", {"assigned_to": world.users[Role.TRAINER].id})
    assert [each["state"] for each in ok(agent.get(page))["coaching"]] == ["assigned"]


def test_nobody_reaches_beyond_the_own_scope(world: World) -> None:
    for number in range(2):
        confirmed(world, call(world, f"b{number}", replace(LI, team="B", agent_id="7"), Outcome.NOT_MET, "喂"))
    counted(world)
    assert ok(world.clients[Role.LEADER].post(f"{PATH}/rounds"))["proposed"] == 0
    assert ok(world.clients[Role.TRAINER].post(f"{PATH}/rounds"))["proposed"] == 1
    (action,) = ok(world.clients[Role.TRAINER].get(PATH))["items"]
    assert ok(world.clients[Role.LEADER].get(PATH))["items"] == []
    refused(world.clients[Role.LEADER].get(f"{PATH}/{action['id']}"), 404, "coaching_not_found")
    refused(
        world.clients[Role.LEADER].post(PATH, json={"agent_id": "7", "module": "courtesy"}), 404, "agent_not_found"
    )


def test_pages_follow_the_order_of_urgency(world: World) -> None:
    call(world, "any", LI, Outcome.MET, "您好")
    trainer = world.clients[Role.TRAINER]
    for module in ("courtesy", "product-knowledge", "customer-psychology"):
        body = {"agent_id": "1024", "module": module}
        first = trainer.post(PATH, json=body, headers={"Idempotency-Key": module})
        assert ok(first, 201) == ok(trainer.post(PATH, json=body, headers={"Idempotency-Key": module}), 201)
    refused(trainer.post(PATH, json={"agent_id": "1024", "module": "courtesy"}), 409, "coaching_open")
    page = ok(trainer.get(f"{PATH}?limit=2"))
    rest = ok(trainer.get(f"{PATH}?limit=2&cursor={page['next']}"))
    assert [each["module"] for each in page["items"] + rest["items"]] == [
        *("courtesy", "product-knowledge", "customer-psychology"),
    ]
    assert rest["next"] is None
    refused(trainer.get(f"{PATH}?cursor={page['next']}&team=A"), 400, "cursor_invalid")


def test_an_export_holds_few_calls_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    action = in_need(world)
    for number in range(5):
        call(world, f"more{number}", LI, Outcome.NOT_MET, f"喂，你的手机号是{PHONE}吧")
        counted(world)
        ok(world.clients[Role.TRAINER].post(f"{PATH}/rounds"))
    held: WeakSet[Hiding] = WeakSet()
    most = 0

    class Watched(Hiding):
        def __init__(self, asking: AskingContext, recording_id: int) -> None:
            nonlocal most
            super().__init__(asking, recording_id)
            held.add(self)
            most = max(most, len(held))

    monkeypatch.setattr("api.routers.coaching.Hiding", Watched)
    answer = world.clients[Role.TRAINER].get(f"{PATH}/export")
    book = openpyxl.load_workbook(io.BytesIO(answer.content), read_only=True)
    _, *rows = book["evidence"].values
    calls = [row[3] for row in rows]
    assert {row[0] for row in rows} == {action["id"]}
    assert calls == sorted(calls)
    assert len(calls) == 8
    assert most <= CALLS_HELD + 1, "the one that comes, and those that are kept"


def test_the_workbook_says_what_the_list_says(world: World) -> None:
    action = in_need(world)
    answer = world.clients[Role.TRAINER].get(f"{PATH}/export?state=proposed")
    assert answer.status_code == 200
    book = openpyxl.load_workbook(io.BytesIO(answer.content), read_only=True)
    (header, row), evidence = ([*book["coaching"].values], [*book["evidence"].values])
    told = dict(zip(header, row, strict=True))
    assert (told["id"], told["agent_id"], told["module"]) == (action["id"], "1024", "script-wording")
    assert (told["faults"], told["confirmed"], told["unreviewed"]) == (2, 2, 0)
    assert len(evidence) == 1 + 2 + 1
    assert PHONE not in str(evidence)
    assert MASKED in str(evidence)
