"""A calibration session through the API, from its beginning to the consensus."""

from typing import Any

import pytest
from sqlalchemy import Engine, event

from qa_service.domain.access import Role
from tests.api.conftest import World
from tests.qa_service.db import builders

PATH = "/v1/calibration-sessions"


@pytest.fixture
def calls(world: World) -> list[int]:
    """Two calls with an evaluation each."""
    found = []
    for number in range(2):
        recording = builders.add_recording(world.site.database, f"call {number}".encode(), f"calls/{number}.wav")
        with world.site.database.unit_of_work() as unit:
            conversation = unit.conversations.add(
                f"k{number}", recording.id, builders.conversation(), elapsed_s=1.0
            )
            builders.add_evaluation(unit, f"e{number}", conversation)
            unit.commit()
        found.append(recording.id)
    return found


def new(world: World, calls: list[int]) -> dict[str, Any]:
    reviewers = [world.users[Role.INSPECTOR].id, world.users[Role.MANAGER].id]
    return {"title": "十一月", "recording_ids": calls, "criteria": [{"name": "closing"}], "reviewers": reviewers}


def answers(calls: list[int], *values: object, name: str = "answers") -> dict[str, Any]:
    said = [{"recording_id": c, "criterion": "closing", "value": v} for c, v in zip(calls, values, strict=True)]
    return {name: said}


