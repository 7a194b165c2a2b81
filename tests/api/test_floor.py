"""Floor control through HTTP."""

import json
from datetime import date, datetime, time, timedelta

from qa_service.domain.access import Role
from qa_service.domain.imports import ImportKind
from tests.api.conftest import World
from tests.api.test_review import ok, refused
from tests.cli import qa
from tests.qa_service.importing import add_agents, bring_in, imports_of

AGENTS = {"1024": "A", "2048": "B"}


def fill(world: World, first: date = date(2026, 10, 5)) -> None:
    """Six days of an agent in each of two teams."""
    add_agents(world.site.database, AGENTS, {"A": "V", "B": None})
    rows = ["agent_id,state,started_at,duration\n"]
    for agent in AGENTS:
        for number in range(6):
            at = datetime.combine(first, time(9)) + timedelta(days=number)
            for state, seconds in (("talk", 5000), ("after_call", 700), ("break", 600), ("idle", 900)):
                rows.append(f"{agent},{state},{at},{seconds + number}\n")
                at += timedelta(seconds=seconds + number)
    bring_in(imports_of(world.site.database), ImportKind.AGENT_STATES, "".join(rows))


def test_figures_charts_and_alerts(world: World) -> None:
    fill(world)
    manager, leader = world.clients[Role.MANAGER], world.clients[Role.LEADER]
    asked = {"since": "2026-10-05", "until": "2026-10-11"}
    told = ok(manager.get("/v1/floor/figures", params=asked))
    assert [line["key"] for line in told["lines"]] == ["A", "B"]
    figures = {each["measure"]: each for each in told["lines"][0]["figures"]}
    assert figures["utilisation"]["standing"] == "within"
    assert figures["aht_s"]["days"] == 6
    own = ok(leader.get("/v1/floor/figures", params={**asked, "by": "agent", "period": "day"}))
    assert {line["key"] for line in own["lines"]} == {"1024"}
    assert ok(leader.get("/v1/floor/figures", params={**asked, "team": "B"}))["lines"] == []
    chart = ok(manager.get("/v1/floor/charts/aht_s", params=asked))
    assert (chart["cause"], len(chart["points"]), chart["alarms"]) == ("too_few", 6, [])
    assert ok(manager.get("/v1/floor/charts/break_rate", params=asked))["target"] == {"low": 0.08, "high": 0.09}
    compared = ok(manager.get("/v1/floor/teams", params=asked))
    assert (compared["between"]["agents"], compared["between"]["standing"]) == (2, "too_few")
    teams = compared["teams"]
    assert [(each["team"], each["breaks"]["standing"]) for each in teams] == [("A", "too_few"), ("B", "too_few")]
    alerts = ok(manager.get("/v1/floor/alerts", params={"until": "2026-10-11"}))["items"]
    assert {(each["team"], each["measure"], each["test"]) for each in alerts} == {
        ("A", "off_calls", "target"),
        ("B", "off_calls", "target"),
    }
    assert ok(manager.get("/v1/floor/alerts", params={"until": "2026-01-11"}))["items"] == []


def test_what_is_refused(world: World) -> None:
    manager = world.clients[Role.MANAGER]
    wrong = {"since": "2026-10-11", "until": "2026-10-05"}
    for path in ("figures", "teams", "charts/aht_s"):
        refused(manager.get(f"/v1/floor/{path}", params=wrong), 422, "date_invalid")
    assert ok(manager.get("/v1/floor/alerts", params={"until": "0001-01-03"}))["items"] == []
    refused(manager.get("/v1/floor/charts/mood"), 422, "request_invalid")
    refused(world.clients[Role.AGENT].get("/v1/floor/figures"), 403, "permission_denied")


def test_the_command(world: World) -> None:
    today = world.site.clock.now().astimezone(world.site.settings.zone).date()
    fill(world, today - timedelta(days=6))
    settings = world.site.settings
    store = {"QA_DATABASE_URL": settings.resolved_database_url}
    shown = qa("floor", data=settings.data_dir, **store)
    assert (shown.returncode, "off_calls" in shown.stdout) == (0, True), shown.stderr
    told = qa("floor", "--format", "json", data=settings.data_dir, **store)
    alerts = [json.loads(line) for line in told.stdout.splitlines()]
    assert {(each["team"], each["measure"], each["cause"], each["advice"]) for each in alerts} == {
        ("A", "off_calls", "common", "change_system"),
        ("B", "off_calls", "common", "change_system"),
    }
