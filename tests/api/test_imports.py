"""Imports through HTTP and the command line."""

import csv
import io
import json
import subprocess
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from qa_service.domain.access import Role
from tests.api.conftest import World
from tests.api.test_review import ok, refused
from tests.cli import qa
from tests.qa_service.importing import add_agents

PATH = "/v1/imports"
TABLE = "工号,月份,通话量\n1,2026-10,10\n=cmd(),2026-10,10\n2,2026-10,ten\n"


def send(client: TestClient, table: str = TABLE, name: str = "t.csv", **asked: Any) -> httpx.Response:
    headers = asked.pop("headers", None)
    params = {"kind": "kpi-figures", **asked}
    return client.post(PATH, files={"file": (name, table.encode("gbk"))}, params=params, headers=headers)


@pytest.fixture
def manager(world: World) -> TestClient:
    add_agents(world.site.database, {"1": "A", "2": "B"}, {"A": "V", "B": None})
    return world.clients[Role.MANAGER]


def test_from_the_table_to_the_report_of_its_faults(world: World, manager: TestClient) -> None:
    made = send(manager)
    told = ok(made, 201)
    assert (told["state"], told["added"], told["rejected"], told["warned"]) == ("done", 1, 2, 1)
    assert ok(manager.get(made.headers["location"])) == told
    assert ok(manager.get(PATH, params={"kind": "kpi-figures"}))["items"] == [told]
    assert ok(manager.get(PATH, params={"kind": "agent-states"}))["items"] == []
    report = manager.get(f"{made.headers['location']}/faults")
    assert report.headers["content-disposition"].endswith('-faults.csv"')
    rows = list(csv.DictReader(io.StringIO(report.content.decode("utf-8-sig"))))
    assert [(row["line"], row["kind"], row["code"]) for row in rows] == [
        ("4", "error", "number_invalid"),
        ("2", "warning", "agent_without_calls"),
        ("3", "error", "agent_unknown"),
    ]
    assert rows[2]["row"] == "'=cmd(),2026-10,10"  # no spreadsheet runs it
    assert all(row["message"] and row["remedy"] for row in rows)


def test_the_same_bytes_are_answered_with_their_import(manager: TestClient) -> None:
    good = "工号,月份,通话量\n1,2026-10,10\n"
    made = ok(send(manager, good), 201)
    assert ok(send(manager, good)) == made
    assert ok(send(manager, good, again=True), 201)["unchanged"] == 1
    once = send(manager, good + "2,2026-10,5\n", headers={"Idempotency-Key": "k"})
    again = send(manager, good + "2,2026-10,5\n", headers={"Idempotency-Key": "k"})
    assert ok(once, 201) == ok(again, 201)


def test_what_is_refused_as_a_whole(manager: TestClient, world: World) -> None:
    refused(send(manager, "a,b\n1,2\n"), 422, "import_unreadable")
    refused(send(manager, kind="salaries"), 422, "request_invalid")
    refused(manager.get(f"{PATH}/999"), 404, "import_not_found")
    refused(manager.get(f"{PATH}/999/faults"), 404, "import_not_found")
    refused(send(manager, name="a\u202eb.csv"), 422, "file_name_invalid")
    refused(manager.post(PATH, params={"kind": "kpi-figures"}, json={}), 415, "media_type_unsupported")
    assert ok(send(manager, all_or_nothing=True), 201)["state"] == "refused"
    assert ok(manager.get(PATH))["items"][0]["state"] == "refused"


def test_the_command(world: World, manager: TestClient, tmp_path: Any) -> None:
    settings = world.site.settings

    def bring_in(*arguments: str) -> subprocess.CompletedProcess[str]:
        store = settings.resolved_database_url
        return qa("import", "kpi-figures", str(table), *arguments, data=settings.data_dir, QA_DATABASE_URL=store)

    table = tmp_path / "十月.csv"
    table.write_text(TABLE, encoding="utf-8")
    run = bring_in("--format", "json")
    told = json.loads(run.stdout)
    assert (run.returncode, told["added"], told["rejected"]) == (1, 1, 2)
    assert {fault["code"] for fault in told["faults"]} == {
        "number_invalid",
        "agent_unknown",
        "agent_without_calls",
    }
    shown = bring_in("--all-or-nothing")
    assert shown.returncode == 1
    assert "refused" in shown.stdout
    table.write_text("工号,月份,通话量\n1,2026-10,10\n", encoding="utf-8")
    assert bring_in().returncode == 0
