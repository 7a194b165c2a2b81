"""Calls as nobody speaks them: an answer from every rule, and no guess."""

from dataclasses import replace
from pathlib import Path

import pytest

from qa_service.domain.conversation import Conversation, SpeakerRole
from qa_service.domain.masking.card_codes import without_card_codes
from qa_service.domain.results import Outcome
from rules.cases import dialogue
from rules.loader import load_pack, shipped_packs
from tests.rules.builders import results, rule_set

PACKS = {name: load_pack(path) for name, path in shipped_packs().items()}

GREETS = "agent 0-6: 您好，怀信通信客服，工号8023，请问有什么可以帮您"


def call(text: str) -> Conversation:
    return dialogue(text, language="zh")


def without_words(conversation: Conversation) -> Conversation:
    return replace(conversation, utterances=(), turns=())


def of_no_length(conversation: Conversation) -> Conversation:
    """Every utterance at one moment."""
    return replace(
        conversation,
        utterances=tuple(
            replace(u, end=u.start, words=tuple(replace(w, start=u.start, end=u.start) for w in u.words))
            for u in conversation.utterances
        ),
    )


def all_at_once(conversation: Conversation) -> Conversation:
    """Every utterance begins with the first, whoever speaks."""
    return replace(conversation, utterances=tuple(replace(u, start=0.0) for u in conversation.utterances))


def silent(conversation: Conversation) -> Conversation:
    return replace(without_words(conversation), speech=tuple(replace(s, spans=()) for s in conversation.speech))


ODD = {
    "no words": without_words(call(GREETS)),
    "no speech": silent(call(GREETS)),
    "nobody": replace(silent(call(GREETS)), speech=()),
    "one side": call("agent 0-6: 您好\nagent 8-9: 再见"),
    "all at once": all_at_once(call("agent 0-3: 您好，工号8023\ncustomer 3-6: 我要投诉你\nagent 6-9: 不归我管")),
    "no length": of_no_length(call(GREETS + "\ncustomer 7-9: 我要退款\nagent 10-12: 好的")),
    "emoji": call("agent 0-6: 😀您好😀工号😀８０２３👍\ncustomer 7-9: 👌🏽\u200d谢谢"),
    "look-alikes": call("agent 0-6: Неllо 您好，工号８０２３\ncustomer 7-9: о к"),
    "traditional": call("agent 0-6: 您好，懷信通信客服，工號8023，請問有什麼可以幫您\ncustomer 7-9: 謝謝"),
    "a card's code": without_card_codes(
        call("agent 0-6: 您好，请您报一下背面的安全码\ncustomer 7-9: 三五七\nagent 10-12: 好的，工号8023谢谢您")
    ),
    "one word for ever": call("agent 0-600: " + "您好" * 3000),
}


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("name", ODD)
def test_every_rule_answers(pack: str, name: str) -> None:
    rules = PACKS[pack]
    found = results(rules, ODD[name])
    assert set(found) == {rule.rule for rule in rules.rules}
    for result in found.values():
        for evidence in result.evidence:
            assert 0.0 <= evidence.start <= evidence.end
            assert all(0 <= i < len(ODD[name].utterances) for i in evidence.utterances)


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("name", ["no words", "no speech", "nobody"])
def test_nobody_is_accused_of_words_that_nobody_heard(pack: str, name: str) -> None:
    """Waits and lengths are measured, not heard."""
    measured = {"talk-duration", "dead-air", "long-hold", "call-hours", "do-not-call"}
    found = results(PACKS[pack], ODD[name])
    assert {name for name, result in found.items() if result.outcome is Outcome.NOT_MET} <= measured


@pytest.mark.parametrize("name", ["emoji", "look-alikes", "traditional"])
def test_another_script_is_the_same_greeting(name: str) -> None:
    opening = results(PACKS["service-zh"], ODD[name])["opening"]
    assert any("8023" in e.quote or "８０２３" in e.quote for e in opening.evidence)


def test_that_an_agent_asked_for_a_cards_code_is_seen(tmp_path: Path) -> None:
    """The code itself is gone; the request for it, and that it was answered, are evidence."""
    odd = ODD["a card's code"]
    assert [u.text for u in odd.utterances] == [
        "您好，请您报一下背面的安全码",
        "***",
        "好的，工号8023谢谢您",
    ]
    rules = rule_set(tmp_path, {"asked": "forbid:\n  phrase: {any: [安全码]}"})
    assert results(rules, odd)["asked"].outcome is Outcome.NOT_MET


def test_a_call_of_ten_thousand_utterances() -> None:
    roles = (SpeakerRole.AGENT, SpeakerRole.CUSTOMER)
    text = "\n".join(
        f"{roles[n % 2].value} {2 * n}-{2 * n + 1.5:.1f}: 好的我再看一下第{n}条" for n in range(10_000)
    )
    long = call(text)
    assert len(long.utterances) == 10_000
    found = results(PACKS["service-zh"], long)
    assert found["talk-duration"].outcome is Outcome.NOT_MET
