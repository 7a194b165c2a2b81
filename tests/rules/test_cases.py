"""The notation of cases, and the cases of every shipped rule."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.results import Outcome
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import RulePackError
from rules.cases import CaseMetadata, CaseOutcome, dialogue, load_cases, run_cases
from rules.dialogues import parsed
from rules.loader import CASES_SUFFIX, rule_files, shipped_packs
from tests.rules.builders import write_pack

# --- the shipped packs ------------------------------------------------------------------------------------

RULES = [file for path in shipped_packs().values() for file in rule_files(path)]


@cache
def outcomes_of(pack: Path) -> dict[str, list[CaseOutcome]]:
    """What the rules of the pack's own folder say about their cases."""
    found: dict[str, list[CaseOutcome]] = {file.stem: [] for file in rule_files(pack)}
    for outcome in run_cases(pack, rules=list(found)):
        found[outcome.rule].append(outcome)
    return found


@pytest.mark.parametrize("file", RULES, ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_cases_of_shipped_rules(file: Path) -> None:
    assert file.with_name(file.stem + CASES_SUFFIX).is_file()
    outcomes = outcomes_of(file.parent)[file.stem]
    assert [outcome.message for outcome in outcomes if not outcome.passed] == []
    expected = [outcome.case.expect for outcome in outcomes]
    assert expected.count(Outcome.NOT_MET) >= 3
    assert expected.count(Outcome.MET) + expected.count(Outcome.NOT_APPLICABLE) >= 3
    assert expected.count(Outcome.UNDETERMINED) >= 1


# --- the notation -----------------------------------------------------------------------------------------


def test_dialogue() -> None:
    conversation = dialogue(
        """
        agent 1.0-3.0: 您好，hello there
        # a comment
        customer 2.5-4.5 (0.4): 好
        agent 9.2-15.0 [unheard]:
        """,
        language="zh",
    )
    first, second = conversation.utterances
    assert (first.role, first.span, first.confidence, first.text) == (
        SpeakerRole.AGENT,
        TimeSpan(1.0, 3.0),
        0.9,
        "您好，hello there",
    )
    assert [w.text for w in first.words] == ["您", "好，", "hello", " there"]
    assert [w.start for w in first.words] == [1.0, 1.5, 2.0, 2.5]
    assert first.words[-1].end == 3.0
    assert "".join(w.text for w in first.words) == first.raw_text
    assert [first.raw_text[o] for o in first.word_offsets] == ["您", "好", "h", " "]
    assert first.overlay.folded == "你好hello there"
    assert first.overlay.syllables[:2] == ("ni", "hao")
    assert (second.confidence, second.words[0].confidence) == (0.4, 0.4)
    assert [c.spans for c in conversation.speech] == [
        (TimeSpan(1.0, 3.0), TimeSpan(9.2, 15.0)),
        (TimeSpan(2.5, 4.5),),
    ]
    assert [turn.role for turn in conversation.turns] == [SpeakerRole.AGENT, SpeakerRole.CUSTOMER]
    assert conversation.duration_s == 15.0
    assert conversation.roles_known
    assert conversation.overlap_measurable


def test_dialogue_of_unknown_roles() -> None:
    conversation = dialogue("unknown 0-1: 您好", language="zh", duration_s=9.0, overlap_measurable=False)
    assert not conversation.roles_known
    assert (conversation.duration_s, conversation.overlap_measurable) == (9.0, False)


def test_an_empty_dialogue_is_a_silent_call() -> None:
    assert dialogue("", language="zh", duration_s=5.0).speech == ()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("agent 您好", "not a line of a dialogue"),
        ("agent 1-2 (2): 您好", "not a line of a dialogue"),
        ("agent 1-2 (1.5): 您好", "a confidence of 1.5"),
        ("boss 1-2: 您好", "unknown role 'boss'"),
        ("agent 2-1: 您好", "before it starts"),
        ("agent 1-2: ", "goes with no words"),
        ("agent 1-2: ……", "goes with no words"),
        ("agent 1-2 [unheard]: 您好", "goes with no words"),
        ("agent 0.2-0.8: 您好", "already speaks"),
        ("agent 0.4-9: 您好", "already speaks"),
        ("agent 0-0.1: 您好", "already speaks"),
    ],
)
def test_a_line_that_cannot_be_read(line: str, fault: str) -> None:
    with pytest.raises(RulePackError, match=f"line 2: .*{fault}") as caught:
        dialogue(f"agent 0-0.5: 喂\n{line}", language="zh")
    assert caught.value.code == "dialogue_invalid"


# --- running ----------------------------------------------------------------------------------------------

GREETS = {"greets": "require: {phrase: {any: [您好]}}"}


