"""A pack on top of another: what is replaced, changed, added and disabled, and whose cases count."""

from pathlib import Path

import pytest

from qa_service.domain.results import Outcome
from qa_service.errors import RulePackError
from rules.cases import load_cases, run_cases
from rules.loader import load_pack, shipped_packs
from tests.rules.builders import write_pack
from tests.rules.test_loader import faults

BASE = {
    "greets": "require: {phrase: {lexicon: greeting}}",
    "rude": "forbid: {phrase: {lexicon: insult}}",
    "thanks": "applies_when: {phrase: {role: customer, any: [谢谢]}}\nrequire: {phrase: {any: [不客气]}}",
}
LEXICONS = """\
greeting: [您好, 早上好]
insult:
  phrases: [笨蛋, 傻瓜]
  except_in: [傻瓜相机]
"""


def base_pack(folder: Path, **more: str) -> Path:
    pack = write_pack(folder / "base", {**BASE, **more}, lexicons=LEXICONS)
    (pack / "greets.cases.yaml").write_text(
        '- case: 问好\n  expect: met\n  dialogue: "agent 0-2: 您好"\n', encoding="utf-8"
    )
    (pack / "thanks.cases.yaml").write_text(
        '- case: 没人道谢\n  expect: not_applicable\n  dialogue: "agent 0-2: 您好"\n', encoding="utf-8"
    )
    return pack


def child(folder: Path, files: dict[str, str], *, settings: str = "", extends: str = "../../base/site") -> Path:
    """A pack ``ours`` on top of the base; ``files``: content by file name."""
    pack = folder / "child" / "ours"
    pack.mkdir(parents=True)
    (pack / "pack.yaml").write_text(f"pack: ours\nextends: {extends}\n{settings}", encoding="utf-8")
    for name, text in files.items():
        (pack / name).parent.mkdir(exist_ok=True)
        (pack / name).write_text(text, encoding="utf-8")
    return pack


def written(folder: Path, rules: dict[str, str], *, lexicons: str = LEXICONS) -> str:
    """The digest of one folder with this content, named as the child."""
    pack = write_pack(folder / "whole", rules, lexicons=lexicons)
    text = (pack / "pack.yaml").read_text(encoding="utf-8").replace("pack: site", "pack: ours")
    (pack / "pack.yaml").write_text(text, encoding="utf-8")
    return load_pack(pack).digest


def rule(name: str, body: str) -> str:
    return f"rule: {name}\ntitle: A title\nseverity: minor\n{body}\n"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return base_pack(tmp_path)


