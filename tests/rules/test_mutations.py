"""Breaks of a pack: which there are, which mean nothing, and whether the cases notice."""

from pathlib import Path

import pytest

from rules.documents import Faults
from rules.loader import load_pack, shipped_packs
from rules.mutation_check import Fate, MutationCheck, tallies
from rules.mutations import Mutant, mutants
from rules.sources import PackSource, read_pack
from tests.rules.builders import write_pack
from tests.rules.test_sources import base_pack, child

SAMPLED = 40  # every so many-th break of a shipped pack; all of them: python -m benchmarks.mutations


def source_of(pack: Path) -> PackSource:
    source = read_pack(pack, Faults())
    assert source is not None
    return source


def breaks(folder: Path, body: str, *, lexicons: str = "") -> list[Mutant]:
    return list(mutants(source_of(write_pack(folder, {"asked": body}, lexicons=lexicons))))


def whats(folder: Path, body: str, *, lexicons: str = "") -> list[str]:
    return [mutant.what for mutant in breaks(folder, body, lexicons=lexicons)]


# --- which there are --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "require: {phrase: {any: [您好, 早上好]}}",
            ["require → forbid", "negate phrase", "drop 您好 from any", "drop 早上好 from any",
             "role agent → customer", "role agent → any"],
        ),
        (
            "forbid: {not: {metadata: {field: ring_count, at_least: 5}}}",
            ["forbid → require", "drop not", "at_least 5 → 4", "at_least 5 → 6", "at_least 5 → 10",
             "drop at_least"],
        ),
        (
            "require: {all: [{silence: {longer_than_s: 5}}, {metric: {name: duration_s, above: 300}}]}",
            ["require → forbid", "negate all", "all → any", "remove silence from all", "negate silence",
             "longer_than_s 5 → 4", "longer_than_s 5 → 6", "longer_than_s 5 → 10", "drop longer_than_s",
             "remove metric from all", "negate metric", "above 300 → 240", "above 300 → 360", "above 300 → 600",
             "drop above"],
        ),
        (
            "for_each: {silence: {longer_than_s: 10, source: wait}}\n"
            "only_when: {silence: {longer_than_s: 5}}\n"
            "forbid: {silence: {longer_than_s: 9}}\nsame_event_as: [asked]",
            ["drop for_each", "longer_than_s 10 → 8", "longer_than_s 10 → 12", "longer_than_s 10 → 20",
             "drop longer_than_s", "source wait → silence", "source wait → hold", "drop source", "drop only_when",
             "negate silence", "longer_than_s 5 → 4", "longer_than_s 5 → 6", "longer_than_s 5 → 10",
             "drop longer_than_s", "forbid → require", "negate silence", "longer_than_s 9 → 7",
             "longer_than_s 9 → 11", "longer_than_s 9 → 18", "drop longer_than_s",
             "drop asked from same_event_as"],
        ),
        (
            "require: {phrase: {any: [您好], role: any, scope: {first_s: 20, before: true}}}",
            ["require → forbid", "negate phrase", "role any → agent", "role any → customer", "drop role",
             "first_s 20 → 10", "first_s 20 → 40", "drop first_s", "before True → False"],
        ),
        (
            "forbid: {at_least: {count: 2, of: [{silence: {longer_than_s: 5}}, {use: x}]}}\nunless: {use: x}",
            ["forbid → require", "negate at_least", "count 2 → 1", "count 2 → 3", "count 2 → 4",
             "remove silence from of", "negate silence", "longer_than_s 5 → 4", "longer_than_s 5 → 6",
             "longer_than_s 5 → 10", "drop longer_than_s", "remove use from of", "negate use", "drop unless",
             "negate use"],
        ),
        (
            "forbid: {sequence: {steps: [{name: a, phrase: {any: [您好, 早]}}, {name: b, use: x}]}}\n"
            "grades: {2: {use: x}}\nopens: {item: answer, within_days: 3}",
            ["forbid → require", "negate sequence", "drop 您好 from any", "drop 早 from any",
             "role agent → customer", "role agent → any", "drop steps 1", "drop steps 2", "drop grade 2",
             "negate use", "drop opens"],
        ),
        (
            "forbid: {pattern: {patterns: '一|二|三'}}",
            ["forbid → require", "negate pattern", "drop 一 from pattern", "drop 二 from pattern",
             "drop 三 from pattern", "role agent → customer", "role agent → any"],
        ),
        (
            "forbid: {tokens: {wordings: ['<sell|lend> {0-2 without no|not} 好']}}",
            ["forbid → require", "negate tokens", "drop sell from wording", "drop lend from wording",
             "drop no from wording", "drop not from wording", "role agent → customer", "role agent → any"],
        ),
    ],
    ids=["phrases", "not", "all", "for_each", "scope", "at_least", "steps", "pattern", "wording"],
)  # fmt: skip
def test_the_breaks_of_a_rule(tmp_path: Path, body: str, expected: list[str]) -> None:
    assert whats(tmp_path, body) == expected


