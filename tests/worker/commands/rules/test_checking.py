"""``qa rules lint``, ``test`` and ``schema``: what is printed where, and the exit codes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qa_service.errors import ConfigurationError, RulePackError
from rules.json_schema import schemas
from tests.rules.builders import write_pack
from worker.commands.rules import rules_app

CASES = (
    '- {case: 有, expect: met, dialogue: "agent 0-1: 您好"}\n'
    '- {case: 没有, expect: not_met, dialogue: "agent 0-1: 喂喂"}\n'
    '- {case: 有时, expect: met, known_miss: true, dialogue: "agent 0-1: 早"}\n'
)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = write_pack(tmp_path, {"asked": "require: {phrase: {any: [您好]}}"})
    (folder / "asked.cases.yaml").write_text(CASES, encoding="utf-8")
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(rules_app, [str(word) for word in words])


def test_warnings_alone_are_no_failure(pack: Path) -> None:
    found = run("lint", pack)
    assert found.exit_code == 0
    assert found.stdout == (
        "warning: site/asked.yaml:1:1: rule asked has too few cases: 1 violating (of 3), 1 clean (of 3),"
        " 0 undetermined (of 1) (add them to its cases) [few-cases]\n"
    )
    assert found.stderr == "0 faults, 1 warning\n"
    assert run("lint", "--strict", pack).exit_code == 1


def test_faults(pack: Path) -> None:
    (pack / "asked.yaml").write_text("rule: asked\nrequire: {frase: {}}\n", encoding="utf-8")
    found = run("lint", pack, "--format", "json")
    assert found.exit_code == 1
    assert json.loads(found.stdout) == {
        "level": "fault",
        "code": "fault",
        "file": str(pack / "asked.yaml"),
        "line": 2,
        "column": 11,
        "message": "unknown check 'frase'",
        "fix": "did you mean 'phrase'?",
    }
    assert found.stderr == "1 fault, 0 warnings\n"


@pytest.mark.parametrize("command", ["lint", "test"])
def test_no_such_pack(command: str) -> None:
    assert isinstance(run(command, "nowhere").exception, RulePackError)


def test_cases_that_pass(pack: Path) -> None:
    found = run("test", pack)
    assert (found.exit_code, found.stdout) == (0, "")
    assert "all cases passed" in found.stderr
    row = next(line for line in found.stderr.splitlines() if "asked" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["asked", "1", "1", "", "", "1"]


def test_cases_that_fail(pack: Path) -> None:
    (pack / "asked.cases.yaml").write_text(CASES.replace("喂喂", "您好"), encoding="utf-8")
    found = run("test", pack)
    assert found.exit_code == 1
    assert found.stdout == "site/asked.cases.yaml:2: 没有: expected not_met, got met\n"
    assert "1 case failed" in found.stderr


def test_cases_as_json(pack: Path) -> None:
    found = run("test", pack, "--rule", "asked", "--format", "json")
    assert found.exit_code == 0
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert [line["passed"] for line in lines] == [True, True, True]
    assert lines[2] == {
        "pack": "site",
        "rule": "asked",
        "case": "有时",
        "place": "site/asked.cases.yaml:3",
        "expected": "met",
        "outcome": "not_met",
        "reason": "",
        "known_miss": True,
        "passed": True,
    }


def test_no_such_rule(pack: Path) -> None:
    error = run("test", pack, "--rule", "askd").exception
    assert isinstance(error, RulePackError)
    assert error.code == "rule_unknown"


def test_schema_to_stdout_and_to_files(tmp_path: Path) -> None:
    assert json.loads(run("schema").stdout) == schemas()
    found = run("schema", "--write", tmp_path / "new" / "schemas")
    assert (found.exit_code, found.stdout) == (0, "")
    written = {file.name: json.loads(file.read_text("utf-8")) for file in (tmp_path / "new" / "schemas").iterdir()}
    assert written == {f"{name}.schema.json": schema for name, schema in schemas().items()}


def test_schema_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    error = run("schema", "--write", tmp_path / "file").exception
    assert isinstance(error, ConfigurationError)
    assert error.code == "schema_unwritable"
