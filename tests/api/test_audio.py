"""Listening through the API: any bytes of what somebody may hear, and never a byte of what they may not."""

import io
import wave
from collections.abc import Iterator
from dataclasses import replace

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from api.app import create_app
from api.plays import Plays
from api.ranges import ByteRange, Unsatisfiable, asked_range
from qa_service.domain.access import Role
from qa_service.domain.timeline import TimeSpan
from qa_service.settings import Settings
from tests import builders
from tests.api.calls import SAID
from tests.api.conftest import World, populated

RATE, LENGTH_S = 8_000, 12.0
CODE_AT = TimeSpan(9.0, 10.0)


def tone() -> bytes:
    """Two channels that are never silent."""
    time_s = np.arange(int(RATE * LENGTH_S)) / RATE
    left = (8000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2")
    with io.BytesIO() as file:
        with wave.open(file, "wb") as written:
            written.setnchannels(2)
            written.setsampwidth(2)
            written.setframerate(RATE)
            written.writeframes(np.stack([left, left // 2], axis=1).tobytes())
        return file.getvalue()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """A world with a heard call in which a number and a card code are said; its path."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("listening"), database_url=None)
    with TestClient(create_app(settings), raise_server_exceptions=False) as app:
        world = populated(app)
        sent = world.clients[Role.MANAGER].post(
            "/v1/recordings",
            files={"file": ("a.wav", tone())},
            data={"metadata": '{"agent_id": "1024", "team": "A", "vendor": "V"}'},
        )
        number = sent.json()["recording"]["id"]
        heard = replace(
            builders.conversation(
                builders.utterance("您好，请说您的手机号", 0.0),
                builders.utterance(SAID, 4.0, role=builders.CUSTOMER, index=1),
                duration_s=LENGTH_S,
            ),
            card_codes=(CODE_AT,),
        )
        with world.site.units() as unit:
            unit.conversations.add("k", number, heard, elapsed_s=1.0)
            unit.commit()
        yield world, f"/v1/recordings/{number}/audio"


def frames(answer: httpx.Response) -> NDArray[np.int16]:
    with wave.open(io.BytesIO(answer.content)) as file:
        assert file.getframerate() == RATE
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())


def loud(sound: NDArray[np.int16], start_s: float, end_s: float) -> bool:
    return bool(np.abs(sound[int(start_s * RATE) : int(end_s * RATE)]).max() > 100)


def test_everybody_hears_what_they_may(desk: tuple[World, str]) -> None:
    world, path = desk
    for role in Role:
        if role in (Role.ADMIN, Role.AUDITOR, Role.SERVICE):
            assert world.clients[role].get(path).status_code == 403
            continue
        answer = world.clients[role].get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "audio/wav"
        sound = frames(answer)
        assert len(sound) == RATE * LENGTH_S
        assert loud(sound, 0.0, 4.0)
        assert not loud(sound, CODE_AT.start, CODE_AT.end), "card codes are for nobody"
        sees = role in (Role.MANAGER, Role.INSPECTOR)
        assert loud(sound, 6.0, 6.5) is sees, role


def test_a_clip(desk: tuple[World, str]) -> None:
    world, path = desk
    client = world.clients[Role.LEADER]
    whole = frames(client.get(path))
    clip = frames(client.get(path, params={"start": 3.0, "end": 7.0}))
    assert np.array_equal(clip, whole[3 * RATE : 7 * RATE])
    for params in ({"start": 5, "end": 5}, {"start": 7, "end": 3}, {"start": 500}):
        answer = client.get(path, params=params)
        assert (answer.status_code, answer.json()["code"]) == (422, "clip_invalid")
    for params in ({"start": -1}, {"end": "nan"}, {"start": "inf"}):
        answer = client.get(path, params=params)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


def test_ranges_join_to_the_whole(desk: tuple[World, str]) -> None:
    world, path = desk
    client = world.clients[Role.LEADER]
    whole = client.get(path)
    size, etag = len(whole.content), whole.headers["etag"]
    joined = b""
    for start in range(0, size, 50_000):
        answer = client.get(path, headers={"Range": f"bytes={start}-{start + 49_999}", "If-Range": etag})
        assert answer.status_code == 206
        end = min(size, start + 50_000)
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["content-length"] == str(end - start)
        joined += answer.content
    assert joined == whole.content
    assert client.get(path, headers={"Range": "bytes=-10"}).content == whole.content[-10:]
    other = client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (other.status_code, len(other.content)) == (200, size), "a version that was not seen comes whole"
    late = client.get(path, headers={"Range": f"bytes={size}-"})
    assert (late.status_code, late.json()["code"]) == (416, "range_invalid")
    assert late.headers["content-range"] == f"bytes */{size}"
    head = client.head(path)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(size))
    assert head.headers["etag"] == etag
    assert client.head(path, headers={"Range": "bytes=0-9"}).headers["content-length"] == "10"


def test_who_hears_otherwise_has_another_version(desk: tuple[World, str]) -> None:
    world, path = desk
    tags = {world.clients[role].head(path).headers["etag"] for role in (Role.LEADER, Role.INSPECTOR)}
    assert len(tags) == 2


def test_playing_is_on_the_audit_trail(desk: tuple[World, str]) -> None:
    world, path = desk
    trainer = world.clients[Role.TRAINER]
    clip = {"start": 1.25, "end": 2.5}
    trainer.head(path, params=clip)
    for _ in range(3):
        assert trainer.get(path, params=clip, headers={"Range": "bytes=0-99"}).status_code == 206
    events = world.clients[Role.AUDITOR].get("/v1/audit", params={"action": "recording.play"}).json()["items"]
    own = [event for event in events if event["name"] == "trainer.user" and event["detail"]["start"] == 1.25]
    assert [event["detail"] for event in own] == [clip]
    assert own[0]["thing_id"] == path.split("/")[3]


def test_what_was_not_heard_yet_is_for_who_may_hear_everything(desk: tuple[World, str]) -> None:
    world, _ = desk
    manager = world.clients[Role.MANAGER]
    sent = manager.post(
        "/v1/recordings",
        files={"file": ("b.wav", tone() + b"\0\0")},
        data={"metadata": '{"team": "A", "vendor": "V"}'},
    )
    path = f"{sent.headers['location']}/audio"
    blind = world.clients[Role.LEADER].get(path)
    assert (blind.status_code, blind.json()["code"]) == (409, "not_heard_yet")
    assert manager.get(path).status_code == 200


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, 100)),
        ("bytes=5-1000", (5, 100)),
        ("BYTES=-7", (93, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("items=0-5", None),
        ("bytes= 0-5", (0, 6)),
        ("bytes=" + "9" * 400 + "-", None),
    ],
)
def test_what_is_a_range(header: str | None, expected: tuple[int, int] | None) -> None:
    found = asked_range(header, None, etag='"e"', size=100)
    assert found == (expected and ByteRange(*expected, 100))


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_what_is_no_byte_of_it(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        asked_range(header, None, etag='"e"', size=100)


def test_a_play_is_told_once_in_ten_minutes() -> None:
    now = 0.0
    plays = Plays(now=lambda: now)
    assert plays.begins((1, 2, None, None))
    assert not plays.begins((1, 2, None, None))
    assert plays.begins((1, 2, 3.0, None))
    assert plays.begins((2, 2, None, None))
    plays.forget((1, 2, None, None))
    assert plays.begins((1, 2, None, None))
    now = 601.0
    assert plays.begins((1, 2, None, None))
