"""Scores and faults over time through the API, and an agent's page."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.site import Site
from qa_service.domain.access import Role
from tests.api.calls import NOON, TOLD, add_call
from tests.api.conftest import World
from tests.clocks import ManualClock

DAYS = {"since": "2026-11-01", "until": "2026-12-01"}


def add(
    site: Site, agent: str, scores: list[float], *, team: str = "A", days_ago: int = 0, vendor: str = "V"
) -> None:
    """Calls of one day."""
    for n, score in enumerate(scores):
        at = NOON - timedelta(days=days_ago) + timedelta(minutes=n)
        told = replace(TOLD, agent_id=agent, agent_name=agent, team=team, vendor=vendor, started_at=at)
        add_call(site, f"{agent} {days_ago} {n}", told, score=score)


@pytest.fixture
def counted(world: World) -> World:
    """Three days of one agent, who has calls enough, and two colleagues."""
    site = world.site
    site.figures.min_calls = 4
    site.figures._clock = ManualClock(NOON)  # today is the day of the calls
    for days_ago, scores in ((0, [80.0, 90.0]), (1, [70.0, 60.0]), (40, [50.0])):
        add(site, "1024", scores, days_ago=days_ago)
    add(site, "2048", [100.0, 100.0])
    add(site, "4096", [40.0], team="B", vendor="W")
    site.figures.recount()
    return world


def ask(world: World, role: Role, path: str, **asked: Any) -> Any:
    answer = world.clients[role].get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_means_come_with_intervals_or_are_too_few(counted: World) -> None:
    found = ask(counted, Role.MANAGER, "/v1/figures/scores", by="agent", **DAYS)
    assert (found["period"], found["min_calls"], found["waiting"]) == ("month", 4, 0)
    lines = {line["agent_id"]: line for line in found["lines"]}
    assert (lines["1024"]["starts"], lines["1024"]["team"]) == ("2026-11-01", None)
    own = lines["1024"]["score"]
    assert (own["scored"], own["enough"], own["mean"]) == (4, True, 75.0)
    # Two days with means of 85 and 65, and Student's t of one degree of freedom.
    assert (own["interval"]["low"], own["interval"]["high"]) == (0.0, 100.0)
    few = lines["2048"]["score"]
    assert (few["scored"], few["enough"], few["mean"], few["interval"]) == (2, False, None, None)
    whole = ask(counted, Role.MANAGER, "/v1/figures/scores", period="whole", **DAYS)["lines"]
    assert [(line["agent_id"], line["score"]["calls"]) for line in whole] == [(None, 7)]
    assert 0 < whole[0]["score"]["interval"]["low"] < whole[0]["score"]["mean"]


def test_several_groupings_periods_and_filters(counted: World) -> None:
    lines = ask(counted, Role.MANAGER, "/v1/figures/scores", by=["team", "vendor", "team"], period="day")["lines"]
    told = [(line["team"], line["vendor"], line["starts"], line["score"]["calls"]) for line in lines]
    assert told == [
        ("A", "V", "2026-10-11", 1),
        ("A", "V", "2026-11-19", 2),
        ("A", "V", "2026-11-20", 4),
        ("B", "W", "2026-11-20", 1),
    ]
    only = ask(counted, Role.MANAGER, "/v1/figures/scores", team="B", queue="billing")["lines"]
    assert [line["score"]["calls"] for line in only] == [1]
    assert ask(counted, Role.MANAGER, "/v1/figures/scores", agent_id="nobody")["lines"] == []


def test_faults_by_rule(counted: World) -> None:
    found = ask(counted, Role.MANAGER, "/v1/figures/faults", agent_id="1024", **DAYS)["lines"]
    assert [line["rule"] for line in found] == ["opening", "privacy"]
    privacy = found[1]["found"]
    assert (privacy["calls"], privacy["faults"], privacy["confirmed"], privacy["unreviewed"]) == (4, 4, 0, 4)
    assert privacy["rate"]["value"] == 1.0
    only = ask(counted, Role.MANAGER, "/v1/figures/faults", by="agent", rule=["opening", "other"], **DAYS)["lines"]
    assert {(line["agent_id"], line["rule"], line["found"]["enough"]) for line in only} == {
        ("1024", "opening", True),
        ("2048", "opening", False),
        ("4096", "opening", False),
    }


def test_everybody_sees_the_own_scope(counted: World) -> None:
    def seen(role: Role) -> set[str]:
        found = ask(counted, role, "/v1/figures/scores", by="agent")["lines"]
        rules = ask(counted, role, "/v1/figures/faults", by="agent")["lines"]
        assert {line["agent_id"] for line in rules} == {line["agent_id"] for line in found}
        return {line["agent_id"] for line in found}

    assert seen(Role.MANAGER) == {"1024", "2048", "4096"}
    assert seen(Role.LEADER) == {"1024", "2048"}
    assert seen(Role.AGENT) == {"1024"}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"since": "2026-12-01", "until": "2026-12-01"}, "date_invalid"),
        ({"until": "0001-01-01"}, "date_invalid"),
        ({"since": "1767225600"}, "request_invalid"),
        ({"since": "2026-02-30"}, "request_invalid"),
        ({"period": "year"}, "request_invalid"),
        ({"by": "customer"}, "request_invalid"),
    ],
)
def test_what_cannot_be_told(shared_world: World, asked: dict[str, str], code: str) -> None:
    for path in ("/v1/figures/scores", "/v1/figures/faults"):
        answer = shared_world.clients[Role.MANAGER].get(path, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_an_answer_has_a_size(counted: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routers.figures.MOST_LINES", 2)
    answer = counted.clients[Role.MANAGER].get("/v1/figures/scores", params={"by": "agent"})
    assert (answer.status_code, answer.json()["code"]) == (422, "figures_too_many")


def test_the_page_of_an_agent(counted: World) -> None:
    page = ask(counted, Role.LEADER, "/v1/agents/1024/page", months=3)
    assert (page["agent"]["agent_id"], page["today"], page["peers"]) == ("1024", "2026-11-20", 1)
    assert [(month["starts"], month["own"]["scored"]) for month in page["months"]] == [
        ("2026-09-01", 0),
        ("2026-10-01", 1),
        ("2026-11-01", 4),
    ]
    assert page["months"][2]["own"]["mean"] == 75.0
    assert (page["months"][2]["team"]["scored"], page["months"][0]["team"]) == (2, None)
    privacy, opening = page["rules"]
    assert (privacy["rule"], opening["rule"]) == ("privacy", "opening")
    assert (privacy["lately"]["faults"], privacy["before"]["faults"], privacy["team"]["faults"]) == (4, 1, 2)
    assert (privacy["lately"]["enough"], privacy["before"]["rate"]) == (True, None)
    assert (page["before_since"], page["lately_since"]) == ("2026-07-31", "2026-10-23")


def test_an_agent_makes_no_single_colleague_out(counted: World) -> None:
    page = ask(counted, Role.AGENT, "/v1/agents/1024/page")
    assert page["months"][-1]["own"]["mean"] == 75.0
    assert {month["team"] is None for month in page["months"]} == {True}
    assert {rule["team"] is None for rule in page["rules"]} == {True}
    for other in ("1", "2"):
        add(counted.site, other, [60.0, 60.0])
    counted.site.figures.recount()
    page = ask(counted, Role.AGENT, "/v1/agents/1024/page")
    assert (page["peers"], page["months"][-1]["team"]["scored"]) == (3, 6)
    assert [rule["team"]["calls"] for rule in page["rules"]] == [6, 6]
    hidden = counted.clients[Role.AGENT].get("/v1/agents/2048/page")
    nobody = counted.clients[Role.AGENT].get("/v1/agents/nobody/page")
    assert hidden.status_code == nobody.status_code == 404
    assert hidden.json()["code"] == nobody.json()["code"] == "agent_not_found"
    assert counted.clients[Role.LEADER].get("/v1/agents/4096/page").status_code == 404
