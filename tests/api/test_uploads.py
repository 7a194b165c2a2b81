"""Recordings that are sent: whole or not at all, once, within the scope, whatever their names are."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import pytest
from fastapi.testclient import TestClient

from api import multipart
from api.app import create_app
from qa_service.adapters import blobs
from qa_service.domain.access import Role
from qa_service.settings import Settings
from tests.api.calls import OTHER, PHONE, TOLD, add_unscored
from tests.api.conftest import World, populated

CONTENT = b"a call" * 1000
METADATA = {"agent_id": "1024", "team": "A", "vendor": "V", "started_at": "2026-11-20T12:00:00+08:00"}


def send(
    client: TestClient,
    content: bytes = CONTENT,
    metadata: object = METADATA,
    name: str = "a.wav",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    told = {"metadata": json.dumps(metadata)} if metadata is not None else {}
    return client.post("/v1/recordings", files={"file": (name, content)}, data=told, headers=headers)


def scoped(world: World, scope: dict[str, Any]) -> TestClient:
    """The manager, for these calls alone."""
    user = world.users[Role.MANAGER]
    changed = world.clients[Role.ADMIN].patch(
        f"/v1/users/{user.id}", json={"scope": scope}, headers={"If-Match": "*"}
    )
    assert changed.status_code == 200
    return world.clients[Role.MANAGER]


def kept(world: World) -> list[Path]:
    """Everything in the data directory that is no database."""
    folder = world.site.settings.data_dir
    return sorted(path for path in folder.rglob("*") if path.is_file() and "qa.db" not in path.name)


def stored(world: World) -> int:
    return len(world.clients[Role.INSPECTOR].get("/v1/recordings").json()["items"])


def test_a_recording_is_stored_told_of_and_queued(world: World) -> None:
    client = world.clients[Role.MANAGER]
    answer = send(client)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    call = made["recording"]
    assert answer.headers["location"] == f"/v1/recordings/{call['id']}"
    assert (call["sha256"], call["size_bytes"]) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    assert (call["agent_id"], call["file_name"], call["at"]) == ("1024", "a.wav", "2026-11-20T04:00:00Z")
    assert made["new"]
    assert made["job"]["state"] == client.get(f"/v1/recordings/{call['id']}/job").json()["state"] == "queued"
    (blob,) = kept(world)
    assert blob.read_bytes() == CONTENT
    with world.site.units() as unit:
        job = unit.jobs.claim("worker", lease_s=10)
        assert job is not None
        assert (job.kind, job.recording_id, dict(job.payload)) == ("score-recording", call["id"], {"pack": ""})
    (event,) = world.clients[Role.AUDITOR].get("/v1/audit", params={"action": "recording.upload"}).json()["items"]
    assert (event["thing_id"], event["name"]) == (str(call["id"]), "manager.user")


def test_what_programs_deliver_waits_for_what_people_ask_for(world: World) -> None:
    send(world.clients[Role.SERVICE])
    with world.site.units() as unit:
        job = unit.jobs.claim("worker", lease_s=10)
    assert job is not None
    assert job.priority < 0


def test_the_same_bytes_are_one_recording(world: World) -> None:
    client = world.clients[Role.MANAGER]
    first = send(client, metadata={"agent_id": "1024"})
    again = send(client, metadata={"agent_id": "1024", "queue": "orders"}, name="b.wav")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["recording"]["id"] == first.json()["recording"]["id"]
    assert not again.json()["new"]
    assert again.json()["recording"]["queue"] == "orders"
    other = send(client, metadata={"agent_id": "2048"})
    assert (other.status_code, other.json()["code"]) == (422, "metadata_conflict")
    assert client.get(first.headers["location"]).json() == again.json()["recording"]
    assert len(kept(world)) == 1


def test_sent_twice_at_once_it_is_one_recording(world: World) -> None:
    client = world.clients[Role.MANAGER]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(client), range(4)))
    assert {answer.status_code for answer in answers} <= {200, 201}, [a.text for a in answers]
    assert len({answer.json()["recording"]["id"] for answer in answers}) == 1
    assert len(kept(world)) == 1


def test_a_request_that_is_repeated_is_answered_alike(world: World) -> None:
    client, key = world.clients[Role.MANAGER], {"Idempotency-Key": "k"}
    first, again = send(client, headers=key), send(client, headers=key)
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert first.headers["location"] == again.headers["location"]
    other = send(client, b"other", headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert stored(world) == len(kept(world)) == 1


def test_nobody_sends_calls_of_others(world: World) -> None:
    theirs = add_unscored(world.site, "theirs", OTHER)
    manager = scoped(world, {"vendor": "V"})
    for metadata in ({"vendor": "W"}, {}, None):
        answer = send(manager, metadata=metadata)
        assert (answer.status_code, answer.json()["code"]) == (403, "outside_scope")
    taken = send(manager, b"theirs", metadata={"vendor": "V"})
    assert (taken.status_code, taken.json()["code"]) == (409, "recording_taken")
    assert kept(world) == []
    assert stored(world) == 1
    seen = world.clients[Role.INSPECTOR].get(f"/v1/recordings/{theirs.recording_id}").json()
    assert (seen["vendor"], seen["file_name"]) == ("W", "theirs.wav")
    assert send(manager, metadata={"vendor": "V"}).status_code == 201


def test_whatever_a_file_is_called(world: World) -> None:
    client = world.clients[Role.MANAGER]
    for number, (name, shown) in enumerate(
        (
            ("../../etc/passwd", "passwd"),
            ("/etc/shadow", "shadow"),
            ("C:\\calls\\a.wav", "a.wav"),
            ("..\\..\\a.wav", "a.wav"),
            ("通话 录音.wav", "通话 录音.wav"),
            ("a;b='c'.wav", "a;b='c'.wav"),
            ("%2e%2e%2fa.wav", "%2e%2e%2fa.wav"),
        )
    ):
        answer = send(client, b"named %d" % number, name=name)
        assert answer.status_code == 201, (name, answer.text)
        assert answer.json()["recording"]["file_name"] == shown
    before = len(kept(world))
    for name in ("..", "x/", "a\u202egpj.wav", "a\u200b.wav", "x" * 256, "话" * 100, "x" * 4000):
        answer = send(client, b"refused", name=name)
        assert answer.status_code == 422, name
        assert answer.json()["code"] in ("file_name_invalid", "upload_invalid"), name
    for raw in (b"a\x00.wav", b"\xff\xfe.wav", b"a\x01.wav"):
        answer = post(client, body(name=raw))
        assert answer.status_code == 422, raw
        assert answer.json()["code"] in ("file_name_invalid", "upload_invalid"), raw
    assert len(kept(world)) == before


def body(
    content: bytes = b"bytes", *, name: bytes = b"a.wav", part: bytes = b"file", end: bytes = b"--b--\r\n"
) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n\r\n' % (part, name)
    return head + content + b"\r\n" + end


def post(
    client: TestClient, content: bytes | Iterator[bytes], kind: str | None = "multipart/form-data; boundary=b"
) -> httpx.Response:
    return client.post("/v1/recordings", content=content, headers={"Content-Type": kind} if kind else {})


META = b'--b\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'


def test_what_is_no_upload_changes_nothing(world: World) -> None:
    client = world.clients[Role.MANAGER]
    whole = body()
    for content, kind, status, code in (
        (whole, "application/json", 415, "media_type_unsupported"),
        (whole, "audio/wav", 415, "media_type_unsupported"),
        (whole, None, 415, "media_type_unsupported"),
        (whole, "multipart/form-data", 422, "upload_invalid"),
        (whole, "multipart/form-data; boundary=" + "b" * 71, 422, "upload_invalid"),
        (whole, "multipart/form-data; boundary=other", 422, "upload_invalid"),
        (b"", "multipart/form-data; boundary=b", 422, "upload_incomplete"),
        (whole[:-3], "multipart/form-data; boundary=b", 422, "upload_incomplete"),
        (whole[:40], "multipart/form-data; boundary=b", 422, "upload_incomplete"),
        (body(end=b"--b\r\n"), "multipart/form-data; boundary=b", 422, "upload_incomplete"),
        (body(b""), "multipart/form-data; boundary=b", 422, "file_empty"),
        (body(part=b"recording"), "multipart/form-data; boundary=b", 422, "upload_invalid"),
        (body(end=b"") + body(), "multipart/form-data; boundary=b", 422, "upload_invalid"),
        (META + b"{}\r\n--b--\r\n", "multipart/form-data; boundary=b", 422, "upload_invalid"),
        (META + b"{\r\n" + whole, "multipart/form-data; boundary=b", 422, "upload_invalid"),
        (META + b'{"team": 7}\r\n' + whole, "multipart/form-data; boundary=b", 422, "upload_invalid"),
        (META + b'{"what": "x"}\r\n' + whole, "multipart/form-data; boundary=b", 422, "upload_invalid"),
        (META + b'"' + b"x" * 70_000 + b'"\r\n' + whole, "multipart/form-data; boundary=b", 422, "upload_invalid"),
    ):
        answer = post(client, content, kind)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (content[:60], answer.text)
        assert PHONE not in answer.text
    assert kept(world) == []
    assert stored(world) == 0
    assert post(client, whole).status_code == 201, "the body itself was right"


def test_what_is_wrong_is_not_repeated(world: World) -> None:
    answer = send(world.clients[Role.MANAGER], metadata={"ring_count": PHONE})
    assert answer.status_code == 422
    assert PHONE not in answer.text


@pytest.fixture
def small_world(tmp_path: Path) -> Iterator[World]:
    settings = Settings(data_dir=tmp_path / "data", database_url=None, max_file_bytes=3 * 1024**2)
    with TestClient(create_app(settings), raise_server_exceptions=False) as app:
        yield populated(app)


def test_what_is_too_large_is_refused_early(small_world: World) -> None:
    client = small_world.clients[Role.MANAGER]
    taken = 0

    def pieces(total: int) -> Iterator[bytes]:
        nonlocal taken
        yield body(end=b"")[:-7]
        for _ in range(total // 2**16):
            taken += 2**16
            yield b"x" * 2**16

    declared = post(client, b"x" * 5 * 1024**2)
    assert (declared.status_code, declared.json()["code"]) == (413, "upload_too_large")
    for total in (
        64 * 1024**2,
        4 * 1024**2 - 2**17,
    ):  # past the limit of the body; within it, past that of the file
        taken = 0
        chunked = post(client, pieces(total))
        assert (chunked.status_code, chunked.json()["code"]) == (413, "upload_too_large")
    assert kept(small_world) == []
    assert stored(small_world) == 0
    assert send(client, b"x" * 3 * 1024**2).status_code == 201, "as large as is allowed"


def _full_spool(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> BinaryIO:
        return Path("/dev/full").open("r+b", buffering=0)

    monkeypatch.setattr(multipart, "_unnamed_file", full)


def _full_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(dir: Path) -> tuple[int, str]:
        _, name = tempfile.mkstemp(dir=dir)
        return os.open("/dev/full", os.O_WRONLY), name

    class Full:
        mkstemp = staticmethod(full)

    monkeypatch.setattr(blobs, "tempfile", Full)


@pytest.mark.parametrize("full", [_full_spool, _full_store])
def test_a_full_disk_is_told_and_nothing_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, full: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """/dev/full answers every write as a full disk does."""
    with monkeypatch.context() as patched:
        full(patched)
        answer = send(world.clients[Role.MANAGER])
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert kept(world) == []
    assert stored(world) == 0
    assert send(world.clients[Role.MANAGER]).status_code == 201


def test_names_tell_what_the_site_says_they_do(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "d", database_url=None, filename_template="{agent_id}_{queue}")
    with TestClient(create_app(settings), raise_server_exceptions=False) as app:
        client = populated(app).clients[Role.MANAGER]
        named = send(client, metadata=None, name="1024_orders.wav").json()["recording"]
        assert (named["agent_id"], named["queue"]) == ("1024", "orders")
        told = send(client, b"raw", {"queue": "billing"}, name="7_x.ulaw").json()["recording"]
        assert (told["agent_id"], told["queue"]) == ("7", "billing"), "what is told goes before the name"
        assert told["metadata"]["raw_format"] == "mulaw/8000/1"


def test_metadata_are_the_same_as_other_ways_of_telling(world: World) -> None:
    sent = send(world.clients[Role.MANAGER], metadata={"customer_ref": PHONE, "direction": "inbound"})
    with world.site.units_to_read() as unit:
        known = unit.metadata.get(sent.json()["recording"]["id"])
    assert (known.customer_ref, known.direction) == (PHONE, TOLD.direction)