@pytest.mark.usefixtures("base")
class TestMerging:
    """The child's digest is that of one folder with the merged content."""

    def test_nothing_changed(self, tmp_path: Path) -> None:
        assert load_pack(child(tmp_path, {})).digest == written(tmp_path, BASE)

    def test_a_rule_of_the_same_name_replaces(self, tmp_path: Path) -> None:
        other = "forbid: {phrase: {any: [滚]}}"
        pack = child(tmp_path, {"rude.yaml": rule("rude", other)})
        assert load_pack(pack).digest == written(tmp_path, {**BASE, "rude": other})

    def test_an_override_replaces_only_the_keys_it_gives(self, tmp_path: Path) -> None:
        pack = child(tmp_path, {"thanks.yaml": "override: thanks\nrequire: {phrase: {any: [别客气]}}"})
        whole = BASE["thanks"].replace("不客气", "别客气")
        assert load_pack(pack).digest == written(tmp_path, {**BASE, "thanks": whole})

    def test_an_override_takes_a_key_away(self, tmp_path: Path) -> None:
        pack = child(tmp_path, {"thanks.yaml": "override: thanks\napplies_when:"})
        assert load_pack(pack).digest == written(tmp_path, {**BASE, "thanks": BASE["thanks"].split("\n")[1]})

    def test_an_override_asks_the_other_question(self, tmp_path: Path) -> None:
        pack = child(tmp_path, {"greets.yaml": "override: greets\nforbid: {phrase: {any: [喂]}}"})
        assert load_pack(pack).digest == written(tmp_path, {**BASE, "greets": "forbid: {phrase: {any: [喂]}}"})

    def test_a_new_rule_is_added(self, tmp_path: Path) -> None:
        new = "require: {phrase: {any: [再见]}}"
        card = "scorecards/site.yaml"
        items = "".join(f"      - {{rule: {name}, points: 1}}\n" for name in [*BASE, "bye"])
        files = {
            "bye.yaml": rule("bye", new),
            card: f"scorecard: site\ntitle: Site\nsections:\n  - name: all\n    title: All\n    items:\n{items}",
        }
        assert load_pack(child(tmp_path, files)).digest == written(tmp_path, {**BASE, "bye": new})

    def test_a_disabled_rule_leaves_the_pack_and_the_scorecard(self, tmp_path: Path) -> None:
        pack = child(tmp_path, {}, settings="disable: [rude]")
        assert load_pack(pack).digest == written(tmp_path, {n: b for n, b in BASE.items() if n != "rude"})

    @pytest.mark.parametrize(
        ("change", "whole"),
        [
            ("insult: [滚]", "greeting: [您好, 早上好]\ninsult: [滚]"),
            ("insult: {add: [滚]}", LEXICONS.replace("傻瓜]\n", "傻瓜, 滚]\n")),
            ("insult: {remove: [笨蛋]}", LEXICONS.replace("笨蛋, ", "")),
            ("insult: {add: [滚], remove: [笨蛋], reach: 9}",
             "greeting: [您好, 早上好]\ninsult: {phrases: [傻瓜, 滚], except_in: [傻瓜相机], reach: 9}"),
            ("insult: {add: {except_in: [傻瓜式]}}", LEXICONS.replace("相机]", "相机, 傻瓜式]")),
            ("insult: {add: {not_preceded_by: [不是]}}", LEXICONS + "  not_preceded_by: [不是]"),
            ("greeting: {add: [晚上好]}", LEXICONS.replace("早上好]", "早上好, 晚上好]")),
        ],
    )  # fmt: skip
    def test_lexicons(self, tmp_path: Path, change: str, whole: str) -> None:
        pack = child(tmp_path, {"lexicons.yaml": change})
        assert load_pack(pack).digest == written(tmp_path, BASE, lexicons=whole)

    def test_settings_are_merged_key_by_key(self, tmp_path: Path, base: Path) -> None:
        with (base / "pack.yaml").open("a", encoding="utf-8") as stream:
            stream.write("recognition: {convict_confidence: 0.8, place_s: 2}\nmetrics: {overlap_event_s: 0.4}\n")
        pack = load_pack(
            child(tmp_path, {}, settings="recognition: {place_s: 3}\nmetrics: {silence_notice_s: 12}\ntitle: Ours")
        )
        settings = pack._settings
        assert (settings.recognition.convict_confidence, settings.recognition.place_s) == (0.8, 3.0)
        assert (pack.metric_options.overlap_event_s, pack.metric_options.silence_notice_s) == (0.4, 12.0)
        assert (settings.title, settings.language) == ("Ours", "zh")

    def test_a_shared_event_with_a_disabled_rule_is_forgotten(self, tmp_path: Path, base: Path) -> None:
        with (base / "greets.yaml").open("a", encoding="utf-8") as stream:
            stream.write("same_event_as: [rude, thanks]\n")
        pack = load_pack(child(tmp_path, {}, settings="disable: [rude]"))
        assert {r.rule: r.same_event_as for r in pack.rules}["greets"] == ("thanks",)

    def test_named_conditions_are_replaced_by_name(self, tmp_path: Path, base: Path) -> None:
        (base / "conditions.yaml").write_text("polite: {phrase: {any: [您好]}}", encoding="utf-8")
        (base / "greets.yaml").write_text(rule("greets", "require: {use: polite}"), encoding="utf-8")
        pack = child(tmp_path, {"conditions.yaml": "polite: {phrase: {any: [早]}}"})
        assert load_pack(pack).digest == written(tmp_path, {**BASE, "greets": "require: {phrase: {any: [早]}}"})


