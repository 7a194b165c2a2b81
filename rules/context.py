"""What a check sees: the conversation, its metrics and metadata, the phrase hits, and where it stands.

Guarantee: read-only; scopes and recognition figures are derived from the conversation alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from pydantic import BaseModel, ConfigDict, PositiveFloat

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, SpeakerRole, Utterance
from qa_service.domain.hearing import SLACK_S, Stretch, heard, right_share, worst_share
from qa_service.domain.metrics import ConversationMetrics
from qa_service.domain.results import Evidence, Outcome
from qa_service.domain.timeline import TimeSpan, union
from rules.matching import Hit, TurnText


class Position(StrEnum):
    """What a condition is used for; doubt must fall on the side of not accusing anybody."""

    REQUIRE = "require"
    FORBID = "forbid"
    TRIGGER = "trigger"

    @property
    def negated(self) -> "Position":
        return {Position.REQUIRE: Position.FORBID, Position.FORBID: Position.REQUIRE}.get(self, self)


class Recognition(BaseModel):
    """How well something must have been heard before it counts: probabilities, and shares in [0, 1].

    ``convict_confidence``, ``accept_confidence``: of the least probable word of a phrase, where it accuses and
    where it is asked for. ``require_coverage``, ``forbid_coverage``: the expected share of a scope's speech that
    was heard right, to say that something asked for, or forbidden, was not said. What was asked for also needs
    ``place_coverage`` of any ``place_s`` seconds of the scope: there it may have been said. ``doubt_confidence``:
    a word below it may have been any word; ``alike_confidence``: below it, one that sounds somewhat alike.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    convict_confidence: float = 0.7
    accept_confidence: float = 0.3
    require_coverage: float = 0.75
    forbid_coverage: float = 0.4
    place_coverage: float = 0.4
    place_s: PositiveFloat = 1.0
    doubt_confidence: float = 0.6
    alike_confidence: float = 0.65


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
    heard: Mapping[SpeakerRole | None, tuple[Stretch, ...]]
    understood: Mapping[SpeakerRole | None, tuple[Stretch, ...]]
    position: Position = Position.REQUIRE
    anchor: Anchor | None = None

    def at(self, position: Position, anchor: Anchor | None = None) -> "Context":
        return replace(self, position=position, anchor=anchor or self.anchor)

    @cached_property
    def whole(self) -> TimeSpan:
        return TimeSpan(0.0, max(self.conversation.duration_s, 0.0))

    @property
    def certain_confidence(self) -> float:
        """From which confidence of its weakest word on something said counts, where it is asked for or accuses."""
        asked_for = self.position is Position.REQUIRE
        return self.recognition.accept_confidence if asked_for else self.recognition.convict_confidence

    def doubt(self, *roles: SpeakerRole | None) -> str | None:
        """Why it cannot be told what any of ``roles`` (None: all of them) did or did not do; None: it can."""
        if not self.conversation.roles_known and any(roles):
            return "role_unknown"
        unheard = self.conversation.unheard_roles
        return "channel_dead" if unheard and (None in roles or unheard & set(roles)) else None

    def utterances(self, role: SpeakerRole | None) -> tuple[Utterance, ...]:
        return self.conversation.utterances if role is None else self.conversation.spoken_by(role)

    def speech_of(self, role: SpeakerRole | None) -> tuple[TimeSpan, ...]:
        roles = [role] if role else [c.role for c in self.conversation.speech]
        return union(s for r in roles for s in self.conversation.speech_of(r))

    def coverage(self, window: TimeSpan, role: SpeakerRole | None) -> float | None:
        """Expected share of the role's speech in ``window`` that was heard right, in the call's language; None: it
        says nothing. Phrases are not to be found in another language."""
        return right_share(self.speech_of(role), self.heard[role], window)

    def unheard(self, window: TimeSpan, role: SpeakerRole | None) -> str | None:
        """Why too little of the role's speech in ``window`` was heard to say that something is not in it."""
        if self._well_heard(self.heard[role], window, role):
            return None
        return "other_language" if self._well_heard(self.understood[role], window, role) else "low_recognition"

    def _well_heard(self, found: Sequence[Stretch], window: TimeSpan, role: SpeakerRole | None) -> bool:
        speech, limits = self.speech_of(role), self.recognition
        share = right_share(speech, found, window)
        if share is None:
            return True
        if self.position is not Position.REQUIRE:
            return share >= limits.forbid_coverage
        return (
            share >= limits.require_coverage
            and worst_share(speech, found, window, length_s=limits.place_s) >= limits.place_coverage
        )


def hearing(conversation: Conversation, *, any_language: bool) -> dict[SpeakerRole | None, tuple[Stretch, ...]]:
    """What was heard of each role, and of all of them (None), in the call's language or in any."""
    found: dict[SpeakerRole | None, tuple[Stretch, ...]] = {}
    for role in SpeakerRole:
        said = (u for u in conversation.spoken_by(role) if any_language or not conversation.foreign(u))
        found[role] = heard(conversation.speech_of(role), said)
    found[None] = tuple(stretch for stretches in list(found.values()) for stretch in stretches)
    return found


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


def place_evidence(text: TurnText, start: int, end: int, note: str) -> Evidence:
    """Evidence of folded characters that are no hit."""
    span, quote, utterances, confidence = text.locate(start, end)
    return Evidence(span.start, span.end, text.role, quote, utterances, confidence, note)


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
