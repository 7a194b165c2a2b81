"""The documents keep up with the code: every setting, check kind, error code and command is documented."""

import re
from pathlib import Path

from qa_service.settings import Settings
from rules.checks import KINDS
from worker.cli import app

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RAISED = re.compile(
    r"(?:InputError|ConfigurationError|RulePackError|ConflictError|NotFoundError|EngineError|TransientError)"
    r"\(\s*\"([a-z_]+)\""
)


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`QA_([A-Z_]+)`", text("configuration.md")))
    assert {name.upper() for name in Settings.model_fields} - documented == set()


def test_every_check_kind_is_documented() -> None:
    section = text("rules.md").split("## Conditions")[1].split("##")[0]
    assert {kind for kind in KINDS if f"`{kind}`" not in section} == set()


def test_every_error_code_is_documented() -> None:
    raised = {
        code
        for package in ("qa_service", "models", "rules", "worker", "api")
        for source in (ROOT / package).rglob("*.py")
        for code in RAISED.findall(source.read_text(encoding="utf-8"))
    }
    assert len(raised) > 20
    assert {code for code in raised if f"`{code}`" not in text("errors.md")} == set()


def test_every_command_is_in_the_readme_or_operations() -> None:
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    names |= {
        f"{group.name} {c.callback.__name__}"
        for group in app.registered_groups
        if group.typer_instance
        for c in group.typer_instance.registered_commands
        if c.callback
    }
    pages = (ROOT / "README.md").read_text(encoding="utf-8") + text("operations.md")
    assert {name for name in names if f"qa {name}" not in pages} == set()


def test_links_between_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_example_call_is_in_the_readme_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    calls = [path.name for path in (ROOT / "examples" / "calls").glob("*.opus")]
    assert len(calls) == 11
    assert {name for name in calls if f"│ {name}" not in readme} == set()
