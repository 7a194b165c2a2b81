"""The contract of every blob store, local or in a bucket."""

import hashlib
import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from qa_service.adapters.blob_files import RANGE_CHUNK_BYTES
from qa_service.adapters.blobs import LocalBlobStore
from qa_service.adapters.buckets import Bucket
from qa_service.adapters.object_blobs import ObjectBlobStore
from qa_service.errors import InputError, NotFoundError
from qa_service.ports import BlobStore
from tests.buckets import S3

CONTENT = bytes(range(256)) * 4 * 1024 + b"tail"  # 1 MiB and a little


@pytest.fixture(params=["local", "bucket"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[BlobStore, Callable[[], list[str]]]:
    """A store, and what lies in it."""
    if request.param == "bucket":
        s3: S3 = request.getfixturevalue("s3")
        drawer = s3.new_bucket()
        return ObjectBlobStore(Bucket(drawer.url), max_blob_bytes=2**31), drawer.keys
    root = tmp_path / "blobs"
    return LocalBlobStore(root), lambda: [
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()
    ]


@pytest.fixture
def store(places: tuple[BlobStore, Callable[[], list[str]]]) -> BlobStore:
    return places[0]


@pytest.fixture
def names(places: tuple[BlobStore, Callable[[], list[str]]]) -> Callable[[], list[str]]:
    return places[1]


def test_a_blob_comes_back_under_its_digest(store: BlobStore, names: Callable[[], list[str]]) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (blob.sha256, blob.uri, blob.size_bytes) == (digest, f"blob:{digest}", len(CONTENT))
    assert store.size_bytes(blob.uri) == len(CONTENT)
    with store.open(blob.uri) as read:
        assert read.read() == CONTENT
    with store.local_path(blob.uri) as path:
        assert path.read_bytes() == CONTENT
    assert names() == [f"{digest[:2]}/{digest[2:4]}/{digest}"]


@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
def test_the_same_bytes_are_one_blob(store: BlobStore, names: Callable[[], list[str]], content: bytes) -> None:
    assert store.put(io.BytesIO(content)) == store.put(io.BytesIO(content))
    assert len(names()) == 1


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 0),
        (0, 1),
        (7, 20),
        (0, len(CONTENT)),
        (3, RANGE_CHUNK_BYTES + 3),
        (len(CONTENT) - 2, len(CONTENT) + 100),
        (len(CONTENT) + 5, len(CONTENT) + 9),
    ],
)
def test_a_range_is_read_in_chunks(store: BlobStore, start: int, end: int) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    chunks = list(store.read_range(blob.uri, start, end))
    assert b"".join(chunks) == CONTENT[start:end]
    assert all(0 < len(chunk) <= RANGE_CHUNK_BYTES for chunk in chunks)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 2)])
def test_a_range_that_is_none_is_refused(store: BlobStore, start: int, end: int) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    with pytest.raises(ValueError, match="no byte range"):
        store.read_range(blob.uri, start, end)


def test_a_deleted_blob_is_gone_and_can_be_deleted_again(store: BlobStore) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    store.delete(blob.uri)
    store.delete(blob.uri)
    for read in (store.size_bytes, store.open, lambda uri: store.read_range(uri, 0, 1)):
        with pytest.raises(NotFoundError) as caught:
            read(blob.uri)
        assert caught.value.code == "blob_not_found"
    with pytest.raises(NotFoundError), store.local_path(blob.uri):
        pass


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "blob:",
        "blob:../../etc/passwd",
        "blob:" + "../" * 20 + "etc/passwd",
        "blob:/etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "blob:" + "a" * 63,
        "blob:" + "a" * 65,
        "blob:" + "A" * 64,
        "blob:" + "a" * 64 + "\n",
        "blob:" + "a" * 64 + "/..",
        "blob:" + "a" * 63 + "\x00",
        "blob:" + "١" * 64,
        "BLOB:" + "a" * 64,
    ],
)
def test_an_address_that_is_no_digest_is_refused(store: BlobStore, uri: str) -> None:
    calls: tuple[Callable[[str], object], ...] = (
        store.size_bytes,
        store.open,
        store.delete,
        lambda uri: store.read_range(uri, 0, 1),
    )
    for call in calls:
        with pytest.raises(InputError) as caught:
            call(uri)
        assert caught.value.code == "blob_uri_invalid"


def test_the_same_bytes_stored_at_once_are_one_blob(store: BlobStore, names: Callable[[], list[str]]) -> None:
    start = threading.Barrier(8)
    stored: list[str] = []

    def put() -> None:
        start.wait()
        stored.append(store.put(io.BytesIO(CONTENT)).uri)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == 8
    assert len(names()) == len(set(stored)) == 1


class _Failing:
    """A source that breaks off after some bytes."""

    def __init__(self) -> None:
        self._reads = 0

    def read(self, size: int, /) -> bytes:
        self._reads += 1
        if self._reads > 2:
            raise ConnectionResetError("the source went away")
        return b"x" * size


def test_a_source_that_breaks_off_leaves_nothing_and_is_not_blamed_on_the_storage(
    store: BlobStore, names: Callable[[], list[str]]
) -> None:
    with pytest.raises(ConnectionResetError):
        store.put(_Failing())
    assert names() == []


def test_several_sources_are_stored_or_none(store: BlobStore, names: Callable[[], list[str]]) -> None:
    with pytest.raises(ConnectionResetError):
        store.put_all((io.BytesIO(CONTENT), _Failing()))
    assert names() == []
    blobs = store.put_all((io.BytesIO(CONTENT), io.BytesIO(b"x"), io.BytesIO(b"x")))
    assert [blob.size_bytes for blob in blobs] == [len(CONTENT), 1, 1]
    assert len(names()) == 2


def test_a_blob_is_read_from_any_place(store: BlobStore) -> None:
    blob = store.put(io.BytesIO(CONTENT))
    with store.open(blob.uri) as read:
        read.seek(-4, io.SEEK_END)
        assert (read.read(), read.read()) == (b"tail", b"")
        read.seek(2)
        assert (read.read(3), read.tell()) == (CONTENT[2:5], 5)
