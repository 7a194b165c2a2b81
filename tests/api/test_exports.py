"""Lists as tables: what the list shows, nothing that runs, nothing of others."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import httpx
import openpyxl
import pytest
from fastapi.testclient import TestClient

from api.routers import exports
from api.tables import TableFormat, as_csv, as_xlsx
from qa_service.domain.access import Role
from tests.api.calls import MASKED, OTHER, PHONE, TOLD, add_call, at
from tests.api.conftest import World

EVIL = ("=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", "＝1", '=HYPERLINK("http://x")')


def export(client: TestClient, **params: object) -> httpx.Response:
    return client.get("/v1/recordings/export", params=params)  # type: ignore[arg-type]


def read_csv(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def read_xlsx(answer: httpx.Response) -> list[dict[str, object]]:
    assert answer.status_code == 200, answer.text
    header, *rows = openpyxl.load_workbook(io.BytesIO(answer.content)).active.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_a_table_holds_what_the_list_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_AT_ONCE", 2)
    for number in range(5):
        add_call(world.site, f"call {number}", at(number), score=None if number == 3 else 10.0 * number)
    add_call(world.site, "other", OTHER)
    manager, leader = world.clients[Role.MANAGER], world.clients[Role.LEADER]
    for client in (manager, leader):
        for order in ("-at", "at", "final_score", "-final_score"):
            shown = client.get("/v1/recordings", params={"order": order, "team": "A"}).json()["items"]
            told = read_csv(export(client, order=order, team="A"))
            assert [int(row["id"]) for row in told] == [call["id"] for call in shown]
            sheet = read_xlsx(export(client, order=order, team="A", format="xlsx"))
            assert [{**call, "at": row["at"]} for call, row in zip(shown, sheet, strict=True)] == sheet
    assert len(read_csv(export(manager))) == 6
    assert len(read_csv(export(leader))) == 5
    assert read_csv(export(leader, team="B")) == []


def test_numbers_are_masked_in_it(world: World) -> None:
    add_call(world.site)
    assert PHONE in export(world.clients[Role.MANAGER]).text
    (row,) = read_csv(export(world.clients[Role.LEADER]))
    assert row["customer_ref"] == MASKED
    refused = export(world.clients[Role.LEADER], customer_ref=PHONE)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


def test_no_cell_is_a_formula(world: World) -> None:
    for number, evil in enumerate(EVIL):
        add_call(world.site, f"call {number}", replace(TOLD, agent_name=evil, queue=evil.strip()))
    client = world.clients[Role.MANAGER]
    for row in [*read_csv(export(client)), *read_xlsx(export(client, format="xlsx"))]:
        assert str(row["agent_name"]).startswith("'")
        assert str(row["agent_name"])[1:] in EVIL
        assert str(row["queue"]).startswith("'")


def test_what_is_a_formula_is_told_apart_from_what_is_not(tmp_path: Path) -> None:
    row = ["=1", -3.5, None, True, "a=b", "", "'=1", "-"]
    text = b"".join(as_csv(["a"] * len(row), [row])).decode("utf-8-sig")
    assert text.splitlines()[1] == "'=1,-3.5,,True,a=b,,'=1,'-"
    book = openpyxl.load_workbook(io.BytesIO(b"".join(as_xlsx(["a"] * len(row), [row], folder=tmp_path))))
    cells = next(iter(book.active.iter_rows(min_row=2)))
    assert [cell.data_type for cell in cells[:5]] == ["s", "n", "n", "b", "s"]
    assert list(tmp_path.iterdir()) == [], "nothing is left on the disk"


def test_too_much_is_refused_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_ROWS", {TableFormat.CSV: 2, TableFormat.XLSX: 1})
    for number in range(3):
        add_call(world.site, f"call {number}", at(number))
    client = world.clients[Role.MANAGER]
    answer = export(client)
    assert (answer.status_code, answer.json()["code"]) == (422, "export_too_large")
    late = "2026-11-20T04:01:00Z"
    assert len(read_csv(export(client, since=late))) == 2
    assert export(client, since=late, format="xlsx").json()["code"] == "export_too_large"


def test_exports_are_on_the_audit_trail(world: World) -> None:
    add_call(world.site)
    export(world.clients[Role.MANAGER], customer_ref=PHONE, format="xlsx")
    events = world.clients[Role.AUDITOR].get("/v1/audit", params={"action": "recordings.export"}).json()
    (event,) = events["items"]
    assert event["detail"]["rows"] == 1
    assert event["detail"]["filters"] == {"customer_ref": MASKED, "order": "-at"}
    assert PHONE not in str(events)