def test_a_shipped_pack_by_name(tmp_path: Path) -> None:
    pack = load_pack(child(tmp_path, {}, extends="service-zh"))
    shipped = load_pack(shipped_packs()["service-zh"])
    assert [r.rule for r in pack.rules] == [r.rule for r in shipped.rules]
    assert pack.digest != shipped.digest  # it has a name of its own


def test_a_pack_on_a_pack_on_a_pack(tmp_path: Path) -> None:
    base_pack(tmp_path)
    child(tmp_path, {"lexicons.yaml": "greeting: {add: [晚上好]}"})
    third = tmp_path / "third"
    third.mkdir()
    (third / "pack.yaml").write_text("pack: third\nextends: ../child/ours\ndisable: [thanks]\n", encoding="utf-8")
    (third / "lexicons.yaml").write_text("greeting: {remove: [早上好]}", encoding="utf-8")
    pack = load_pack(third)
    assert [r.rule for r in pack.rules] == ["greets", "rude"]
    assert {p for r in pack.rules for c in r.checks() for phrases in c.phrase_lists() for p in phrases} >= {
        "您好",
        "晚上好",
    }
    assert "早上好" not in {
        p for r in pack.rules for c in r.checks() for phrases in c.phrase_lists() for p in phrases
    }


# --- cases ------------------------------------------------------------------------------------------------


def test_the_cases_of_the_base_hold_for_the_child(tmp_path: Path) -> None:
    base_pack(tmp_path)
    pack = child(tmp_path, {"lexicons.yaml": "greeting: {remove: [您好]}"})
    assert [(o.rule, o.outcome, o.passed) for o in run_cases(pack)] == [
        ("greets", Outcome.NOT_MET, False),
        ("thanks", Outcome.NOT_APPLICABLE, True),
    ]


@pytest.mark.parametrize(
    ("files", "settings"),
    [
        ({"greets.yaml": "override: greets\ntitle: Another"}, ""),
        ({"greets.yaml": rule("greets", "require: {phrase: {any: [喂]}}")}, ""),
        ({}, "disable: [greets]"),
    ],
)
def test_but_not_those_of_a_rule_that_it_changes(tmp_path: Path, files: dict[str, str], settings: str) -> None:
    base_pack(tmp_path)
    pack = child(tmp_path, files, settings=settings)
    assert [at.file.name for at in load_cases(pack)] == ["thanks.cases.yaml"]


def test_the_childs_own_cases_come_on_top(tmp_path: Path) -> None:
    base_pack(tmp_path)
    text = '- case: 早\n  expect: met\n  dialogue: "agent 0-2: 早上好"\n'
    pack = child(tmp_path, {"greets.cases.yaml": text})
    assert [at.file.parent.name for at in load_cases(pack)] == ["site", "site", "ours"]
    assert all(outcome.passed for outcome in run_cases(pack))


# --- faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "settings", "fault"),
    [
        ({"greet.yaml": "override: greet\ntitle: x"}, "",
         "ours/greet.yaml:1:1: overrides rule 'greet', which pack site does not have (did you mean 'greets'?)"),
        ({"greets.yaml": "override: rude\ntitle: x"}, "",
         "ours/greets.yaml:1:1: the file that overrides 'rude' must be named rude.yaml (rename it)"),
        ({"greets.yaml": "override: greets\nrule: greets"}, "",
         "ours/greets.yaml:2:1: both `rule` and `override` (delete one of them)"),
        ({"greets.yaml": "override: greets\nseverity: heavy"}, "",
         "ours/greets.yaml:2:1: severity: 'heavy' is not allowed (one of "),
        ({"lexicons.yaml": "greting: {add: [嗨]}"}, "",
         "ours/lexicons.yaml:1:1: changes lexicon 'greting', which pack site does not have (did you mean "),
        ({"lexicons.yaml": "greeting: {remove: [您早]}"}, "",
         "ours/lexicons.yaml:1:21: lexicon greeting has no '您早' in its phrases to remove"),
        ({"lexicons.yaml": "greeting: {add: 3}"}, "", "ours/lexicons.yaml:1:12: add"),
        ({"lexicons.yaml": "greeting: {remove: [您好, 早上好]}"}, "", "ours/lexicons.yaml:1:12: greeting.phr"),
        ({}, "disable: [rud]",
         "ours/pack.yaml:3:11: disables rule 'rud', which pack site does not have (did you mean 'rude'?)"),
        ({}, "language: en", "ours/pack.yaml:3:1: extends a pack of another language, zh (delete `language`)"),
        ({}, "disable: 3", "ours/pack.yaml:3:1: disable: "),
        ({"x.yaml": rule("x", "require: {rule: {id: rude, outcome: met}}")}, "disable: [rude]",
         "ours/x.yaml:4:11: refers to rule 'rude', which this pack disables (override this rule too)"),
    ],
)  # fmt: skip
def test_a_fault_of_the_child(tmp_path: Path, files: dict[str, str], settings: str, fault: str) -> None:
    base_pack(tmp_path)
    found = faults(child(tmp_path, files, settings=settings))
    assert [text.startswith(fault) for text in found] == [True], found


