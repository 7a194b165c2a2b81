"""``qa models``: what the product hears with, and whether it is what was published."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from models.catalogue import entries
from models.catalogue import verify as verify_all
from models.weights import default_cache_dir
from qa_service.settings import load_settings
from worker.commands.formats import ListFormat
from worker.render import console, printable

models_app = typer.Typer(no_args_is_help=True, help="The models: list and verify them.")


@models_app.command("list")
def list_models(
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """List the models: part, source, licence, digest, whether they are here and in use, memory."""
    found = entries(load_settings().asr_model)
    if output is ListFormat.JSON:
        for entry in found:
            typer.echo(json.dumps(asdict(entry), ensure_ascii=False))
        return
    table = Table("model", "part", "here", "used", "MiB", "licence", "sha256", "source")
    for entry in found:
        table.add_row(
            Text(printable(entry.name)),
            entry.part,
            "yes" if entry.present else "no",
            "yes" if entry.used else "",
            str(entry.memory_mib or ""),
            entry.licence,
            entry.sha256[:16],
            entry.source,
        )
    console().print(table)


@models_app.command()
def verify() -> None:
    """Read every model in use and compare it with its published digest. Exit code 1 when one is not right."""
    settings = load_settings()
    faults = 0
    for name, sha256, fault in verify_all(
        settings.asr_model, cache_dir=settings.model_cache_dir or default_cache_dir()
    ):
        if fault is None:
            typer.echo(f"verified {printable(name)} sha256:{sha256}")
        else:
            faults += 1
            typer.echo(printable(f"{name}: {fault.code}: {fault.message}"), err=True)
    raise typer.Exit(1 if faults else 0)
