"""Who is the agent: told by what is said, never wrong where the truth is known, unknown where nothing tells."""

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.roles.cues import CueGroup, CueOptions, ScriptCues
from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.text import fold
from qa_service.ports import RoleAttribution
from tests.builders import AGENT, CUSTOMER, UNKNOWN, overlay
from tests.corpus import ROOT

SYSTEM = SpeakerRole.SYSTEM
CUES = ScriptCues()
GREETING = "您好，华信通信客服，工号8023为您服务，请问有什么可以帮您？"
QUESTION = "你好，我想查一下我上个月的话费，你们怎么多收了钱？"
TRUTHS = sorted((ROOT / "tests" / "data" / "calls").rglob("*.truth.json"))


def attribute(*said: str, language: str = "zh", cues: ScriptCues = CUES) -> RoleAttribution:
    return cues.attribute([overlay(text) for text in said], language)


def roles(*said: str, language: str = "zh") -> Sequence[SpeakerRole]:
    return attribute(*said, language=language).roles


def phrases(groups: Sequence[CueGroup]) -> list[str]:
    return list(chain.from_iterable(group.phrases for group in groups))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_phrase_tells_two_things(language: str) -> None:
    table = CUES._tables[language]
    folded = [
        "…".join(fold(part).text for part in phrase.split("…"))
        for groups in (table.agent, table.customer, table.system)
        for phrase in phrases(groups)
    ]
    assert all(folded)
    twice = {phrase for phrase in folded if folded.count(phrase) > 1}
    # 您 and 你 are one pronoun, so 您稍等 and 你稍等 would be the same phrase.
    assert twice == set()


def test_the_agent_is_told_whoever_speaks_first_or_more() -> None:
    for said in ((GREETING, QUESTION), (GREETING, QUESTION * 5), (GREETING + "好的。" * 50, QUESTION)):
        assert roles(*said) == (AGENT, CUSTOMER)
        assert roles(*said[::-1]) == (CUSTOMER, AGENT)


def test_english() -> None:
    agent = "Thank you for calling Harbor Bank, this is Emily from the card desk. May I have your name?"
    customer = "Hi, I'm calling about my account. I was charged twice."
    assert roles(agent, customer, language="en") == (AGENT, CUSTOMER)
    assert roles(customer, agent, language="en") == (CUSTOMER, AGENT)


@pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.name.split(".")[0])
def test_never_wrong_on_calls_whose_truth_is_known(path: Path) -> None:
    truth = json.loads(path.read_text("utf-8"))
    said = {
        role: " ".join(u["text"] for u in truth["utterances"] if u["role"] == role)
        for role in ("agent", "customer")
    }
    found = roles(said["agent"], said["customer"], language=truth["language"][:2])
    assert found in ((AGENT, CUSTOMER), (UNKNOWN, UNKNOWN))


def test_most_calls_are_told() -> None:
    """27 of the 29 by their true texts; two agents hardly say anything an agent says."""
    told = 0
    for path in TRUTHS:
        truth = json.loads(path.read_text("utf-8"))
        texts = (" ".join(u["text"] for u in truth["utterances"] if u["role"] == r) for r in ("agent", "customer"))
        told += AGENT in roles(*texts, language=truth["language"][:2])
    assert told >= 0.85 * len(TRUTHS)


@pytest.mark.parametrize(
    "said",
    [(), ("",), ("", ""), (GREETING,), ("嗯", "好的"), (GREETING, GREETING), (QUESTION, QUESTION)],
    ids=["nobody", "silent", "both silent", "alone", "nothing said", "two agents", "two customers"],
)
def test_where_the_text_does_not_tell_nobody_has_a_role(said: tuple[str, ...]) -> None:
    found = attribute(*said)
    assert found.roles == (UNKNOWN,) * len(said)
    assert found.probability <= 0.5


@pytest.mark.parametrize(
    ("language", "agent", "customer"),
    [
        ("zh", "喂。什么事。不知道，你自己看。", "你的工号是多少？我要记一下您的工号，叫什么名字。请问您贵姓？"),
        ("zh", "你爱投诉投诉去，我没空。", "你公号多少？麻烦你报一下。"),
        ("zh", "说。不行。那是你的事。", "你好，麻烦您帮我登记一下，请您尽快联系，祝您生活愉快。"),
        ("zh", "喂。你有完没完，挂了。", "你好，请问是客服中心吗？麻烦您核实一下，不好意思打扰您。"),
        (
            "en",
            "Yeah, what do you want?",
            "What is your agent number, please? Your employee number? May I speak to someone?",
        ),
        ("en", "Nope. Can't do that.", "Thank you for your time. My name is John Smith. Have a good day."),
    ],
)
def test_a_rude_agent_beside_a_polite_customer_is_unknown_rather_than_wrong(
    language: str, agent: str, customer: str
) -> None:
    """Who hardly greets says nothing that tells, and asking for a staff number is no staff's way to speak."""
    assert roles(agent, customer, language=language) == (UNKNOWN, UNKNOWN)


