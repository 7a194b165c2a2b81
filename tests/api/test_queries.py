"""No operation asks the database once for each thing that it shows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from api.access import SIGNED_IN
from qa_service.db.session import Database
from qa_service.domain.access import PERMISSIONS, Role
from tests.api.calls import add_call, at
from tests.api.conftest import World
from tests.api.test_permissions import OPERATIONS

MOST = 12
"""Statements of one request, signing in among them."""

READING = [(path, needed) for method, path, needed in OPERATIONS if method == "GET"]


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SAVEPOINT", "RELEASE")):
            asked.append(statement)

    engine = database._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
def full_world(shared_world: World) -> World:
    for number in range(12):
        add_call(shared_world.site, f"call {number}", at(number))
    return shared_world


@pytest.mark.parametrize(("path", "needed"), READING, ids=[path for path, _ in READING])
def test_statements_do_not_grow_with_what_is_shown(full_world: World, path: str, needed: str) -> None:
    world = full_world
    role = next(role for role in Role if needed == SIGNED_IN or needed in PERMISSIONS[role])
    filled = re.sub(r"\{[a-z_]+\}", "1", path)
    client = world.clients[role]
    client.get(filled)  # whatever is done once
    lengths = {}
    for limit in (1, 10):
        with counted(world.site.database) as asked:
            answer = client.get(filled, params={"limit": limit})
        assert answer.status_code < 500, answer.text
        lengths[limit] = len(asked)
        assert len(asked) <= MOST, asked
    assert lengths[1] == lengths[10], "a statement for each item"


def test_it_counts(full_world: World) -> None:
    """The test above could not fail if nothing were seen, or lists held one item."""
    with counted(full_world.site.database) as asked:
        items = full_world.clients[Role.MANAGER].get("/v1/recordings", params={"limit": 10}).json()["items"]
    assert len(items) == 10
    assert [statement for statement in asked if "FROM calls" in statement]
