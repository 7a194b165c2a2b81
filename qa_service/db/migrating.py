"""Alembic and the migrations of this package. Apart from ``schema``, because loading Alembic takes long."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def configuration(connection: Connection) -> Config:
    """Alembic's for the migrations of this package, also for writing new ones."""
    config = Config()
    config.set_main_option("script_location", "qa_service.db:migrations")
    config.attributes["connection"] = connection
    return config


def revisions(connection: Connection) -> list[str]:
    """All that this code knows, the newest first."""
    script = ScriptDirectory.from_config(configuration(connection))
    return [revision.revision for revision in script.walk_revisions()]


def to_newest(connection: Connection) -> None:
    """Run the missing migrations in the connection's transaction."""
    command.upgrade(configuration(connection), "head")
