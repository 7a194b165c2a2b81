"""Calls through the API: whose are seen, what of their numbers, and late metadata."""

from collections.abc import Mapping

import pytest
from fastapi.testclient import TestClient

from api.access import PUBLIC, SIGNED_IN
from qa_service.domain.access import PERMISSIONS, Permission, Role
from qa_service.domain.call import CallMetadata
from tests.api.calls import MASKED, OTHER, PHONE, SAID, TOLD, add_call, add_unscored, at
from tests.api.conftest import World
from tests.api.test_permissions import OPERATIONS

BLIND = (Role.LEADER, Role.TRAINER, Role.AGENT, Role.AUDITOR, Role.SERVICE)


def listed(client: TestClient, **params: object) -> list[int]:
    """The numbers of a whole list, read in pages of two."""
    found: list[int] = []
    asked: dict[str, object] = {"limit": 2, **params}
    while True:
        answer = client.get("/v1/recordings", params=asked)
        assert answer.status_code == 200, answer.text
        found += [call["id"] for call in answer.json()["items"]]
        if answer.json()["next"] is None:
            return found
        asked["cursor"] = answer.json()["next"]


def test_everybody_sees_the_own_calls(world: World) -> None:
    own, other, unknown = (
        add_call(world.site, "own"),
        add_call(world.site, "other", OTHER),
        add_unscored(world.site, "unknown", CallMetadata()),
    )
    assert set(listed(world.clients[Role.MANAGER])) == {
        own.recording_id,
        other.recording_id,
        unknown.recording_id,
    }
    for role in (Role.LEADER, Role.AGENT):
        client = world.clients[role]
        assert listed(client) == [own.recording_id]
        assert listed(client, team="B") == listed(client, agent_id="2048") == listed(client, vendor="W") == []


@pytest.mark.parametrize(
    ("method", "path"),
    [(m, p) for m, p, _ in OPERATIONS if "{recording_id}" in p or "{evaluation_id}" in p],
    ids=lambda part: part,
)
def test_what_is_anothers_does_not_exist(world: World, method: str, path: str) -> None:
    """The answer is the very one that a number gets which nobody has."""
    theirs = add_call(world.site, "other", OTHER)
    needed = next(needed for m, p, needed in OPERATIONS if (m, p) == (method, path))
    assert needed not in (PUBLIC, SIGNED_IN)
    numbers = {"recording_id": theirs.recording_id, "evaluation_id": theirs.evaluation_id}

    def ask(client: TestClient, numbers: Mapping[str, int]) -> tuple[int, str]:
        headers = {"If-Match": "*", "X-Request-ID": "r"}
        body = {"json": {}} if method in ("PUT", "POST", "PATCH") else {}
        answer = client.request(method, path.format(**numbers), headers=headers, **body)  # type: ignore[arg-type]
        return answer.status_code, answer.text

    for role in (Role.LEADER, Role.AGENT, Role.MANAGER, Role.INSPECTOR, Role.AUDITOR, Role.SERVICE):
        if Permission(needed) not in PERMISSIONS[role]:
            continue
        status, text = ask(world.clients[role], numbers)
        if role not in (Role.LEADER, Role.AGENT):
            assert status != 403
            continue
        nobodys = {name: 900_000 + number for name, number in numbers.items()}
        expected_status, expected = ask(world.clients[role], nobodys)
        for name, number in numbers.items():
            expected = expected.replace(str(nobodys[name]), str(number))
        assert (status, text) == (expected_status, expected)
        assert status == 404


