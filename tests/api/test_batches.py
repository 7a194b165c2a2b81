"""Batch runs through the API: asked for, followed to their end, taken back; workers do the work."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from qa_service.domain.access import Role, Scope
from qa_service.services.batch_runs import BatchRuns, Room
from qa_service.services.plans import Planner
from tests.api.conftest import World
from tests.api.test_directory import of
from tests.brokers import free_port
from tests.fakes import SILENT, Workplace
from tests.qa_service.services.batch_runs import calls, receive, work


@pytest.fixture
def workplace(world: World, tmp_path: Path) -> Workplace:
    return Workplace(world.site.database, tmp_path)


@pytest.fixture
def workers(workplace: Workplace, world: World) -> Callable[[], None]:
    """Everything that workers do about batch runs."""
    runs = BatchRuns(
        units=workplace.database.unit_of_work,
        planner=lambda: Planner(hear=workplace.hear, evaluate=workplace.evaluate),
        room=Room(1000, lambda: True),
        nightly=None,
        clock=world.site.clock,
    )

    def go() -> None:
        runs.look_after()
        work(workplace)
        runs.look_after()

    return go


def events(text: str) -> list[tuple[str, str, dict]]:  # type: ignore[type-arg]
    """Number, kind and data of each."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "data" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


def test_a_run_is_asked_for_and_told_of(world: World, workplace: Workplace, workers: Callable[[], None]) -> None:
    receive(workplace, *calls(2), SILENT)
    receive(workplace, b"13800138000 recorded")
    manager = world.clients[Role.MANAGER]
    made = manager.post("/v1/batches", json={})
    assert made.status_code == 201
    assert made.json()["progress"]["calls"] == 4
    again = manager.post("/v1/batches", json={})
    assert again.json()["id"] == made.json()["id"], "the same that has not ended goes on"
    workers()
    run = manager.get(made.headers["location"]).json()
    assert (run["state"], run["summary"]["scored"], run["summary"]["failed"]) == ("done", 3, 1)
    assert run["summary"]["failures"] == {"silent_audio": 1}
    assert [one["code"] for one in run["failed_recordings"]] == ["silent_audio"]
    assert run["created_at"].endswith("Z")
    assert [one["id"] for one in manager.get("/v1/batches").json()["items"]] == [run["id"]]
    retried = manager.post(f"/v1/batches/{run['id']}/retry", json={})
    assert (retried.json()["count"], retried.json()["batch"]["state"]) == (1, "running")
    (event,) = world.clients[Role.AUDITOR].get("/v1/audit", params={"action": "batch.create"}).json()["items"]
    assert (event["thing_id"], event["name"]) == (str(run["id"]), "manager.user")


def test_numbers_in_file_names_are_masked(world: World, workplace: Workplace, workers: Callable[[], None]) -> None:
    workplace.ingest.receive(workplace.file("20260317_13800138000.wav", SILENT), None)
    made = world.clients[Role.SERVICE].post("/v1/batches", json={})
    workers()
    path = made.headers["location"]
    (seen,) = world.clients[Role.MANAGER].get(path).json()["failed_recordings"]
    (masked,) = world.clients[Role.SERVICE].get(path).json()["failed_recordings"]
    assert seen["name"] == "20260317_13800138000.wav"
    assert "13800138000" not in masked["name"]
    assert masked["name"].endswith("8000.wav")


def test_a_run_is_taken_back(world: World, workplace: Workplace) -> None:
    receive(workplace, *calls(2))
    manager = world.clients[Role.MANAGER]
    path = manager.post("/v1/batches", json={"rescore": True}).headers["location"]
    assert manager.post(f"{path}/cancel").json()["state"] == "cancelled"
    assert manager.post(f"{path}/cancel").status_code == 200, "twice is once"
    retried = manager.post(f"{path}/retry", json={})
    assert (retried.status_code, retried.json()["code"]) == (409, "batch_run_ended")
    assert manager.post("/v1/batches/999/cancel").json()["code"] == "batch_run_not_found"


def test_what_contradicts_itself_is_refused(world: World) -> None:
    manager = world.clients[Role.MANAGER]
    for sent, code in (
        ({"force": True, "rescore": True}, "batch_run_invalid"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "date_invalid"),
        ({"pack": "service-fr"}, "pack_unknown"),
        ({"pack": "/etc"}, "pack_unknown"),
        ({"since": "2026-11-02T00:00:00"}, "request_invalid"),
    ):
        answer = manager.post("/v1/batches", json=sent)
        assert (answer.status_code, answer.json()["code"]) == (422, code), sent
    assert manager.get("/v1/batches").json()["items"] == []
    assert manager.post("/v1/batches", json={"pack": "service-zh"}).json()["selection"]["pack"] == "service-zh"


