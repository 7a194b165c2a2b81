"""Pages of figures in the console: the reports that one may have, and an agent's page."""

from dataclasses import replace
from datetime import timedelta

import pytest

from qa_service.domain.access import Role
from qa_service.domain.results import Outcome
from qa_service.domain.review import Decision
from qa_service.services.sign_in import principal_of
from tests.api.calls import TOLD, add_call
from tests.api.conftest import World
from tests.api.test_console import signed_in
from tests.qa_service import reviewing


def test_the_page_of_reports_opens_them(world: World) -> None:
    browser = signed_in(world, Role.MANAGER)
    page = browser.get("/console/reports").text
    assert '<option value="rules">' in page
    asked = {"kind": "daily", "subject": "ignored", "month": "2026-10", "format": "html"}
    report = browser.get("/console/reports/open", params=asked)
    assert report.url.path == "/v1/reports/daily"
    assert (report.status_code, report.headers["content-type"]) == (200, "text/html; charset=utf-8")
    asked = {"kind": "team", "subject": "A&month=2020-01", "format": "json"}
    assert browser.get("/console/reports/open", params=asked).json()["code"] == "team_not_found"
    assert signed_in(world, Role.AGENT).get("/console/reports").status_code == 403


def test_an_agent_sees_the_own_page_and_no_other(world: World) -> None:
    site = world.site
    at = site.clock.now() - timedelta(days=3)
    call = add_call(site, "a", replace(TOLD, started_at=at))
    add_call(site, "b", replace(TOLD, agent_id="2048", agent_name="<i>陈</i>", started_at=at))
    site.figures.recount()
    browser = signed_in(world, Role.AGENT)
    page = browser.get("/console/agents/1024")
    assert page.status_code == 200
    assert f'href="/console/calls/{call.recording_id}"' in page.text
    assert "/v1/reports/mine?format=html" in page.text
    assert "通话太少" in page.text
    assert browser.get("/console/agents/2048").status_code == 404
    manager = signed_in(world, Role.MANAGER)
    shown = manager.get("/console/agents/2048").text
    assert "&lt;i&gt;" in shown
    assert "<i>" not in shown
    assert "/v1/reports/agent?subject=2048&amp;format=html" in shown


def test_a_rejected_finding_is_no_evidence(world: World) -> None:
    site = world.site
    told = replace(TOLD, started_at=site.clock.now() - timedelta(days=3))
    answers = reviewing.results(opening=Outcome.NOT_MET)
    call = reviewing.Site(site.database).call("one", answers, metadata=told)
    site.figures.recount()
    browser = signed_in(world, Role.MANAGER)
    link = f'href="/console/calls/{call}"'
    assert link in browser.get("/console/agents/1024").text
    inspector = principal_of(world.users[Role.INSPECTOR], via="command")
    site.review.claim(inspector, call)
    with site.units_to_read() as unit:
        (finding,) = unit.verdicts.sheet(call).findings
    site.review.decide(inspector, finding.id, Decision.REJECT, reason="misheard")
    site.figures.recount()
    assert link not in browser.get("/console/agents/1024").text


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SERVICE])
def test_who_reads_no_calls_sees_no_agent(world: World, role: Role) -> None:
    add_call(world.site)
    answer = world.clients[role].get("/console/agents/1024")
    assert answer.status_code == (403 if role is Role.ADMIN else 200)
