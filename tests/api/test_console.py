"""The page without a browser: who is let in, what is refused, and that nothing a call holds becomes markup."""

import re
from dataclasses import replace
from html import unescape

import pytest
from fastapi.testclient import TestClient

from qa_service.domain.access import Role
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Evidence, Outcome
from tests.api.conftest import PASSWORD, World
from tests.qa_service import reviewing

TOLD = CallMetadata(agent_id="1024", agent_name="<b>小李</b>", team="A", vendor="V", call_id="<script>")


@pytest.fixture
def call(world: World) -> int:
    """One that is flagged: an open fault and an open doubt."""
    answers = reviewing.results(opening=Outcome.NOT_MET, closing=Outcome.UNDETERMINED)
    quoted = (Evidence(1.0, 2.0, quote="<img src=x onerror=alert(1)>"),)
    answers = (replace(answers[0], evidence=quoted), *answers[1:])
    return reviewing.Site(world.site.database).call("one", answers, metadata=TOLD)


def signed_in(world: World, role: Role) -> TestClient:
    user = world.users[role]
    world.site.accounts.set_password("test", user.id, PASSWORD)
    browser = TestClient(world.app.app, raise_server_exceptions=False)
    answer = browser.post(
        "/console/sign-in", data={"name": user.name, "password": PASSWORD}, follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    return browser


def test_who_is_not_signed_in_is_asked_to(world: World, call: int) -> None:
    answer = world.app.get(f"/console/calls/{call}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/console/sign-in?then=/console/calls/{call}",
    )
    assert world.app.get("/", follow_redirects=False).headers["location"] == "/console/"


@pytest.mark.parametrize("then", ["https://elsewhere.example/", "//elsewhere.example", "/v1/me"])
def test_nobody_is_sent_elsewhere_after_signing_in(world: World, then: str) -> None:
    user = world.users[Role.INSPECTOR]
    world.site.accounts.set_password("test", user.id, PASSWORD)
    sent = {"name": user.name, "password": PASSWORD, "then": then}
    answer = world.app.post("/console/sign-in", data=sent, follow_redirects=False)
    assert answer.headers["location"] == "/console/"


def test_what_a_call_holds_stays_text(world: World, call: int) -> None:
    browser = signed_in(world, Role.INSPECTOR)
    for path in ("/console/", f"/console/calls/{call}"):
        page = browser.get(path)
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert "<b>小李" not in page.text
        assert "<img" not in page.text
        assert "&lt;script&gt;" in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]


def test_a_call_is_taken_decided_and_finished(world: World, call: int) -> None:
    browser = signed_in(world, Role.INSPECTOR)
    reading = browser.get(f"/console/calls/{call}")
    assert "/console/findings/" not in reading.text, "nobody decides about a call that they do not hold"
    taken = browser.post("/console/next")
    assert taken.url.path == f"/console/calls/{call}"
    form = r'action="(/console/findings/\d+)">\s*<input type="hidden" name="version" value="(\d+)"'
    forms = re.findall(form, taken.text)
    fault, doubt = dict.fromkeys(forms)
    refused = browser.post(f"/console/calls/{call}/finish")
    assert refused.status_code == 409
    assert "findings_open" in refused.text
    browser.post(fault[0], data={"decision": "confirm", "version": fault[1]})
    late = browser.post(fault[0], data={"decision": "reject", "reason": "misheard", "version": fault[1]})
    assert (late.status_code, "stale_version" in late.text) == (412, True)
    decided = browser.post(doubt[0], data={"decision": "reject", "reason": "misheard", "version": doubt[1]})
    assert "已确认" in unescape(decided.text)
    assert browser.post(f"/console/calls/{call}/finish").url.path == "/console/"
    sheet = reviewing.Site(world.site.database).sheet(call)
    assert {finding.result.rule: finding.state.value for finding in sheet.findings} == {
        "opening": "confirmed",
        "closing": "rejected",
    }


def test_a_missed_fault_is_added(world: World, call: int) -> None:
    browser = signed_in(world, Role.INSPECTOR)
    browser.post(f"/console/calls/{call}/claim")
    page = browser.post(f"/console/calls/{call}/findings", data={"rule": "argue", "start": "1", "end": "2.5"})
    assert page.status_code == 200
    assert reviewing.Site(world.site.database).finding(call, "argue").state.value == "confirmed"
    outside = browser.post(
        f"/console/calls/{call}/findings", data={"rule": "opening", "start": "1", "end": "9999"}
    )
    assert outside.status_code in (409, 422)


def test_in_english_for_who_reads_english(world: World, call: int) -> None:
    browser = signed_in(world, Role.INSPECTOR)
    page = browser.get(f"/console/calls/{call}", headers={"Accept-Language": "en-GB,en;q=0.8,zh;q=0.5"})
    assert '<html lang="en">' in page.text
    assert "Dialogue" in page.text


@pytest.mark.parametrize(("role", "status"), [(Role.LEADER, 200), (Role.AGENT, 200), (Role.ADMIN, 403)])
def test_others_read_what_they_may(world: World, call: int, role: Role, status: int) -> None:
    browser = signed_in(world, role)
    assert browser.get(f"/console/calls/{call}").status_code == status
    assert browser.post("/console/next").status_code == 403


def test_a_call_of_others_is_none(world: World) -> None:
    other = reviewing.Site(world.site.database).call("other", metadata=CallMetadata(agent_id="7", team="B"))
    for role in (Role.LEADER, Role.AGENT):
        page = signed_in(world, role).get(f"/console/calls/{other}")
        assert (page.status_code, "recording_not_found" in page.text) == (404, True)


def test_forms_of_other_sites_are_refused(world: World, call: int) -> None:
    browser = signed_in(world, Role.INSPECTOR)
    answer = browser.post(f"/console/calls/{call}/claim", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, "cross_site_request" in answer.text) == (403, True)
