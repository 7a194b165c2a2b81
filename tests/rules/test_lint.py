"""Each kind of finding, where it is found, and nothing where nothing is wrong."""

from pathlib import Path

import pytest

from rules.lint import Level, lint
from rules.loader import shipped_packs
from tests.rules.builders import write_pack
from tests.rules.test_sources import base_pack, child

HI, BYE = "{phrase: {any: [您好]}}", "{phrase: {any: [再见]}}"
CASES = "".join(
    f'- {{case: {outcome} {n}, expect: {outcome}, dialogue: "agent 0-1: 您好"}}\n'
    for outcome, count in (("met", 3), ("not_met", 3), ("undetermined", 1))
    for n in range(count)
)


def enough(pack: Path) -> Path:
    for file in pack.glob("*.yaml"):
        if file.name not in ("pack.yaml", "lexicons.yaml", "conditions.yaml"):
            (pack / f"{file.stem}.cases.yaml").write_text(CASES, encoding="utf-8")
    return pack


def said(pack: Path) -> list[str]:
    return [str(finding) for finding in lint(enough(pack))]


def of_rule(folder: Path, body: str, **more: str) -> list[str]:
    return said(write_pack(folder, {"asked": body}, **more))  # type: ignore[arg-type]


def test_nothing_is_wrong(tmp_path: Path) -> None:
    body = (
        f"applies_when: {{any: [{HI}, {{metric: {{name: duration_s, above: 3, below: 300}}}}]}}\n"
        f"unless: {{rule: {{id: other, outcome: not_applicable}}}}\n"
        "require: {all: [{phrase: {lexicon: polite}}, {not: {use: rude}}]}"
    )
    other = f"for_each: {{phrase: {{role: customer, any: [您好]}}}}\nrequire: {BYE}"
    pack = write_pack(tmp_path, {"asked": body, "other": other}, lexicons="polite: [谢谢]\nbad: [滚]")
    (pack / "conditions.yaml").write_text("rude: {phrase: {lexicon: bad}}", encoding="utf-8")
    assert said(pack) == []


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (f"require: {{all: [{HI}, {{not: {HI}}}]}}",
         "4:40: never holds: of it and another one exactly one can hold (change one of them) [never-true]"),
        (f"require: {{any: [{{not: {HI}}}, {HI}]}}",
         "4:47: always holds: of it and another one exactly one can hold (change one of them) [always-true]"),
        (f"require: {{any: [{HI}, {BYE}, {HI}]}}",
         "4:63: stands in the same any twice (delete one of them) [redundant]"),
        (f"require: {{not: {{not: {HI}}}}}", "4:11: the negation of a negation (drop both) [redundant]"),
        (f"require: {{at_least: {{count: 3, of: [{HI}, {BYE}]}}}}",
         "4:11: never holds: counts to 3 of 2 conditions (change one of them) [never-true]"),
        ("require: {metric: {name: duration_s, above: 9, below: 9}}",
         "4:11: never holds: nothing is above 9 and below 9 (change one of them) [never-true]"),
        ("forbid: {all: [{metric: {name: duration_s, above: 9}}, {metric: {name: duration_s, below: 5}}]}",
         "4:56: never holds: it and another one exclude each other (change one of them) [never-true]"),
        ("forbid: {any: [{metric: {name: duration_s, above: 5}}, {metric: {name: duration_s, below: 9}}]}",
         "4:56: always holds: it and another one leave nothing out (change one of them) [always-true]"),
        ("forbid: {all: [{metadata: {field: queue, equals: a}}, {metadata: {field: queue, equals: [b, c]}}]}",
         "4:55: never holds: it and another one exclude each other (change one of them) [never-true]"),
        ("forbid: {metadata: {field: ring_count, at_least: 0}}",
         "4:10: always holds: ring_count is always at least 0 (change one of them) [always-true]"),
        ("forbid: {phrase: {any: [滚], scope: {first_s: 99999}}}",
         "4:37: first_s 99999 is longer than any call (drop it) [redundant]"),
        (f"applies_when: {HI}\nrequire: {HI}",
         "5:1: require is the same condition as applies_when: "
         "the rule is always met (change one of them) [contradiction]"),
        (f"unless: {HI}\nforbid: {HI}",
         "5:1: forbid is the same condition as unless: "
         "the rule is always met (change one of them) [contradiction]"),
        (f"applies_when: {HI}\nforbid: {{not: {HI}}}",
         "5:1: forbid is the opposite of applies_when: "
         "the rule is always met (change one of them) [contradiction]"),
        (f"applies_when: {{all: [{HI}, {{not: {HI}}}]}}\nrequire: {BYE}",
         "4:1: applies_when never holds: the rule never applies (change the condition, or drop it) [constant]"),
        (f"unless: {{not: {{all: [{HI}, {{not: {HI}}}]}}}}\nrequire: {BYE}",
         "4:1: unless always holds: the rule never applies (change the condition, or drop it) [constant]"),
        (f"require: {HI}\nsame_event_as: [asked]", "5:1: shares its event with itself (delete it) [event-loop]"),
        ("require: {phrase: {any: [您好, 你好]}}",
         "4:30: 你好 is the same phrase as 您好 (delete one) [duplicate-phrase]"),
        ("require: {phrase: {any: [您好, 請問]}}",
         "4:30: 請問 holds 請, which is no simplified character; transcripts are simplified"
         " (write it in simplified characters) [traditional-script]"),
    ],
)  # fmt: skip
def test_a_condition_that_was_not_meant(tmp_path: Path, body: str, finding: str) -> None:
    assert f"site/asked.yaml:{finding}" in of_rule(tmp_path, body)


