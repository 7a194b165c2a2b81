"""Calibration sessions: reviewers score the same calls blind, then agree on what is right.

Guarantee: pure. The states are open → closed → settled and none is skipped: answers are given while a session is
open and frozen from then on; nobody's answers, nor the machine's, are compared before. Silence is no answer.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from qa_service.domain.agreement import Scale, Value
from qa_service.domain.proportions import sign_test
from qa_service.domain.results import Outcome

MACHINE: Final = None
"""Who gives the machine's answers, where a person's are given by the number of a user."""


class SessionState(StrEnum):
    """open: reviewers answer, blind; closed: answers are frozen and compared; settled: a consensus is reached."""

    OPEN = "open"
    CLOSED = "closed"
    SETTLED = "settled"


FOLLOWS: Final[Mapping[SessionState, SessionState]] = {
    SessionState.OPEN: SessionState.CLOSED,
    SessionState.CLOSED: SessionState.SETTLED,
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """What is judged of each call: a rule by outcome (nominal), a rule by grade (ordinal), points (interval)."""

    name: str
    scale: Scale = Scale.NOMINAL


@dataclass(frozen=True, slots=True)
class Place:
    """One criterion of one call."""

    recording_id: int
    criterion: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says of a place, until they say something else. ``user_id`` None: the machine."""

    place: Place
    user_id: int | None
    value: Value
    note: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CalibrationSession:
    """A calibration session without anybody's answers. ``version`` rises with every change of its state."""

    id: int
    title: str
    state: SessionState
    version: int
    created_by: int
    created_at: datetime
    recording_ids: tuple[int, ...]
    criteria: tuple[Criterion, ...]
    reviewers: tuple[int, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(Place(call, criterion.name) for call in self.recording_ids for criterion in self.criteria)

    def criterion(self, name: str) -> Criterion | None:
        return next((criterion for criterion in self.criteria if criterion.name == name), None)


@dataclass(frozen=True, slots=True)
class Deviation:
    """How a reviewer's answers differ from the consensus. ``user_id`` None: the machine's.

    Attributes:
        user_id: whose they are.
        calls: the answers that there is a consensus for.
        same: those that are the consensus.
        stricter: those that accuse more: a fault where there is none, a graver one, fewer points.
        milder: those that accuse less.
        otherwise: those that differ without direction, such as not applicable in place of met.
        difference: answer minus consensus on average, of points and grades.
        chance: how probable a split into stricter and milder at least as uneven is for somebody without a bias.
    """

    user_id: int | None
    calls: int
    same: int
    stricter: int
    milder: int
    otherwise: int
    difference: float | None
    chance: float


def value_fault(criterion: Criterion, value: Value) -> str | None:
    """What is wrong with ``value`` as an answer; None: nothing."""
    if criterion.scale is Scale.NOMINAL:
        known = [outcome.value for outcome in Outcome]
        return None if value in known else f"{criterion.name} is answered with one of {', '.join(known)}"
    if isinstance(value, bool | str) or not math.isfinite(value):
        return f"{criterion.name} is answered with a number"
    return None


def by_place(answers: Iterable[Answer]) -> dict[Place, dict[int | None, Answer]]:
    """The answers that hold, of each place those of each who gave one; of several of one person, the last."""
    found: dict[Place, dict[int | None, Answer]] = {}
    for answer in answers:
        found.setdefault(answer.place, {})[answer.user_id] = answer
    return found


def consensus(
    given: Mapping[Place, Mapping[int | None, Answer]], decided: Mapping[Place, Value]
) -> dict[Place, Value]:
    """What was decided, and where nothing was, what all said who answered, of two at least."""
    found: dict[Place, Value] = {}
    for place, answers in given.items():
        values = [answer.value for answer in answers.values() if answer.user_id is not MACHINE]
        if place not in decided and len(values) > 1 and all(value == values[0] for value in values):
            found[place] = values[0]
    return {**found, **decided}


def undecided(
    given: Mapping[Place, Mapping[int | None, Answer]], agreed: Mapping[Place, Value]
) -> tuple[Place, ...]:
    """Places that somebody answered and nobody has decided."""
    people = (place for place, answers in given.items() if any(user is not MACHINE for user in answers))
    return tuple(place for place in people if place not in agreed)


def deviation(user_id: int | None, pairs: Iterable[tuple[Scale, Value, Value]]) -> Deviation:
    """How answers differ from the consensus.

    Args:
        user_id: whose answers they are.
        pairs: scale, answer and consensus of each place that has both.
    """
    compared = list(pairs)
    directions = [_direction(*pair) for pair in compared]
    stricter = sum(direction == 1 for direction in directions)
    milder = sum(direction == -1 for direction in directions)
    same = sum(said == agreed for _, said, agreed in compared)
    apart = [float(said) - float(agreed) for scale, said, agreed in compared if scale is not Scale.NOMINAL]
    return Deviation(
        user_id,
        len(compared),
        same,
        stricter,
        milder,
        len(compared) - same - stricter - milder,
        math.fsum(apart) / len(apart) if apart else None,
        sign_test(stricter, milder),
    )


# A doubt accuses nobody of anything, nor does a rule that does not apply: they are milder than a fault, and
# neither milder nor stricter than its absence.
_ACCUSES: Final = Outcome.NOT_MET.value


def _direction(scale: Scale, said: Value, agreed: Value) -> int:
    """1: stricter than was agreed, -1: milder, 0: neither."""
    if scale is Scale.NOMINAL:
        return (said == _ACCUSES) - (agreed == _ACCUSES)
    higher = (float(said) > float(agreed)) - (float(said) < float(agreed))
    return higher if scale is Scale.ORDINAL else -higher
