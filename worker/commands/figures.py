"""``qa figures``: what calls add up to."""

from typing import Annotated

import typer

from qa_service.settings import load_settings
from worker.container import Container

figures_app = typer.Typer(no_args_is_help=True, help="Scores and faults, by agent and day.")


@figures_app.command()
def recount(
    everything: Annotated[
        bool, typer.Option("--all", help="Every day there is, as when QA_TIME_ZONE has changed.")
    ] = False,
) -> None:
    """Count the days whose calls have changed now, instead of leaving it to workers."""
    container = Container(load_settings())
    counted = container.figures.recount(everything=everything)
    typer.echo(f"counted {counted} days of agents", err=True)
