"""Databases of a PostgreSQL server for one test after another."""

from typing import LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import make_url

# What a test may have changed besides rows: columns, triggers, constraints and indexes, settings, the revision.
_SHAPE: LiteralString = """
SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
    SELECT concat_ws(' ', c.relname, c.relkind, a.attnum, a.attname, a.atttypid, a.attnotnull) AS line
        FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname) FROM pg_constraint
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
        WHERE d.datname = current_database()
    UNION ALL SELECT version_num FROM alembic_version
) AS lines
"""
_TOUCHED: LiteralString = """
SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p') AND pg_relation_size(oid) > 0 AND relname <> 'alembic_version'
"""
_COUNTED: LiteralString = (
    "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
)

# A table of so many bytes is not worth keeping: rows that were deleted stay in it, as nothing vacuums.
_LARGE = 1 << 18


class WithTables:
    """Databases as the migrations leave them.

    Copying one takes longer than most tests do. One in which a test changed nothing but rows is emptied and given
    to the next test.

    Args:
        server: URL of the server.
        template: name of an upgraded database.
    """

    def __init__(self, server: str, template: str) -> None:
        self._server = server
        self._template = template
        self._made = 0
        self._free: list[str] = []
        with psycopg.connect(url_of(server, template)) as connection:
            self._shape = connection.execute(_SHAPE).fetchone()
            assert connection.execute(_TOUCHED).fetchall() == [], "rows of migrations would be lost"

    def take(self) -> str:
        """The name of one without rows."""
        if self._free:
            return self._free.pop()
        self._made += 1
        name = f"{self._template}_{self._made}"
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(self._template)
                )
            )
        return name

    def give_back(self, name: str) -> None:
        """Whoever still works in it is cut off."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            if self._emptied(name):
                self._free.append(name)
            else:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _emptied(self, name: str) -> bool:
        try:
            with psycopg.connect(url_of(self._server, name)) as connection:
                connection.execute("SET session_replication_role = replica")  # no trigger keeps a row, no key asks
                if connection.execute(_SHAPE).fetchone() != self._shape:
                    return False
                for table, size in connection.execute(_TOUCHED).fetchall():
                    empty = "TRUNCATE {} CASCADE" if size > _LARGE else "DELETE FROM {}"
                    connection.execute(sql.SQL(empty).format(sql.Identifier(table)))
                for (sequence,) in connection.execute(_COUNTED).fetchall():
                    connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART").format(sql.Identifier(sequence)))
        except psycopg.Error:  # it takes no writes, or has no revision any more
            return False
        return True


def url_of(server: str, database: str) -> str:
    """The URL of another database of the server."""
    return make_url(server).set(database=database).render_as_string(hide_password=False)