def test_the_breaks_of_a_lexicon(tmp_path: Path) -> None:
    lexicons = (
        "rude:\n  phrases: [笨蛋, 傻瓜]\n  except_in: [傻瓜相机]\n  not_preceded_by: [不是, 没]\n  reach: 6\n"
        "  hint: true\n  homophones: accept\n  min_sound_characters: 2\n"
    )
    assert whats(tmp_path, "forbid: {phrase: {lexicon: rude, role: any}}", lexicons=lexicons)[4:] == [
        "drop role", "drop 笨蛋 from phrases", "drop 傻瓜 from phrases", "drop 傻瓜相机 from except_in",
        "drop 不是 from not_preceded_by", "drop 没 from not_preceded_by", "reach 6 → 5", "reach 6 → 7",
        "reach 6 → 12", "drop reach", "hint True → False", "homophones accept → review", "homophones accept → off",
        "drop homophones", "min_sound_characters 2 → 1", "min_sound_characters 2 → 3",
        "min_sound_characters 2 → 4", "drop min_sound_characters",
    ]  # fmt: skip


def test_a_break_knows_its_place_and_leaves_the_pack_alone(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"asked": "require:\n  phrase:\n    any: [您好, 早上好]"})
    source = source_of(pack)
    before = repr(source)
    found = {m.what: str(m) for m in mutants(source)}
    assert found["drop 早上好 from any"] == "site/asked.yaml:6:15: drop 早上好 from any"
    assert repr(source) == before


def test_what_only_people_read_is_left_alone(tmp_path: Path) -> None:
    body = (
        "rationale: x\nreferences: [y, z]\nowner: somebody\nstyle:\n  x: {silence: {longer_than_s: 5}}\n"
        "forbid: {phrase: {any: [您好], role: any}}"
    )
    assert whats(tmp_path, body) == [
        "forbid → require", "negate phrase", "role any → agent", "role any → customer", "drop role",
    ]  # fmt: skip


@pytest.mark.parametrize("name", shipped_packs())
def test_the_same_breaks_every_time(name: str) -> None:
    path = shipped_packs()[name]
    first, second = ([str(m) for m in mutants(source_of(path))] for _ in range(2))
    assert first == second
    assert len(first) > 1000


# --- which mean nothing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lexicon", "equivalent"),
    [
        ("{phrases: [再见, 再见了, 拜拜], min_sound_characters: 2}", {"再见了": "found by 再见"}),
        ("{phrases: [再见, 再见了, 拜拜]}", {}),  # by its sound alone only the longer is found
        ("{phrases: [再见, 再见了], homophones: 'off'}", {"再见了": "found by 再见"}),
        ("{phrases: [能, 能不能], not_followed_by: [不], homophones: 'off'}", {}),
        ("{phrases: [bye, bye bye, goodbye], homophones: 'off'}", {"bye bye": "found by bye"}),
        ("{phrases: [您好, 你好], min_sound_characters: 2}", {"你好": "found by 您好"}),
        ('{phrases: ["{digits:3-8}", "{digits:3-8}号"], homophones: "off"}', {}),
        ("{phrases: [人工], except_in: [人工智能, 电话]}", {"电话": "touches no phrase"}),
        ("{phrases: [人工], except_in: [工作]}", {}),  # an overlap is enough
        ("{phrases: [好的], not_preceded_by: [不, 不是], reach: 6}", {"不是": "found by 不"}),
    ],
)
def test_which_phrases_nobody_misses(tmp_path: Path, lexicon: str, equivalent: dict[str, str]) -> None:
    found = breaks(tmp_path, "forbid: {phrase: {lexicon: x}}", lexicons=f"x: {lexicon}")
    assert {m.edit.dropped: m.edit.equivalent for m in found if m.edit.equivalent} == equivalent


def check_of(folder: Path, body: str, cases: str, *, lexicons: str = "") -> MutationCheck:
    pack = write_pack(folder, {"asked": body}, lexicons=lexicons)
    (pack / "asked.cases.yaml").write_text(cases, encoding="utf-8")
    return MutationCheck(pack)


CASES = """\
- {case: said, expect: not_met, each: [笨蛋, 傻瓜], dialogue: "agent 0-2: {phrase}\\ncustomer 3-4: 你好"}
- {case: not said, expect: met, dialogue: "agent 0-2: 您好\\ncustomer 3-4: 笨蛋"}
- {case: fails, expect: met, dialogue: "agent 0-2: 笨蛋"}
"""


