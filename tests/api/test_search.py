"""Calls by what is said in them: within the scope, with the place, and no number by trying."""

from dataclasses import replace

import httpx
from fastapi.testclient import TestClient
from sqlalchemy import delete

from qa_service.db.rows import CallTextRow
from qa_service.domain.access import Role
from qa_service.services.upkeep import Upkeep
from tests import builders
from tests.api.calls import MASKED, OTHER, PHONE, SAID, add_call, add_unscored, at
from tests.api.conftest import World


def search(client: TestClient, text: str, **params: object) -> httpx.Response:
    return client.get("/v1/recordings/search", params={"text": text, **params})  # type: ignore[arg-type]


def found(client: TestClient, text: str, **params: object) -> list[int]:
    answer = search(client, text, **params)
    assert answer.status_code == 200, answer.text
    return [item["call"]["id"] for item in answer.json()["items"]]


def test_words_are_found_where_they_are_said(world: World) -> None:
    call = add_call(world.site)
    add_unscored(world.site, "silent")
    client = world.clients[Role.INSPECTOR]
    (item,) = search(client, "我的手机号").json()["items"]
    assert item["call"]["id"] == call.recording_id
    (place,) = item["places"]
    assert (place["utterance"], place["role"], place["text"]) == (1, "customer", SAID)
    assert (place["start"], place["end"]) == (4.0, 5.25), "five characters of a quarter of a second"
    assert found(client, "您好，请 说") == found(client, "你好请说") == [call.recording_id]
    assert found(client, "手机号我的") == [], "over the end of an utterance"
    assert found(client, "没有说过") == []
    assert search(world.clients[Role.LEADER], "手机号").json()["items"][0]["places"][1]["text"] == SAID.replace(
        PHONE, MASKED
    )


def test_english_words_are_found_too(world: World) -> None:
    recording = add_unscored(world.site, "en")
    heard = builders.conversation(builders.utterance("I'm Sorry, we guarantee nothing", 0.0), language="en")
    with world.site.units() as unit:
        unit.conversations.add("k-en", recording.recording_id, heard, elapsed_s=1.0)
        unit.commit()
    client = world.clients[Role.INSPECTOR]
    assert found(client, "sorry we GUARANTEE") == [recording.recording_id]
    assert found(client, "guarantee we") == []


def test_numbers_are_found_by_nobody(world: World) -> None:
    add_call(world.site)
    for role in (Role.INSPECTOR, Role.LEADER):
        for part in (PHONE, PHONE[:7], PHONE[3:7], PHONE[2:9]):
            assert found(world.clients[role], part) == [], (role, part)
        refused = search(world.clients[Role.LEADER], "手机号", customer_ref=PHONE)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    with world.site.units_to_read() as unit:
        row = unit.session.get_one(CallTextRow, 1)
    assert PHONE[3:7] not in row.text


def test_a_search_keeps_to_scope_filters_and_pages(world: World) -> None:
    own = [add_call(world.site, f"own {number}", at(number)).recording_id for number in range(3)]
    theirs = add_call(world.site, "theirs", replace(OTHER, started_at=at(9).started_at)).recording_id
    manager, leader = world.clients[Role.MANAGER], world.clients[Role.LEADER]
    assert found(manager, "手机号") == [theirs, *reversed(own)]
    assert found(leader, "手机号") == list(reversed(own))
    assert found(leader, "手机号", team="B") == []
    assert found(manager, "手机号", team="B") == [theirs]
    first = search(leader, "手机号", limit=2).json()
    assert found(leader, "手机号", limit=2, cursor=first["next"]) == [own[0]]
    other = search(leader, "请说", limit=2, cursor=first["next"])
    assert (other.status_code, other.json()["code"]) == (400, "cursor_invalid")


def test_what_is_too_short_to_look_for(world: World) -> None:
    client = world.clients[Role.INSPECTOR]
    answer = search(client, "，。！")
    assert (answer.status_code, answer.json()["code"]) == (422, "search_too_short")
    assert search(client, "x").json()["code"] == "request_invalid"
    for odd in ("%%", "__", "a'b", "\\\\n", "()*|&"):
        assert search(client, odd).status_code in (200, 422)


def test_searches_are_on_the_audit_trail(world: World) -> None:
    add_call(world.site)
    search(world.clients[Role.INSPECTOR], f"手机号是{PHONE}")
    events = world.clients[Role.AUDITOR].get("/v1/audit", params={"action": "recordings.search"}).json()
    (event,) = events["items"]
    assert event["detail"]["calls"] == 0
    assert PHONE not in str(events)


def test_a_call_is_found_by_what_was_heard_last(world: World) -> None:
    """The conversation in force counts, not the one that was stored last."""
    call = add_call(world.site)
    client = world.clients[Role.INSPECTOR]
    anew = builders.conversation(builders.utterance("听错了别的话", 0.0))
    with world.site.units() as unit:
        unit.conversations.add("anew", call.recording_id, anew, elapsed_s=1.0)
        unit.commit()
    assert (found(client, "别的话"), found(client, "手机号")) == ([call.recording_id], [])
    with world.site.units() as unit:
        before = unit.evaluations.by_key("e-a")
        assert before is not None
        unit.evaluations.ask_for(before)
        unit.commit()
    assert (found(client, "别的话"), found(client, "手机号")) == ([], [call.recording_id])


def test_upkeep_makes_older_calls_findable(world: World) -> None:
    calls = [add_call(world.site, f"call {number}", at(number)).recording_id for number in range(25)]
    client = world.clients[Role.INSPECTOR]
    with world.site.units() as unit:
        unit.session.execute(delete(CallTextRow))
        unit.commit()
    assert found(client, "手机号", limit=50) == []
    upkeep = Upkeep(units=world.site.units, is_dead=lambda _: False, clock=world.site.clock)
    upkeep.sweep(count=1)
    assert 0 < len(found(client, "手机号", limit=50)) < 25, "a few at a time"
    for _ in range(4):
        upkeep.sweep(count=1)
    assert sorted(found(client, "手机号", limit=50)) == calls