def test_filters_and_orders(world: World) -> None:
    client = world.clients[Role.MANAGER]
    low = add_call(world.site, "low", at(0), score=10.0, fatal=True).recording_id
    high = add_call(world.site, "high", at(1), score=90.0).recording_id
    none = add_call(world.site, "none", at(2, OTHER), score=None).recording_id
    new = add_unscored(world.site, "new", at(3)).recording_id
    assert listed(client) == [new, none, high, low]
    assert listed(client, order="at") == [low, high, none, new]
    assert listed(client, order="final_score") == [low, high]
    assert listed(client, order="-final_score") == [high, low]
    assert listed(client, fatal=True) == [low]
    assert listed(client, to_review=True) == [none, high, low]
    assert listed(client, rule="privacy", outcome="not_met", team="A") == [high, low]
    assert listed(client, rule="privacy", outcome="met") == []
    assert listed(client, min_score=50) == [high]
    assert listed(client, since="2026-11-20T12:02:00+08:00") == [new, none]
    assert listed(client, until="2026-11-20T04:01:00Z") == [low]
    assert listed(client, call_id="c-2") == [none]
    assert listed(client, customer_ref=PHONE) == [new, high, low]
    cursor = client.get("/v1/recordings", params={"limit": 1}).json()["next"]
    for params in ({"order": "at"}, {"team": "A"}, {"order": "final_score"}):
        answer = client.get("/v1/recordings", params={"cursor": cursor, **params})
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")
    for wrong in ({"limit": 10_000}, {"order": "id"}, {"since": "yesterday"}, {"what": "1"}, {"min_score": "nan"}):
        answer = client.get("/v1/recordings", params=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid"), wrong


def test_who_may_not_see_numbers_sees_none(world: World) -> None:
    call = add_call(world.site)
    paths = (
        "/v1/recordings",
        f"/v1/recordings/{call.recording_id}",
        f"/v1/recordings/{call.recording_id}/conversation",
        f"/v1/recordings/{call.recording_id}/conversation?words=true",
        f"/v1/recordings/{call.recording_id}/evaluations",
        f"/v1/evaluations/{call.evaluation_id}",
    )
    for role in Role:
        if Permission.RECORDINGS_READ not in PERMISSIONS[role]:
            continue
        texts = [world.clients[role].get(path) for path in paths]
        assert all(answer.status_code == 200 for answer in texts), role
        open_to = Permission.NUMBERS_READ in PERMISSIONS[role]
        assert open_to is (role not in BLIND)
        assert any(PHONE in answer.text for answer in texts) is open_to, role
        assert any(PHONE[3:7] in answer.text for answer in texts) is open_to, role
    blind = world.clients[Role.LEADER]
    assert blind.get(paths[0]).json()["items"][0]["customer_ref"] == MASKED
    assert blind.get(paths[1]).json()["file_name"] == f"a_{MASKED}.wav"
    heard = blind.get(paths[2]).json()
    assert heard["utterances"][1]["text"] == SAID.replace(PHONE, MASKED)
    (silent,) = heard["silent"]
    assert silent["start"] <= 6.0 <= silent["end"], "the number is said in the second half of four seconds"
    seen = world.clients[Role.INSPECTOR].get(paths[2]).json()
    assert (seen["utterances"][1]["text"], seen["silent"]) == (SAID, [])
    (finding, _) = blind.get(paths[5]).json()["results"]
    assert finding["evidence"][0]["quote"] == SAID.replace(PHONE, MASKED)


def test_no_number_is_found_by_trying(world: World) -> None:
    add_call(world.site)
    for name in ("customer_ref", "call_id"):
        answer = world.clients[Role.LEADER].get("/v1/recordings", params={name: PHONE})
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert listed(world.clients[Role.LEADER], call_id="c-1")


def test_an_evaluation_says_what_it_was_made_of(world: World) -> None:
    call = add_call(world.site)
    client = world.clients[Role.INSPECTOR]
    (head,) = client.get(f"/v1/recordings/{call.recording_id}/evaluations").json()["items"]
    whole = client.get(f"/v1/evaluations/{call.evaluation_id}").json()
    assert {name: whole[name] for name in head} == head
    assert (head["score"], head["ruleset_digest"], head["in_force"]) == (72.5, "sha256:d", True)
    assert [result["rule"] for result in whole["results"]] == ["privacy", "opening"]
    assert whole["results"][0]["finding"]["state"] == "open"
    assert whole["results"][1]["finding"] is None
    assert whole["sections"][0]["title"] == "节"
    assert whole["metrics"]["duration_s"] == 12.5


def test_reading_is_on_the_audit_trail(world: World) -> None:
    call = add_call(world.site)
    leader = world.clients[Role.LEADER]
    leader.get(f"/v1/recordings/{call.recording_id}/conversation")
    leader.get(f"/v1/evaluations/{call.evaluation_id}")
    leader.get("/v1/recordings/999999/conversation")
    events = world.clients[Role.AUDITOR].get("/v1/audit", params={"thing": "recording"}).json()["items"]
    told = [(event["action"], event["thing_id"], event["name"]) for event in events]
    number = str(call.recording_id)
    assert told == [("evaluation.read", number, "leader.user"), ("conversation.read", number, "leader.user")]
    assert PHONE not in str(events)


def test_what_was_not_heard_yet(world: World) -> None:
    call = add_unscored(world.site, "new")
    client = world.clients[Role.MANAGER]
    for part, code in (("conversation", "conversation_missing"), ("job", "job_missing")):
        answer = client.get(f"/v1/recordings/{call.recording_id}/{part}")
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert client.get(f"/v1/recordings/{call.recording_id}/evaluations").json() == {"items": [], "next": None}
    assert client.get(f"/v1/recordings/{call.recording_id}").json()["metadata"]["team"] == "A"


# --- late metadata ----------------------------------------------------------------------------------------------


def test_late_metadata_scores_the_call_again(world: World) -> None:
    call = add_call(world.site)
    client, path = world.clients[Role.MANAGER], f"/v1/recordings/{call.recording_id}"
    seen = client.get(path)
    told = {**seen.json()["metadata"], "queue": "orders", "started_at": "2026-11-20T03:00:00Z"}
    answer = client.put(f"{path}/metadata", json=told, headers={"If-Match": seen.headers["etag"]})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["queue"], answer.json()["at"]) == ("orders", "2026-11-20T03:00:00Z")
    assert answer.json()["metadata"]["started_at"].endswith("+08:00"), "rules ask what the site's clock showed"
    assert client.get(f"{path}/job").json()["state"] == "queued"
    late = client.put(f"{path}/metadata", json={}, headers={"If-Match": seen.headers["etag"]})
    assert (late.status_code, late.json()["code"]) == (412, "stale_version")
    blind = client.put(f"{path}/metadata", json={})
    assert (blind.status_code, blind.json()["code"]) == (428, "precondition_required")
    assert client.get(path).json()["metadata"] == answer.json()["metadata"]
    same = client.put(f"{path}/metadata", json=answer.json()["metadata"], headers={"If-Match": "*"})
    assert same.headers["etag"] == answer.headers["etag"], "nothing changed"


