"""The check of a blob store in a bucket, on a real server."""

from pathlib import Path

import pytest

from qa_service.services.diagnosis import State
from qa_service.settings import Settings
from tests.buckets import S3
from worker.doctor.storage import blobs


def settings(url: str) -> Settings:
    return Settings(data_dir=Path("/nowhere"), blob_url=url)


def test_a_bucket_that_works_is_left_as_it_was(s3: S3) -> None:
    drawer = s3.new_bucket()
    found = blobs(settings(f"{drawer.url}/audio"))
    assert (found.state, f"{drawer.url}/audio" in found.measured) == (State.OK, True)
    assert drawer.keys() == []


def test_a_bucket_that_does_not_exist(s3: S3) -> None:
    found = blobs(settings("s3://nobody-made-it"))
    assert (found.state, "NoSuchBucket" in found.measured, "AWS_ENDPOINT_URL" in found.remedy) == (
        State.FAILED,
        True,
        True,
    )


def test_a_server_that_is_away(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    found = blobs(settings("s3://calls"))
    assert (found.state, "no connection" in found.measured) == (State.FAILED, True)
