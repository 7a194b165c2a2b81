"""Channels told the wrong way round are seen from what is said; channels told right are left alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.roles.cues import ScriptCues
from models.text.normalise import PinyinAnnotator
from qa_service.domain.conversation import SpeakerRole, Transcript
from qa_service.domain.faults import FaultKind
from qa_service.services.casting import Cast, Casting
from tests.builders import AGENT, CUSTOMER, UNKNOWN, transcript, words
from tests.channel_faults import CASES
from tests.corpus import ROOT, UNLEARNT

ENOUGH = 19
CASTING = Casting(attributor=ScriptCues(), annotator=PinyinAnnotator())


def truths() -> list[Path]:
    corpus = ROOT.parent / "shared" / "corpus"
    own = sorted(ROOT.glob("tests/data/calls/*/*.truth.json"))
    return [
        *own,
        *(p for p in sorted(corpus.glob("*_synth/*.truth.json")) if not p.name.split(".")[0].endswith("n")),
    ]


def told(utterances: list[dict[str, Any]], *, language: str, agent_channel: int = 0) -> Cast:
    """Who is who, where the utterances are what was heard."""
    said = {AGENT: [], CUSTOMER: []}  # type: dict[SpeakerRole, list[Any]]
    for utterance in utterances:
        said[SpeakerRole(utterance["role"])].append(words(utterance["say"], utterance["start"]))
    transcripts = [_joined(said[role], channel, language) for channel, role in enumerate((AGENT, CUSTOMER))]
    return CASTING.told(transcripts, agent_channel, source="metadata")


def _joined(said: list[Any], channel: int, language: str) -> Transcript:
    segments = tuple(segment for line in said for segment in transcript(line).segments)
    return Transcript(channel, language, segments)


def _calls(paths: list[Path]) -> Iterator[tuple[str, list[dict[str, Any]], str]]:
    for path in paths:
        truth = json.loads(path.read_text("utf-8"))
        yield truth["id"], truth["utterances"], truth["language"][:2]


CALLS = tuple(_calls(truths()))
LEARNT = tuple(_calls([path for path in truths() if path.parent.name != UNLEARNT]))


def test_swapped_channels_are_seen() -> None:
    """Twenty calls, drawn once. None is left with the roles that were told."""
    own = [call for call in LEARNT if call[0][:2] not in ("zh", "en")]
    drawn = np.random.default_rng(0).choice(len(own), CASES, replace=False)
    found = 0
    for index in drawn:
        _, utterances, language = own[index]
        cast = told(utterances, language=language, agent_channel=1)
        if cast.faults:
            (fault,) = cast.faults
            assert fault.kind is FaultKind.SWAPPED
            assert cast.roles in ((AGENT, CUSTOMER), (UNKNOWN, UNKNOWN))
            assert fault.quotes
            found += 1
    assert found >= ENOUGH


@pytest.mark.parametrize(
    ("name", "utterances", "language"), CALLS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_channels_told_right_are_left_alone(name: str, utterances: list[dict[str, Any]], language: str) -> None:
    assert told(utterances, language=language) == Cast((AGENT, CUSTOMER), "metadata"), name


@pytest.mark.parametrize("heard", [0.5, 0.2, 0.05])
def test_nor_when_little_is_heard_of_them(heard: float) -> None:
    rng = np.random.default_rng(3)
    for name, utterances, language in LEARNT:
        for _ in range(3):
            some = [u for u in utterances if rng.random() < heard]
            assert told(some, language=language).faults == (), name


@pytest.mark.parametrize(
    ("agent", "customer"),
    [
        (
            "喂，家长您好，我们这边有个活动想跟您介绍一下，您现在方便吗？",
            "你是哪里？哪位？我在开会，你的工号是多少？",
        ),
        ("说。什么事。", "您好，请问您贵姓？工号多少？麻烦您帮我登记一下，请您尽快联系我。"),
        ("你爱投诉投诉去，我没空。", "您好，麻烦您核实一下，您的工号报一下，谢谢，祝您生活愉快。"),
        ("您好，这里是回访，打扰您了。", "不需要，别再打了，把工号给我，我要投诉你。"),
    ],
)
def test_a_polite_customer_or_one_who_asks_for_the_staff_number_is_no_agent(agent: str, customer: str) -> None:
    said = [{"role": "agent", "say": agent, "start": 1.0}, {"role": "customer", "say": customer, "start": 9.0}]
    assert told(said, language="zh").faults == ()
