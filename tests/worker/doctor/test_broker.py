"""The broker's check, on a real Redis: a message comes back and nothing stays; or why not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_service.services.diagnosis import State
from qa_service.settings import Settings
from tests.brokers import Redis, running_redis
from worker.app import make_app
from worker.doctor.broker import broker


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running_redis(tmp_path_factory.mktemp("broker")) as server:
        yield server


def settings(url: str | None) -> Settings:
    return Settings(data_dir=Path("/nowhere"), broker_url=url)


def test_no_broker_is_no_fault() -> None:
    assert broker(settings(None)).state is State.OK


def test_a_broker_that_works_is_left_as_it_was(redis: Redis) -> None:
    found = broker(settings(redis.url))
    assert (found.state, "0 waiting for workers" in found.measured) == (State.OK, True)
    assert redis.client().keys("*") == []
    make_app(settings(redis.url)).send_task("qa.speech.work", queue="speech")
    before = sorted(redis.client().keys("*"))
    assert "1 waiting for workers" in broker(settings(redis.url)).measured
    assert sorted(redis.client().keys("*")) == before
    redis.client().flushall()


def test_a_broker_that_takes_no_messages(redis: Redis) -> None:
    redis.client().replicaof("127.0.0.1", 1)
    try:
        found = broker(settings(redis.url))
    finally:
        redis.client().replicaof("NO", "ONE")
    assert (found.state, "read only replica" in found.measured) == (State.FAILED, True)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:secret@127.0.0.1:1/0", "does not work"),
        ("amqp://qa:secret@127.0.0.1:1//", "does not work"),
        ("nonsense://qa:secret@host", "not the address of a broker"),
        ("redis://:secret@host:port/0", "not the address of a broker"),
    ],
)
def test_a_broker_that_is_down_or_none(url: str, told: str) -> None:
    found = broker(settings(url))
    assert (found.state, told in found.measured) == (State.FAILED, True)
    assert "QA_BROKER_URL" in found.measured + found.remedy
    assert "secret" not in found.measured + found.remedy


def test_a_wrong_password(redis: Redis) -> None:
    found = broker(settings(redis.url.replace("redis://", "redis://nobody:secret@")))
    assert found.state is State.FAILED
    assert "secret" not in found.measured


def test_without_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "worker.app", raising=False)
    monkeypatch.setitem(sys.modules, "celery", None)
    found = broker(settings("redis://127.0.0.1:1/0"))
    assert (found.state, ".[fleet]" in found.remedy) == (State.FAILED, True)
