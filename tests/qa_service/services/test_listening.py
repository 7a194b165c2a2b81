"""Who hears what of a call: nobody a card's code, and numbers only who may."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from qa_service.domain.call import CallMetadata, RawFormat, Recording
from qa_service.domain.timeline import TimeSpan, intersection, total_s
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import ListeningCopies, ListeningCopy
from qa_service.services.listening import ListenToCalls, silent_spans
from tests.builders import CUSTOMER, conversation, utterance
from tests.fakes import Workplace

NOTHING = CallMetadata()


@dataclass
class Asked:
    """Implements ``ListeningCopies`` by keeping what was asked for."""

    silent: list[tuple[TimeSpan, ...]] = field(default_factory=list)
    metadata: list[CallMetadata] = field(default_factory=list)
    clips: list[tuple[float | None, float | None]] = field(default_factory=list)

    @contextmanager
    def open(
        self,
        recording: Recording,
        metadata: CallMetadata,
        *,
        silent: Sequence[TimeSpan],
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> Iterator[ListeningCopy]:
        self.silent.append(tuple(silent))
        self.metadata.append(metadata)
        self.clips.append((start_s, end_s))
        yield Nothing()

    def forget(self, recording: Recording) -> None:
        raise AssertionError(recording)


class Nothing:
    size_bytes, duration_s, media_type, etag = 0, 0.0, "audio/wav", "0"

    def read_range(self, start: int, end: int) -> Iterator[bytes]:
        return iter([bytes(end - start)])


@pytest.fixture
def asked() -> Asked:
    return Asked()


def listening(workplace: Workplace, copies: ListeningCopies) -> ListenToCalls:
    return ListenToCalls(units=workplace.database.unit_of_work, copies=copies)


def received(workplace: Workplace, content: bytes) -> Recording:
    return workplace.ingest.receive(workplace.file("a.wav", content), None).recording


def test_a_cards_code_is_silent_for_everybody(workplace: Workplace, asked: Asked) -> None:
    recording = received(workplace, "say 安全码三五七好".encode())
    heard = workplace.hear.hear(recording, NOTHING).conversation
    for sees_numbers in (True, False):
        with listening(workplace, asked).open(recording.id, sees_numbers=sees_numbers):
            pass
    assert asked.silent == [heard.card_codes, heard.card_codes]
    assert heard.card_codes


def test_numbers_are_silent_for_who_may_not_see_them(workplace: Workplace, asked: Asked) -> None:
    recording = received(workplace, "say 电话88306212".encode())
    workplace.hear.hear(recording, NOTHING)
    with listening(workplace, asked).open(recording.id, sees_numbers=True, start_s=1.0, end_s=2.0):
        pass
    with listening(workplace, asked).open(recording.id, sees_numbers=False):
        pass
    assert asked.silent[0] == ()
    assert total_s(asked.silent[1]) > 2.0
    assert asked.clips == [(1.0, 2.0), (None, None)]


def test_a_call_that_nobody_heard_is_not_played_to_who_may_not_see_numbers(
    workplace: Workplace, asked: Asked
) -> None:
    recording = received(workplace, b"call")
    with (
        pytest.raises(ConflictError) as caught,
        listening(workplace, asked).open(recording.id, sees_numbers=False),
    ):
        pass
    assert caught.value.code == "not_heard_yet"
    with listening(workplace, asked).open(recording.id, sees_numbers=True):
        pass
    assert asked.silent == [()]


def test_the_recording_is_read_as_its_metadata_say(workplace: Workplace, asked: Asked) -> None:
    recording = received(workplace, b"call")
    told = CallMetadata(raw_format=RawFormat("mulaw", 8_000))
    with workplace.database.unit_of_work() as unit:
        unit.metadata.put(recording.id, told)
        unit.commit()
    with listening(workplace, asked).open(recording.id, sees_numbers=True):
        pass
    assert asked.metadata == [told]


def test_an_unknown_recording(workplace: Workplace, asked: Asked) -> None:
    with pytest.raises(NotFoundError), listening(workplace, asked).open(99, sees_numbers=True):
        pass


def test_a_code_in_a_conversation_of_an_earlier_version_is_silent() -> None:
    said = utterance("安全码是三五七", 1.0, role=CUSTOMER)
    code = TimeSpan(said.words[4].start, said.words[6].end)
    silent = silent_spans(conversation(said), sees_numbers=True)
    assert total_s(intersection(silent, (code,))) == code.duration_s