def test_from_the_first_answer_to_the_consensus(world: World, calls: list[int]) -> None:
    manager, inspector = world.clients[Role.MANAGER], world.clients[Role.INSPECTOR]
    made = manager.post(PATH, json=new(world, calls))
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    assert inspector.post(f"{path}/answers", json=answers(calls, "met", "met")).status_code == 200
    own = inspector.post(f"{path}/answers", json=answers(calls[1:], "not_met")).json()["answers"]
    assert [(answer["recording_id"], answer["value"]) for answer in own] == [
        (calls[0], "met"),
        (calls[1], "not_met"),
    ]
    assert manager.get(f"{path}/answers").json() == {"answers": []}
    blind = manager.get(f"{path}/results")
    assert (blind.status_code, blind.json()["code"]) == (409, "calibration_not_closed")
    manager.post(f"{path}/answers", json=answers(calls, "met", "met"))

    seen = manager.get(path)
    assert {each["user_id"]: each["answered"] for each in seen.json()["progress"]} == dict.fromkeys(
        seen.json()["session"]["reviewers"], 2
    )
    assert manager.post(f"{path}/close").json()["code"] == "precondition_required"
    stale = manager.post(f"{path}/close", headers={"If-Match": '"v7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    closed = manager.post(f"{path}/close", headers={"If-Match": seen.headers["etag"]})
    assert closed.json()["state"] == "closed"
    late = inspector.post(f"{path}/answers", json=answers(calls, "met", "met"))
    assert (late.status_code, late.json()["code"]) == (409, "calibration_not_open")

    results = inspector.get(f"{path}/results").json()
    (closing,) = results["criteria"]
    assert (closing["calls"], closing["agreement"], len(closing["pairs"])) == (2, 0.5, 1)
    assert closing["alpha"]["interval"] is None
    assert results["undecided"] == [{"recording_id": calls[1], "criterion": "closing"}]
    early = manager.post(f"{path}/settle", headers={"If-Match": closed.headers["etag"]})
    assert (early.status_code, early.json()["code"]) == (409, "calibration_undecided")
    decided = inspector.post(f"{path}/decisions", json=answers(calls[1:], "met", name="decisions"))
    assert decided.status_code == 204
    settled = manager.post(f"{path}/settle", headers={"If-Match": closed.headers["etag"]})
    assert settled.json()["state"] == "settled"
    overall = inspector.get(f"{path}/results").json()["overall"]
    stricter = {each["user_id"]: each["stricter"] for each in overall}
    assert stricter[world.users[Role.INSPECTOR].id] == 1
    assert stricter[world.users[Role.MANAGER].id] == 0

    trail = world.clients[Role.AUDITOR].get("/v1/audit", params={"thing": "calibration_session"}).json()["items"]
    assert [event["action"] for event in trail] == [
        *("calibration.settled", "calibration.decide", "calibration.closed"),
        *["calibration.answer"] * 3,
        "calibration.start",
    ]


def test_the_machine_s_answers_are_hidden_from_who_scores_blind(world: World, calls: list[int]) -> None:
    manager, trainer = world.clients[Role.MANAGER], world.clients[Role.TRAINER]
    (head, *_) = manager.get(f"/v1/recordings/{calls[0]}/evaluations").json()["items"]
    pages = [f"/v1/recordings/{calls[0]}/evaluations", f"/v1/evaluations/{head['id']}"]
    made = manager.post(PATH, json=new(world, calls))
    for page in pages:
        blind = world.clients[Role.INSPECTOR].get(page)
        assert (blind.status_code, blind.json()["code"]) == (409, "call_blind")
        assert trainer.get(page).status_code == 200, "who is not asked to score it"
    manager.post(f"{made.headers['location']}/close", headers={"If-Match": "*"})
    assert [world.clients[Role.INSPECTOR].get(page).status_code for page in pages] == [200, 200]


def test_a_session_is_of_those_who_are_asked(world: World, calls: list[int]) -> None:
    manager, inspector = world.clients[Role.MANAGER], world.clients[Role.INSPECTOR]
    body = new(world, calls)
    made = manager.post(PATH, json={**body, "reviewers": [body["reviewers"][1], world.users[Role.TRAINER].id]})
    hidden = inspector.get(made.headers["location"])
    assert (hidden.status_code, hidden.json()["code"]) == (404, "calibration_not_found")
    assert inspector.get(PATH).json()["items"] == []
    assert [session["id"] for session in manager.get(PATH).json()["items"]] == [made.json()["id"]]


def test_a_double_submit_begins_one(world: World, calls: list[int]) -> None:
    manager, body = world.clients[Role.MANAGER], new(world, calls)
    first, second = (manager.post(PATH, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.text == second.text
    assert len(manager.get(PATH).json()["items"]) == 1


@pytest.mark.parametrize(
    ("value", "status", "code"),
    [
        ("good", 422, "request_invalid"),
        (True, 422, "request_invalid"),
        (None, 422, "request_invalid"),
        (1e99, 422, "request_invalid"),
        (3.5, 422, "calibration_answer_invalid"),
    ],
)
def test_what_is_no_answer(world: World, calls: list[int], value: object, status: int, code: str) -> None:
    path = world.clients[Role.MANAGER].post(PATH, json=new(world, calls)).headers["location"]
    inspector = world.clients[Role.INSPECTOR]
    answer = inspector.post(f"{path}/answers", json=answers(calls, "met", value))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert inspector.get(f"{path}/answers").json() == {"answers": []}


def test_more_sessions_are_no_more_statements(world: World, calls: list[int]) -> None:
    manager, counted = world.clients[Role.MANAGER], []
    seen: list[str] = []
    event.listen(Engine, "before_cursor_execute", note := lambda *args: seen.append(args[2]))
    try:
        for _ in range(3):
            path = manager.post(PATH, json=new(world, calls)).headers["location"]
            seen.clear()
            assert manager.get(PATH).status_code == 200
            counted.append(len(seen))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert counted[0] == counted[1] == counted[2] > 0
    manager.post(f"{path}/answers", json=answers(calls, "met", "met"))
    manager.post(f"{path}/close", headers={"If-Match": "*"})
    assert manager.get(f"{path}/results").json()["undecided"] != []


def test_pages_of_sessions_follow_each_other(world: World, calls: list[int]) -> None:
    manager = world.clients[Role.MANAGER]
    made = [manager.post(PATH, json=new(world, calls)).json()["id"] for _ in range(3)]
    first = manager.get(PATH, params={"limit": 2}).json()
    second = manager.get(PATH, params={"limit": 2, "cursor": first["next"]}).json()
    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None