@pytest.mark.parametrize(
    ("agent", "customer", "told"),
    [
        ("您好，工号8023，请问您贵姓，请稍等。", "对。", False),
        ("您好，工号8023，请问您贵姓，请稍等。", "对，我姓王。", True),
        ("您好，工号8023，请问您贵姓，请稍等。祝您生活愉快。", "对。", True),
        ("对。", "我想问，怎么收费，我的手机号。", False),
        ("对。请稍等。", "我想问，怎么收费，我的手机号。", True),
    ],
)
def test_where_only_one_speaks_like_who_they_are_more_is_needed(agent: str, customer: str, told: bool) -> None:
    assert roles(agent, customer) == ((AGENT, CUSTOMER) if told else (UNKNOWN, UNKNOWN))


@given(
    st.lists(st.sampled_from(phrases(CUES._tables["zh"].agent)), max_size=6),
    st.lists(st.sampled_from(phrases(CUES._tables["zh"].customer)), max_size=6),
    st.booleans(),
)
def test_more_evidence_is_never_less_sure(agent: list[str], customer: list[str], of_agent: bool) -> None:
    """Of one that is told, whatever is added on their side."""
    more = "为您登记" if of_agent else "帮我退"
    before = attribute("，".join(agent), "，".join(customer))
    after = attribute("，".join([*agent, more * of_agent]), "，".join([*customer, more * (not of_agent)]))
    if before.roles == (AGENT, CUSTOMER):
        assert after.roles == before.roles
        assert after.probability >= before.probability


def test_an_unknown_language_tells_nothing() -> None:
    assert roles(GREETING, QUESTION, language="fr") == (UNKNOWN, UNKNOWN)


def test_homophones_of_longer_phrases_count() -> None:
    assert roles("你好，攻号八零二三，卫你服物，还有什么文题", "我香查一下，给我茶一下话费") == (AGENT, CUSTOMER)


def test_a_few_words_may_stand_in_a_gap() -> None:
    assert attribute("我是小李，华信的客服", "嗯").probability > attribute("我是小李，不是客", "嗯").probability
    far = "我是小李" + "啊" * 40 + "客服"
    assert attribute(far, "嗯").probability == attribute("", "嗯").probability


def test_an_announcement_is_nobodys_word() -> None:
    announcement = "通话将被录音，普通话请按一，请按井号键"
    assert roles(announcement, GREETING, QUESTION) == (SYSTEM, AGENT, CUSTOMER)
    assert roles(announcement, GREETING) == (UNKNOWN, UNKNOWN)


def test_a_third_person_needs_cues_of_their_own() -> None:
    assert roles(GREETING, QUESTION, "嗯，对") == (AGENT, CUSTOMER, UNKNOWN)
    assert roles(GREETING, QUESTION, "我想退掉，给我退钱") == (AGENT, CUSTOMER, CUSTOMER)


def test_the_threshold_decides() -> None:
    faint = ("请稍等", "嗯")
    probability = attribute(*faint).probability
    assert 0.5 < probability < 0.9
    assert attribute(*faint).roles == (UNKNOWN, UNKNOWN)
    bold = ScriptCues(options=CueOptions(min_probability=0.6))
    found = attribute(*faint, cues=bold)
    assert (found.roles, found.probability) == ((AGENT, CUSTOMER), probability)


@given(st.permutations([GREETING, QUESTION, "通话将被录音，请按一，请按零"]))
def test_the_order_of_speakers_does_not_matter(said: list[str]) -> None:
    expected = {GREETING: AGENT, QUESTION: CUSTOMER}
    found = attribute(*said)
    assert list(found.roles) == [expected.get(text, SYSTEM) for text in said]
    assert found.probability == attribute(*sorted(said)).probability


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_gets_roles_and_a_probability(said: list[str]) -> None:
    found = attribute(*said)
    assert len(found.roles) == len(said)
    assert 0.0 <= found.probability <= 1.0
    assert found.roles.count(AGENT) <= 1


def test_the_run_changes_with_its_options() -> None:
    other = ScriptCues(options=CueOptions(min_probability=0.8))
    assert other.run != CUES.run
    assert (CUES.run.stage, CUES.run.model, len(CUES.run.revision)) == ("roles", "en,zh", 16)


@pytest.mark.parametrize(
    ("language", "agent", "customer", "expected"),
    [
        ("zh", "喂，您好，工号八零二三。", "对，我姓王。", [(0, "工号"), (1, "我姓")]),
        ("zh", "您好，请捎等。", "我想问一下。", [(0, "请捎等"), (1, "我想问"), (1, "我想")]),  # by its sound
        ("en", "Well, how may I help you?", "My account is locked.", [(0, "how may i help"), (1, "my account")]),
    ],
)
def test_the_words_that_tell_are_named(
    language: str, agent: str, customer: str, expected: list[tuple[int, str]]
) -> None:
    cues = ScriptCues(options=CueOptions(min_probability=0.5))
    said = [overlay(text) for text in (agent, customer)]
    found = cues.attribute(said, language).cues
    assert [(cue.speaker, said[cue.speaker].folded[cue.start : cue.end]) for cue in found] == expected


def test_where_nobody_has_a_role_nothing_tells() -> None:
    assert attribute("嗯", "嗯").cues == ()