def test_cases_notice_or_do_not(tmp_path: Path) -> None:
    check = check_of(tmp_path, "forbid: {phrase: {any: [笨蛋, 傻瓜, 白痴], times: 1}}", CASES)
    judged = {one.mutant.what: one for one in map(check.judge, check.mutants())}
    assert {what: one.fate for what, one in judged.items()} == {
        "forbid → require": Fate.KILLED,
        "negate phrase": Fate.KILLED,
        "drop 笨蛋 from any": Fate.KILLED,
        "drop 傻瓜 from any": Fate.KILLED,
        "drop 白痴 from any": Fate.SURVIVED,
        "times 1 → 0": Fate.INVALID,
        "times 1 → 2": Fate.KILLED,
        "drop times": Fate.EQUIVALENT,
        "role agent → customer": Fate.KILLED,
        "role agent → any": Fate.KILLED,
    }
    assert judged["drop 傻瓜 from any"].by == "site/asked.cases.yaml:1: said [傻瓜]"
    assert [outcome.case.case for outcome in check.failing] == ["fails"]
    tally = tallies(judged.values())["rule asked"]
    assert (tally.counts[Fate.KILLED], tally.total) == (7, 8)
    assert tally.share == 7 / 8


def test_a_shared_lexicon_is_judged_by_the_cases_of_all_its_users(tmp_path: Path) -> None:
    pack = write_pack(
        tmp_path,
        {
            "asked": "forbid: {use: rudely}",
            "other": "forbid: {phrase: {any: [您好]}}",
            "reads": "forbid: {rule: {id: asked, outcome: not_met}}",
        },
        lexicons="rude: [笨蛋, 傻瓜]",
    )
    (pack / "conditions.yaml").write_text("rudely: {phrase: {lexicon: rude}}", encoding="utf-8")
    said = '- {case: said, expect: not_met, dialogue: "agent 0-2: 笨蛋"}'
    (pack / "reads.cases.yaml").write_text(said, encoding="utf-8")
    check = MutationCheck(pack)
    fates = {m.what: check.judge(m).fate for m in check.mutants(rules=["asked"]) if m.edit.dropped}
    assert fates == {"drop 笨蛋 from phrases": Fate.KILLED, "drop 傻瓜 from phrases": Fate.SURVIVED}
    assert [m.subject for m in check.mutants(rules=["other"])] == ["rule other"] * 4


def test_a_shared_event_is_noticed(tmp_path: Path) -> None:
    pack = write_pack(
        tmp_path,
        {
            "asked": "forbid: {phrase: {any: [笨蛋]}}\nsame_event_as: [other]",
            "other": "forbid: {phrase: {any: [笨蛋]}}",
        },
    )
    case = '- {case: said, expect: not_met, same_event_as: other, dialogue: "agent 0-2: 笨蛋"}'
    (pack / "asked.cases.yaml").write_text(case, encoding="utf-8")
    check = MutationCheck(pack)
    assert {m.what: check.judge(m).fate for m in check.mutants(rules=["asked"])}[
        "drop other from same_event_as"
    ] is Fate.KILLED


def test_a_pack_answers_for_its_own_files_only(tmp_path: Path) -> None:
    base_pack(tmp_path)
    files = {
        "greets.yaml": "override: greets\nforbid: {phrase: {any: [喂], role: any}}",
        "lexicons.yaml": "mine: [走, 跑]",
    }
    check = MutationCheck(child(tmp_path, files))
    assert {mutant.subject for mutant in check.mutants()} == {"rule greets", "lexicon mine"}


# --- the shipped packs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_packs())
def test_a_changed_rule_answers_as_in_a_pack_of_its_own(name: str) -> None:
    """What makes the check quick changes no answer: all rules again, in a set that shares the phrases."""
    rule_set = load_pack(shipped_packs()[name])
    again = rule_set.with_rules([rule.model_copy(deep=True) for rule in rule_set.rules])
    check = MutationCheck(shipped_packs()[name])
    for call in [call for calls in check._calls.values() for call in calls][::5]:
        assert call.outcome(again).result == call.outcome(rule_set).result


@pytest.mark.parametrize("name", shipped_packs())
def test_every_break_has_a_fate(name: str) -> None:
    check = MutationCheck(shipped_packs()[name])
    judged = [check.judge(mutant) for mutant in list(check.mutants())[::SAMPLED]]
    counts = {fate: sum(one.fate is fate for one in judged) for fate in Fate}
    assert check.failing == []
    assert counts[Fate.KILLED] > 0
    assert counts[Fate.INVALID] < len(judged) / 5