@pytest.mark.parametrize("extends", ["nothing", "../nothing", "/nowhere", "service-zhh", "x" * 5000, "''", "[a]"])
def test_no_such_base(tmp_path: Path, extends: str) -> None:
    found = faults(child(tmp_path, {}, extends=extends))
    assert found[0].startswith("ours/pack.yaml:2:1: ")


def test_a_base_that_cannot_be_meant_names_the_nearest(tmp_path: Path) -> None:
    (fault, *_) = faults(child(tmp_path, {}, extends="service-hz"))
    assert "no pack 'service-hz' to extend (did you mean 'service-zh'?, or a folder" in fault


def test_a_circle_of_packs(tmp_path: Path) -> None:
    base = base_pack(tmp_path)
    child(tmp_path, {})
    text = (base / "pack.yaml").read_text(encoding="utf-8")
    (base / "pack.yaml").write_text(text + "extends: ../../child/ours\n", encoding="utf-8")
    found = faults(base)
    assert "packs extend each other in a circle: site → ours → site" in " ".join(found)


def test_a_pack_that_extends_itself(tmp_path: Path) -> None:
    found = faults(child(tmp_path, {}, extends="."))
    assert any("in a circle" in fault for fault in found)


def test_a_chain_of_packs_without_end(tmp_path: Path) -> None:
    for number in range(30):
        pack = tmp_path / f"p{number}"
        pack.mkdir()
        (pack / "pack.yaml").write_text(f"pack: p{number}\nextends: ../p{number + 1}\n", encoding="utf-8")
    assert any("more than 8 packs extend each other" in fault for fault in faults(tmp_path / "p0"))


def test_a_fault_of_the_base_is_told_where_it_is(tmp_path: Path) -> None:
    base_pack(tmp_path, odd="require: {loud: {}}")
    (fault,) = faults(child(tmp_path, {}))
    assert fault.startswith("site/odd.yaml:4:11: unknown check 'loud'")


def test_extending_a_pack_without_naming_oneself(tmp_path: Path) -> None:
    base_pack(tmp_path)
    pack = child(tmp_path, {})
    (pack / "pack.yaml").write_text("extends: ../../base/site\n", encoding="utf-8")
    assert faults(pack) == ["ours/pack.yaml:1:1: pack: is missing (give this pack an id of its own)"]


def test_disabling_without_a_base(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, BASE, lexicons=LEXICONS, settings="disable: [rude]\n")
    assert faults(pack) == ["site/pack.yaml:5:1: `disable` without `extends` (delete the rules themselves)"]


def test_cases_of_a_rule_that_nobody_has(tmp_path: Path) -> None:
    base_pack(tmp_path)
    text = '- case: x\n  expect: met\n  dialogue: "agent 0-2: 您好"\n'
    with pytest.raises(RulePackError, match=r"did you mean 'greets'") as caught:
        load_cases(child(tmp_path, {"greet.cases.yaml": text}))
    assert len(caught.value.faults) == 1
