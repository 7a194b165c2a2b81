"""Webhooks through the API: set up by admins, their secrets told once, their deliveries looked at and repeated."""

from pathlib import Path

import pytest

from qa_service.domain.access import Role
from qa_service.domain.webhooks import finished
from tests.api.conftest import World

NEW = {"name": "tickets", "url": "https://example.com/hook", "events": ["finding.critical", "evaluation.finished"]}


def test_a_webhook_is_made_changed_and_switched_off(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    made = admin.post("/v1/webhooks", json=NEW)
    assert made.status_code == 201
    secret = made.json().pop("secret")
    assert secret.startswith("whsec_")
    path = made.headers["location"]
    found = admin.get(path)
    assert secret not in found.text
    assert found.json()["events"] == ["evaluation.finished", "finding.critical"]
    changed = admin.patch(path, json={"active": False}, headers={"If-Match": found.headers["etag"]})
    assert (changed.json()["active"], changed.json()["url"]) == (False, NEW["url"])
    late = admin.patch(path, json={"active": True}, headers={"If-Match": found.headers["etag"]})
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    replaced = admin.post(f"{path}/secret")
    assert replaced.status_code == 201
    assert replaced.json()["secret"] != secret
    assert replaced.json()["old_secret_until"] is not None
    listed = admin.get("/v1/webhooks")
    assert [hook["id"] for hook in listed.json()["items"]] == [made.json()["id"]]
    assert "secret" not in listed.json()["items"][0]
    events = world.clients[Role.AUDITOR].get("/v1/audit", params={"thing": "webhook"})
    assert [event["action"] for event in events.json()["items"]] == [
        *("webhook.secret", "webhook.change", "webhook.create")
    ]
    assert "whsec_" not in events.text


def test_the_key_of_secrets_is_its_owners_alone(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    first = admin.post("/v1/webhooks", json=NEW, headers={"Idempotency-Key": "k"}).json()
    key = Path(world.site.settings.data_dir) / "webhooks.key"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    again = admin.post("/v1/webhooks", json=NEW, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["code"]) == (409, "already_created")
    other = admin.post("/v1/webhooks", json=NEW).json()
    assert other["secret"] != first["secret"]
    assert key.read_bytes() == before


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "https://127.0.0.1/", "https://localhost.:0/", "https://[::1]/", "https://10.1/"),
        *("https://169.254.169.254/latest/meta-data", "https://user:secret@example.com/", "https://0x7f000001/"),
    ],
)
def test_private_addresses_are_refused(world: World, url: str) -> None:
    answer = world.clients[Role.ADMIN].post("/v1/webhooks", json={**NEW, "url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_url_refused"), answer.text
    assert "secret" not in answer.text
    assert world.clients[Role.ADMIN].get("/v1/webhooks").json()["items"] == []


def test_deliveries_are_looked_at_and_repeated(world: World) -> None:
    admin = world.clients[Role.ADMIN]
    path = admin.post("/v1/webhooks", json=NEW).headers["location"]
    tested = admin.post(f"{path}/test")
    assert (tested.status_code, tested.json()["event"], tested.json()["state"]) == (202, "webhook.test", "waiting")
    with world.site.units() as unit:
        unit.webhooks.tell([finished(1, number, "p") for number in range(3)])
        unit.commit()
    first = admin.get(f"{path}/deliveries", params={"limit": 3}).json()
    rest = admin.get(f"{path}/deliveries", params={"limit": 3, "cursor": first["next"]}).json()
    numbers = [one["id"] for one in first["items"] + rest["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 4
    assert admin.get(f"{path}/deliveries", params={"state": "dead"}).json()["items"] == []
    again = admin.post(f"{path}/deliveries/{numbers[0]}/redeliver")
    assert (again.status_code, again.json()["attempts"]) == (202, 0)
    other = admin.post("/v1/webhooks", json=NEW).headers["location"]
    missing = admin.post(f"{other}/deliveries/{numbers[0]}/redeliver")
    assert (missing.status_code, missing.json()["code"]) == (404, "delivery_not_found")
    assert admin.get("/v1/webhooks/999/deliveries").json()["code"] == "webhook_not_found"


def test_nobody_subscribes_to_tests_or_to_nothing(world: World) -> None:
    for events in ([], ["webhook.test"], ["recording.deleted"]):
        answer = world.clients[Role.ADMIN].post("/v1/webhooks", json={**NEW, "events": events})
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
