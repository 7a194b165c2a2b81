"""Who is who on two channels: what was told, what is said, and which of them counts."""

import pytest

from qa_service.domain.conversation import SpeakerRole, Transcript
from qa_service.domain.faults import FaultKind
from qa_service.services.casting import Casting, CastingOptions
from tests.builders import AGENT, CUSTOMER, UNKNOWN, spans, transcript, words
from tests.fakes import FakeAnnotator, FakeAttributor

SAID = (transcript(words("您好", 1.0)), transcript(words("喂", 4.0), channel=1))


def casting(*roles: SpeakerRole, probability: float = 0.97) -> Casting:
    attributor = FakeAttributor()
    attributor.roles, attributor.probability = roles, probability
    return Casting(attributor=attributor, annotator=FakeAnnotator(), options=CastingOptions(certain=0.99))


@pytest.mark.parametrize("roles", [(AGENT, CUSTOMER), (UNKNOWN, UNKNOWN), (), (SpeakerRole.SYSTEM, AGENT)])
def test_words_that_agree_or_do_not_tell_change_nothing(roles: tuple[SpeakerRole, ...]) -> None:
    cast = casting(*roles).told(SAID, 0, source="metadata")
    assert (cast.roles, cast.source, cast.probability, cast.faults) == ((AGENT, CUSTOMER), "metadata", None, ())


@pytest.mark.parametrize("source", ["metadata", "site default"])
def test_words_that_contradict_with_certainty_win(source: str) -> None:
    cast = casting(CUSTOMER, AGENT, probability=0.99).told(SAID, 0, source=source)
    assert (cast.roles, cast.source, cast.probability) == ((CUSTOMER, AGENT), "script cues", 0.99)
    (fault,) = cast.faults
    assert (fault.kind, fault.channel, fault.value) == (FaultKind.SWAPPED, None, 0.99)


@pytest.mark.parametrize("source", ["metadata", "site default"])
def test_words_that_contradict_without_it_leave_nobody_a_role(source: str) -> None:
    cast = casting(CUSTOMER, AGENT, probability=0.98).told(SAID, 0, source=source)
    assert (cast.roles, cast.source, cast.probability) == ((UNKNOWN, UNKNOWN), "unknown", 0.98)
    assert [fault.kind for fault in cast.faults] == [FaultKind.SWAPPED]


def test_the_evidence_is_what_was_said_and_when() -> None:
    (fault,) = casting(CUSTOMER, AGENT).told(SAID, 0, source="metadata").faults
    assert fault.quotes == ("您", "喂")
    assert fault.spans == spans((1.0, 1.25), (4.0, 4.25))


def test_the_evidence_in_a_later_window_of_the_recogniser() -> None:
    """A cue at the start of the second segment, behind the line's end that joins them."""
    first, second = (transcript(words(text, at)) for text, at in (("一二三", 1.0), ("您好", 9.0)))
    later = Transcript(0, "zh", (*first.segments, *second.segments))
    attributor = FakeAttributor()
    attributor.roles, attributor.places = (CUSTOMER, AGENT), [(0, 3, 4)]
    (fault,) = (
        Casting(attributor=attributor, annotator=FakeAnnotator())
        .told((later, SAID[1]), 0, source="metadata")
        .faults
    )
    assert (fault.quotes, fault.spans) == (("您",), spans((9.0, 9.25)))


def test_nobody_told() -> None:
    cast = casting(CUSTOMER, AGENT, probability=1.0).told(SAID, None, source="unknown")
    assert (cast.roles, cast.faults) == ((UNKNOWN, UNKNOWN), ())


def test_on_one_channel_the_words_alone_tell() -> None:
    cast = casting(CUSTOMER, AGENT).heard(SAID)
    assert (cast.roles, cast.source, cast.probability, cast.faults) == (
        (CUSTOMER, AGENT),
        "script cues",
        0.97,
        (),
    )
    assert casting().heard(SAID).source == "unknown"
