"""The documents keep up with the code: every setting, check kind, error code and command is documented."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_service.settings import Settings
from rules.checks import KINDS
from rules.loader import load_pack, shipped_packs
from worker.cli import app

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGES = ("qa_service", "models", "rules", "worker", "api")
ERRORS = (
    "InputError",
    "ConfigurationError",
    "RulePackError",
    "ConflictError",
    "NotFoundError",
    "EngineError",
    "TransientError",
)
RAISED = re.compile(rf"(?:{'|'.join(ERRORS)})\(\s*\"([a-z_]+)\"")
PART = "{}"
PACKS_IN_PAGE = {"service-zh": 0, "service-en": 0, "outbound-sales-zh": 1}
NO_IMPERATIVE = {"it", "the", "a", "an", "this", "that", "there", "they", "which", "what", "no", "not", "expected"}


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def error_rows() -> Iterator[tuple[str, str, str]]:
    """Code, meaning and remedy, for every code of every row."""
    for line in text("errors.md").splitlines():
        cells = re.split(r"(?<!\\)\|", line)[1:-1]
        if len(cells) == 3 and cells[0].strip().startswith("`"):
            for code in re.findall(r"`([a-z_]+)`", cells[0]):
                yield code, cells[1], cells[2]


def messages() -> Iterator[tuple[str, str]]:
    """Place and text of every message that is written as a literal; what is put into it reads ``{}``."""
    for source in sources():
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                message = _literal(node.args[1]) if len(node.args) > 1 else None
                if message is not None:
                    yield f"{source.relative_to(ROOT)}:{node.lineno}", message


def _literal(node: ast.expr) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) or PART for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`QA_([A-Z_]+)`", text("configuration.md")))
    assert {name.upper() for name in Settings.model_fields} - documented == set()


def test_every_check_kind_is_documented() -> None:
    section = text("rules.md").split("## Conditions")[1].split("##")[0]
    assert {kind for kind in KINDS if f"`{kind}`" not in section} == set()


def test_every_shipped_rule_is_documented_with_its_severity_and_points() -> None:
    page = text("rules-service.md")
    rows = {name: page.split("## outbound-sales-zh")[part] for name, part in PACKS_IN_PAGE.items()}
    for name, path in shipped_packs().items():
        pack = load_pack(path)
        points = {item.rule: f"{item.points:g}" for section in pack.scorecard.sections for item in section.items}
        for rule in pack.rules:
            row = re.search(rf"^\| `{rule.rule}` \|.*$", rows[name], re.MULTILINE)
            if row is None and name == "outbound-sales-zh":  # inherited
                row = re.search(rf"^\| `{rule.rule}` \|.*$", rows["service-zh"], re.MULTILINE)
                assert row is not None, rule.rule
                continue
            assert row is not None, rule.rule
            _, _, _, severity, scored, *_ = (cell.strip() for cell in row[0].split("|"))
            assert severity.split(" ")[0] == rule.severity, rule.rule
            assert scored.split(",")[0] == points.get(rule.rule, "recorded"), rule.rule


def test_every_error_code_is_documented() -> None:
    raised = {code for source in sources() for code in RAISED.findall(source.read_text(encoding="utf-8"))}
    assert len(raised) > 20
    assert {code for code in raised if f"`{code}`" not in text("errors.md")} == set()


def test_every_documented_code_is_used() -> None:
    """A code that is written nowhere in the source is one that nobody will ever read."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    documented = [code for code, _, _ in error_rows()]
    assert len(documented) > 40
    assert len(set(documented)) == len(documented), "a code in two rows"
    assert [code for code in documented if f'"{code}"' not in source] == []


def test_every_code_has_a_meaning_and_a_remedy() -> None:
    poor = [code for code, *words in error_rows() if any(len(text.strip(" –-")) < 5 for text in words)]
    assert poor == []


def test_every_message_says_what_to_do() -> None:
    """``what is wrong: do this``, as far as the message is written where it is raised."""
    found = list(messages())
    assert len(found) > 50
    assert [(where, message) for where, message in found if not _has_remedy(message)] == []


def _has_remedy(message: str) -> bool:
    fault, colon, remedy = message.rpartition(": ")
    if not colon:
        return False
    if remedy.startswith(PART):  # put in from elsewhere
        return True
    first = remedy.split()[0].strip(",;")
    return bool(fault) and first.isalpha() and first.islower() and first not in NO_IMPERATIVE


@pytest.mark.parametrize(
    ("message", "has_one"),
    [
        ("no such file: check the path", True),
        ("no such file", False),
        ("no such file: it was deleted", False),
        ("{} is full: free it up", True),
        ("{} is full: {}", True),
        (": check the path", False),
    ],
)
def test_what_counts_as_a_remedy(message: str, has_one: bool) -> None:
    assert _has_remedy(message) is has_one


def test_every_command_is_in_the_readme_or_operations() -> None:
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    names |= {
        f"{group.name} {c.name or c.callback.__name__}"
        for group in app.registered_groups
        if group.typer_instance
        for c in group.typer_instance.registered_commands
        if c.callback
    }
    operations = [page.read_text(encoding="utf-8") for page in (DOCS / "operations").glob("*.md")]
    pages = (ROOT / "README.md").read_text(encoding="utf-8") + "\n".join(operations)
    assert {name for name in names if f"qa {name}" not in pages} == set()


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links to them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_table_of_figures_is_in_their_index() -> None:
    pages = {page.name for page in (DOCS / "figures").glob("*.md")} - {"README.md"}
    index = text("figures/README.md")
    assert {page for page in pages if f"({page})" not in index} == set()


def test_links_between_documents_lead_somewhere() -> None:
    checked = 0
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            leads_to = page.parent / path if path else page
            assert leads_to.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(leads_to), f"{page.name} links to {target}"
            checked += bool(anchor)
    assert checked > 10


def test_every_page_of_operations_is_in_their_index() -> None:
    index = text("operations.md")
    assert {
        page.name for page in (DOCS / "operations").glob("*.md") if f"(operations/{page.name})" not in index
    } == set()


def test_every_example_call_is_in_the_readme_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    calls = [path.name for path in (ROOT / "examples" / "calls").glob("*.opus")]
    assert len(calls) == 13
    assert {name for name in calls if f"│ {name}" not in readme} == set()
