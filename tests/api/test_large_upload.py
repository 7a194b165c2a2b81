"""An hour of stereo through a real web process: its memory stays flat, and half an upload leaves nothing."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from api.site import Site
from qa_service.domain.access import EVERYTHING, PERMISSIONS, Role
from qa_service.services.sign_in import principal_of
from qa_service.settings import Settings
from tests.brokers import free_port
from tests.cli import environment

HOUR_BYTES = 44 + 3600 * 8_000 * 2 * 2  # one hour, 8 kHz, two channels, 16 bit
GROWTH_BYTES = 24 * 1024**2
BOUNDARY = b"b0undary"


@pytest.fixture
def token(tmp_path: Path) -> str:
    site = Site(Settings(data_dir=tmp_path / "data", database_url=None))
    site.database.upgrade()
    user = site.accounts.create("test", "m", roles=[Role.MANAGER], scope=EVERYTHING)
    secret, _ = site.sign_in.issue_token(
        principal_of(user, via="command"),
        "t",
        PERMISSIONS[Role.MANAGER],
        expires_at=site.clock.now() + timedelta(days=1),
    )
    site.close()
    return secret


@contextmanager
def web(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--port", str(port)]
    with subprocess.Popen(command, env=environment(folder), stderr=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(200):
                try:
                    httpx.get(f"{address}/healthz")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()


def wav(size: int) -> Iterator[bytes]:
    """As many bytes of a recording, no two pieces alike, never all of them at once."""
    for number in range(size // 2**16):
        yield number.to_bytes(8, "big") * 2**13
    yield b"\x01" * (size % 2**16)


def upload(size: int) -> Iterator[bytes]:
    yield b'--%b\r\nContent-Disposition: form-data; name="file"; filename="hour.wav"\r\n\r\n' % BOUNDARY
    yield from wav(size)
    yield b"\r\n--%b--\r\n" % BOUNDARY


def test_an_hour_of_stereo_at_flat_memory(tmp_path: Path, token: str) -> None:
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}",
    }
    data = tmp_path / "data"
    with web(data) as (address, process), httpx.Client(timeout=60, headers=headers) as client:
        small = client.post(f"{address}/v1/recordings", content=upload(2**20))  # whatever is loaded on first use
        assert small.status_code == 201, small.text
        before, most = process.memory_info().rss, 0

        def watched() -> Iterator[bytes]:
            nonlocal most
            for number, piece in enumerate(upload(HOUR_BYTES)):
                if number % 50 == 0:
                    most = max(most, process.memory_info().rss)
                yield piece

        answer = client.post(f"{address}/v1/recordings", content=watched())
        most = max(most, process.memory_info().rss)
        assert answer.status_code == 201, answer.text
        assert answer.json()["recording"]["size_bytes"] == HOUR_BYTES
        assert most - before < GROWTH_BYTES

        _breaks_off(address, headers)
        blobs = [path for path in data.rglob("*") if path.is_file() and "qa.db" not in path.name]
        assert len(blobs) == 2, "half an upload is none"
        listed = client.get(f"{address}/v1/recordings").json()["items"]
        assert len(listed) == 2


def _breaks_off(address: str, headers: dict[str, str]) -> None:
    host, port = address.removeprefix("http://").split(":")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            f"POST /v1/recordings HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: {HOUR_BYTES}\r\n\r\n".encode()
        )
        for number, piece in enumerate(upload(HOUR_BYTES)):
            connection.sendall(piece)
            if number == 100:
                break
    time.sleep(0.5)
