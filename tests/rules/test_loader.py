"""A pack is loaded whole or refused with all of its faults, each at its line."""

from pathlib import Path

import pytest

from qa_service.domain.scoring import ScorecardItem
from qa_service.errors import RulePackError
from rules.documents import MAX_BYTES
from rules.loader import find_pack, load_pack, shipped_packs
from tests.rules.builders import write_pack

GOOD = "require: {phrase: {any: [您好]}}"


def faults(pack: Path) -> list[str]:
    with pytest.raises(RulePackError) as caught:
        load_pack(pack)
    assert caught.value.code == "pack_invalid"
    assert all(fault in caught.value.message for fault in caught.value.faults)
    return list(caught.value.faults)


def fault_of(folder: Path, body: str, *, lexicons: str = "polite: [您好]") -> str:
    """The only fault of a rule whose body starts at line 4."""
    (fault,) = faults(write_pack(folder, {"asked": body}, lexicons=lexicons))
    return fault


# --- finding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_packs())
def test_shipped_packs_load(name: str) -> None:
    rules = load_pack(find_pack(name))
    assert rules.pack == name
    scored = {item.rule for section in rules.scorecard.sections for item in section.items}
    assert scored == {rule.rule for rule in rules.rules if rule.scored}


def test_a_sites_own_pack(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": GOOD})
    assert load_pack(find_pack(str(pack))).pack == "site"


def test_no_such_pack(tmp_path: Path) -> None:
    with pytest.raises(RulePackError, match="service-zh") as caught:
        find_pack(str(tmp_path))
    assert caught.value.code == "pack_unknown"


# --- one fault --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("require: {phrase: {lexicon: rude}}", 4, "unknown lexicon 'rude' (one of polite)"),
        ("require: {phrase: {lexicon: [polite, {a: b}]}}", 4, "unknown lexicon"),
        ("require:\n  all:\n    - phrase: {lexicon: polite}\n    - loud: {}", 7, "unknown check 'loud' (one of"),
        ("require:\n  phrase:\n    lexicon: polite\n    volume: 3", 7, "unknown key 'volume'"),
        ("require:\n  phrase:\n    lexicon: polite\n    scope: {first_s: -1}", 7, "first_s"),
        ("require: {phrase: {lexicon: polite, role: boss}}", 4, "role"),
        ("require: {phrase: {}}", 4, "name a `lexicon`, or list phrases in `any`"),
        ("require: {phrase: {any: 您好}}", 4, "phrases"),
        ("require: {phrase: {any: []}}", 4, "phrases"),
        ("require: {phrase: {any: [您好, 3]}}", 4, "phrases.1"),
        ("require: {phrase: {any: [……]}}", 4, "'……' has no letters"),
        ("require: {phrase: {any: ['{any:0-3}']}}", 4, "has no letters"),
        ("require: {phrase: {any: ['工号{digit:2}']}}", 4, "not a placeholder"),
        ("require: {phrase: {any: ['工号{digits:8-2}']}}", 4, "8 is more than 2"),
        ("require: {phrase: 您好}", 4, "phrase needs settings"),
        ("require: 您好", 4, "a condition is one check with its settings"),
        ("require: {any: []}", 4, "of"),
        ("require:\n  not:\n    - phrase: {lexicon: polite}\n    - phrase: {lexicon: polite}", 5, "of"),
        ("require: {at_least: {count: 2, of: 3}}", 4, "a condition is one check"),
        ("require: {at_least: {of: [{phrase: {lexicon: polite}}]}}", 4, "count"),
        ("require: {metric: {name: loudness, above: 3}}", 4, "unknown metric 'loudness' (one of"),
        ("require: {metric: {name: duration_s}}", 4, "needs `above` or `below`"),
        ("require: {metadata: {field: weather, known: true}}", 4, "unknown metadata field 'weather'"),
        ("require: {metadata: {field: direction}}", 4, "exactly one of"),
        ("require: {metadata: {field: direction, equals: outbond}}", 4, "direction is never 'outbond'"),
        ("require: {metadata: {field: agent_id, at_least: 3}}", 4, "needs a number"),
        ("require: {rule: {id: nobody, outcome: met}}", 4, "refers to rule 'nobody'"),
        ("title: 3\nrequire: {phrase: {lexicon: polite}}", 4, "duplicate key 'title' (it"),
        ("boss: me\nrequire: {phrase: {lexicon: polite}}", 4, "unknown key 'boss'"),
        ("scored: perhaps\nrequire: {phrase: {lexicon: polite}}", 4, "scored"),
        ("same_event_as: [nobody]\nrequire: {phrase: {lexicon: polite}}", 4, "refers to rule 'nobody'"),
        ("style:\n  x: {phrase: {lexicon: rude}}\nrequire: {phrase: {lexicon: polite}}", 5, "unknown lexicon"),
        ("applies_when: {metadata: {field: queue, known: true}}", 1, "exactly one of `require` and `forbid`"),
        ("only_when: {silence: {}}\nforbid: {silence: {}}", 1, "`only_when` filters"),
        ("for_each: {metric: {name: duration_s, above: 3}}\nforbid: {silence: {}}", 1, "has occurrences"),
        ("require: {phrase: {lexicon: polite, scope: {before_s: 9}}}", 1, "need an occurrence"),
        ("require: {not: {phrase: {lexicon: polite, scope: {after: true}}}}", 1, "need an occurrence"),
        ("require: [", 4, "not valid YAML"),
    ],
)  # fmt: skip
def test_a_fault_of_a_rule(tmp_path: Path, body: str, line: int, message: str) -> None:
    fault = fault_of(tmp_path, body)
    assert fault.startswith(f"site/asked.yaml:{line}:")
    assert message in fault


