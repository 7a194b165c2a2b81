"""``qa rules``: rules as code."""

import typer

from worker.commands.rules.approvals import approve, history, publish, retire
from worker.commands.rules.backtest import backtest
from worker.commands.rules.checking import lint, run, schema
from worker.commands.rules.explain import explain

rules_app = typer.Typer(no_args_is_help=True, help="The rules: try them, approve them, let them score.")
rules_app.command("test")(run)
for _command in (lint, schema, explain, backtest, approve, publish, retire, history):
    rules_app.command()(_command)
