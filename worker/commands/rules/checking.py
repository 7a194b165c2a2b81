"""``qa rules lint``, ``test``, ``schema``: write rules with the safety that engineers have for code.

Findings and failures go to stdout, a line each; how many there were, to stderr.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from qa_service.domain.results import Outcome
from qa_service.errors import ConfigurationError, RulePackError
from qa_service.settings import load_settings
from rules.cases import CaseOutcome, run_cases
from rules.json_schema import schemas
from rules.lint import Finding, Level
from rules.lint import lint as lint_pack
from rules.loader import find_pack, load_pack
from worker.commands.formats import ListFormat
from worker.render import console, printable

Packs = Annotated[list[str] | None, typer.Argument(help="Rule packs, by name or folder; default: those in use.")]
Output = Annotated[ListFormat, typer.Option("--format", help="What stdout gets.")]


def lint(
    packs: Packs = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as faults.")] = False,
    output: Output = ListFormat.TABLE,
) -> None:
    """Everything that is wrong with a pack, and what probably is. Exit code 1 when it has faults."""
    found = [finding for path in _paths(packs) for finding in lint_pack(path)]
    for finding in dict.fromkeys(found):
        typer.echo(_json_of(finding) if output is ListFormat.JSON else printable(f"{finding.level}: {finding}"))
    counts = Counter(finding.level for finding in dict.fromkeys(found))
    faults, warnings = counts[Level.FAULT], counts[Level.WARNING]
    typer.echo(f"{_number(faults, 'fault')}, {_number(warnings, 'warning')}", err=True)
    raise typer.Exit(1 if faults or (strict and warnings) else 0)


def _json_of(finding: Finding) -> str:
    file, line, column = finding.fault.place
    return json.dumps(
        {
            "level": finding.level.value,
            "code": finding.code,
            "file": printable(str(file)),
            "line": line,
            "column": column,
            "message": finding.fault.what,
            "fix": finding.fault.fix,
        },
        ensure_ascii=False,
    )


@dataclass
class _Ran:
    """The cases of one rule."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    known_misses: int = 0
    failed: int = 0

    def add(self, outcome: CaseOutcome) -> None:
        if outcome.case.known_miss:
            self.known_misses += 1
        else:
            self.counts[outcome.case.expect] += 1
        self.failed += not outcome.passed

    def document(self) -> dict[str, Any]:
        counts = {outcome.value: self.counts[outcome] for outcome in Outcome}
        return {**counts, "known_misses": self.known_misses, "failed": self.failed}


def run(
    packs: Packs = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only this rule; may be given several times.")] = None,
    output: Output = ListFormat.TABLE,
) -> None:
    """Run the cases beside the rules. Exit code 1 when one says something else than expected."""
    failed = 0
    for path in _paths(packs):
        known = {r.rule for r in load_pack(path).rules}
        if unknown := sorted(set(rule or ()) - known):
            raise RulePackError(
                "rule_unknown",
                f"no rule {unknown[0]!r} in pack {path.name}: use one of {', '.join(sorted(known))}",
            )
        outcomes = run_cases(path, rules=rule or ())
        failed += sum(not outcome.passed for outcome in outcomes)
        if output is ListFormat.JSON:
            _write_outcomes(path, outcomes)
            continue
        for outcome in outcomes:
            if not outcome.passed:
                typer.echo(printable(outcome.message))
        console(stderr=True).print(_counts(path.name, _ran(outcomes, rule or sorted(known))))
    typer.echo(f"{_number(failed, 'case')} failed" if failed else "all cases passed", err=True)
    raise typer.Exit(1 if failed else 0)


def _ran(outcomes: Iterable[CaseOutcome], rules: Iterable[str]) -> dict[str, _Ran]:
    found = {name: _Ran() for name in rules}
    for outcome in outcomes:
        found[outcome.rule].add(outcome)
    return found


def _counts(name: str, ran: dict[str, _Ran]) -> Table:
    heads = ("rule", "hit", "clean", "undetermined", "not applicable", "known misses")
    table = Table(*heads, title=printable(name))
    for rule, one in ran.items():
        order = (Outcome.NOT_MET, Outcome.MET, Outcome.UNDETERMINED, Outcome.NOT_APPLICABLE)
        cells = [str(one.counts[outcome] or "") for outcome in order]
        table.add_row(Text(rule), *cells, str(one.known_misses or ""), style="red" if one.failed else None)
    return table


def _write_outcomes(path: Path, outcomes: tuple[CaseOutcome, ...]) -> None:
    for outcome in outcomes:
        document = {
            "pack": printable(path.name),
            "rule": outcome.rule,
            "case": outcome.case.case,
            "place": printable(outcome.place),
            "expected": outcome.case.expect.value,
            "outcome": outcome.outcome.value,
            "reason": outcome.reason,
            "known_miss": outcome.case.known_miss,
            "passed": outcome.passed,
        }
        typer.echo(json.dumps(document, ensure_ascii=False))


def schema(
    write: Annotated[Path | None, typer.Option(help="A folder for one file a kind of document.")] = None,
) -> None:
    """JSON Schema of the documents of a pack, for editors that complete and check YAML."""
    found = schemas()
    if write is None:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    try:
        write.mkdir(parents=True, exist_ok=True)
        for name, document in found.items():
            text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
            (write / f"{name}.schema.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            "schema_unwritable", f"cannot write to {write}: {error.strerror}: check the folder and its permissions"
        ) from error
    typer.echo(f"{_number(len(found), 'schema')} written to {printable(str(write))}", err=True)


def _paths(packs: list[str] | None) -> list[Path]:
    settings = load_settings()
    return [find_pack(name) for name in dict.fromkeys(packs or [settings.pack_zh, settings.pack_en])]


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
