"""What people read: what broke and where, what needs a look, and never markup out of a file name."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import Conversation
from qa_service.domain.faults import ChannelFault, FaultKind
from qa_service.domain.metrics import MetricOptions, measure
from qa_service.domain.results import Evidence, OpenItem, Outcome, RuleResult, Severity
from qa_service.domain.scoring import Evaluation, SectionScore
from qa_service.domain.timeline import TimeSpan
from qa_service.ports import StoredConversation, StoredEvaluation
from qa_service.ports.sources import Received
from tests.builders import AGENT, CUSTOMER, conversation, utterance
from worker.render import call_name, clock, fault_text, printable, result_table, show_call
from worker.scoring import Failed, Scored


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00"), (5.999, "00:05"), (59.9, "00:59"), (65, "01:05"), (3599, "59:59"), (3600, "1:00:00")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


CALL = conversation(
    utterance("您好[bold]", 1.0, 3.0),
    utterance("我要投诉", 65.0, 67.0, role=CUSTOMER, confidence=0.41),
    duration_s=125.4,
)
BROKEN = RuleResult(
    "interruption",
    "抢话",
    Outcome.NOT_MET,
    Severity.MAJOR,
    (Evidence(65.2, 66.0, AGENT, "您听我说"), Evidence(90.0, 91.0), Evidence(90.4, 91.0)),
)
RECORDED = RuleResult(
    "customer-interruption",
    "客户抢话",
    Outcome.NOT_MET,
    Severity.MINOR,
    (Evidence(14.0, 15.0),),
    scored=False,
)
TWICE = RuleResult(
    "dead-air", "冷场", Outcome.NOT_MET, Severity.MAJOR, (Evidence(40.0, 50.0),), same_event_as="hold-notice"
)
DOUBTFUL = RuleResult(
    "closing", "结束语", Outcome.UNDETERMINED, Severity.MAJOR, (Evidence(120.0, 125.0),), reason="low_confidence"
)
UNHEARD = RuleResult("thanks", "致谢", Outcome.UNDETERMINED, Severity.MINOR, reason="roles_unknown")
FINE = RuleResult("opening", "开场", Outcome.MET, Severity.MAJOR, (Evidence(1.0, 3.0),))
ABSENT = RuleResult("wrong-number", "打错", Outcome.NOT_APPLICABLE, Severity.MINOR)


def evaluation(*results: RuleResult, score: float | None = 72.5, fatal: bool = False) -> StoredEvaluation:
    section = SectionScore("opening", "开场部分", score, 1.0, 1.0, 1.0, fatal)
    return StoredEvaluation(
        id=1,
        key="k",
        recording_id=1,
        conversation_id=1,
        pack="service-zh",
        ruleset_digest="sha256:ab",
        evaluation=Evaluation("service-zh", score, score, 0.94, fatal, (section,)),
        results=results,
        metrics=measure(CALL, CallMetadata(), MetricOptions()),
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
    )


def scored(stored: StoredEvaluation, *, name: str = "a.wav", agent: str | None = "林晓") -> Scored:
    return Scored(
        Path("calls") / name,
        Received(Recording(1, "ab", name, "blob:ab", 4, 125.4, 2), CallMetadata(agent_name=agent), new=True),
        StoredConversation(1, 1, "k", CALL),
        stored,
    )


def table(*answers: Scored | Failed) -> str:
    console = Console(file=io.StringIO(), width=240)
    console.print(result_table(answers))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def call(stored: StoredEvaluation, heard: Conversation = CALL, path: str = "calls/a.wav") -> str:
    console = Console(file=io.StringIO(), width=160)
    name = call_name(Path(path), None)
    show_call(console, name=name, metadata=CallMetadata(agent_id="8023"), conversation=heard, evaluation=stored)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_says_what_broke_and_where() -> None:
    text = table(scored(evaluation(BROKEN, RECORDED, TWICE, DOUBTFUL, UNHEARD, FINE, ABSENT)))
    for part in (
        "a.wav",
        "林晓",
        "02:05",
        "72.5",
        "客户抢话 00:14 (recorded only)",
        "结束语 02:00 (low_confidence)",
    ):
        assert part in text
    assert "抢话 01:05, 01:30" in text, "a moment is named once"
    assert "致谢 (roles_unknown)" in text
    for part in ("冷场", "开场", "打错"):
        assert part not in text


def test_only_what_a_person_can_settle_needs_a_look() -> None:
    mono = replace(BROKEN, outcome=Outcome.UNDETERMINED, evidence=(), reason="overlap_not_measurable")
    assert "抢话" not in table(scored(evaluation(mono)))
    assert "抢话" in table(scored(evaluation(replace(mono, evidence=(Evidence(5.0, 6.0),)))))
    assert "抢话" not in table(scored(evaluation(replace(DOUBTFUL, title="抢话", scored=False))))


def test_many_rules_open_for_one_reason_are_one_line() -> None:
    unheard = [replace(UNHEARD, rule=f"r{i}", title=f"规则{i}") for i in range(4)]
    assert "规则2 (roles_unknown)" in table(scored(evaluation(*unheard[:3])))
    text = table(scored(evaluation(DOUBTFUL, *unheard)))
    assert "4 rules (roles_unknown)" in text
    assert "规则" not in text
    assert "结束语 02:00 (low_confidence)" in text


def test_a_call_without_faults() -> None:
    text = table(scored(evaluation(FINE, score=100.0), agent=None))
    assert "100.0" in text
    assert text.count("–") >= 3  # no agent, nothing broke, nothing to look at


def test_a_withheld_score_and_a_fatal_one() -> None:
    assert "withheld" in table(scored(evaluation(UNHEARD, score=None)))
    assert "0.0 fatal" in table(scored(evaluation(BROKEN, score=0.0, fatal=True)))


def test_failed_rows_stay_in_their_place() -> None:
    text = table(
        scored(evaluation(FINE), name="1.wav"),
        Failed(Path("calls/2.wav"), "not_audio", "nothing can be decoded [as audio]"),
        scored(evaluation(FINE), name="3.wav"),
    )
    assert text.index("1.wav") < text.index("2.wav") < text.index("3.wav")
    assert "not_audio: nothing can be decoded [as audio]" in text


@pytest.mark.parametrize("name", ["[red]a.wav", "[b].wav", "a\\[b].wav", "[link=x]a.wav", ":smile:.wav"])
def test_names_are_no_markup(name: str) -> None:
    text = table(
        scored(evaluation(replace(BROKEN, title=name)), name=name, agent=name),
        Failed(Path(name), "not_audio", f"{name} is no audio"),
    )
    assert text.count(name) == 5
    assert call(evaluation(replace(BROKEN, title=name)), path=f"calls/{name}").count(name) == 5


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[2J\x1b]0;x\x07.wav", "\\x1b[2J\\x1b]0;x\\x07.wav"),
        ("a\nb\r.wav", "a\\nb\\r.wav"),
        ("\x9b31m.wav", "\\x9b31m.wav"),
        ("a\u2028\u202egpj.wav", "a\\u2028\\u202egpj.wav"),
        ("b\udcff.wav", "b\\xff.wav"),
        ("录音 1.wav", "录音 1.wav"),
    ],
)
def test_names_move_no_cursor(name: str, shown: str) -> None:
    assert printable(name) == shown
    text = table(
        replace(scored(evaluation(FINE), name=name), second_path=Path(name)),
        Failed(Path(name), "not_audio", f"{name} is no audio"),
    )
    assert text.count(shown) == 4
    assert not set(text) & set("\x1b\x07\r\x9b\u2028\u202e")


def test_a_call_of_two_files_is_called_by_both() -> None:
    assert "1-out.wav + 1-in.wav" in table(
        replace(scored(evaluation(FINE), name="1-out.wav"), second_path=Path("calls/1-in.wav"))
    )


def test_a_call_with_its_findings_in_place() -> None:
    lines = call(evaluation(BROKEN, RECORDED, TWICE, DOUBTFUL, FINE, ABSENT)).splitlines()
    text = "\n".join(lines)
    assert lines[0] == "a.wav  02:05  agent 8023"
    assert lines[1] == "score 72.5  coverage 94%  pack service-zh"
    assert lines[2] == "  开场部分 72"
    dialogue = [line for line in lines if line[:2].isdigit() or line.startswith("      ")]
    assert dialogue == [
        "00:01 agent    您好[bold]",
        "      ✗ 客户抢话 00:14–00:15",
        "01:05 customer 我要投诉  (0.41)",
        "      ✗ 抢话 01:05–01:06 「您听我说」",
        "      ✗ 抢话 01:30–01:31",
        "      ✗ 抢话 01:30–01:31",
        "      ? 结束语 02:00–02:05",
    ]
    assert "same event as hold-notice" in text
    assert "low_confidence" in text
    assert "打错" not in text


def test_a_call_with_a_withheld_score() -> None:
    stored = evaluation(UNHEARD, score=None)
    stored = replace(stored, evaluation=replace(stored.evaluation, coverage=0.0))
    lines = call(stored).splitlines()
    assert lines[1:3] == ["score withheld  coverage 0%  pack service-zh", "  开场部分 –"]


FAULTS = (
    ChannelFault(FaultKind.CROSS_TALK, 1, -9.81, (TimeSpan(14.0, 15.0), TimeSpan(65.0, 70.0))),
    ChannelFault(FaultKind.SWAPPED, None, 0.996, (TimeSpan(1.0, 2.0),), ("工号[b]",)),
    ChannelFault(FaultKind.DEAD, 0),
    ChannelFault(FaultKind.LOW_LEVEL, 0, -52.04),
    ChannelFault(FaultKind.CLIPPING, 0, 0.0321),
    ChannelFault(FaultKind.SAME_AUDIO, None, 0.99),
)


def test_faults_of_the_channels_need_a_look() -> None:
    answer = scored(evaluation(FINE))
    heard = replace(answer.conversation, conversation=replace(CALL, faults=FAULTS))
    text = table(replace(answer, conversation=heard))
    for line in (
        "cross-talk on channel 1 (-9.8 dB)",
        "channels look swapped (99.6%)",
        "no signal on channel 0",
        "very low level on channel 0 (-52.0 dBFS)",
        "clipping on channel 0 (3.2%)",
        "same audio on both channels (99.0%)",
    ):
        assert line in re.sub(r"[\s│]+", " ", text)


def test_a_call_with_faults_says_where_to_listen() -> None:
    lines = call(evaluation(FINE), replace(CALL, faults=FAULTS)).splitlines()
    assert lines[2:4] == [
        "  cross-talk on channel 1 (-9.8 dB) 00:14 01:05",
        "  channels look swapped (99.6%) 00:01「工号[b]」",
    ]


def test_every_kind_of_fault_has_words() -> None:
    assert all(fault_text(ChannelFault(kind, 0, -1.0)) for kind in FaultKind)


def test_a_result_says_its_grade_what_it_opens_and_why_it_is_not_scored() -> None:
    promise = OpenItem("call-back", 3, Evidence(65.0, 66.0))
    shown = call(
        evaluation(
            replace(FINE, grade=2, opens=(promise,)),
            replace(BROKEN, scored=False, unscored="not_live"),
            replace(DOUBTFUL, scored=False, unscored="shadow"),
        )
    )
    assert "grade 2; 01:05 call-back within 3 days" in shown
    assert "not approved, not scored" in shown
    assert "low_confidence; shadow, not scored" in shown
