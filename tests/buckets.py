"""A real server that speaks S3, on a free port of this machine. It keeps its objects over a restart."""

import contextlib
import logging
import urllib.request
from collections.abc import Iterator, Mapping

import obstore
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from tests.brokers import free_port

KEY, SECRET = "AKIAEXAMPLEEXAMPLE00", "not-a-secret-of-anybody"


class Drawer:
    """One bucket, seen from outside the product."""

    def __init__(self, name: str, endpoint: str) -> None:
        self.name = name
        self.url = f"s3://{name}"
        self._store = S3Store(
            name,
            endpoint=endpoint,
            access_key_id=KEY,
            secret_access_key=SECRET,
            region="us-east-1",
            client_options={"allow_http": True},
        )

    def put(self, key: str, content: bytes) -> None:
        obstore.put(self._store, key, content)

    def get(self, key: str) -> bytes:
        return bytes(obstore.get(self._store, key).bytes())

    def delete(self, key: str) -> None:
        obstore.delete(self._store, key)

    def keys(self) -> list[str]:
        return [one["path"] for page in obstore.list(self._store, chunk_size=1000) for one in page]


class S3:
    """A server that can go away and come back. Whoever shows a key is let in."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._port = free_port()
        self._server: ThreadedMotoServer | None = None
        self._buckets = 0
        self.endpoint = f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to use it. Without credentials they would be looked for in the network."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def up(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()

    def down(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def new_bucket(self) -> Drawer:
        self._buckets += 1
        name = f"calls-{self._buckets}"
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        with urllib.request.urlopen(request):
            return Drawer(name, self.endpoint)


@contextlib.contextmanager
def running_s3() -> Iterator[S3]:
    server = S3()
    server.up()
    try:
        yield server
    finally:
        server.down()
