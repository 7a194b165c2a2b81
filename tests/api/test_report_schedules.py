"""Schedules of reports through HTTP."""

from qa_service.domain.access import Role
from tests.api.conftest import World

SENT = {"kind": "daily", "every": "day", "at": "07:30", "recipients": ["boss@example.com", "boss@example.com"]}


def test_a_schedule_is_made_read_and_changed(world: World) -> None:
    manager = world.clients[Role.MANAGER]
    made = manager.post("/v1/report-schedules", json=SENT, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, made.text
    again = manager.post("/v1/report-schedules", json=SENT, headers={"Idempotency-Key": "k"})
    assert again.json() == made.json()
    where = made.headers["location"]
    read = manager.get(where)
    assert read.json() == made.json()
    assert read.json()["recipients"] == ["boss@example.com"]
    assert read.json()["formats"] == ["html", "xlsx"]
    changed = manager.put(where, json={**SENT, "active": False}, headers={"If-Match": read.headers["etag"]})
    assert changed.json()["active"] is False
    stale = manager.put(where, json=SENT, headers={"If-Match": read.headers["etag"]})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert [one["id"] for one in manager.get("/v1/report-schedules").json()["items"]] == [made.json()["id"]]
    assert manager.get(f"{where}/reports").json() == {"items": [], "next": None}


def test_what_is_no_schedule_is_refused(shared_world: World) -> None:
    manager = shared_world.clients[Role.MANAGER]
    for wrong, status, code in (
        ({"at": "7:30"}, 422, "request_invalid"),
        ({"at": "24:00"}, 422, "request_invalid"),
        ({"formats": []}, 422, "request_invalid"),
        ({"recipients": ["a@b\r\nBcc: c@d"]}, 422, "request_invalid"),
        ({"kind": "team"}, 422, "report_subject_missing"),
        ({"subject": "A"}, 422, "report_subject_unwanted"),
        ({"kind": "team", "subject": "nowhere"}, 404, "team_not_found"),
    ):
        refused = manager.post("/v1/report-schedules", json={**SENT, **wrong})
        assert (refused.status_code, refused.json()["code"]) == (status, code), wrong
    assert manager.get("/v1/report-schedules/99").status_code == 404