def test_an_account_of_a_team_has_runs_of_this_team(world: World, workplace: Workplace) -> None:
    receive(workplace, b"one", team="A")
    receive(workplace, b"two", team="B")
    everybody = world.clients[Role.MANAGER]
    other = everybody.post("/v1/batches", json={"team": "B"}).headers["location"]
    assert everybody.post("/v1/batches", json={}).status_code == 201
    manager = of(world, Role.MANAGER, Scope(teams=frozenset({"A"})))
    for sent in ({}, {"team": "B"}):
        answer = manager.post("/v1/batches", json=sent)
        assert (answer.status_code, answer.json()["code"]) == (422, "team_unknown")
    own = manager.post("/v1/batches", json={"team": "A"}).json()
    assert [one["id"] for one in manager.get("/v1/batches").json()["items"]] == [own["id"]]
    for method, path in (("GET", other), ("POST", f"{other}/cancel"), ("GET", f"{other}/events")):
        assert manager.request(method, path).json()["code"] == "batch_run_not_found"
    assert manager.post(f"{other}/retry", json={}).json()["code"] == "batch_run_not_found"


def test_progress_is_told_until_the_run_has_ended(
    world: World, workplace: Workplace, workers: Callable[[], None]
) -> None:
    receive(workplace, *calls(2))
    manager = world.clients[Role.MANAGER]
    path = manager.post("/v1/batches", json={}).headers["location"]
    worker = threading.Timer(0.5, workers)
    worker.start()
    answer = manager.get(f"{path}/events")
    worker.join()
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.text)
    assert [kind for _, kind, _ in told] == ["progress"] * (len(told) - 1) + ["ended"]
    assert (told[0][2]["state"], told[-1][2]["state"]) == ("filling", "done")
    assert told[-1][2] == {key: value for key, value in manager.get(path).json().items() if key in told[-1][2]}
    last = told[-1][0]
    assert manager.get(f"{path}/events", headers={"Last-Event-ID": last}).status_code == 204
    late = events(manager.get(f"{path}/events", headers={"Last-Event-ID": told[0][0]}).text)
    assert [(number, kind) for number, kind, _ in late] == [(last, "ended")]


def test_who_has_the_latest_state_is_not_told_again(world: World, workplace: Workplace) -> None:
    receive(workplace, b"call")
    world.site.followers.lasts_s = 0.1
    manager = world.clients[Role.MANAGER]
    path = manager.post("/v1/batches", json={}).headers["location"]
    ((number, _, _),) = events(manager.get(f"{path}/events").text)
    assert events(manager.get(f"{path}/events", headers={"Last-Event-ID": number}).text) == []


@contextmanager
def served(world: World) -> Iterator[str]:
    """The same application behind a real server."""
    server = uvicorn.Server(
        uvicorn.Config(
            world.app.app, port=free_port(), log_config=None, lifespan="off", timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.config.port}"
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def test_only_so_many_follow_and_who_leaves_makes_room(world: World, workplace: Workplace) -> None:
    receive(workplace, b"call")
    manager: TestClient = world.clients[Role.MANAGER]
    path = manager.post("/v1/batches", json={}).headers["location"] + "/events"
    with served(world) as url, httpx.Client(base_url=url, headers=manager.headers, timeout=10) as client:
        streams = [client.stream("GET", path) for _ in range(9)]
        answers = [stream.__enter__() for stream in streams]
        assert [answer.status_code for answer in answers] == [200] * 8 + [503]
        assert json.loads(answers[8].read())["code"] == "too_many_followers"
        for stream in streams:
            stream.__exit__(None, None, None)
        deadline = time.monotonic() + 5
        while True:
            with client.stream("GET", path) as answer:
                if answer.status_code == 200:
                    lines = answer.iter_lines()
                    assert any(line.startswith("event: progress") for line in lines)
                    break
            assert time.monotonic() < deadline, "nobody follows any more"
            time.sleep(0.05)
        # While somebody waits no connection of the database is held.
        assert world.site.database._engine.pool.checkedout() == 0  # type: ignore[attr-defined]
