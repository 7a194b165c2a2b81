"""What a check sees: the conversation, its metrics and metadata, the phrase hits, and where it stands.

Guarantee: read-only; scopes and recognition figures are derived from the conversation alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.domain.metrics import ConversationMetrics
from qa_service.domain.results import Evidence, Outcome
from qa_service.domain.timeline import TimeSpan, clip, hull, intersection, total_s, union
from rules.matching import Hit, TurnText

SLACK_S = 0.3  # word times are good to about this much


class Position(StrEnum):
    """What a condition is used for; doubt must fall on the side of not accusing anybody."""

    REQUIRE = "require"
    FORBID = "forbid"
    TRIGGER = "trigger"

    @property
    def negated(self) -> "Position":
        return {Position.REQUIRE: Position.FORBID, Position.FORBID: Position.REQUIRE}.get(self, self)


class Recognition(BaseModel):
    """How well something must have been heard before it counts. Shares and confidences in [0, 1]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    utterance_confidence: float = 0.5
    convict_confidence: float = 0.5
    accept_confidence: float = 0.3
    require_coverage: float = 0.75
    forbid_coverage: float = 0.4


class Scope(BaseModel):
    """Where to look. Without any field: the whole call. ``*_utterances`` and ``*_s`` count from the role's own
    first or last utterance; ``before_s``/``after_s`` from the anchor of ``for_each``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_s: PositiveFloat | None = None
    last_s: PositiveFloat | None = None
    first_utterances: PositiveInt | None = None
    last_utterances: PositiveInt | None = None
    before_s: PositiveFloat | None = None
    after_s: PositiveFloat | None = None
    before: bool = False
    after: bool = False

    @property
    def anchored(self) -> bool:
        return bool(self.before or self.after or self.before_s or self.after_s)

    @property
    def from_end(self) -> bool:
        return self.last_s is not None or self.last_utterances is not None


@dataclass(frozen=True, slots=True)
class Anchor:
    """One occurrence that ``for_each`` asks about. ``sure`` False: the occurrence itself is in doubt."""

    span: TimeSpan
    evidence: Evidence
    sure: bool = True


@dataclass(frozen=True)
class Context:
    conversation: Conversation
    metrics: ConversationMetrics
    metadata: CallMetadata
    recognition: Recognition
    texts: tuple[TurnText, ...]
    hits: Mapping[str, tuple[Hit, ...]]
    outcomes: Mapping[str, Outcome]
    position: Position = Position.REQUIRE
    anchor: Anchor | None = None

    def at(self, position: Position, anchor: Anchor | None = None) -> "Context":
        return replace(self, position=position, anchor=anchor or self.anchor)

    @cached_property
    def whole(self) -> TimeSpan:
        return TimeSpan(0.0, max(self.conversation.duration_s, 0.0))

    def role_known(self, role: SpeakerRole | None) -> bool:
        return role is None or self.conversation.roles_known

    def utterances(self, role: SpeakerRole | None) -> tuple[Utterance, ...]:
        return self.conversation.utterances if role is None else self.conversation.spoken_by(role)

    def speech_of(self, role: SpeakerRole | None) -> tuple[TimeSpan, ...]:
        roles = [role] if role else [c.role for c in self.conversation.speech]
        return union(s for r in roles for s in self.conversation.speech_of(r))

    def window(self, scope: Scope, role: SpeakerRole | None) -> TimeSpan | None:
        """The time that ``scope`` means for ``role``; None when there is nothing in it.

        A role of which nothing was recognised still has its speech to count from.
        """
        start, end = self.whole.start, self.whole.end
        own = [u.span for u in self.utterances(role)] or list(self.speech_of(role))
        if not own:
            return None
        if scope.first_utterances:
            end = min(end, hull(own[: scope.first_utterances]).end)
        if scope.last_utterances:
            start = max(start, hull(own[-scope.last_utterances :]).start)
        if scope.first_s:
            end = min(end, own[0].start + scope.first_s)
        if scope.last_s:
            start = max(start, max(u.end for u in own) - scope.last_s)
        if scope.anchored and self.anchor is not None:
            anchor = self.anchor.span
            backward = scope.before or scope.before_s is not None
            forward = scope.after or scope.after_s is not None
            if backward and not forward:
                end = min(end, anchor.start)
            if forward and not backward:
                start = max(start, anchor.end)
            if scope.before_s is not None:
                start = max(start, anchor.start - scope.before_s)
            if scope.after_s is not None:
                end = min(end, anchor.end + scope.after_s)
        return TimeSpan(start, end) if end > start else None

    def coverage(self, window: TimeSpan, role: SpeakerRole | None, *, any_language: bool = False) -> float | None:
        """Share of the role's speech in ``window`` that was recognised with confidence, in the call's language:
        its phrases are not to be found in another. None: the role says nothing."""
        speech = clip(self.speech_of(role), window)
        spoken_s = total_s(speech)
        if not spoken_s:
            return None
        reliable = [
            u.span
            for u in self.utterances(role)
            if u.confidence >= self.recognition.utterance_confidence
            and (any_language or not self.conversation.foreign(u))
        ]
        return total_s(intersection(speech, reliable)) / spoken_s

    def unheard(self, window: TimeSpan, role: SpeakerRole | None) -> str | None:
        """Why too little of the role's speech in ``window`` was recognised to say that something is not in it."""
        required = self.position is Position.REQUIRE
        needed = self.recognition.require_coverage if required else self.recognition.forbid_coverage
        coverage = self.coverage(window, role)
        if coverage is None or coverage >= needed:
            return None
        understood = self.coverage(window, role, any_language=True)
        return "low_recognition" if understood is not None and understood < needed else "other_language"


def within(span: TimeSpan, window: TimeSpan) -> bool:
    return window.start - SLACK_S <= span.middle <= window.end + SLACK_S


def utterance_evidence(utterance: Utterance, note: str = "") -> Evidence:
    return Evidence(
        utterance.start,
        utterance.end,
        utterance.role,
        utterance.text,
        (utterance.index,),
        utterance.confidence,
        note,
    )


_CLAUSE_ENDS = frozenset(",，.。!！?？;；、 …")


def hit_evidence(hit: Hit, context: Context, note: str = "") -> Evidence:
    """Evidence of a hit: the time of its words, the clause they stand in, word for word."""
    return Evidence(
        hit.span.start,
        hit.span.end,
        hit.role,
        _clause(hit, context.texts[hit.turn]),
        hit.utterances,
        hit.confidence,
        note,
    )


def _clause(hit: Hit, turn: TurnText) -> str:
    origin = turn.origin[hit.start]
    if len(hit.utterances) != 1 or origin is None:
        return hit.quote
    utterance, folded = origin
    text = utterance.text
    start = utterance.overlay.offsets[folded]
    end = start + len(hit.quote)
    spaced = " " in text and not any("\u4e00" <= c <= "\u9fff" for c in text)
    ends = _CLAUSE_ENDS - {" ", ","} if spaced else _CLAUSE_ENDS
    while start > 0 and text[start - 1] not in ends:
        start -= 1
    while end < len(text) and text[end - 1] not in ends:
        end += 1
    return text[start:end].strip(" ,，、")
