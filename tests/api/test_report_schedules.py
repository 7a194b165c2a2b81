"""Schedules of reports through HTTP."""

from datetime import date, timedelta

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


def test_what_it_made_is_handed_out(world: World) -> None:
    manager = world.clients[Role.MANAGER]
    where = manager.post("/v1/report-schedules", json=SENT).headers["location"]
    schedule_id = int(where.rpartition("/")[2])
    names = [f"{schedule_id}/客服-2026-10-06.{ending}" for ending in ("html", "eml")]
    with world.site.units() as unit:
        day = date(2026, 10, 6)
        report_id = unit.report_schedules.claim(
            schedule_id, day, day + timedelta(days=1), stale_before=world.site.clock.now()
        )
        assert report_id is not None
        unit.report_schedules.made(report_id, names)
        unit.commit()
    for name in names:
        path = world.site.settings.data_dir / "reports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    page = manager.get(f"{where}/reports/{report_id}/html")
    assert (page.status_code, page.content.decode()) == (200, names[0]), page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    letter = manager.get(f"{where}/reports/{report_id}/eml")
    assert letter.headers["content-type"] == "message/rfc822"
    assert letter.headers["content-disposition"].endswith("%E5%AE%A2%E6%9C%8D-2026-10-06.eml")
    assert manager.get(f"{where}/reports/{report_id}/xlsx").json()["code"] == "report_file_not_found"
    assert manager.get(f"{where}/reports/{report_id + 1}/html").json()["code"] == "scheduled_report_not_found"
    assert manager.get(f"{where}/reports/{report_id}/..%2Fhtml").status_code == 404


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
