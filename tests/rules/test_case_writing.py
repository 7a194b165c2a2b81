"""Calls written down as cases: they can be read again, and say what they said."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qa_service.domain.call import CallMetadata, Direction, HangupSide
from qa_service.domain.results import Outcome
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import RulePackError
from rules.case_writing import CaseWriter, written
from rules.cases import call_of, dialogue, load_cases, run_cases
from rules.loader import find_pack, load_pack
from tests.rules.builders import write_pack
from worker.cli import app

MET, NOT_MET = Outcome.MET, Outcome.NOT_MET
DIALOGUE = """\
agent 0.50-2.00 (0.90) [-20.0 dB]: 您好，怀信通信
customer 2.50-4.00 (0.45) [-20.0 dB]: 你们的 Wi-Fi 坏了
agent 4.20-6.00 [unheard]:
customer 7.00-9.00 (0.80) [-26.5 dB]: 听得到吗
"""


@pytest.fixture(scope="module")
def pack() -> Path:
    return find_pack("service-zh")


@pytest.fixture(scope="module")
def writer(pack: Path) -> CaseWriter:
    return CaseWriter({"service-zh": load_pack(pack)}.__getitem__)


def test_a_dialogue_is_written_as_it_was_read() -> None:
    conversation = dialogue(DIALOGUE, language="zh")
    assert written(conversation) == DIALOGUE
    assert dialogue(written(conversation), language="zh") == conversation


def test_every_shipped_case_is_written_as_one_that_says_the_same(pack: Path) -> None:
    """Written, read and judged again: the outcome of every seventh case of the pack stays."""
    rules = load_pack(pack)
    checked = 0
    for at in load_cases(pack)[::7]:
        call = call_of(at, language=rules.language, options=rules.metric_options)
        alone = rules.only(at.rule)
        document, outcome = CaseWriter(lambda _: rules).write(
            "service-zh",
            at.rule,
            name="again",
            expect=call.outcome(alone).outcome,
            conversation=call.index.conversation,
            metadata=at.case.metadata.call_metadata(),
        )
        if at.case.metadata.extra or at.case.metadata.agent_channel is not None:
            continue
        checked += 1
        assert outcome is call.outcome(alone).outcome, (at.rule, at.case.case, document["dialogue"])
        assert "known_miss" not in document
    assert checked > 60


def test_one_voice_that_speaks_twice_at_once_speaks_in_turn() -> None:
    """On one channel two voices may have one role."""
    one = dialogue("agent 1-4: 您好您好\nagent 4.5-6: 再见", language="zh")
    first, second = one.utterances
    both = replace(one, utterances=(first, replace(second, start=3.0)))
    lines = written(both).splitlines()
    assert [line.split(" (")[0] for line in lines if "unheard" not in line] == [
        "agent 1.00-4.00",
        "agent 4.00-6.00",
    ]
    dialogue(written(both), language="zh")


def test_nobody_is_named(writer: CaseWriter) -> None:
    metadata = CallMetadata(
        call_id="c-1",
        direction=Direction.INBOUND,
        agent_id="8023",
        agent_name="李娜",
        team="A",
        customer_ref="客户7",
        started_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        ring_count=2,
        hangup_side=HangupSide.CUSTOMER,
        hold_spans=(TimeSpan(1.0, 2.5),),
        extra=(("note", "王先生"),),
    )
    document, _ = writer.write(
        *("service-zh", "closing"),
        name="x",
        expect=MET,
        conversation=dialogue(DIALOGUE, language="zh"),
        metadata=metadata,
    )
    assert document["metadata"] == {
        "direction": "inbound",
        "ring_count": 2,
        "hangup_side": "customer",
        "started_at": "2026-11-22T09:00:00+00:00",
        "hold_spans": [[1.0, 2.5]],
    }
    assert not re.search("8023|李娜|客户7|王先生|c-1", str(document))


def test_what_the_rule_still_gets_wrong_is_a_known_miss(writer: CaseWriter) -> None:
    conversation = dialogue("agent 0.5-2.0: 再见\ncustomer 2.5-4.0: 好的", language="zh")

    def write(expect: Outcome) -> tuple[bool, Outcome]:
        document, outcome = writer.write(
            *("service-zh", "opening"), name="x", expect=expect, conversation=conversation, metadata=CallMetadata()
        )
        return "known_miss" in document, outcome

    assert write(NOT_MET) == (False, NOT_MET)
    assert write(MET) == (True, NOT_MET)


def test_a_rule_or_pack_that_is_gone(writer: CaseWriter) -> None:
    with pytest.raises(RulePackError) as caught:
        writer.write(
            *("service-zh", "vanished"),
            name="x",
            expect=MET,
            conversation=dialogue(DIALOGUE, language="zh"),
            metadata=CallMetadata(),
        )
    assert caught.value.code == "rule_unknown"


def test_qa_rules_test_takes_what_is_written(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, {"greets": "require: {phrase: {any: [您好]}}"})
    rules = load_pack(folder)
    writer = CaseWriter(lambda _: rules)
    documents = []
    for text in ("agent 0.5-2.0: 您好", "agent 0.5-2.0: 喂 {phrase} # : - |"):
        document, _ = writer.write(
            *("site", "greets"),
            name="finding 7: 说了",
            expect=MET,
            conversation=dialogue(text, language="zh"),
            metadata=CallMetadata(),
        )
        documents.append(document)
    (folder / "greets.cases.yaml").write_text(writer.text(documents), encoding="utf-8")
    outcomes = run_cases(folder)
    assert [outcome.case.case for outcome in outcomes] == ["finding 7: 说了", "finding 7: 说了 (2)"]
    assert [(outcome.case.known_miss, outcome.passed) for outcome in outcomes] == [(False, True), (True, True)]
    ran = CliRunner().invoke(app, ["rules", "test", str(folder)])
    assert (ran.exit_code, "all cases passed" in ran.output) == (0, True), ran.output


def test_drafts_stand_beside_the_cases_that_are_there(tmp_path: Path, pack: Path) -> None:
    """Appended to the cases of a shipped rule, as somebody would do who takes them over."""
    folder = tmp_path / "service-zh"
    shutil.copytree(pack, folder)
    rules = load_pack(folder)
    writer = CaseWriter(lambda _: rules)
    document, _ = writer.write(
        *("service-zh", "opening"),
        name="finding 12: 说了工号",
        expect=MET,
        conversation=dialogue(DIALOGUE, language="zh"),
        metadata=CallMetadata(direction=Direction.INBOUND),
    )
    cases = next(folder.rglob("opening.cases.yaml"))
    before = len(run_cases(folder, rules=["opening"]))
    cases.write_text(cases.read_text(encoding="utf-8") + "\n" + writer.text([document]), encoding="utf-8")
    outcomes = run_cases(folder, rules=["opening"])
    assert len(outcomes) == before + 1
    assert all(outcome.passed for outcome in outcomes)
