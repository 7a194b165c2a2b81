"""Blobs in a bucket: pieces, damage, a server that goes away, and words that tell no secret."""

import hashlib
import io
import logging
import os
import socket
import time
from datetime import timedelta
from pathlib import Path

import pytest

from qa_service.adapters.buckets import PIECE_BYTES, Bucket, parse_bucket_url
from qa_service.adapters.object_blobs import ObjectBlobStore
from qa_service.errors import ConfigurationError, InputError, TransientError
from tests.buckets import KEY, S3, SECRET, Drawer


@pytest.fixture
def drawer(s3: S3) -> Drawer:
    return s3.new_bucket()


@pytest.fixture
def store(drawer: Drawer) -> ObjectBlobStore:
    return ObjectBlobStore(Bucket(f"{drawer.url}/audio/blobs"), max_blob_bytes=64 * 1024**2)


def test_blobs_lie_under_the_prefix(store: ObjectBlobStore, drawer: Drawer) -> None:
    digest = store.put(io.BytesIO(b"call")).sha256
    assert drawer.keys() == [f"audio/blobs/{digest[:2]}/{digest[2:4]}/{digest}"]


def test_a_blob_of_many_pieces_comes_back(store: ObjectBlobStore) -> None:
    content = os.urandom(1024) * (2 * PIECE_BYTES // 1024) + b"tail"
    blob = store.put(io.BytesIO(content))
    assert blob.sha256 == hashlib.sha256(content).hexdigest()
    assert store.size_bytes(blob.uri) == len(content)
    with store.local_path(blob.uri) as path:
        assert path.read_bytes() == content
    around = PIECE_BYTES - 3
    assert b"".join(store.read_range(blob.uri, around, around + 7)) == content[around : around + 7]


def test_what_is_fetched_to_be_decoded_leaves_no_file(
    store: ObjectBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    blob = store.put(io.BytesIO(b"call"))
    with store.local_path(blob.uri) as path:
        assert path.read_bytes() == b"call"
        assert list(tmp_path.iterdir()) == []  # a kill would leave nothing either
    assert not path.exists()


def test_a_blob_that_is_too_large_is_not_fetched(drawer: Drawer) -> None:
    store = ObjectBlobStore(Bucket(drawer.url), max_blob_bytes=3)
    blob = store.put(io.BytesIO(b"call"))
    with pytest.raises(InputError) as caught, store.local_path(blob.uri):
        pass
    assert caught.value.code == "file_too_large"


def test_a_blob_of_another_size_is_repaired_by_storing_it_again(store: ObjectBlobStore, drawer: Drawer) -> None:
    blob = store.put(io.BytesIO(b"call"))
    (key,) = drawer.keys()
    drawer.put(key, b"cut")
    store.put(io.BytesIO(b"call"))
    assert store.size_bytes(blob.uri) == 4


def test_a_damaged_blob_is_not_heard(store: ObjectBlobStore, drawer: Drawer) -> None:
    blob = store.put(io.BytesIO(b"call"))
    (key,) = drawer.keys()
    drawer.put(key, b"cull")
    with pytest.raises(InputError) as caught, store.local_path(blob.uri):
        pass
    assert caught.value.code == "blob_damaged"


def test_a_full_temporary_folder_may_have_room_later(
    store: ObjectBlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(TransientError) as caught:
        store.put(io.BytesIO(b"call"))
    assert caught.value.code == "storage_unavailable"
    assert "TMPDIR" in caught.value.message


def test_a_server_that_is_away_may_come_back(store: ObjectBlobStore, s3: S3) -> None:
    blob = store.put(io.BytesIO(b"call"))
    s3.down()
    try:
        for use in (lambda: store.put(io.BytesIO(b"other")), lambda: store.size_bytes(blob.uri)):
            with pytest.raises(TransientError) as caught:
                use()
            assert caught.value.code == "storage_unavailable"
            assert "no connection" in caught.value.message
    finally:
        s3.up()
    assert store.put(io.BytesIO(b"call")) == blob


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, s3: S3) -> None:
    monkeypatch.setattr("qa_service.adapters.buckets._SILENCE_LIMIT", timedelta(seconds=0.2))
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it accepts, and that is all
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(TransientError) as caught:
            Bucket("s3://calls").check()
    assert caught.value.code == "storage_unavailable"
    assert time.monotonic() - started < 10


def test_a_bucket_that_does_not_exist_is_no_missing_blob(s3: S3) -> None:
    store = ObjectBlobStore(Bucket("s3://nobody-made-it"), max_blob_bytes=100)
    address = "blob:" + hashlib.sha256(b"call").hexdigest()
    for use in (lambda: store.put(io.BytesIO(b"call")), lambda: store.size_bytes(address)):
        with pytest.raises(TransientError) as caught:
            use()
        assert caught.value.code == "bucket_refused"
        assert "NoSuchBucket" in caught.value.message


def test_refused_credentials_are_named_by_nobody(
    store: ObjectBlobStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("moto.core.responses.ActionAuthenticatorMixin.request_count", 0)
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)
    with caplog.at_level(logging.DEBUG), pytest.raises(TransientError) as caught:
        store.put(io.BytesIO(b"call"))
    error: BaseException | None = caught.value
    assert caught.value.code == "bucket_refused"
    while error is not None:
        assert error.__suppress_context__ or error.__context__ is None
        assert not {KEY, SECRET} & set(str(error).replace("<", " ").replace(">", " ").split())
        error = error.__cause__
    ours = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("moto"))
    assert KEY not in ours
    assert SECRET not in ours


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("s3://calls", ("calls", "")),
        ("s3://calls/", ("calls", "")),
        ("s3://calls/a/b/", ("calls", "a/b")),
        ("s3://calls/录音", ("calls", "录音")),
    ],
)
def test_a_bucket_has_a_name_and_perhaps_a_prefix(url: str, parsed: tuple[str, str]) -> None:
    assert parse_bucket_url(url) == parsed


@pytest.mark.parametrize(
    "url",
    [
        "calls",
        "s3://",
        "s3:///a",
        "gs://calls",
        "s3://Calls",
        "s3://calls?x=1",
        "s3://calls/a//b",
        "s3://calls/../b",
    ],
)
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"s3://|prefix"):
        parse_bucket_url(url)


def test_credentials_in_the_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="AWS_SECRET_ACCESS_KEY") as caught:
        parse_bucket_url(f"s3://{KEY}:{SECRET}@calls")
    assert SECRET not in str(caught.value)
    for url in (f"s3://{KEY}:/{SECRET}@calls", f"s3://{KEY}/..{SECRET}/../x", f"s3://calls/{SECRET}//x"):
        with pytest.raises(ValueError, match=r"s3://|prefix") as caught:
            parse_bucket_url(url)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "minio.site:9000",
        "http//minio",
        "http://",
        "http://minio:99999",
        "http://a b",
        "http://[::1",
        "ftp://minio",
    ],
)
def test_an_endpoint_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL is no address") as caught:
        Bucket("s3://calls").check()
    assert caught.value.code == "settings_invalid"