def test_an_outcome_that_a_rule_cannot_have(tmp_path: Path) -> None:
    pack = write_pack(
        tmp_path,
        {
            "asked": f"applies_when: {{rule: {{id: other, outcome: not_applicable}}}}\nrequire: {HI}",
            "other": f"require: {BYE}",
        },
    )
    assert said(pack) == [
        "site/asked.yaml:4:1: applies_when never holds: the rule never applies"
        " (change the condition, or drop it) [constant]",
        "site/asked.yaml:4:16: never holds: rule other always applies (change one of them) [never-true]",
    ]


def test_a_named_condition_is_judged_once_where_it_stands(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": "require: {use: odd}", "other": "forbid: {use: odd}"})
    (pack / "conditions.yaml").write_text(f"odd: {{all: [{HI}, {{not: {HI}}}]}}", encoding="utf-8")
    assert [finding.split(": ")[0] for finding in said(pack)] == [
        "site/asked.yaml:4:1",
        "site/conditions.yaml:1:36",
        "site/other.yaml:4:1",
    ]


@pytest.mark.parametrize(
    ("lexicons", "finding"),
    [
        ("x: [滚]\nidle: [走开]", "2:1: no rule uses lexicon idle (delete it) [unused-lexicon]"),
        ("x: {phrases: [再见, 再见了], homophones: 'off'}",
         "1:19: 再见了 is always found by 再见 too (delete it) [redundant-phrase]"),
        ("x: {phrases: [人工], except_in: [人工智能, 电话]}",
         "1:38: 电话 touches no phrase of its lexicon (delete it) [redundant-exception]"),
        ("x: {phrases: [滚, 滚动条], except_in: [滚动]}",
         "1:18: 滚动条 never counts: it holds the exception 滚动 (delete one of them) [dead-phrase]"),
        ("x: {phrases: [滚], except_in: [滾動]}",
         "1:31: 滾動 holds 滾, which is no simplified character; transcripts are simplified"
         " (write it in simplified characters) [traditional-script]"),
    ],
)  # fmt: skip
def test_a_lexicon(tmp_path: Path, lexicons: str, finding: str) -> None:
    found = of_rule(tmp_path, "forbid: {phrase: {lexicon: x}}", lexicons=lexicons)
    assert f"site/lexicons.yaml:{finding}" in found


def test_characters_of_dialects_are_no_traditional_script(tmp_path: Path) -> None:
    assert of_rule(tmp_path, "forbid: {phrase: {any: [冇问题, 佢话, 咁样]}}") == []


def test_an_unused_condition(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": "require: {use: a}"}, lexicons="x: [滚]\ny: [走]")
    (pack / "conditions.yaml").write_text(
        "a: {not: {use: b}}\nb: {phrase: {lexicon: x}}\nc: {phrase: {lexicon: y}}", encoding="utf-8"
    )
    assert said(pack) == [
        "site/conditions.yaml:3:1: no rule uses condition c (delete it) [unused-condition]",
        "site/lexicons.yaml:2:1: no rule uses lexicon y (delete it) [unused-lexicon]",
    ]


def test_too_few_cases(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": f"require: {HI}", "other": f"require: {HI}"})
    (pack / "asked.cases.yaml").write_text(
        '- {case: a, expect: not_met, each: [一, 二, 三], dialogue: "agent 0-1: {phrase}"}\n'
        '- {case: b, expect: met, dialogue: "agent 0-1: 您好"}\n'
        '- {case: c, expect: undetermined, known_miss: true, dialogue: "agent 0-1: 您好"}\n',
        encoding="utf-8",
    )
    assert [str(finding) for finding in lint(pack)] == [
        "site/asked.yaml:1:1: rule asked has too few cases: 1 clean (of 3), 0 undetermined (of 1)"
        " (add them to its cases) [few-cases]",
        "site/other.yaml:1:1: rule other has no cases (write other.cases.yaml) [no-cases]",
    ]


def test_the_scorecard(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": f"scored: false\nrequire: {HI}"})
    text = f"rule: other\ntitle: x\nseverity: minor\nrequire: {HI}\n"
    (pack / "other.yaml").write_text(text, encoding="utf-8")
    tried = text.replace("other", "tried") + "status: shadow\n"
    (pack / "tried.yaml").write_text(tried, encoding="utf-8")
    assert said(pack) == [
        "site/asked.yaml:1:1: rule asked has points on scorecard site, but `scored: false`"
        " (take it off the scorecard, or drop `scored: false`) [scored-for-nothing]",
        "site/other.yaml:1:1: rule other is scored, but not on scorecard site"
        " (give it points there, or write `scored: false`) [not-on-scorecard]",
    ]


def test_rules_that_leave_an_event_to_each_other(tmp_path: Path) -> None:
    pack = write_pack(
        tmp_path,
        {"asked": f"require: {HI}\nsame_event_as: [other]", "other": f"require: {BYE}\nsame_event_as: [asked]"},
    )
    (found,) = said(pack)
    assert "rules leave one event to each other: " in found
    assert found.endswith("(let one of them count it) [event-loop]")


def test_faults_come_alone_and_all_of_them(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": "require: {loud: {}}", "other": f"requires: {HI}"}, lexicons="idle: [a]")
    (pack / "asked.cases.yaml").write_text("- {case: a}", encoding="utf-8")
    found = lint(pack)
    assert {finding.level for finding in found} == {Level.FAULT}
    assert [str(finding).split(": ")[0] for finding in found] == [
        "site/asked.cases.yaml:1:3",
        "site/asked.cases.yaml:1:3",
        "site/asked.yaml:4:11",
        "site/other.yaml:4:1",
    ]


def test_a_pack_answers_for_its_own_files_only(tmp_path: Path) -> None:
    base = base_pack(tmp_path)
    with (base / "lexicons.yaml").open("a", encoding="utf-8") as stream:
        stream.write("idle: [走开]\n")
    pack = child(tmp_path, {"lexicons.yaml": "mine: [走]"})
    assert [str(finding) for finding in lint(pack)] == [
        "ours/lexicons.yaml:1:1: no rule uses lexicon mine (delete it) [unused-lexicon]"
    ]


@pytest.mark.parametrize("name", shipped_packs())
def test_shipped_packs_have_no_faults_and_no_condition_that_was_not_meant(name: str) -> None:
    logical = {"always-true", "never-true", "constant", "contradiction", "event-loop", "dead-phrase", "fault"}
    assert [str(f) for f in lint(shipped_packs()[name]) if f.code in logical] == []
