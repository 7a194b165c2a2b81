"""Named conditions, near misses of names, and packs that are written to do harm."""

import copy
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.building import Holds, parts
from rules.checks import KINDS
from rules.documents import Faults
from rules.loader import compile_pack, load_pack, shipped_packs
from rules.schema import Rule
from rules.sources import read_pack
from rules.yaml_tree import Map, Seq
from tests.rules.builders import write_pack
from tests.rules.test_loader import GOOD, fault_of, faults

PHRASE = "{phrase: {any: [您好]}}"


def with_conditions(folder: Path, body: str, conditions: str) -> Path:
    pack = write_pack(folder, {"asked": body})
    (pack / "conditions.yaml").write_text(conditions, encoding="utf-8")
    return pack


# --- which keys hold conditions ---------------------------------------------------------------------------


def test_the_keys_of_a_rule_that_hold_conditions() -> None:
    held = {name: part.holds for name, part in parts(Rule).items()}
    assert {n for n, h in held.items() if h is Holds.CHECK} == {
        "applies_when", "for_each", "only_when", "unless", "require", "forbid",
    }  # fmt: skip
    assert {n for n, h in held.items() if h is Holds.NAMED_CHECKS} == {"style", "grades"}


def test_groups_and_phrases_are_built() -> None:
    assert parts(KINDS["any"])["of"].holds is Holds.CHECKS
    assert parts(KINDS["phrase"])["lexicons"].holds is Holds.LEXICONS


# --- named conditions -------------------------------------------------------------------------------------


def test_a_named_condition_is_what_it_stands_for(tmp_path: Path) -> None:
    named = with_conditions(tmp_path / "a", "require: {not: {use: polite}}", f"polite: {PHRASE}")
    plain = write_pack(tmp_path / "b", {"asked": f"require: {{not: {PHRASE}}}"})
    assert load_pack(named).digest == load_pack(plain).digest


def test_a_named_condition_may_use_another(tmp_path: Path) -> None:
    body = "require: {use: both}"
    both = "both: {all: [{use: polite}, {not: {use: polite}}]}\npolite: " + PHRASE
    plain = f"require: {{all: [{PHRASE}, {{not: {PHRASE}}}]}}"
    assert (
        load_pack(with_conditions(tmp_path / "a", body, both)).digest
        == load_pack(write_pack(tmp_path / "b", {"asked": plain})).digest
    )


@pytest.mark.parametrize(
    ("body", "conditions", "fault"),
    [
        ("require: {use: polit}", f"polite: {PHRASE}",
         "site/asked.yaml:4:11: unknown condition 'polit' (did you mean 'polite'?)"),
        ("require: {use: [polite]}", f"polite: {PHRASE}",
         "site/asked.yaml:4:11: unknown condition ['polite'] (one of polite)"),
        (GOOD, "one: {use: two}\ntwo: {use: one}",
         "site/conditions.yaml:2:7: conditions use each other in a circle: one → two → one (write one of them"),
        (GOOD, "one: {use: one}",
         "site/conditions.yaml:1:7: conditions use each other in a circle: one → one (write one of them out)"),
        ("require: {use: one}", "one: {loud: {}}",
         "site/conditions.yaml:1:7: unknown check 'loud' (one of "),
        ("require: {use: one}", "one: {phrase: {any: [您好], tole: agent}}",
         "site/conditions.yaml:1:27: one.phrase.tole: unknown key 'tole' (did you mean 'role'?)"),
        ("require: {use: one}", "- 3", "site/conditions.yaml:1:1: must hold a mapping"),
        (GOOD, f"One: {PHRASE}",
         "site/conditions.yaml:1:1: 'One' cannot name a condition (a-z, 0-9 and - only)"),
    ],
)  # fmt: skip
def test_a_fault_of_a_named_condition_is_told_once(tmp_path: Path, body: str, conditions: str, fault: str) -> None:
    (found,) = faults(with_conditions(tmp_path, body, conditions))
    assert found.startswith(fault)


# --- what was probably meant ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("requires: {phrase: {any: [您好]}}", "requires: unknown key 'requires' (did you mean 'require'?)"),
        ("require: {frase: {any: [您好]}}", "unknown check 'frase' (did you mean 'phrase'?)"),
        ("require: {phrase: {lexicon: polit}}", "unknown lexicon 'polit' (did you mean 'polite'?)"),
        ("require: {phrase: {lexicon: polite, rol: agent}}", "key 'rol' (did you mean 'role'?)"),
        ("require: {phrase: {lexicon: polite, role: agnt}}", "'agnt' is not allowed (did you mean 'agent'?)"),
        ("require: {phrase: {lexicon: polite, scope: {frist_s: 3}}}", "key 'frist_s' (did you mean 'first_s'?)"),
        ("require: {rule: {id: askd, outcome: met}}", "which this pack does not have (did you mean 'asked'?)"),
        ("rеquire: {phrase: {lexicon: polite}}",
         "(did you mean 'require'? 'е' is CYRILLIC SMALL LETTER IE)"),
        ("require: {phrase: {lexicon: ｐolite}}",
         "(did you mean 'polite'? 'ｐ' is FULLWIDTH LATIN SMALL LETTER P)"),
        ("require: {phrase: {lexicon: pοlite}}", "(did you mean 'polite'? 'ο' is GREEK SMALL LETTER OMICRON)"),
        ("require: {phrase: {any: [您好]}, not: {}}", "(indent its settings under its name)"),
        ("require: {phrase: {any: [您好], times: -1}}", "times: Input should be greater than 0"),
    ],
)  # fmt: skip
def test_what_was_probably_meant(tmp_path: Path, body: str, fault: str) -> None:
    pack = write_pack(tmp_path, {"asked": body}, lexicons="polite: [您好]")
    assert any(fault in found for found in faults(pack))


