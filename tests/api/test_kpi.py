"""KPIs through HTTP."""

import json

import pytest
from typer.testing import CliRunner

from qa_service.domain.access import Role
from qa_service.domain.imports import ImportKind
from tests.api.conftest import World
from tests.api.test_review import ok, refused
from tests.qa_service.importing import add_agents, bring_in, imports_of
from worker.cli import app

MONTH = "/v1/kpi/months/2026-03"
SAID = {"agent_id": "1024", "month": "2026-03", "appraiser": "superior", "points": 85}


def fill(world: World) -> None:
    add_agents(world.site.database, {"1024": "A", "2048": "B"}, {"A": "V", "B": None})
    table = "agent_id,period,volume\n1024,2026-03,1400\n2048,2026-03,700\n"
    bring_in(imports_of(world.site.database), ImportKind.KPI_FIGURES, table)


def test_a_month_is_read_appraised_and_closed(world: World) -> None:
    fill(world)
    manager, leader, agent = (world.clients[role] for role in (Role.MANAGER, Role.LEADER, Role.AGENT))
    said = leader.post("/v1/appraisals", json=SAID, headers={"Idempotency-Key": "k"})
    assert ok(said, 201) == ok(leader.post("/v1/appraisals", json=SAID, headers={"Idempotency-Key": "k"}), 201)
    ok(agent.post("/v1/appraisals", json={**SAID, "appraiser": "self", "points": 95}), 201)
    listed = ok(agent.get(said.headers["location"]))["items"]
    assert [(each["appraiser"], each["points"]) for each in listed] == [("superior", 85), ("self", 95)]

    open_month = manager.get(MONTH)
    told = ok(open_month)
    assert [each["agent_id"] for each in told["items"]] == ["1024", "2048"]
    assert told["items"][0]["kpi"]["standing"] == "too_few_calls"
    assert (told["closing"], told["month"]) == (None, "2026-03")
    assert [each["agent_id"] for each in ok(leader.get(MONTH))["items"]] == ["1024"]

    refused(manager.post(f"{MONTH}/closings", json={}), 428, "precondition_required")
    seen = {"If-Match": open_month.headers["etag"]}
    closed = manager.post(f"{MONTH}/closings", json={}, headers=seen)
    assert ok(closed, 201)["number"] == 1
    refused(manager.post(f"{MONTH}/closings", json={"note": "x"}, headers=seen), 412, "stale_version")
    refused(
        manager.post(f"{MONTH}/closings", json={}, headers={"If-Match": closed.headers["etag"]}),
        422,
        "reason_missing",
    )
    assert ok(manager.get(closed.headers["location"]))["items"] == told["items"]
    assert len(ok(manager.get(f"{MONTH}/closings"))["items"]) == 1
    refused(leader.post("/v1/appraisals", json=SAID), 409, "kpi_month_closed")
    year = ok(agent.get("/v1/kpi/agents/1024?year=2026"))
    assert [(each["month"], each["closed"]) for each in year["months"]] == [("2026-03", True)]
    assert year["year"] == {"months": 0, "value": None, "interval": None}


def test_what_is_refused(world: World) -> None:
    fill(world)
    manager, leader, agent = (world.clients[role] for role in (Role.MANAGER, Role.LEADER, Role.AGENT))
    refused(agent.post("/v1/appraisals", json=SAID), 403, "appraiser_invalid")
    refused(leader.post("/v1/appraisals", json={**SAID, "agent_id": "2048"}), 404, "agent_not_found")
    for wrong in ({"points": 101}, {"points": "85"}, {"month": "2026-13"}, {"appraiser": "customer"}, {"x": 1}):
        refused(leader.post("/v1/appraisals", json={**SAID, **wrong}), 422, "request_invalid")
    refused(agent.get("/v1/kpi/agents/2048"), 404, "agent_not_found")
    refused(agent.get("/v1/appraisals?agent_id=2048&month=2026-03"), 404, "agent_not_found")
    refused(leader.post(f"{MONTH}/closings", json={}, headers={"If-Match": "*"}), 403, "permission_denied")
    refused(
        manager.post("/v1/kpi/months/2099-01/closings", json={}, headers={"If-Match": "*"}), 422, "period_not_over"
    )
    refused(manager.get("/v1/kpi/months/2026-13"), 422, "request_invalid")
    refused(manager.get(f"{MONTH}?number=3"), 422, "kpi_closing_unknown")


def test_the_command(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world)
    monkeypatch.setenv("QA_DATA_DIR", str(world.site.settings.data_dir))
    monkeypatch.setenv("QA_DATABASE_URL", world.site.settings.resolved_database_url)
    run = CliRunner().invoke(app, ["kpi", "2026-03", "--format", "json"])
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(each["agent_id"], each["standing"], each["closed"]) for each in lines] == [
        ("1024", "too_few_calls", False),
        ("2048", "too_few_calls", False),
    ]
    shown = CliRunner().invoke(app, ["kpi", "2026-03", "--team", "A"])
    assert "1024" in shown.stdout
    assert "2048" not in shown.stdout
    assert CliRunner().invoke(app, ["kpi", "march"]).exit_code != 0