def test_a_file_named_otherwise(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": GOOD})
    text = (pack / "asked.yaml").read_text(encoding="utf-8").replace("rule: asked", "rule: told")
    (pack / "asked.yaml").write_text(text, encoding="utf-8")
    assert faults(pack) == ["site/asked.yaml:1:1: the file of rule 'told' must be named told.yaml (rename it)"]


@pytest.mark.parametrize(
    ("lexicons", "fault"),
    [
        ("polite: []", "site/lexicons.yaml:1:1: polite.phrases: "),
        ("polite: [您好]\nrude:", "site/lexicons.yaml:2:1: rude: "),
        ("polite:\n  phrases: [您好]\n  loud: 1", "site/lexicons.yaml:3:3: polite.loud: "),
        ("polite: [您好]\npolite: [你好]", "site/lexicons.yaml:2:1: duplicate key 'polite'"),
        ("- 您好", "site/lexicons.yaml:1:1: must hold a mapping"),
    ],
)
def test_a_fault_of_a_lexicon(tmp_path: Path, lexicons: str, fault: str) -> None:
    assert fault_of(tmp_path, GOOD, lexicons=lexicons).startswith(fault)


def test_the_users_of_a_faulty_lexicon_are_not_reported(tmp_path: Path) -> None:
    body = "require: {all: [{phrase: {lexicon: polite}}, {phrase: {lexicon: polite}}]}"
    assert fault_of(tmp_path, body, lexicons="polite: 3").startswith("site/lexicons.yaml:1:1: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"rule: [", "not valid YAML"),
        (b"\xff\xfe\xff", "not UTF-8 but UTF-16 (save it as UTF-8)"),
        (b"", "must hold a mapping"),
        (b"#" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
        (b"a: " + b"[" * 5000, "nested too deep"),
    ],
    ids=["broken", "bytes", "empty", "large", "deep"],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    pack = write_pack(tmp_path, {"asked": GOOD})
    (pack / "asked.yaml").write_bytes(content)
    (fault,) = faults(pack)
    assert fault.startswith("site/asked.yaml:1:")
    assert message in fault


# --- across files -----------------------------------------------------------------------------------------


def test_a_circle_of_rules(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {
        "one": "require: {rule: {id: two, outcome: met}}",
        "two": "require: {rule: {id: one, outcome: met}}",
    })  # fmt: skip
    (fault,) = faults(pack)
    assert fault.startswith("site/pack.yaml:1:1: rules read each other's outcome in a circle: ")
    assert "one → two" in fault


def test_a_scorecard_of_other_rules(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": GOOD, "told": GOOD})
    card = pack / "scorecards" / "site.yaml"
    text = card.read_text(encoding="utf-8").replace("rule: asked", "rule: nobody")
    card.write_text(text + "      - {rule: told, points: 3}\n", encoding="utf-8")
    assert faults(pack) == [
        "scorecards/site.yaml:7:10: scores rule 'nobody', which pack site does not have (one of asked, told)",
        "scorecards/site.yaml:9:10: scores rule 'told' twice (delete one of them)",
    ]


def test_bonus_points(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": GOOD, "told": GOOD})
    card = pack / "scorecards" / "site.yaml"
    text = card.read_text(encoding="utf-8").replace("told, points: 1", "told, bonus: 2.5")
    card.write_text(text, encoding="utf-8")
    (section,) = load_pack(pack).scorecard.sections
    assert section.items == (ScorecardItem("asked", 1.0), ScorecardItem("told", 2.5, bonus=True))
    card.write_text(text.replace("bonus: 2.5", "bonus: 2.5, fatal: call"), encoding="utf-8")
    assert any("never `fatal`" in fault for fault in faults(pack))
    card.write_text(text.replace(", bonus: 2.5", ""), encoding="utf-8")
    assert any("either `points` or `bonus`" in fault for fault in faults(pack))


def test_no_scorecard(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": GOOD})
    (pack / "scorecards" / "site.yaml").unlink()
    (fault,) = faults(pack)
    assert fault.startswith("site/pack.yaml:4:1: no scorecard 'site'")


def test_all_faults_at_once(tmp_path: Path) -> None:
    pack = write_pack(
        tmp_path,
        {
            "bad-check": "require: {loud: {}}",
            "bad-field": "require: {phrase: {any: [您好], volume: 3}}\nforbid: {silence: {length: 3}}",
            "circle-one": "require: {rule: {id: circle-two, outcome: met}}",
            "circle-two": "require: {rule: {id: circle-one, outcome: met}}",
            "good": GOOD,
            "no-lexicon": "require: {phrase: {lexicon: rude}}",
            "not-yaml": "require: [",
            "reads": "require: {rule: {id: nobody, outcome: met}}",
            "reads-faulty": "require: {rule: {id: bad-check, outcome: met}}",
            "uses-faulty": "require: {phrase: {lexicon: broken}}",
        },
        lexicons="polite: [您好]\nbroken: {phrases: 3}",
        settings="colour: red\n",
    )
    (pack / "again.yaml").write_text("rule: good\ntitle: A title\nseverity: minor\n" + GOOD, encoding="utf-8")
    (pack / "large.yaml").write_text("#" * (MAX_BYTES + 1), encoding="utf-8")
    assert [fault.split(": ")[0].rsplit(":", 1)[0] for fault in faults(pack)] == [
        "site/again.yaml:1",
        "site/bad-check.yaml:4",
        "site/bad-field.yaml:4",
        "site/bad-field.yaml:5",
        "site/good.yaml:1",
        "site/large.yaml:1",
        "site/lexicons.yaml:2",
        "site/no-lexicon.yaml:4",
        "site/not-yaml.yaml:4",
        "site/pack.yaml:1",
        "site/pack.yaml:5",
        "site/reads.yaml:4",
    ]


def test_a_fault_of_the_scorecard_beside_one_of_a_rule(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": "require: {loud: {}}"})
    card = pack / "scorecards" / "site.yaml"
    card.write_text(card.read_text(encoding="utf-8") + "      - {rule: nobody, points: 3}\n", encoding="utf-8")
    assert [fault.split(": ")[0].rsplit(":", 1)[0] for fault in faults(pack)] == [
        "site/asked.yaml:4",
        "scorecards/site.yaml:8",
    ]
