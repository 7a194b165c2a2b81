"""Rule versions: what decides an outcome or what it costs makes another one; nothing else does."""

import shutil
from pathlib import Path

import pytest

from qa_service.domain.results import RuleResult
from rules.cases import dialogue
from rules.engine import RuleSet
from rules.loader import find_pack, load_pack, shipped_packs
from rules.versions import same_as
from tests.rules.builders import results, write_pack
from worker.container import as_shipped

RULES = {
    "greets": "require: {phrase: {lexicon: greeting}}\nstyle: {name: {phrase: {any: [名字]}}}",
    "rude": "forbid: {phrase: {any: [滚]}}",
    "polite": "applies_when: {rule: {id: rude, outcome: met}}\nrequire: {phrase: {any: [请]}}",
}
LEXICONS = "greeting: [您好]\nunused: [再见]\n"


def edited(folder: Path, *edits: tuple[str, str, str], name: str = "pack") -> RuleSet:
    """The pack of ``RULES`` with texts replaced: file, old, new."""
    pack = write_pack(folder / name, RULES, lexicons=LEXICONS)
    for file, old, new in edits:
        text = (pack / file).read_text("utf-8")
        assert old in text
        (pack / file).write_text(text.replace(old, new), "utf-8")
    return load_pack(pack)


def digests(rules: RuleSet) -> dict[str, str]:
    return {version.rule: version.digest for version in rules.versions}


@pytest.mark.parametrize(
    ("edits", "changed"),
    [
        (
            [("greets.yaml", "title: A title", "title: Another\nrationale: why\nowner: Li\nreferences: [norm]")],
            set(),
        ),
        ([("greets.yaml", "severity: minor", "severity: minor\ntraining: courtesy")], set()),
        ([("greets.yaml", "名字", "工号")], set()),
        ([("greets.yaml", "severity: minor", "severity: minor\nscored: true\nunknown: review")], set()),
        ([("lexicons.yaml", "再见", "拜拜")], set()),
        ([("pack.yaml", "title: Site", "title: Ours")], set()),
        ([("scorecards/site.yaml", "title: All", "title: Whole")], set()),
        ([("greets.yaml", "severity: minor", "severity: major")], {"greets"}),
        ([("greets.yaml", "severity: minor", "severity: minor\nstatus: shadow")], {"greets"}),
        ([("greets.yaml", "severity: minor", "severity: minor\nunknown: ignore")], {"greets"}),
        ([("lexicons.yaml", "您好", "你好呀")], {"greets"}),
        ([("scorecards/site.yaml", "{rule: greets, points: 1}", "{rule: greets, points: 2}")], {"greets"}),
        ([("scorecards/site.yaml", "greets, points: 1", "greets, points: 1, fatal: call")], {"greets"}),
        ([("rude.yaml", "滚", "闭嘴")], {"rude", "polite"}),
        ([("scorecards/site.yaml", "title: Site", "title: Site\ncoverage_floor: 0.1")], set(RULES)),
        ([("pack.yaml", "title: Site", "title: Site\nrecognition: {convict_confidence: 0.1}")], set(RULES)),
        ([("pack.yaml", "title: Site", "title: Site\nmetrics: {silence_notice_s: 99}")], set(RULES)),
    ],
)
def test_what_makes_another_version(tmp_path: Path, edits: list[tuple[str, str, str]], changed: set[str]) -> None:
    before, after = digests(edited(tmp_path)), digests(edited(tmp_path, *edits, name="edited"))
    assert {rule for rule in RULES if before[rule] != after[rule]} == changed


def test_versions_are_sorted_and_say_whether_they_count(tmp_path: Path) -> None:
    rules = edited(tmp_path, ("rude.yaml", "severity: minor", "severity: minor\nscored: false"))
    assert [(v.pack, v.rule, v.counts) for v in rules.versions] == [
        ("site", "greets", True),
        ("site", "polite", True),
        ("site", "rude", False),
    ]