@pytest.mark.parametrize("name", ["оpening", "開場", "ｏpening", "opening１", "-a", "a_b", "A", "a" * 65])
def test_ids_are_plain_letters(tmp_path: Path, name: str) -> None:
    pack = write_pack(tmp_path, {"asked": GOOD}, settings="")
    text = (pack / "pack.yaml").read_text(encoding="utf-8").replace("pack: site", f"pack: {name}")
    (pack / "pack.yaml").write_text(text, encoding="utf-8")
    (fault,) = faults(pack)
    assert fault.startswith("site/pack.yaml:1:1: pack: ")


def test_an_id_that_only_looks_plain_says_why(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": GOOD}, lexicons="pоlite: [您好]")
    (fault,) = faults(pack)
    assert fault == (
        "site/lexicons.yaml:1:1: 'pоlite' cannot name a lexicon "
        "(a-z, 0-9 and - only 'о' is CYRILLIC SMALL LETTER O)"
    )


# --- written to do harm -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "require: " + "{not: " * 40 + PHRASE + "}" * 40,
        "require: {phrase: {any: ['" + "您" * 200_000 + "']}}",
        "require: {phrase: {any: ['" + "{any:0-99}" * 200 + "您']}}",
        "require: {phrase: {any: ['{digits:99-99}']}}",
        "require: {phrase: {any: [" + ", ".join(f"您好{i}" for i in range(20_000)) + "]}}",
        "require: {metric: {name: duration_s, above: .nan}}",
        "require: {metric: {name: duration_s, above: nan}}",
        "require: {metric: {name: duration_s, above: '-inf'}}",
        "require: {metric: {name: duration_s, above: 1e999}}",
        "require: {phrase: {any: [您好], scope: {first_s: 1e308}}}",
        "require: {phrase: {any: [您好], times: 999999999999999999}}",
        "references: [" + "x," * 100_000 + "]\n" + GOOD,
        "".join(f"key{i}: 1\n" for i in range(20_000)) + GOOD,
        "style:\n" + "".join(f"  s{i}: {{loud: {{}}}}\n" for i in range(20_000)) + GOOD,
    ],
    ids=lambda body: body[:40],
)
def test_a_hostile_rule_is_a_rule_or_a_fault_in_bounded_time(tmp_path: Path, body: str) -> None:
    started = time.process_time()
    pack = write_pack(tmp_path, {"asked": body})
    found = Faults()
    source = read_pack(pack, found)
    assert source is not None
    assert compile_pack(source, found) is not None or 0 < len(found) <= 101
    assert time.process_time() - started < 20


@pytest.mark.parametrize("number", ["nan", "'inf'", "-inf", "1e999"])
def test_no_threshold_is_no_number(tmp_path: Path, number: str) -> None:
    assert "above" in fault_of(tmp_path, f"require: {{metric: {{name: duration_s, above: {number}}}}}")


SOURCES = {name: read_pack(path, Faults()) for name, path in shipped_packs().items()}
ODD = st.sampled_from(
    [None, True, 0, -1, 3, 1.5, "", "您好", "agent", "{any:3-1}", "x" * 300, [], [None], {}, {"phrase": None},
     {"all": []}, {"use": "x"}, {"rule": {}}, {"not": {"not": {}}}, "2026-01-01", "\U0001f600"]
)  # fmt: skip


@given(st.data())
def test_a_shipped_pack_with_anything_anywhere_loads_or_has_faults(data: st.DataObject) -> None:
    """Something odd takes the place of any node of any document: never anything but a rule set or faults."""
    source = SOURCES[data.draw(st.sampled_from(sorted(SOURCES)))]
    assert source is not None
    changed = copy.copy(source)
    documents: dict[str, Map] = {
        "pack": source.pack, "lexicons": source.lexicons, "conditions": source.conditions, **source.rules,
    }  # fmt: skip
    name = data.draw(st.sampled_from(sorted(name for name, node in documents.items() if node)))
    odd = _with(documents[name], data.draw, data.draw(ODD))
    if name in ("pack", "lexicons", "conditions"):
        setattr(changed, name, odd)
    else:
        changed.rules = {**source.rules, name: odd}
    found = Faults()
    assert compile_pack(changed, found) is not None or len(found) > 0


def _with(node: Any, draw: Any, odd: object) -> Any:
    """A copy of ``node`` in which ``odd`` stands for one part of it, at any depth."""
    new = copy.copy(node) if isinstance(node, Seq) else node.copy()
    key = draw(st.sampled_from(sorted(node) if isinstance(node, Map) else range(len(node))))
    deeper = isinstance(node[key], Map | Seq) and node[key] and draw(st.booleans())
    new[key] = _with(node[key], draw, odd) if deeper else odd
    return new
