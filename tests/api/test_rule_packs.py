"""Rule packs through the API: read, checked, tried, and let score by people whose names are kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api import rule_work
from api.app import create_app
from qa_service.domain.access import Role, Scope
from qa_service.settings import Settings
from rules import shelf
from tests.api.conftest import World, populated
from tests.api.test_directory import of
from tests.qa_service.db import builders

PACK = "pack: ours\ntitle: Ours\nlanguage: zh\nscorecard: service-zh\nextends: service-zh\n"
CLOSING = "override: closing\nseverity: minor\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pack of the site's own: the shipped one with another closing."""
    path = tmp_path / "ours"
    path.mkdir()
    (path / "pack.yaml").write_text(PACK, encoding="utf-8")
    (path / "closing.yaml").write_text(CLOSING, encoding="utf-8")
    return path


@pytest.fixture
def site(tmp_path: Path, folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(shelf, "KEPT_S", 0.0)
    settings = Settings(data_dir=tmp_path / "data", database_url=database_url, pack_zh=str(folder))
    with TestClient(create_app(settings), raise_server_exceptions=False) as app:
        yield populated(app)


def sent(**files: str) -> dict[str, dict[str, str]]:
    return {
        "files": {"pack.yaml": PACK, **{name.replace("_", ".") + ".yaml": text for name, text in files.items()}}
    }


def test_packs_and_scorecards_are_told(shared_world: World) -> None:
    agent = shared_world.clients[Role.AGENT]
    packs = {pack["pack"]: pack for pack in agent.get("/v1/rule-packs").json()["items"]}
    assert packs.keys() == {"service-zh", "service-en", "outbound-sales-zh"}
    assert packs["service-zh"]["in_use_for"] == ["zh"]
    assert packs["service-zh"]["rules"] == 38
    pack = agent.get("/v1/rule-packs/service-zh")
    assert pack.headers["etag"] == f'"{packs["service-zh"]["digest"]}"'
    rules = {rule["rule"]: rule for rule in pack.json()["rules"]}
    assert (rules["vulgar"]["state"], rules["vulgar"]["severity"]) == ("live", "critical")
    assert rules["customer-interruption"]["state"] is None, "recorded, never scored"
    cards = {card["pack"]: card for card in agent.get("/v1/scorecards").json()["items"]}
    assert cards["service-zh"] == pack.json()["scorecard"]
    assert agent.get("/v1/rule-packs/etc").json()["code"] == "pack_unknown"


def test_rules_are_approved_published_and_retired_in_ones_own_name(site: World) -> None:
    manager = site.clients[Role.MANAGER]
    seen = manager.get("/v1/rule-packs/ours")
    states = {rule["rule"]: rule["state"] for rule in seen.json()["rules"]}
    assert (states["closing"], states["opening"]) == ("draft", "live")
    headers = {"If-Match": seen.headers["etag"]}
    early = manager.post("/v1/rule-packs/ours/publish", json={"rules": ["closing"]}, headers=headers)
    assert (early.status_code, early.json()["code"]) == (409, "rule_transition_refused")
    steps = manager.post("/v1/rule-packs/ours/approve", json={"note": "as agreed"}, headers=headers).json()
    assert [(step["rule"], step["to_state"], step["by"]) for step in steps["taken"]] == [
        ("closing", "approved", "manager.user")
    ]
    assert manager.post("/v1/rule-packs/ours/publish", json={}, headers=headers).status_code == 200
    again = manager.post("/v1/rule-packs/ours/publish", json={"rules": ["closing"]}, headers=headers).json()
    assert (again["taken"], again["already"]) == ([], ["closing"])
    retired = manager.post("/v1/rule-packs/ours/retire", json={"rules": ["closing"]}).json()
    assert [step["to_state"] for step in retired["taken"]] == ["retired"]
    history = manager.get("/v1/rule-packs/ours/history").json()["items"]
    assert [step["to_state"] for step in history] == ["approved", "live", "retired"]
    events = site.clients[Role.AUDITOR].get("/v1/audit", params={"thing": "rule_pack"}).json()["items"]
    assert events[0]["action"] == "rules.retire"
    assert events[-1]["detail"] == {"rules": ["closing"]}


def test_nobody_signs_what_they_have_not_read(site: World, folder: Path) -> None:
    manager = site.clients[Role.MANAGER]
    headers = {"If-Match": manager.get("/v1/rule-packs/ours").headers["etag"]}
    (folder / "closing.yaml").write_text(CLOSING.replace("minor", "critical"), encoding="utf-8")
    late = manager.post("/v1/rule-packs/ours/approve", json={}, headers=headers)
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    blind = manager.post("/v1/rule-packs/ours/approve", json={})
    assert (blind.status_code, blind.json()["code"]) == (428, "precondition_required")
    unknown = manager.post("/v1/rule-packs/ours/approve", json={"rules": ["no-such"]}, headers={"If-Match": "*"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "rule_unknown")
    assert manager.get("/v1/rule-packs/ours/history").json()["items"] == []


def test_a_pack_with_faults_is_told_of_and_hides_no_other(site: World, folder: Path) -> None:
    (folder / "closing.yaml").write_text("rule: [", encoding="utf-8")
    manager = site.clients[Role.MANAGER]
    packs = {pack["pack"]: pack for pack in manager.get("/v1/rule-packs").json()["items"]}
    assert (packs["ours"]["fault"], packs["service-zh"]["fault"]) == ("pack_invalid", None)
    answer = manager.get("/v1/rule-packs/ours")
    assert (answer.status_code, answer.json()["code"]) == (422, "pack_invalid")
    assert answer.json()["errors"][0]["pointer"].startswith("ours/closing.yaml:1:")


def test_a_sent_pack_is_checked_and_its_cases_run(shared_world: World) -> None:
    inspector = shared_world.clients[Role.INSPECTOR]
    valid = inspector.post("/v1/rule-packs/validate", json=sent())
    assert (valid.status_code, valid.json()["pack"], valid.json()["rules"]) == (200, "ours", 38), valid.text
    faulty = inspector.post("/v1/rule-packs/validate", json=sent(closing=CLOSING.replace("minor", "small")))
    assert (faulty.status_code, faulty.json()["code"]) == (422, "pack_invalid")
    assert any(
        fault["pointer"].startswith("pack/closing.yaml:2:") and "small" in fault["detail"]
        for fault in faulty.json()["errors"]
    ), faulty.text


@pytest.mark.parametrize(
    "files",
    [
        {"../pack.yaml": PACK},
        {"pack.yaml": PACK, "/etc/x.yaml": ""},
        {"pack.yaml": PACK, "a/b.yaml": ""},
        {"pack.yaml": PACK, "x\x00.yaml": ""},
        {"pack.yaml": PACK, "pack.py": ""},
        {"opening.yaml": ""},
        {"pack.yaml": PACK.replace("extends: service-zh", "extends: /etc")},
        {"pack.yaml": PACK.replace("extends: service-zh", "extends: ../../data")},
        {"pack.yaml": PACK.replace("extends: service-zh", "extends: [service-zh]")},
        {"pack.yaml": PACK.replace("scorecard: service-zh", "scorecard: ../../secret")},
        {"pack.yaml": "a: &a [*a, *a]"},
    ],
)
def test_a_sent_pack_reaches_nothing_else(shared_world: World, files: dict[str, str]) -> None:
    answer = shared_world.clients[Role.INSPECTOR].post("/v1/rule-packs/validate", json={"files": files})
    assert (answer.status_code, answer.json()["code"]) == (422, "pack_invalid"), answer.text
    assert "root:" not in answer.text


def test_what_takes_too_long_is_ended_and_only_one_runs(
    shared_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspector = shared_world.clients[Role.INSPECTOR]
    monkeypatch.setattr(rule_work, "LIMIT_S", 0.05)
    long = inspector.post("/v1/rule-packs/validate", json=sent())
    assert (long.status_code, long.json()["code"]) == (422, "rules_timeout")
    monkeypatch.setattr(rule_work, "WAIT_S", 0.05)
    with rule_work._one_at_a_time:
        busy = inspector.post("/v1/rule-packs/validate", json=sent())
    assert (busy.status_code, busy.json()["code"]) == (503, "rules_busy")
    assert "retry-after" in busy.headers


def test_a_backtest_says_what_would_change(world: World) -> None:
    recording = builders.add_recording(world.site.database)
    with world.site.units() as unit:
        unit.conversations.add("k", recording.id, builders.conversation(), elapsed_s=1.0)
        unit.commit()
    manager = world.clients[Role.MANAGER]
    report = manager.post("/v1/rule-packs/service-zh/backtest", json={"against": "outbound-sales-zh"})
    assert report.status_code == 200, report.text
    assert report.json()["calls"] == 1
    assert report.json()["changed_calls"] == 1
    sample = next(flip["samples"][0] for flip in report.json()["flips"] if flip["samples"])
    assert sample["path"] == "a.wav"
    leader = of(world, Role.MANAGER, Scope(vendor="V"))
    outside = leader.post("/v1/rule-packs/service-zh/backtest", json={})
    assert (outside.status_code, outside.json()["code"]) == (403, "outside_scope")
    nothing = manager.post("/v1/rule-packs/service-en/backtest", json={})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "nothing_to_backtest")


def test_cases_of_a_pack_that_is_there(shared_world: World) -> None:
    inspector = shared_world.clients[Role.INSPECTOR]
    ran = inspector.post("/v1/rule-packs/test", json={"pack": "service-zh", "rules": ["closing"]})
    assert ran.status_code == 200, ran.text
    assert (ran.json()["failed"], ran.json()["failures"]) == (0, [])
    assert ran.json()["passed"] > 10
    for wrong, code in (
        ({}, "pack_missing"),
        ({"pack": "service-zh", "rules": ["no-such"]}, "rule_unknown"),
        ({"pack": "no-such"}, "pack_unknown"),
    ):
        assert inspector.post("/v1/rule-packs/test", json=wrong).json()["code"] == code
