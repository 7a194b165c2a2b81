"""Where a check looks: part of the call, counted from its ends, an occurrence, or another check's hit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    model_validator,
)

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.timeline import TimeSpan, hull
from rules.checks.base import Check, RoleName
from rules.context import Context, Position


class Scope(BaseModel):
    """Without any field: the whole call.

    ``first_*`` and ``last_*`` count from the role's own first or last utterance, ``from_s`` and ``to_s`` from the
    recording's start. ``before*``, ``after*`` and ``around_s`` count from the occurrence of ``for_each``, or from
    the ``nth`` hit of ``anchor`` (1 is the first, −1 the last); ``*_utterances`` are the role's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    first_s: PositiveFloat | None = None
    last_s: PositiveFloat | None = None
    first_utterances: PositiveInt | None = None
    last_utterances: PositiveInt | None = None
    from_s: NonNegativeFloat | None = None
    to_s: PositiveFloat | None = None
    before_s: PositiveFloat | None = None
    after_s: PositiveFloat | None = None
    around_s: PositiveFloat | None = None
    before_utterances: PositiveInt | None = None
    after_utterances: PositiveInt | None = None
    before: bool = False
    after: bool = False
    anchor: SerializeAsAny[Check] | None = None
    nth: int | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "Scope":
        if self.from_s is not None and self.to_s is not None and self.to_s <= self.from_s:
            raise ValueError("`to_s` is not after `from_s`")
        if self.around_s is not None and (self.backward or self.forward):
            raise ValueError("`around_s` looks both ways: it goes without `before…` and `after…`")
        if self.before and self.after:
            raise ValueError("`before` and `after` together are the whole call")
        if self.anchor is not None and not self.anchor.has_occurrences:
            raise ValueError("`anchor` needs a check that has occurrences")
        if self.anchor is not None and not self.relative:
            raise ValueError("`anchor` needs `before…`, `after…` or `around_s` to count from it")
        if self.nth is not None and self.anchor is None:
            raise ValueError("`nth` counts the hits of `anchor`, which is missing")
        if self.nth == 0:
            raise ValueError("`nth` counts from 1, or from −1 at the end")
        return self

    @cached_property
    def everywhere(self) -> bool:
        """Whether it is the whole call."""
        return self == Scope()

    @cached_property
    def ends(self) -> tuple[float | None, ...]:
        """What counts from the ends of the call."""
        return (
            self.first_s,
            self.last_s,
            self.first_utterances,
            self.last_utterances,
            self.from_s,
            self.to_s,
        )

    @property
    def backward(self) -> bool:
        return bool(self.before or self.before_s or self.before_utterances)

    @property
    def forward(self) -> bool:
        return bool(self.after or self.after_s or self.after_utterances)

    @cached_property
    def relative(self) -> bool:
        return self.backward or self.forward or self.around_s is not None

    @property
    def anchored(self) -> bool:
        """Whether it counts from an occurrence of ``for_each``."""
        return self.relative if self.anchor is None else self.anchor.anchored()

    @property
    def from_end(self) -> bool:
        return self.last_s is not None or self.last_utterances is not None


class PlacedCheck(Check):
    """A check of what happens in ``scope``."""

    scope: Scope = Scope()

    def inside(self) -> Iterable[Check]:
        return () if self.scope.anchor is None else (self.scope.anchor,)

    def anchored(self) -> bool:
        return self.scope.anchored

    def parts(self, context: Context) -> Iterable[tuple[str, Check, Context]]:
        anchor = self.scope.anchor
        return () if anchor is None else [("counted from", anchor, context.at(Position.TRIGGER))]


class ScopedCheck(PlacedCheck):
    """A check of what ``role`` does in ``scope``."""

    role: RoleName = "agent"


@dataclass(frozen=True, slots=True)
class Place:
    """The time that a scope means. ``window`` None: there is nothing in it; ``doubt``: why that cannot be told."""

    window: TimeSpan | None
    doubt: str = ""


_NOWHERE = Place(None)


def place_of(scope: Scope, context: Context, role: SpeakerRole | None) -> Place:
    """The place that ``scope`` means for ``role``: a role of which nothing was recognised has its speech."""
    if scope.relative:
        return _place(scope, context, role)
    places: dict[object, Place] = context.call.places
    key = (scope.ends, role)
    place = places.get(key)
    if place is None:
        place = places[key] = _place(scope, context, role)
    return place


def _place(scope: Scope, context: Context, role: SpeakerRole | None) -> Place:
    own = context.index.spans(role)
    if not own:
        return _NOWHERE
    if scope.everywhere:
        return Place(context.whole) if context.whole.duration_s else _NOWHERE
    start, end = context.whole.start, context.whole.end
    if scope.first_utterances:
        end = min(end, hull(own[: scope.first_utterances]).end)
    if scope.last_utterances:
        start = max(start, hull(own[-scope.last_utterances :]).start)
    if scope.first_s:
        end = min(end, own[0].start + scope.first_s)
    if scope.last_s:
        start = max(start, max(u.end for u in own) - scope.last_s)
    if scope.from_s is not None:
        start = max(start, scope.from_s)
    if scope.to_s is not None:
        end = min(end, scope.to_s)
    if scope.relative:
        anchor = _anchor(scope, context)
        if isinstance(anchor, Place):
            return anchor
        first, last = _beside(scope, anchor, own)
        start, end = max(start, first), min(end, last)
    return Place(TimeSpan(start, end)) if end > start else _NOWHERE


def _anchor(scope: Scope, context: Context) -> TimeSpan | Place:
    """What a relative scope counts from; a place where that is missing or in doubt."""
    if scope.anchor is None:
        return context.occurrence or context.whole
    trigger = context.at(Position.TRIGGER)
    found = trigger.anchors(scope.anchor)
    if found is None:
        return Place(None, scope.anchor.unsure(trigger))
    nth = scope.nth or 1
    counted = (found if nth > 0 else found[::-1])[: abs(nth)]
    if len(counted) < abs(nth):
        return _NOWHERE  # so many there are not, the doubtful ones included
    return counted[-1].span if all(anchor.sure for anchor in counted) else Place(None, "situation_unsure")


def _beside(scope: Scope, anchor: TimeSpan, own: Sequence[TimeSpan]) -> tuple[float, float]:
    start, end = float("-inf"), float("inf")
    if scope.around_s is not None:
        return anchor.start - scope.around_s, anchor.end + scope.around_s
    if scope.backward and not scope.forward:
        end = anchor.start
    if scope.forward and not scope.backward:
        start = anchor.end
    if scope.before_s is not None:
        start = max(start, anchor.start - scope.before_s)
    if scope.after_s is not None:
        end = min(end, anchor.end + scope.after_s)
    if scope.before_utterances:
        earlier = [u for u in own if u.middle < anchor.start][-scope.before_utterances :]
        start = max(start, earlier[0].start if earlier else anchor.start)
    if scope.after_utterances:
        later = [u for u in own if u.middle > anchor.end][: scope.after_utterances]
        end = min(end, later[-1].end if later else anchor.end)
    return start, end
