"""``qa rules approve``, ``publish``, ``retire``, ``history``: who let which version of a rule score.

Steps that were taken go to stdout, a line each; what was not done, and why, to stderr.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from qa_service.domain.lifecycle import RuleState, RuleTransition
from qa_service.errors import RulePackError
from qa_service.services.approvals import Steps
from qa_service.settings import load_settings
from rules.engine import RuleSet
from worker.commands.formats import ListFormat
from worker.container import Container, pack
from worker.render import console, printable

_DIGEST_CHARACTERS = len("sha256:") + 12

Pack = Annotated[str, typer.Argument(help="Rule pack, by name or folder.")]
By = Annotated[str, typer.Option(help="Who says so: the name is kept.")]
Note = Annotated[str, typer.Option(help="Why, for whoever reads the history.")]
Only = Annotated[list[str] | None, typer.Option("--rule", help="Only this rule; may be given several times.")]


def approve(name: Pack, by: By, rule: Only = None, note: Note = "") -> None:
    """Say that the rules of a pack, as they are now, may go live."""
    steps = Container(load_settings()).approvals.approve(pack(name), by=by, note=note, only=rule)
    _tell(steps)
    if steps.left:
        names = printable(", ".join(steps.left))
        typer.echo(f"retired, and left so unless they are named with --rule: {names}", err=True)
    if steps.taken:
        typer.echo(f"they score once they are published: qa rules publish {printable(name)} --by NAME", err=True)


Despite = Annotated[
    str, typer.Option("--despite-change", help="Why it goes live although its change is not assessed.")
]


def publish(name: Pack, by: By, rule: Only = None, note: Note = "", despite: Despite = "") -> None:
    """Let approved rules score. What was live of them until now is retired."""
    steps = Container(load_settings()).approvals.publish(pack(name), by=by, note=note, only=rule, override=despite)
    _tell(steps)
    if steps.left:
        typer.echo(
            f"not approved, and left as they are: {printable(', '.join(steps.left))}: "
            f"qa rules approve {printable(name)} --by NAME",
            err=True,
        )


def retire(
    name: Pack,
    rule: Annotated[list[str], typer.Option("--rule", help="The rule; may be given several times.")],
    by: By,
    note: Note = "",
) -> None:
    """Take rules that were published out of scoring; they are recorded from now on."""
    container = Container(load_settings())
    _tell(container.approvals.retire(_id(container, name), by=by, note=note, only=rule))


def history(
    name: Pack,
    rule: Annotated[str | None, typer.Option(help="Of this rule only.")] = None,
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """Who approved, published and retired what, and when; and what scores now."""
    container = Container(load_settings())
    pack_id = _id(container, name)
    steps = container.approvals.history(pack_id, rule)
    if output is ListFormat.JSON:
        for step in steps:
            typer.echo(json.dumps(_document(step), ensure_ascii=False))
        return
    console().print(_history_table(steps))
    rules = _loaded(name)
    if rules is not None:
        states = container.approvals.states(rules)
        console().print(_state_table(rules, {one: states[one] for one in states if rule in (None, one)}))


def _tell(steps: Steps) -> None:
    for step in steps.taken:
        typer.echo(printable(f"{step.to_state.value} {step.rule} {step.digest[:_DIGEST_CHARACTERS]} by {step.by}"))
    if steps.already:
        typer.echo(f"nothing to do for {printable(', '.join(steps.already))}", err=True)


def _loaded(name: str) -> RuleSet | None:
    try:
        return pack(name)
    except RulePackError as error:
        if error.code != "pack_unknown":
            raise
        return None


def _id(container: Container, name: str) -> str:
    """The pack's own name. Of one whose folder is gone the history is still there."""
    rules = _loaded(name)
    if rules is not None:
        return rules.pack
    return name if container.approvals.history(name) else pack(name).pack


def _document(step: RuleTransition) -> dict[str, str]:
    return {
        "pack": step.pack,
        "rule": step.rule,
        "digest": step.digest,
        "from": step.from_state.value,
        "to": step.to_state.value,
        "by": step.by,
        "at": step.at.isoformat(),
        "note": step.note,
    }


def _history_table(steps: Iterable[RuleTransition]) -> Table:
    table = Table("when", "rule", "version", "step", "by", "note", show_edge=False, pad_edge=False)
    for step in steps:
        table.add_row(
            step.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            Text(step.rule),
            step.digest[:_DIGEST_CHARACTERS],
            f"{step.from_state.value} → {step.to_state.value}",
            Text(printable(step.by)),
            Text(printable(step.note)),
        )
    return table


def _state_table(rules: RuleSet, states: Mapping[str, RuleState]) -> Table:
    table = Table("now", "version", "state", show_edge=False, pad_edge=False)
    for version in rules.versions:
        if version.rule in states:
            state = states[version.rule]
            colour = "green" if state is RuleState.LIVE else "yellow"
            table.add_row(Text(version.rule), version.digest[:_DIGEST_CHARACTERS], Text(state.value, style=colour))
    return table
