"""Webhooks' signatures and waits."""

import base64
import hashlib
import hmac
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.webhooks import MOST_ATTEMPTS, key_id, pause_after, secret_of, signature, wait_after


def test_the_published_example_of_the_standard() -> None:
    """What the libraries of Standard Webhooks test themselves with."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_of_two_secrets_signs() -> None:
    secrets = [secret_of(b"k", "one"), secret_of(b"k", "two")]
    both = signature(secrets, "m", 1, b"body").split(" ")
    for secret, one in zip(secrets, both, strict=True):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = hmac.new(key, b"m.1.body", hashlib.sha256).digest()
        assert one == "v1," + base64.b64encode(expected).decode()


@given(st.binary(min_size=1, max_size=64), st.binary(min_size=1, max_size=64), st.text(max_size=32))
def test_without_the_key_a_salt_tells_nothing(one: bytes, other: bytes, salt: str) -> None:
    assert secret_of(one, salt) == secret_of(one, salt)
    assert (secret_of(one, salt) == secret_of(other, salt)) is (one == other)
    assert (key_id(one) == key_id(other)) is (one == other)


@given(st.integers(min_value=1, max_value=10_000))
def test_waits_grow_to_a_limit(count: int) -> None:
    for wait in (wait_after, pause_after):
        assert timedelta(seconds=30) <= wait(count) <= wait(count + 1) <= timedelta(hours=6)


def test_all_attempts_take_most_of_a_day() -> None:
    waited = sum((wait_after(number) for number in range(1, MOST_ATTEMPTS)), timedelta())
    assert timedelta(hours=12) < waited < timedelta(hours=24)
