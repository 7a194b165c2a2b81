"""A database may be upgraded under workers of the version before: what they read and write stays possible."""

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from qa_service.db import migrating
from qa_service.db.engine import open_engine, parse_url, sqlite_path

Columns = dict[str, dict[str, tuple[bool, bool]]]
"""Of each table, of each column, whether it may be NULL and whether the database has a default for it."""


def revisions(url: str) -> list[str]:
    engine = open_engine(parse_url(url))
    with engine.begin() as connection:
        script = ScriptDirectory.from_config(migrating.configuration(connection))
        found = [step.revision for step in script.walk_revisions()]
    engine.dispose()
    return found[::-1]


def columns_at(url: str, revision: str) -> Columns:
    """What tables have when the database, which is older, is at ``revision``."""
    engine = open_engine(parse_url(url))
    with engine.begin() as connection:
        command.upgrade(migrating.configuration(connection), revision)
    inspector = inspect(engine)
    found = {
        table: {
            column["name"]: (bool(column["nullable"]), column.get("default") is not None)
            for column in inspector.get_columns(table)
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }
    engine.dispose()
    return found


def what_breaks(before: Columns, after: Columns) -> list[str]:
    """Why code that was written for ``before`` cannot work on ``after``."""
    faults = []
    for table, columns in before.items():
        now = after.get(table, {})
        faults += [f"{table}.{name} is gone" for name in columns.keys() - now.keys()]
        faults += [
            f"{table}.{name} must be given"
            for name in now.keys() - columns.keys()
            if not now[name][0] and not now[name][1]
        ]
        faults += [
            f"{table}.{name} may no longer be empty"
            for name in columns.keys() & now.keys()
            if columns[name][0] and not now[name][0]
        ]
    return sorted(faults)


def test_every_migration_leaves_the_version_before_at_work(database_url: str) -> None:
    if path := sqlite_path(parse_url(database_url)):
        path.parent.mkdir()
    known = revisions(database_url)
    assert len(known) >= 8
    shapes = [columns_at(database_url, revision) for revision in known]
    for before, after, revision in zip(shapes, shapes[1:], known[1:], strict=False):
        assert what_breaks(before, after) == [], revision


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        ({"jobs": {"id": (False, False)}}, "jobs.key is gone"),
        ({}, "jobs.id is gone"),
        ({"jobs": {"id": (False, False), "key": (False, False)}}, "jobs.key may no longer be empty"),
        (
            {"jobs": {"id": (False, False), "key": (True, False), "rank": (False, False)}},
            "jobs.rank must be given",
        ),
    ],
)
def test_what_would_break_them(after: Columns, fault: str) -> None:
    before: Columns = {"jobs": {"id": (False, False), "key": (True, False)}}
    assert fault in what_breaks(before, after)


def test_what_is_added_with_a_default_breaks_nothing() -> None:
    before: Columns = {"jobs": {"id": (False, False)}}
    after = {"jobs": {"id": (False, False), "rank": (False, True), "note": (True, False)}, "batches": {}}
    assert what_breaks(before, after) == []
