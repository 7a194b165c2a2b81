"""The page in a real browser, with the keyboard alone: sign in, hear the evidence, decide, next call."""

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from api.site import Site
from qa_service.domain.access import Role
from qa_service.domain.call import CallMetadata
from qa_service.domain.results import Evidence, Outcome
from qa_service.domain.scoring import fill
from qa_service.services.ingest import Ingest
from qa_service.settings import Settings
from tests import builders
from tests.api.conftest import PASSWORD
from tests.brokers import free_port
from tests.cli import environment
from tests.corpus import ROOT
from tests.qa_service.db.builders import metrics
from tests.qa_service.reviewing import CARD, results

CHROMIUM = Path("/usr/bin/chromium")
EVIDENCE = (2.0, 3.0)

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="needs Debian's chromium: make test-full installs it"
)


@dataclass(frozen=True)
class Served:
    url: str
    site: Site
    calls: tuple[int, ...]


def scored_call(site: Site, example: str) -> int:
    """An example recording with an evaluation that a test knows: an open fault and an open doubt."""
    ingest = Ingest(units=site.units, blobs=site.blobs)
    told = CallMetadata(agent_id="1024", agent_name="小李", team="A", vendor="V")
    recording = ingest.receive(ROOT / "examples" / "calls" / example, told).recording
    answers = results(opening=Outcome.NOT_MET, closing=Outcome.UNDETERMINED)
    answers = (replace(answers[0], evidence=(Evidence(*EVIDENCE, quote="喂"),)), *answers[1:])
    said = builders.conversation(
        builders.utterance("喂你好", 2.0, 3.0), builders.utterance("我想查一下", 4.0, 6.0, role=builders.CUSTOMER)
    )
    with site.units() as unit:
        stored = unit.conversations.add(f"heard {example}", recording.id, said, elapsed_s=1.0)
        unit.evaluations.add(
            f"scored {example}",
            conversation=stored,
            pack="service-zh",
            ruleset_digest="d",
            evaluation=fill(CARD, answers),
            results=answers,
            metrics=metrics(),
            scorecard=CARD,
        )
        unit.review.place(recording.id, site.settings.review_policy)
        unit.commit()
    return recording.id


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("console") / "data"
    site = Site(Settings(data_dir=data, database_url=None))
    site.database.upgrade()
    site.accounts.create("test", "li.na", roles=[Role.INSPECTOR], password=PASSWORD)
    calls = tuple(scored_call(site, example) for example in ("zh01.stereo.opus", "zh02.stereo.opus"))
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--port", str(port)]
    log = (data / "web.log").open("wb")
    with log, subprocess.Popen(command, env=environment(data), cwd=ROOT, stderr=log) as process:
        try:
            _wait_for(port)
            yield Served(f"http://127.0.0.1:{port}", site, calls)
        finally:
            process.terminate()
    site.database.dispose()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the web process does not answer")


@pytest.fixture
def page(served: Served) -> Iterator[Page]:
    """A tab that tolerates no complaint of the browser's: no script error, nothing that the policy blocks."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox" if os.geteuid() == 0 else "--disable-gpu", "--mute-audio"],
        )
        page = browser.new_page(base_url=served.url, locale="zh-CN")
        page.on("console", lambda told: complaints.append(told.text) if _is_complaint(told) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
    assert complaints == []


def _is_complaint(told: ConsoleMessage) -> bool:
    """Answers that refuse something are pages of ours, which tests look at."""
    return told.type == "error" and not re.search("status of (401|409)", told.text)


def until(page: Page, holds: str) -> None:
    """Wait for it from here: in the page its policy allows nobody to evaluate anything."""
    for _ in range(200):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never: {holds}")


def sign_in(page: Page) -> None:
    page.goto("/console/")
    expect(page.get_by_label("用户名")).to_be_focused()
    page.keyboard.type("li.na")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="待复核")).to_be_visible()
    page.wait_for_load_state()  # it is seen before its keys work: they come with a deferred script


def test_a_call_is_heard_and_decided_by_keys_alone(page: Page, served: Served) -> None:
    sign_in(page)
    page.keyboard.press("n")
    page.wait_for_url("**/console/calls/*")
    first = int(page.url.rsplit("/", 1)[1].split("#")[0])
    assert first in served.calls

    fault, doubt = page.locator(".finding").nth(0), page.locator(".finding").nth(1)
    expect(fault).to_have_class("finding open major current")
    until(page, "document.getElementById('player').duration > 5")
    page.keyboard.press("e")
    until(page, "!document.getElementById('player').paused")
    until(page, "document.getElementById('player').paused")
    stopped_at = page.evaluate("document.getElementById('player').currentTime")
    assert EVIDENCE[1] < stopped_at < EVIDENCE[1] + 1.5, "it ends where the evidence does"

    page.keyboard.press("c")
    expect(fault.locator(".state")).to_have_text("已确认")
    expect(doubt).to_have_class("finding open minor current")
    page.keyboard.press("r")
    page.keyboard.press("1")
    expect(doubt.locator(".state")).to_have_text("已驳回")
    expect(page.locator("#final-score")).to_have_text("60.0")

    page.wait_for_load_state()
    page.keyboard.press("n")
    page.wait_for_url(lambda url: f"/calls/{first}" not in url)
    second = int(page.url.rsplit("/", 1)[1].split("#")[0])
    assert {first, second} == set(served.calls), "the next call"
    with served.site.units_to_read() as unit:
        decided = {verdict.rule: verdict.decision for verdict in unit.verdicts.sheet(first).verdicts}
        actions = {event.action for event in unit.audit.page(before=None, limit=50)}
    assert decided == {"opening": "confirm", "closing": "reject"}
    assert {"recording.view", "recording.play"} <= actions
    page.get_by_role("button", name="放回队列").click()
    expect(page.get_by_role("heading", name="待复核")).to_be_visible()


def test_help_and_what_is_refused_are_told(page: Page) -> None:
    sign_in(page)
    page.keyboard.press("n")
    page.wait_for_url("**/console/calls/*")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("n")  # with findings open
    expect(page.get_by_role("alert")).to_contain_text("findings_open")
    page.get_by_role("link", name="返回队列").click()


def test_a_wrong_password_is_told(page: Page) -> None:
    page.goto("/console/sign-in")
    page.get_by_label("用户名").fill("li.na")
    page.get_by_label("密码").fill("not this one at all")
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert")).to_be_visible()