def test_a_copy_of_a_shipped_pack_is_live_but_for_what_was_changed(tmp_path: Path) -> None:
    for name in shipped_packs():
        rules = load_pack(find_pack(name))
        assert as_shipped(rules) == {version.rule for version in rules.versions}
    pack = tmp_path / "site"
    shutil.copytree(find_pack("service-zh"), pack)
    text = (pack / "speech-rate.yaml").read_text("utf-8")
    (pack / "speech-rate.yaml").write_text(text.replace("above: 400", "above: 200"), "utf-8")
    settings = (pack / "pack.yaml").read_text("utf-8")
    (pack / "pack.yaml").write_text(settings.replace("pack: service-zh", "pack: ours"), "utf-8")
    rules = load_pack(pack)
    assert {version.rule for version in rules.versions} - as_shipped(rules) == {"speech-rate"}


def test_what_a_pack_takes_from_a_shipped_one_is_live_but_for_what_it_changes(tmp_path: Path) -> None:
    pack = tmp_path / "ours"
    pack.mkdir()
    (pack / "pack.yaml").write_text("pack: ours\nextends: service-zh\n", "utf-8")
    rules = load_pack(pack)
    assert len(rules.versions) > 20
    assert as_shipped(rules) == {version.rule for version in rules.versions}
    (pack / "own.yaml").write_text(
        "rule: own\ntitle: Own\nseverity: minor\nforbid: {phrase: {any: [闭嘴]}}\n", "utf-8"
    )
    (pack / "speech-rate.yaml").write_text("override: speech-rate\nunknown: ignore\n", "utf-8")
    rules = load_pack(pack)
    assert {version.rule for version in rules.versions} - as_shipped(rules) == {"own", "speech-rate"}


def test_no_more_packs_are_read_than_needed(tmp_path: Path) -> None:
    versions = edited(tmp_path).versions

    def refuse() -> tuple[object, ...]:
        raise AssertionError("not needed")

    assert same_as(versions, [lambda: versions[:1], lambda: versions, refuse]) == set(RULES)  # type: ignore[list-item]
    assert same_as(versions, [lambda: versions[:1]]) == {"greets"}


SHARED = {
    "first": "forbid: {phrase: {any: [滚]}}\nsame_event_as: [second, third]",
    "second": "forbid: {phrase: {any: [滚]}}",
    "third": "forbid: {phrase: {any: [滚]}}",
}


def test_rules_that_are_not_live_are_recorded_and_count_no_event(tmp_path: Path) -> None:
    rules = load_pack(write_pack(tmp_path, SHARED))

    def judged(*not_live: str) -> dict[str, RuleResult]:
        return results(rules, dialogue("agent 0-2: 你滚", language="zh"), not_live=not_live)

    everything = judged()
    assert (everything["first"].same_event_as, everything["second"].same_event_as) == ("second", None)
    for not_live, counted in ((("second",), "third"), (("second", "third"), None), (("first",), "second")):
        found = judged(*not_live)
        assert {name: result.outcome for name, result in found.items()} == {
            name: result.outcome for name, result in everything.items()
        }
        assert {name for name, result in found.items() if not result.scored} == set(not_live)
        assert {result.unscored for name, result in found.items() if name in not_live} == {"not_live"}
        assert found["first"].same_event_as == counted


def test_why_a_result_is_not_scored(tmp_path: Path) -> None:
    body = "forbid: {phrase: {any: [滚]}}"
    rules = load_pack(
        write_pack(tmp_path, {"kept": f"scored: false\n{body}", "tried": f"status: shadow\n{body}", "live": body})
    )
    found = results(rules, dialogue("agent 0-2: 你滚", language="zh"), not_live=("kept", "tried"))
    assert {name: result.unscored for name, result in found.items()} == {
        "kept": "recorded_only",
        "tried": "shadow",
        "live": "",
    }