def test_what_was_never_asked_for_is_not_queued(world: World) -> None:
    call = add_unscored(world.site, "new", CallMetadata())
    client, path = world.clients[Role.MANAGER], f"/v1/recordings/{call.recording_id}"
    answer = client.put(f"{path}/metadata", json={"team": "A"}, headers={"If-Match": "*"})
    assert answer.json()["metadata_version"] == 2
    assert client.get(f"{path}/job").status_code == 404


def test_a_masked_reference_is_not_written_over_the_number(world: World) -> None:
    call = add_call(world.site)
    path = f"/v1/recordings/{call.recording_id}"
    service = world.clients[Role.SERVICE]
    shown = service.get(path)
    assert shown.json()["metadata"]["customer_ref"] == MASKED
    told = {**shown.json()["metadata"], "queue": "orders"}
    answer = service.put(f"{path}/metadata", json=told, headers={"If-Match": shown.headers["etag"]})
    assert answer.json()["metadata"]["customer_ref"] == MASKED
    assert world.clients[Role.MANAGER].get(path).json()["metadata"]["customer_ref"] == PHONE


def test_wrong_metadata_changes_nothing(world: World) -> None:
    call = add_call(world.site)
    client, path = world.clients[Role.MANAGER], f"/v1/recordings/{call.recording_id}"
    before = client.get(path).json()
    for wrong in (
        {"direction": "sideways"},
        {"started_at": "2026-11-20T09:31:07"},
        {"raw_format": "mulaw"},
        {"agent_id": "x" * 201},
        {"team": "a\x00b"},
        {"extra": {"k": "v\n"}},
        {"unknown": 1},
        [],
    ):
        answer = client.put(f"{path}/metadata", json=wrong, headers={"If-Match": "*"})
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid"), wrong
    for wrong in (
        {"started_at": "9999-12-31T23:59:59-08:00"},
        {"started_at": "0001-01-01T00:00:00+08:00"},
        {"hold_spans": [{"start": 5, "end": 2}]},
        {"channel_map": [1, 1]},
    ):
        answer = client.put(f"{path}/metadata", json=wrong, headers={"If-Match": "*"})
        assert (answer.status_code, answer.json()["code"]) == (422, "metadata_invalid"), wrong
    assert client.get(path).json() == before


def test_nobody_gives_a_call_away(world: World) -> None:
    """A manager of one vendor neither takes calls of another nor hands own ones over."""
    call, theirs = add_call(world.site), add_call(world.site, "other", OTHER)
    user = world.users[Role.MANAGER]
    admin = world.clients[Role.ADMIN]
    changed = admin.patch(f"/v1/users/{user.id}", json={"scope": {"vendor": "V"}}, headers={"If-Match": "*"})
    assert changed.status_code == 200
    manager = world.clients[Role.MANAGER]

    def tell(number: int, vendor: str) -> tuple[int, str]:
        told = {"vendor": vendor, "agent_id": "1024", "team": TOLD.team}
        answer = manager.put(f"/v1/recordings/{number}/metadata", json=told, headers={"If-Match": "*"})
        return answer.status_code, answer.json().get("code", "")

    assert tell(call.recording_id, "W") == (403, "outside_scope")
    assert tell(theirs.recording_id, "V") == (404, "recording_not_found")
    assert tell(call.recording_id, "V") == (200, "")
    assert listed(manager) == [call.recording_id]
