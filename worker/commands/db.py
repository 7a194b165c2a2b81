"""``qa db``: the database's tables and copies."""

from pathlib import Path
from typing import Annotated

import typer

from qa_service.db.backup import backup as copy_database
from qa_service.settings import load_settings
from worker.container import Container

db_app = typer.Typer(no_args_is_help=True, help="The database.")


@db_app.command()
def upgrade() -> None:
    """Create or upgrade the database's tables."""
    container = Container(load_settings())
    _ = container.database
    typer.echo("database is up to date", err=True)


@db_app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The copy, a file that is not there yet.")],
) -> None:
    """Copy a SQLite database while workers use it. Copy the recordings after it, not before."""
    copy_database(load_settings().resolved_database_url, file)
    typer.echo(f"copied to {file}", err=True)