def pack_with(folder: Path, cases: str, *, name: str = "greets") -> Path:
    pack = write_pack(folder, GREETS)
    (pack / f"{name}.cases.yaml").write_text(cases, encoding="utf-8")
    return pack


def test_outcomes(tmp_path: Path) -> None:
    pack = pack_with(
        tmp_path,
        """\
- case: right
  expect: met
  dialogue: "agent 0-1: 您好"
- case: wrong
  expect: met
  dialogue: "agent 0-1: 喂喂"
- case: known
  expect: met
  known_miss: true
  dialogue: "agent 0-1: 喂喂"
- case: fixed
  expect: met
  known_miss: true
  dialogue: "agent 0-1: 您好"
- case: why
  expect: undetermined
  reason: role_unknown
  dialogue: "unknown 0-1: 您好"
- case: another reason
  expect: undetermined
  reason: low_recognition
  dialogue: "unknown 0-1: 您好"
""",
    )
    outcomes = {o.case.case: o for o in run_cases(pack)}
    assert {name: o.passed for name, o in outcomes.items()} == {
        "right": True,
        "wrong": False,
        "known": True,
        "fixed": False,
        "why": True,
        "another reason": False,
    }
    assert outcomes["wrong"].message == "site/greets.cases.yaml:4: wrong: expected met, got not_met"
    assert "no longer a known miss" in outcomes["fixed"].message
    assert outcomes["another reason"].message.endswith(
        "expected undetermined (low_recognition), got undetermined (role_unknown)"
    )


def test_metadata(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"hold": "forbid: {silence: {source: hold}}"})
    (pack / "hold.cases.yaml").write_text(
        """\
- case: held
  expect: not_met
  metadata: {direction: inbound, hangup_side: agent, ring_count: 3, hold_spans: [[1.0, 15.0]]}
  dialogue: "agent 0-20: 您好"
""",
        encoding="utf-8",
    )
    assert [o.outcome for o in run_cases(pack)] == [Outcome.NOT_MET]


def test_a_case_can_say_all_that_is_known_of_a_call_but_how_its_file_is_laid_out() -> None:
    of_the_file = {"channel_map", "raw_format"}
    assert set(CaseMetadata.model_fields) == set(CallMetadata.__dataclass_fields__) - of_the_file


def test_what_a_case_says_of_the_call() -> None:
    said = CaseMetadata.model_validate(
        {"started_at": "2026-03-01T21:30:00+08:00", "customer_ref": "c1", "extra": {"skill": "vip", "line": "3"}}
    )
    metadata = said.call_metadata()
    assert metadata.started_at == datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
    assert (metadata.customer_ref, metadata.extra) == ("c1", (("line", "3"), ("skill", "vip")))


def test_every_fault_of_every_file_is_named_with_its_line(tmp_path: Path) -> None:
    pack = pack_with(
        tmp_path,
        """\
- case: no such outcome
  expect: good
  dialogue: "agent 0-1: 您好"
- case: a field too many
  expect: met
  speed: 3
  metadata: {direction: sideways, hold_spans: [[5, 4]]}
  dialogue: "agent 0-1: 您好"
""",
    )
    (pack / "other.cases.yaml").write_text(
        """\
- case: bad lines
  expect: met
  dialogue: |
    agent 0-1: 您好
    agent 1-: 您好
    boss 1-2: 您好
- case: a bad short line
  expect: met
  duration_s: 0.5
  dialogue: "agent 0-1"
- case: too short a call
  expect: met
  duration_s: 0.5
  dialogue: "agent 0-1: 您好"
""",
        encoding="utf-8",
    )
    (pack / "third.cases.yaml").write_text("case: {}", encoding="utf-8")
    with pytest.raises(RulePackError) as caught:
        load_cases(pack)
    places = [fault.split(": ")[0].rsplit(":", 1)[0] for fault in caught.value.faults]
    assert places == [
        "site/greets.cases.yaml:2",
        "site/greets.cases.yaml:6",
        "site/greets.cases.yaml:7",
        "site/greets.cases.yaml:7",
        "site/other.cases.yaml:1",
        "site/other.cases.yaml:5",
        "site/other.cases.yaml:6",
        "site/other.cases.yaml:10",
        "site/other.cases.yaml:13",
        "site/third.cases.yaml:1",
        "site/third.cases.yaml:1",
    ]
    assert "1.speed: unknown key 'speed' (one of case, " in " ".join(caught.value.faults)


