"""A dead channel: nobody is accused of what it would have carried, nor of silences that only half a call knows."""

from dataclasses import replace
from pathlib import Path

import pytest

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, SpeakerRole
from qa_service.domain.faults import ChannelFault, FaultKind
from qa_service.domain.results import Outcome
from qa_service.domain.timeline import TimeSpan
from rules.cases import dialogue
from rules.loader import load_pack, shipped_packs
from tests.builders import AGENT, CUSTOMER, speech
from tests.rules.builders import results, rule_set

MET, NOT_MET, UNDETERMINED = Outcome.MET, Outcome.NOT_MET, Outcome.UNDETERMINED
PACKS = {name: load_pack(path) for name, path in shipped_packs().items()}
# The agent alone: greets, is silent for 14 s and for 70 s, and hangs up without a word.
AGENT_ALONE = "agent 0-5: 您好，工号8023为您服务\nagent 19-22: 好的\nagent 92-95: 知道了"
CUSTOMER_ALONE = "customer 3-5: 喂\ncustomer 19-25: 我要投诉\ncustomer 96-99: 你们怎么这么慢"


def half(text: str, dead: SpeakerRole, *, language: str = "zh") -> Conversation:
    """A call of which the channel of ``dead`` holds nothing."""
    call = dialogue(text, language=language)
    other = speech(dead, channel=1)
    heard = tuple(replace(s, channel=0) for s in call.speech if s.role is not dead)
    return replace(call, speech=(*heard, other), faults=(ChannelFault(FaultKind.DEAD, 1),))


def asked(folder: Path, body: str, call: Conversation) -> tuple[Outcome, str]:
    result = results(rule_set(folder, {"asked": body}), call)["asked"]
    return result.outcome, result.reason


@pytest.mark.parametrize(
    "body",
    [
        "require: {phrase: {any: [您好]}}",
        "forbid: {phrase: {any: [不归我管]}}",
        "require: {phrase: {any: [再见], role: any}}",
        "for_each: {phrase: {any: [投诉], role: customer}}\nrequire: {phrase: {any: [抱歉]}}",
        "forbid: {silence: {longer_than_s: 10}}",
        "for_each: {silence: {longer_than_s: 10}}\nrequire: {phrase: {any: [请稍等], scope: {before_s: 20}}}",
        "forbid: {interruption: {role: agent}}",
        "forbid: {interruption: {role: customer}}",
        "forbid: {digits: {named: [手机]}}",
        "forbid: {metric: {name: dead_air_s, above: 10}}",
        "forbid: {metric: {name: overlap_s, above: 10}}",
        "forbid: {metric: {name: closing_silence_s, above: 10}}",
        "require: {metric: {name: speech_rate_per_min, role: agent, above: 100}}",
        "require: {metric: {name: talk_ratio, role: agent, above: 0.1}}",
        "forbid: {metric: {name: longest_monologue_s, role: customer, above: 1}}",
    ],
)
def test_what_the_agent_would_have_said_is_undetermined(tmp_path: Path, body: str) -> None:
    assert asked(tmp_path, body, half(CUSTOMER_ALONE, AGENT)) == (UNDETERMINED, "channel_dead")


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ("require: {phrase: {any: [您好]}}", MET),
        ("require: {phrase: {any: [再见]}}", NOT_MET),
        ("forbid: {phrase: {any: [知道了]}}", NOT_MET),
        ("require: {phrase: {any: [您好], role: any}}", MET),
        ("require: {metric: {name: speech_s, role: agent, above: 5}}", MET),
        ("forbid: {metric: {name: duration_s, above: 60}}", NOT_MET),
    ],
)
def test_what_the_agent_did_say_still_counts(tmp_path: Path, body: str, outcome: Outcome) -> None:
    assert asked(tmp_path, body, half(AGENT_ALONE, CUSTOMER)) == (outcome, "")


def test_a_hold_that_was_told_is_known_all_the_same(tmp_path: Path) -> None:
    rules = rule_set(tmp_path, {"asked": "forbid: {silence: {longer_than_s: 60, source: hold}}"})
    metadata = CallMetadata(hold_spans=(TimeSpan(22.0, 92.0),))
    assert results(rules, half(AGENT_ALONE, CUSTOMER), metadata)["asked"].outcome is NOT_MET


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_nobody_is_accused_of_a_dead_agent_channel(pack: str) -> None:
    """A customer who complains to a channel that recorded nothing, in every shipped rule."""
    text = {
        "zh": CUSTOMER_ALONE,
        "en": "customer 3-5: hello\ncustomer 19-25: I want to complain\ncustomer 96-99: this is slow",
    }[PACKS[pack].language]
    call = half(text, AGENT, language=PACKS[pack].language)
    judged = results(PACKS[pack], call)
    assert [rule for rule, result in judged.items() if result.outcome is NOT_MET] == []
    assert judged["opening"].outcome is judged["closing"].outcome is UNDETERMINED


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_a_dead_customer_channel_leaves_silences_open(pack: str) -> None:
    text = {
        "zh": AGENT_ALONE,
        "en": "agent 0-5: good morning\nagent 19-22: okay\nagent 92-95: I see",
    }[PACKS[pack].language]
    call = half(text, CUSTOMER, language=PACKS[pack].language)
    judged = results(PACKS[pack], call)
    for rule in ("dead-air", "hold-notice", "long-hold", "interruption", "complaint"):
        assert (judged[rule].outcome, judged[rule].reason) == (UNDETERMINED, "channel_dead"), rule
    alive = results(PACKS[pack], replace(call, faults=()))
    assert (
        alive["dead-air"].outcome is alive["long-hold"].outcome is Outcome.NOT_APPLICABLE
    )  # it is the customer's
    if "customer-silent" in alive:
        assert judged["customer-silent"].outcome is UNDETERMINED
        assert alive["customer-silent"].outcome is NOT_MET
