"""Buckets as sources: what counts, pages of listings, objects that change, keys that nothing can be done with."""

import http.server
import threading
import urllib.request
from pathlib import Path

import pytest

from qa_service.adapters.buckets import Bucket
from qa_service.adapters.source_bucket import BucketSource
from qa_service.errors import InputError, QAError, TransientError
from qa_service.ports.sources import Listed
from tests.buckets import S3, Drawer


@pytest.fixture
def drawer(s3: S3) -> Drawer:
    return s3.new_bucket()


@pytest.fixture
def source(drawer: Drawer) -> BucketSource:
    return BucketSource(Bucket(f"{drawer.url}/in"))


def keys(source: BucketSource, folder: Path | None = None) -> list[str]:
    return sorted(one.key for one in source.walk(folder) if isinstance(one, Listed))


def test_recordings_and_tables_under_the_prefix_count(source: BucketSource, drawer: Drawer) -> None:
    for key in (
        *("in/1.wav", "in/a/call_metadata.csv", "in/a/b/2.MP3", "in/a/3.wav"),
        *("in/notes.txt", "in/.hidden/4.wav", "in/~5.wav", "in/6.wav.part", "inbox/7.wav", "8.wav"),
    ):
        drawer.put(key, b"x")
    assert keys(source) == ["1.wav", "a/3.wav", "a/b/2.MP3", "a/call_metadata.csv"]
    assert keys(source, source.path("a")) == ["a/3.wav", "a/call_metadata.csv"]
    assert [one.key for one in source.walk() if isinstance(one, Listed) and one.table] == ["a/call_metadata.csv"]


def test_a_listing_of_several_pages(source: BucketSource, drawer: Drawer) -> None:
    names = [f"{number:04d}.wav" for number in range(1005)]
    for name in names:
        drawer.put(f"in/{name}", b"x")
    assert keys(source) == names


def test_what_metadata_asks_of_it(source: BucketSource, drawer: Drawer) -> None:
    drawer.put("in/a/call_metadata.csv", b"file\n")
    table = source.path("a/call_metadata.csv")
    assert source.is_file(table)
    assert source.read(table) == b"file\n"
    assert source.exists(source.path("b/../a/call_metadata.csv"))
    assert not source.exists(source.path("../in/../../etc/passwd"))
    assert not source.exists(Path("/etc/passwd"))
    assert not source.exists(source.path("bad\nname.wav"))
    with pytest.raises(InputError) as caught:
        source.read(source.path("a/call_metadata.json"))
    assert caught.value.code == "metadata_unreadable"


@pytest.mark.parametrize(("happened", "code"), [("replaced", "file_changing"), ("deleted", "file_missing")])
def test_an_object_is_read_as_it_was_listed(
    source: BucketSource, drawer: Drawer, happened: str, code: str
) -> None:
    drawer.put("in/1.wav", b"as it was")
    (listed,) = [one for one in source.walk() if isinstance(one, Listed)]
    if happened == "replaced":
        drawer.put("in/1.wav", b"as it is!")
    else:
        drawer.delete("in/1.wav")
    with pytest.raises(InputError) as caught:
        source.receive(_Reader(), listed, None)
    assert caught.value.code == code


class _Reader:
    """Reads what it is to store."""

    def receive(self, path, metadata, *, second=None):  # type: ignore[no-untyped-def]
        raise AssertionError("nothing of a bucket is on a disk")

    def receive_all(self, sides, metadata):  # type: ignore[no-untyped-def]
        return [side.source.read(1000) for side in sides]


class _Closed(http.server.BaseHTTPRequestHandler):
    """Has one object that nobody may read; nor may they list, where ``all`` is closed."""

    code = "AccessDenied"
    all = False

    def do_HEAD(self) -> None:
        self._answer(200, b"x")

    def do_GET(self) -> None:
        if "list-type" in self.path and not self.all:
            self._answer(200, b"<ListBucketResult></ListBucketResult>")
        else:
            self._answer(403, f"<Error><Code>{self.code}</Code></Error>".encode())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"stamp"')
        self.send_header("Last-Modified", "Sun, 01 Nov 2026 10:00:00 GMT")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("reason", "all_of_it", "code", "of_table"),
    [
        ("InvalidObjectState", False, "file_unreadable", "metadata_unreadable"),  # archived
        ("AccessDenied", False, "file_unreadable", "metadata_unreadable"),
        ("AccessDenied", True, "bucket_refused", "bucket_refused"),
    ],
)
def test_an_object_that_may_not_be_read_is_told_from_a_bucket_that_may_not(
    s3: S3, monkeypatch: pytest.MonkeyPatch, reason: str, all_of_it: bool, code: str, of_table: str
) -> None:
    monkeypatch.setattr(_Closed, "code", reason)
    monkeypatch.setattr(_Closed, "all", all_of_it)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Closed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        source = BucketSource(Bucket("s3://calls"))
        with pytest.raises(QAError) as recording:
            source.receive(_Reader(), Listed("1.wav", 1, '"stamp"', None), None)
        with pytest.raises(QAError) as table:
            source.read(source.path("call_metadata.csv"))
        server.shutdown()
    assert (recording.value.code, table.value.code) == (code, of_table)


def test_a_key_that_cannot_be_listed_is_named(source: BucketSource, drawer: Drawer, s3: S3) -> None:
    request = urllib.request.Request(f"{s3.endpoint}/{drawer.name}/in/a//b.wav", data=b"x", method="PUT")
    with urllib.request.urlopen(request):
        pass
    with pytest.raises(TransientError) as caught:
        list(source.walk())
    assert caught.value.code == "source_unavailable"
    assert "in/a//b.wav" in caught.value.message  # `qa collect` prints it, logs leave it out
