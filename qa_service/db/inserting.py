"""Insert-or-get that is safe when two processes do it at once.

Guarantee: the unique constraint decides, never a look before the insert; the loser's transaction goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from qa_service.db.rows import Row
from qa_service.errors import NotFoundError

R = TypeVar("R", bound=Row)


def insert_or_get(session: Session, find: Callable[[], R | None], build: Callable[[], R]) -> tuple[R, bool]:
    """The row that ``find`` knows, else a new one from ``build``; and whether it is new.

    Raises:
        NotFoundError: ``row_parent_unknown`` when the new row refers to one that does not exist.
    """
    existing = find()
    if existing is not None:
        return existing, False
    row = build()
    try:
        # The savepoint keeps the caller's transaction usable: PostgreSQL aborts a whole transaction on an error.
        # It waits here while another transaction holds the same key, until that one commits or rolls back.
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        existing = find()
        if existing is not None:
            return existing, False
        if not _is_missing_parent(error):
            raise
        raise NotFoundError(
            "row_parent_unknown",
            f"a new row of {row.__tablename__} refers to a row that does not exist: score the recording again",
            table=row.__tablename__,
        ) from error
    return row, True


def insert_missing(session: Session, row: type[Row], unique: str, values: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of ``values`` whose columns ``unique`` (with commas) no row has yet, in one round trip."""
    if not values:
        return
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert(row) if dialect == "postgresql" else sqlite.insert(row)
    session.execute(insert.on_conflict_do_nothing(index_elements=unique.split(",")), list(values))


def insert_new(session: Session, row: type[Row], unique: str, values: Mapping[str, Any]) -> int | None:
    """Insert a row, and tell its number; None where another has the same columns ``unique`` (with commas).

    Waits while another transaction holds the same key, until that one commits or rolls back.
    """
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert(row) if dialect == "postgresql" else sqlite.insert(row)
    wanted = insert.values(**values).on_conflict_do_nothing(index_elements=unique.split(","))
    number: int | None = session.scalar(wanted.returning(row.__table__.c.id))
    return number


def _is_missing_parent(error: IntegrityError) -> bool:
    """Whether a foreign key was broken: SQLSTATE 23503 in PostgreSQL, an extended error name in SQLite."""
    postgresql = getattr(error.orig, "sqlstate", None)
    sqlite = getattr(error.orig, "sqlite_errorname", None)
    return postgresql == "23503" or sqlite == "SQLITE_CONSTRAINT_FOREIGNKEY"


def storable(text: str) -> str:
    """``text`` as every database takes it: file names may hold bytes that are no Unicode, and PostgreSQL refuses
    NUL characters."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def insert_or_update(
    session: Session, row: type[Row], unique: Sequence[str], values: Sequence[Mapping[str, Any]]
) -> None:
    """Insert ``values``, or change the rows that have the same ``unique`` columns. No two values may have."""
    if not values:
        return
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert(row) if dialect == "postgresql" else sqlite.insert(row)
    changed = {name: insert.excluded[name] for name in values[0] if name not in unique}
    session.execute(insert.on_conflict_do_update(index_elements=list(unique), set_=changed), list(values))