def test_one_case_for_each_phrase(tmp_path: Path) -> None:
    pack = pack_with(
        tmp_path,
        """\
- case: greetings
  expect: met
  each:
    - 您好
    - 喂，您好
    - 早
  dialogue: |
    agent 0-1: {phrase}！
""",
    )
    assert [(o.place, o.case.case, o.passed) for o in run_cases(pack)] == [
        ("site/greets.cases.yaml:4", "greetings [您好]", True),
        ("site/greets.cases.yaml:5", "greetings [喂，您好]", True),
        ("site/greets.cases.yaml:6", "greetings [早]", False),
    ]


@pytest.mark.parametrize(
    ("keys", "line", "fault"),
    [
        ('each: [您好]\n  dialogue: "agent 0-1: 您好"', 1, "one needs the other"),
        ('dialogue: "agent 0-1: {phrase}"', 1, "one needs the other"),
        ('each: [您好, 您好]\n  dialogue: "agent 0-1: {phrase}"', 1, "lists '您好' twice"),
        ('each: ["您\\n好"]\n  dialogue: "agent 0-1: {phrase}"', 1, "a phrase of `each` is one line"),
        ('each: [您好, "！"]\n  dialogue: "agent 0-1: {phrase}"', 3, "goes with no words"),
        ('each: [您好]\n  dialogue: "agent 0: {phrase}"', 4, "not a line of a dialogue"),
    ],
)
def test_a_fault_of_each(tmp_path: Path, keys: str, line: int, fault: str) -> None:
    pack = pack_with(tmp_path, f"- case: greetings\n  expect: met\n  {keys}\n")
    with pytest.raises(RulePackError, match=fault) as caught:
        load_cases(pack)
    (found,) = caught.value.faults
    assert found.startswith(f"site/greets.cases.yaml:{line}:")


def test_grade_open_items_and_shared_events(tmp_path: Path) -> None:
    body = (
        "forbid: {phrase: {any: [投诉]}}\n"
        "grades: {2: {phrase: {any: [媒体]}}, 1: {phrase: {any: [投诉]}}}\n"
        "opens: {item: answer}\nsame_event_as: [other]"
    )
    pack = write_pack(tmp_path, {"asked": body, "other": "forbid: {phrase: {any: [去投诉]}}"})
    (pack / "asked.cases.yaml").write_text(
        """\
- {case: right, expect: not_met, grade: 1, opens: [answer], same_event_as: other, dialogue: "agent 0-1: 去投诉"}
- {case: graded, expect: not_met, grade: 1, dialogue: "agent 0-1: 媒体，投诉"}
- {case: opened, expect: not_met, opens: [], dialogue: "agent 0-1: 投诉"}
- {case: shared, expect: not_met, same_event_as: other, dialogue: "agent 0-1: 投诉"}
""",
        encoding="utf-8",
    )
    outcomes = run_cases(pack)
    assert [outcome.passed for outcome in outcomes] == [True, False, False, False]
    assert [outcome.message.split(": expected ")[1] for outcome in outcomes[1:]] == [
        "not_met (grade 1), got not_met (grade 2)",
        "not_met (opens nothing), got not_met (opens answer)",
        "not_met (the same event as other), got not_met",
    ]


def test_cases_of_one_rule(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, {"one": "require: {phrase: {any: [您好]}}", "two": "forbid: {silence: {}}"})
    for name in ("one", "two"):
        text = f'- {{case: {name}, expect: met, dialogue: "agent 0-1: 您好"}}'
        (pack / f"{name}.cases.yaml").write_text(text, encoding="utf-8")
    assert [o.rule for o in run_cases(pack)] == ["one", "two"]
    assert [o.rule for o in run_cases(pack, rules=["two"])] == ["two"]


def test_a_long_dialogue_is_read_quickly() -> None:
    lines, faults = parsed("\n".join(f"agent {n}-{n}.5: 您好" for n in range(20_000)))
    assert (len(lines), faults) == (20_000, [])
    assert parsed("agent 0-99999999999: 您好") == (
        [],
        [(1, "ends at 99999999999 s: write a call of at most 21600 s")],
    )


WRITTEN = st.text(alphabet=st.sampled_from(list("agentcusomr 0123456789.-()[]:：dBunheard#您好\n\t")), max_size=80)


@given(text=st.one_of(WRITTEN, st.text(max_size=80)))
def test_whatever_is_written_is_a_conversation_or_a_fault(text: str) -> None:
    lines, faults = parsed(text)
    if faults:
        with pytest.raises(RulePackError):
            dialogue(text, language="zh")
    else:
        assert len(dialogue(text, language="zh").utterances) == sum(bool(line.text) for line in lines)


def test_two_cases_of_one_name(tmp_path: Path) -> None:
    case = '- case: same\n  expect: met\n  dialogue: "agent 0-1: 您好"\n'
    with pytest.raises(RulePackError, match="two cases are named 'same'"):
        run_cases(pack_with(tmp_path, case * 2))
