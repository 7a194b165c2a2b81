"""What an editor is told about the documents of a pack: neither more nor less than the loader knows."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rules.checks import KINDS
from rules.documents import Faults, read_document
from rules.json_schema import DIALECT, schemas
from rules.loader import rule_files, shipped_packs
from rules.sources import shipped_root
from rules.yaml_tree import Seq

SCHEMAS = schemas()
FILES = [
    *((file, "rule") for path in shipped_packs().values() for file in rule_files(path)),
    *((file, "cases") for path in shipped_packs().values() for file in sorted(path.glob("*.cases.yaml"))),
    *((path / f"{n}.yaml", n) for path in shipped_packs().values() for n in ("pack", "lexicons", "conditions")),
    *((file, "scorecard") for file in sorted((shipped_root() / "scorecards").glob("*.yaml"))),
]  # fmt: skip


def tree(file: Path, kind: str) -> Any:
    faults = Faults()
    found = read_document(file, faults, holds=Seq) if kind == "cases" else read_document(file, faults)
    assert not len(faults)
    return found


def fits(kind: str, document: object) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMAS[kind]).is_valid(document))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_is_a_schema(kind: str) -> None:
    assert SCHEMAS[kind]["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind])


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_reference_leads_somewhere(kind: str) -> None:
    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*map(references, node.values()))
        return set().union(*map(references, node)) if isinstance(node, list) else set()

    assert references(SCHEMAS[kind]) <= {f"#/$defs/{name}" for name in SCHEMAS[kind]["$defs"]}


@pytest.mark.parametrize(("file", "kind"), FILES, ids=lambda x: x if isinstance(x, str) else x.name)
def test_shipped_documents_fit(file: Path, kind: str) -> None:
    if file.is_file():
        errors = [
            (list(e.absolute_path), e.message[:200])
            for e in jsonschema.Draft202012Validator(SCHEMAS[kind]).iter_errors(tree(file, kind))
        ]
        assert errors == []


def test_every_check_kind_is_known() -> None:
    assert set(SCHEMAS["rule"]["$defs"]["Condition"]["properties"]) == {*KINDS, "use"}


RULE = {"rule": "asked", "title": "x", "severity": "minor"}
SECTION = {"name": "a", "title": "x"}
ASKED = {"phrase": {"any": ["您好"]}}


@pytest.mark.parametrize(
    "document",
    [
        {**RULE, "require": ASKED},
        {**RULE, "require": {"use": "polite"}},
        {**RULE, "require": {"not": {"all": [ASKED, {"any": [ASKED]}]}}},
        {**RULE, "require": {"not": [ASKED]}},
        {**RULE, "require": {"at_least": {"count": 2, "of": [ASKED, ASKED]}}},
        {**RULE, "require": {"phrase": {"lexicon": ["a", "b"], "scope": {"anchor": ASKED, "after_s": 3}}}},
        {**RULE, "require": {"sequence": {"steps": [{"name": "a", **ASKED}, {"name": "b", "use": "c"}]}}},
        {**RULE, "require": ASKED, "grades": {"2": ASKED}, "opens": {"item": "answer"}},
        {"override": "asked", "applies_when": None, "forbid": ASKED},
    ],
)
def test_rules_that_fit(document: object) -> None:
    assert fits("rule", document)


@pytest.mark.parametrize(
    "document",
    [
        {**RULE, "requires": ASKED},
        {**RULE, "severity": "grave"},
        {"title": "x", "severity": "minor", "require": ASKED},
        {**RULE, "require": {"frase": {"any": ["您好"]}}},
        {**RULE, "require": {"phrase": {"any": ["您好"], "tole": "agent"}}},
        {**RULE, "require": {"phrase": {"any": ["您好"], "role": "boss"}}},
        {**RULE, "require": {"phrase": {"lexicons": ["a"]}}},
        {**RULE, "require": {"phrase": {"role": "agent"}}},
        {**RULE, "require": {"phrase": {"any": ["您好"], "scope": {"frist_s": 3}}}},
        {**RULE, "require": {**ASKED, "use": "polite"}},
        {**RULE, "require": {}},
        {**RULE, "require": {"sequence": {"steps": [{"name": "a"}, {"name": "b", **ASKED}]}}},
        {"override": "asked", "titel": "x"},
    ],
)
def test_rules_that_do_not_fit(document: object) -> None:
    assert not fits("rule", document)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("pack", {"pack": "a", "title": "x", "language": "zh", "scorecard": "a"}, {"pack": "a", "title": "x"}),
        ("pack", {"pack": "a", "extends": "service-zh", "disable": ["x"]}, {"extends": "service-zh"}),
        ("pack", {"pack": "a", "extends": "b", "metrics": {"floor_pause_s": 1}},
         {"pack": "a", "extends": "b", "metrics": {"flor_pause_s": 1}}),
        ("lexicons", {"a": ["x"], "b": {"phrases": ["x"], "hint": True}}, {"b": {"phrases": ["x"], "hit": True}}),
        ("lexicons", {"a": {"add": ["x"], "reach": 3}}, {"a": {"ad": ["x"]}}),
        ("lexicons", {"a": {"remove": {"except_in": ["x"]}}}, {"A": ["x"]}),
        ("conditions", {"a": ASKED}, {"a": {"phrase": "x"}}),
        ("scorecard",
         {"scorecard": "a", "title": "x", "sections": [{**SECTION, "items": [{"rule": "r", "points": 1}]}]},
         {"scorecard": "a", "title": "x", "sections": [{**SECTION, "items": [{"rule": "r", "point": 1}]}]}),
        ("cases", [{"case": "a", "expect": "met", "dialogue": "x", "metadata": {"queue": "q"}}],
         [{"case": "a", "expect": "met", "dialogue": "x", "metadata": {"que": "q"}}]),
    ],
)  # fmt: skip
def test_other_documents(kind: str, good: object, bad: object) -> None:
    assert fits(kind, good)
    assert not fits(kind, bad)
