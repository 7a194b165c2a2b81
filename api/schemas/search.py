"""Calls in which words are said, and where."""

from collections.abc import Iterator
from typing import Any

from pydantic import ConfigDict

from api.masks import Eyes
from api.schemas.base import Shown
from api.schemas.recordings import EXAMPLE, CallModel
from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.ports.calls import ListedCall

MOST_PLACES = 20
"""Of one call."""


class PlaceModel(Shown):
    """Where the words are said: in seconds, and in which utterance."""

    utterance: int
    role: SpeakerRole
    start: float
    end: float
    text: str


class FoundCallModel(Shown):
    """A call in which the words are said."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "call": EXAMPLE,
                "places": [
                    {"utterance": 3, "role": "agent", "start": 14.0, "end": 16.2, "text": "保证收益，一定赚"}
                ],
            }
        }
    )

    call: CallModel
    places: list[PlaceModel]

    @staticmethod
    def of(call: ListedCall, heard: Conversation | None, text: str, eyes: Eyes) -> "FoundCallModel":
        """``text`` is folded. Places are those of the masked words, whoever asks: what is hidden is not found."""
        places: list[PlaceModel] = []
        if heard is not None:
            shown = eyes.call(heard).conversation.utterances
            for said, place in zip(shown, eyes.masked(heard).utterances, strict=True):
                places += [_place(said, place, at, len(text)) for at in _all(place.overlay.folded, text)]
        return FoundCallModel(call=CallModel.of(call, eyes), places=places[:MOST_PLACES])


def _place(shown: Utterance, found: Utterance, at: int, length: int) -> PlaceModel:
    span = found.span_of(at, at + length)
    values: dict[str, Any] = {"utterance": shown.index, "role": shown.role, "text": shown.text}
    return PlaceModel(start=span.start, end=span.end, **values)


def _all(text: str, wanted: str) -> Iterator[int]:
    at = text.find(wanted)
    while at >= 0:
        yield at
        at = text.find(wanted, at + len(wanted))
