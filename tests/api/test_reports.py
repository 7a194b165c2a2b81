"""Reports through HTTP: within the scope, in three formats, on the audit trail."""

import json
from datetime import date, timedelta

import pytest

from qa_service.domain.access import Role
from tests.api.conftest import World
from tests.qa_service.adapters.reporting.pages import page_of, workbook_of
from tests.qa_service.services.reporting.figures import Counted, write_days

FIRST = date(2026, 10, 5)
OCTOBER = {"month": "2026-10"}


def know(world: World, *agents: tuple[str, str, str]) -> None:
    """A week of twenty calls a day for each agent, team and vendor."""
    calls = [
        Counted(FIRST + timedelta(days=day), *whose, score=80.0 + number % 3, rules={"opening": "fault"})
        for whose in agents
        for day in range(5)
        for number in range(20)
    ]
    with world.site.database.unit_of_work() as unit:
        write_days(unit.session, calls)
        unit.commit()


def side_by_side(document: dict[str, object]) -> list[str]:
    text = json.dumps(document)
    assert '"by_agent"' in text
    tables = [
        block
        for section in document["sections"]  # type: ignore[attr-defined]
        for block in section["blocks"]
        if block["type"] == "table" and block["title"]["code"] == "by_agent"
    ]
    return [row[0] for row in tables[0]["rows"]]


def test_a_report_has_three_formats(world: World) -> None:
    know(world, ("1024", "A", "V"), ("1025", "A", "V"))
    manager = world.clients[Role.MANAGER]
    asked = {**OCTOBER, "subject": "A", "language": "en"}
    assert side_by_side(manager.get("/v1/reports/team", params=asked).json()) == ["1024", "1025"]
    page = manager.get("/v1/reports/team", params={**asked, "format": "html"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page_of(page.content).tables["Agents side by side"][2][:3] == ["1025", "Name 1025", "100"]
    book = manager.get("/v1/reports/team", params={**asked, "format": "xlsx"})
    assert book.headers["content-disposition"] == 'attachment; filename="team-A-2026-10.xlsx"'
    assert workbook_of(book.content)["Agents side by side"][2][:3] == ["1025", "Name 1025", 100]
    chinese = manager.get("/v1/reports/team", params={**OCTOBER, "subject": "A", "format": "html"})
    assert "坐席对照" in page_of(chinese.content).tables


def test_nobody_gets_a_report_beyond_the_scope(world: World) -> None:
    know(world, ("1024", "A", "V"), ("2048", "B", "W"))
    leader = world.clients[Role.LEADER]
    assert leader.get("/v1/reports/team", params={**OCTOBER, "subject": "A"}).status_code == 200
    for kind, name in (("team", "B"), ("agent", "2048"), ("agent", "nobody"), ("vendor", "W")):
        refused = leader.get(f"/v1/reports/{kind}", params={**OCTOBER, "subject": name})
        assert (refused.status_code, refused.json()["code"]) == (404, f"{kind}_not_found")
    days = leader.get("/v1/reports/daily", params={"since": "2026-10-05", "until": "2026-10-05"})
    assert side_by_side(days.json()) == ["1024"]


def test_some_kinds_need_more(world: World) -> None:
    kinds = {
        role: {item["kind"] for item in world.clients[role].get("/v1/reports").json()["items"]}
        for role in (Role.MANAGER, Role.LEADER, Role.INSPECTOR)
    }
    assert kinds[Role.MANAGER] >= {"rules", "vendor", "agent", "sales"}
    assert "rules" not in kinds[Role.LEADER]
    assert "vendor" not in kinds[Role.INSPECTOR]
    refused = world.clients[Role.LEADER].get("/v1/reports/rules")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


def test_an_agent_has_the_own_scorecard_and_the_team_only_as_a_crowd(world: World) -> None:
    know(world, ("1024", "A", "V"), ("1025", "A", "V"), ("1026", "A", "V"))
    agent = world.clients[Role.AGENT]
    assert agent.get("/v1/reports/agent", params={"subject": "1024"}).status_code == 403

    def others() -> object:
        document = agent.get("/v1/reports/mine", params=OCTOBER).json()
        assert document["subject"] == "1024"
        figures = next(b for s in document["sections"] for b in s["blocks"] if "columns" in b)
        means = next(row for row in figures["rows"] if row[0]["code"] == "mean_score")
        assert means[1]["value"] == pytest.approx(80.95)
        return means[3]["value"]

    assert others() is None  # with two others each could tell the other's
    know(world, ("1027", "A", "V"))
    assert others() == pytest.approx(80.95)
    assert world.clients[Role.MANAGER].get("/v1/reports/mine").status_code == 404


def test_who_asked_for_which_report_is_known(world: World) -> None:
    know(world, ("1024", "A", "V"))
    world.clients[Role.MANAGER].get("/v1/reports/agent", params={**OCTOBER, "subject": "1024"})
    events = world.clients[Role.AUDITOR].get("/v1/audit", params={"action": "report.make"}).json()["items"]
    assert [(event["thing_id"], event["detail"]["span"]) for event in events] == [("1024", "2026-10")]


@pytest.mark.parametrize(
    ("path", "asked", "status", "code"),
    [
        ("team", {}, 422, "report_subject_missing"),
        ("rules", {"subject": "A"}, 422, "report_subject_unwanted"),
        ("rules", {"month": "2026-13"}, 422, "request_invalid"),
        ("rules", {"month": "2026-10", "since": "2026-10-01"}, 422, "report_period_invalid"),
        ("rules", {"since": "0001-01-01"}, 422, "report_period_invalid"),
        ("rules", {"until": "9999-12-31"}, 422, "report_period_invalid"),
        ("nothing", {}, 422, "request_invalid"),
    ],
)
def test_what_is_no_report_is_refused(
    shared_world: World, path: str, asked: dict[str, str], status: int, code: str
) -> None:
    refused = shared_world.clients[Role.MANAGER].get(f"/v1/reports/{path}", params=asked)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
