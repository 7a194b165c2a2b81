"""The loop of coaching, through the API and the command: findings, list, session, assessment, effect, record.

The calls are simulated, with planted facts; everything after them is done as people do it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.site import Site
from qa_service.domain.access import PERMISSIONS, Role, Scope
from qa_service.services.sign_in import principal_of
from qa_service.settings import Settings
from tests.api.conftest import client_of
from tests.api.test_review import ok
from tests.cli import json_lines, qa
from tests.simulation.half_year import Planted, Training, simulate
from tests.simulation.store import write

DAYS = 126


@dataclass(frozen=True)
class Centre:
    """A call centre of simulated calls that end today. ``planted``: what is true of them."""

    data: Path
    site: Site
    app: TestClient
    planted: Planted
    trainer: TestClient
    trainer_id: int

    def somebody(self, name: str, role: Role, scope: Scope) -> TestClient:
        return _signed_in(self.site, self.app, name, role, scope)[0]


def _signed_in(site: Site, app: TestClient, name: str, role: Role, scope: Scope) -> tuple[TestClient, int]:
    user = site.accounts.create("test", name, roles=[role], scope=scope)
    until = site.clock.now() + timedelta(days=1)
    secret, _ = site.sign_in.issue_token(
        principal_of(user, via="command"), "all", PERMISSIONS[role], expires_at=until
    )
    return client_of(app, secret), user.id


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    data = tmp_path_factory.mktemp("coaching") / "data"
    settings = Settings(data_dir=data, database_url=None)
    with TestClient(create_app(settings), raise_server_exceptions=False) as app:
        site: Site = app.app.state.site  # type: ignore[attr-defined]
        today = site.clock.now().astimezone(settings.zone).date()
        year = simulate(
            21,
            agents=24,
            teams=3,
            days=DAYS,
            calls_a_day=4,
            starts=today - timedelta(days=DAYS),
            special_odds=12.0,
            helps_odds=0.2,
        )
        write(site.database, year)
        trainer, trainer_id = _signed_in(site, app, "trainer", Role.TRAINER, Scope())
        yield Centre(data, site, app, year.planted, trainer, trainer_id)


def command(centre: Centre, *arguments: str) -> list[dict[str, Any]]:
    done = qa(*arguments, data=centre.data)
    assert done.returncode == 0, done.stderr
    return json_lines(done.stdout)


def counted(centre: Centre) -> None:
    done = qa("figures", "recount", data=centre.data)
    assert done.returncode == 0, done.stderr


def step(client: TestClient, path: str, to: str, body: dict[str, Any], *, read: str = "") -> Any:
    tag = client.get(read or path).headers["etag"]
    return ok(client.post(f"{path}/{to}", json=body, headers={"If-Match": tag}))


def session(centre: Centre, subject: str, day: date, agents: list[str]) -> int:
    """A session that took place on ``day``, with all of these agents."""
    begins = datetime.combine(day, time(), tzinfo=UTC)
    body = {
        "subject": subject,
        "title": f"{subject} {day}",
        "starts_at": begins.isoformat(),
        "ends_at": (begins + timedelta(hours=1)).isoformat(),
        "trainer_id": centre.trainer_id,
        "agents": agents,
    }
    made = ok(centre.trainer.post("/v1/training/sessions", json=body), 201)["session"]["id"]
    step(centre.trainer, f"/v1/training/sessions/{made}", "attendance", {"there": agents})
    assert isinstance(made, int)
    return made


def test_the_loop(centre: Centre) -> None:
    counted(centre)
    listed = command(centre, "coaching", "list", "--refresh", "--format", "json")

    # Findings: who stands out was planted, and nobody else is said to.
    named = {
        (line["agent_id"], rule["rule"])
        for line in listed
        for rule in line["rules"]
        if line["for"] == "agent" and rule["cause"] == "special"
    }
    true = {(each.agent, each.rule) for each in centre.planted.special}
    assert named <= true
    lines = [line for line in listed if any((line["agent_id"], r["rule"]) in named for r in line["rules"])]
    assert lines, "somebody with a planted cause is found"
    line = lines[0]
    agent_id, module = line["agent_id"], line["module"]
    assert {clip["kind"] for clip in line["clips"]} >= {"fault"}
    assert all(clip["agent_id"] == agent_id for clip in line["clips"] if clip["kind"] == "fault")

    # Assigned, held by a session, acknowledged by the agent.
    path, own = f"/v1/coaching/{line['id']}", f"/v1/coaching/mine/{line['id']}"
    agent = centre.somebody("agent", Role.AGENT, Scope(agent_id=agent_id))
    assert ok(agent.get("/v1/coaching/mine"))["items"] == []
    step(centre.trainer, path, "assign", {"assigned_to": centre.trainer_id}, read=path)
    today = centre.site.clock.now().astimezone(UTC).date()
    number = session(centre, module, today, [agent_id])
    assert ok(centre.trainer.get(path))["state"] == "held"
    step(agent, path, "acknowledge", {}, read=own)

    # Assessed: failed, trained again, passed.
    body = {"agent_id": agent_id, "subject": module, "kind": "after", "session_id": number}
    failed = ok(centre.trainer.post("/v1/training/assessments", json={**body, "score": 60}), 201)
    assert (failed["assessment"]["passed"], ok(centre.trainer.get(path))["state"]) == (False, "assigned")
    body["session_id"] = session(centre, module, today, [agent_id])
    passed = ok(centre.trainer.post("/v1/training/assessments", json={**body, "score": 90}), 201)
    assert (passed["assessment"]["passed"], ok(centre.trainer.get(path))["state"]) == (True, "assessed")

    # Did it help? Nobody can tell on the day itself.
    effect = ok(centre.trainer.get(f"{path}/effect"))
    assert (effect["verdict"], effect["module"]) == ("cannot_tell", module)
    assert effect["after"]["total"] == 0

    # On record, and off the list.
    record = ok(agent.get(f"/v1/agents/{agent_id}/training"))
    assert [each["subject"] for each in record["certificates"]] == [module]
    assert [each["score"] for each in record["assessments"]] == [60, 90]
    assert [each["attended"] for each in record["sessions"]] == [True, True]
    step(centre.trainer, path, "steps", {"step": "close"}, read=path)
    left = command(centre, "coaching", "list", "--agent", agent_id, "--format", "json")
    assert line["id"] not in {each["id"] for each in left}
    done = ok(centre.trainer.get(path))["steps"]
    assert [each["to_state"] for each in done] == [
        *("proposed", "assigned", "held", "acknowledged", "assigned", "held", "assessed", "closed"),
    ]


def test_what_sessions_did_to_those_who_were_there(centre: Centre) -> None:
    """One planted module works, the other does nothing."""

    def held(training: Training) -> dict[str, Any]:
        for day in sorted(set(training.sessions.values())):
            session(centre, training.name, day, [who for who, at in training.sessions.items() if at == day])
        told = ok(centre.trainer.get(f"/v1/training/modules/{training.name}/effect"))
        assert isinstance(told, dict)
        return told

    counted(centre)
    helps, idles = held(centre.planted.helps), held(centre.planted.idles)
    assert helps["verdict"] == "helped", helps
    assert helps["points"] < 0.0
    assert helps["points_interval"]["high"] < 0.0
    assert helps["treated"] > 5
    assert helps["peers"] >= 8
    assert idles["verdict"] in ("no_effect", "cannot_tell"), idles
