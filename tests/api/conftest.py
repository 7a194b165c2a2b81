"""An application on a database of each kind, with a user of every role and clients that are signed in as them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.site import Site
from qa_service.domain.access import EVERYTHING, PERMISSIONS, Role, Scope
from qa_service.ports.people import User
from qa_service.services.sign_in import principal_of
from qa_service.settings import Settings

OWN: Final = Scope(vendor="V", teams=frozenset({"A"}))
SCOPES: Final = {Role.LEADER: OWN, Role.AGENT: Scope(agent_id="1024")}
PASSWORD: Final = "four words in a row"


@dataclass(frozen=True)
class World:
    """The application, and who works with it. ``clients``: signed in by a token with all that the role may."""

    app: TestClient
    site: Site
    users: dict[Role, User]
    clients: dict[Role, TestClient]


def client_of(world_app: TestClient, secret: str) -> TestClient:
    return TestClient(world_app.app, headers={"Authorization": f"Bearer {secret}"}, raise_server_exceptions=False)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", database_url=database_url)


class Startable:
    """One application that is started for one test after another: putting a hundred routes together takes longer
    than most tests do."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.app = create_app(self._now)

    def _now(self) -> Settings:
        assert self.settings is not None
        return self.settings


@pytest.fixture(scope="session")
def startable() -> Startable:
    return Startable()


@pytest.fixture
def world(settings: Settings, startable: Startable) -> Iterator[World]:
    startable.settings = settings
    with TestClient(startable.app, raise_server_exceptions=False) as app:
        yield populated(app)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for a whole module, on SQLite, for tests that change nothing."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("site"), database_url=None)
    with TestClient(create_app(settings), raise_server_exceptions=False) as app:
        world = populated(app)
        world.site.followers.lasts_s = 0.1  # an answer that goes on would hold the test up
        yield world


def populated(app: TestClient) -> World:
    """A user of every role, without passwords: hashing one takes a tenth of a second."""
    site: Site = app.app.state.site  # type: ignore[attr-defined]
    users, clients = {}, {}
    for role in Role:
        user = site.accounts.create("test", f"{role}.user", roles=[role], scope=SCOPES.get(role, EVERYTHING))
        who = principal_of(user, via="command")
        secret, _ = site.sign_in.issue_token(
            who, "all", PERMISSIONS[role], expires_at=site.clock.now() + timedelta(days=1)
        )
        users[role], clients[role] = user, client_of(app, secret)
    return World(app, site, users, clients)
