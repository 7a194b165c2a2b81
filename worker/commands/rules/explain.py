"""``qa rules explain``: why a rule says what it says of a call, condition by condition."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from qa_service.domain.metrics import measure
from qa_service.domain.results import Evidence, RuleResult
from qa_service.settings import load_settings
from rules.explain import Explained, Explanation
from rules.explain import explain as explain_rule
from worker.commands.formats import ListFormat
from worker.container import Container
from worker.container import pack as load_named_pack
from worker.render import clock, console, printable
from worker.stored import stored_call

_SIGNS = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "magenta")}
_MOST_EVIDENCE = 5


def explain(
    recording: Annotated[str, typer.Argument(help="Path, file name, or the start of the digest.")],
    rule: Annotated[str, typer.Argument(help="The rule's id.")],
    pack: Annotated[
        str | None, typer.Option(help="Rule pack, by name or folder; default: that of the call's evaluation.")
    ] = None,
    output: Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")] = ListFormat.TABLE,
) -> None:
    """Show a rule's evaluation of a stored call as a tree: every condition with value, reason and evidence."""
    container = Container(load_settings())
    call = stored_call(container, recording)
    rules = load_named_pack(pack or call.evaluation.pack)
    metrics = measure(call.conversation, call.metadata, rules.metric_options)
    explanation = explain_rule(rules, rule, call.conversation, metrics, call.metadata)
    if output is ListFormat.JSON:
        typer.echo(json.dumps(_document(explanation), ensure_ascii=False))
    else:
        console().print(_tree(explanation))


def _document(explanation: Explanation) -> dict[str, object]:
    result = explanation.result
    return {
        "rule": result.rule,
        "outcome": result.outcome.value,
        "reason": result.reason or None,
        "evidence": [asdict(evidence) for evidence in result.evidence],
        "conditions": [asdict(condition) for condition in explanation.conditions],
    }


def _tree(explanation: Explanation) -> Tree:
    result = explanation.result
    tree = Tree(_headline(result))
    for condition in explanation.conditions:
        _grow(tree, condition)
    return tree


def _headline(result: RuleResult) -> Text:
    reason = f" ({result.reason})" if result.reason else ""
    return Text.assemble((f"{result.rule} {result.title}", "bold"), f": {result.outcome.value}{reason}")


def _grow(tree: Tree, condition: Explained) -> None:
    sign, colour = _SIGNS[condition.value] if condition.kind else ("•", "")
    line = Text.assemble((sign, colour), " ", (condition.part, "bold"))
    if condition.kind:
        line.append(f"{' ' if condition.part else ''}{condition.kind}")
    if condition.settings:
        line.append(f" {printable(condition.settings)}", "dim")
    if condition.reason:
        line.append(f" ({condition.reason})", "magenta")
    branch = tree.add(line)
    if condition.inside and condition.kind:
        for inner in condition.inside:
            _grow(branch, inner)
        return  # its evidence is theirs
    for evidence in condition.evidence[:_MOST_EVIDENCE]:
        branch.add(_told(evidence))
    if len(condition.evidence) > _MOST_EVIDENCE:
        branch.add(Text(f"and {len(condition.evidence) - _MOST_EVIDENCE} more", "dim"))
    for inner in condition.inside:
        _grow(branch, inner)


def _told(evidence: Evidence) -> Text:
    line = Text(f"{clock(evidence.start)}–{clock(evidence.end)}", "cyan")
    if evidence.role is not None:
        line.append(f" {evidence.role.value}")
    if evidence.quote:
        line.append(f" “{printable(evidence.quote)}”", "")
    if evidence.confidence is not None:
        line.append(f" {evidence.confidence:.2f}", "dim")
    if evidence.note:
        line.append(f" {printable(evidence.note)}", "dim")
    return line
