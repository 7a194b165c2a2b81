"""What a check sees: the conversation, its metrics and metadata, the phrase hits, and where it stands.

Guarantee: read-only; scopes and recognition figures are derived from the conversation alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, PositiveFloat

from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, SpeakerRole, Turn, Utterance
from qa_service.domain.hearing import SLACK_S, Hearing
from qa_service.domain.metrics import ConversationMetrics
from qa_service.domain.results import Evidence, Outcome
from qa_service.domain.timeline import TimeSpan
from rules.index import CallIndex, TurnText
from rules.matching import Hits
from rules.verdict import Verdict, unknown

if TYPE_CHECKING:
    from rules.checks.base import Check


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


class CallFacts:
    """What all checks of one evaluation share, and what one of them found out for the others."""

    def __init__(
        self,
        index: CallIndex,
        metrics: ConversationMetrics,
        metadata: CallMetadata,
        recognition: Recognition,
        hits: Hits,
        outcomes: Mapping[str, Outcome],
        forms: Mapping[int, int],
    ) -> None:
        """``forms``: by the id of a check a number, which checks that ask the same have in common."""
        self.index = index
        self.metrics = metrics
        self.metadata = metadata
        self.recognition = recognition
        self.hits = hits
        self.outcomes = outcomes
        self.forms = forms
        self.contexts: dict[tuple[float, float] | None, dict[Position, Context]] = {}
        """By occurrence; None: of the whole call."""
        self.not_said: dict[tuple[float, float, SpeakerRole | None, Position, bool], Verdict] = {}
        self.places: dict[object, Any] = {}
        """Kept for ``rules.checks.scope``, which finds them."""

    def forget(self) -> None:
        """Let go of the contexts: each refers to all, which costs the collector a sixth of an evaluation."""
        for context in [context for known in self.contexts.values() for context in known.values()]:
            context.forget()
        self.contexts.clear()
        self.not_said.clear()


_NONE: Final[dict[Position, "Context"]] = {}


class Context:
    """Where a check stands: the call, what the check is used for, and when what it is asked about occurs.

    There is one for each of these, which knows what it was asked before.
    """

    __slots__ = (
        "_anchors",
        "_at",
        "_verdicts",
        "call",
        "certain_confidence",
        "hits",
        "index",
        "occurrence",
        "position",
        "recognition",
    )

    def __init__(self, call: CallFacts, position: Position, occurrence: TimeSpan | None = None) -> None:
        """To be had from ``at``, but for the first."""
        self.call = call
        self.index = call.index
        self.hits = call.hits
        self.recognition = limits = call.recognition
        self.position = position
        self.occurrence = occurrence
        asked_for = position is Position.REQUIRE
        self.certain_confidence = limits.accept_confidence if asked_for else limits.convict_confidence
        """From which confidence of its weakest word on something said counts, where it is asked for or accuses."""
        key = None if occurrence is None else (occurrence.start, occurrence.end)
        self._at = call.contexts.setdefault(key, {})
        self._at[position] = self
        self._verdicts: dict[int, Verdict] = {}
        self._anchors: dict[int, tuple[Anchor, ...] | None] = {}

    def at(self, position: Position, anchor: Anchor | None = None) -> "Context":
        known, occurrence = self._at, self.occurrence
        if anchor is not None:
            occurrence = anchor.span
            known = self.call.contexts.get((occurrence.start, occurrence.end), _NONE)
        return known.get(position) or Context(self.call, position, occurrence)

    def ask(self, check: "Check") -> Verdict:
        """What ``check`` answers here; one that does not depend on an occurrence is asked once."""
        here = self if self.occurrence is None else self._where_asked(check)
        form = self.call.forms.get(id(check))
        if form is None:
            return check.evaluate(here)
        verdict = here._verdicts.get(form)
        if verdict is None:
            verdict = here._verdicts[form] = check.evaluate(here)
        return verdict

    def anchors(self, check: "Check") -> tuple[Anchor, ...] | None:
        """``check.anchors`` here, found once."""
        here = self if self.occurrence is None else self._where_asked(check)
        form = self.call.forms.get(id(check))
        if form is None:
            return check.anchors(here)
        if form not in here._anchors:
            here._anchors[form] = check.anchors(here)
        return here._anchors[form]

    def forget(self) -> None:
        self._at.clear()
        self._verdicts.clear()
        self._anchors.clear()

    def _where_asked(self, check: "Check") -> "Context":
        if check.depends_on_occurrence:
            return self
        return self.call.contexts[None].get(self.position) or Context(self.call, self.position)

    @property
    def conversation(self) -> Conversation:
        return self.index.conversation

    @property
    def metrics(self) -> ConversationMetrics:
        return self.call.metrics

    @property
    def metadata(self) -> CallMetadata:
        return self.call.metadata

    @property
    def texts(self) -> tuple[TurnText, ...]:
        return self.index.turns

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        return self.call.outcomes

    @property
    def whole(self) -> TimeSpan:
        return self.index.whole

    def doubt(self, *roles: SpeakerRole | None) -> str | None:
        """Why it cannot be told what any of ``roles`` (None: all of them) did or did not do; None: it can."""
        if self.index.told:
            return None
        if not self.index.roles_known and any(roles):
            return "role_unknown"
        unheard = self.index.unheard_roles
        return "channel_dead" if unheard and (None in roles or unheard & set(roles)) else None

    def utterances(self, role: SpeakerRole | None) -> tuple[Utterance, ...]:
        return self.index.utterances(role)

    def speech_of(self, role: SpeakerRole | None) -> tuple[TimeSpan, ...]:
        return self.index.speech_of(role)

    def not_said(self, window: TimeSpan, role: SpeakerRole | None, *, from_end: bool) -> Verdict:
        """What it means to find nothing in ``window``: false with where to listen, or too little was heard."""
        key = (window.start, window.end, role, self.position, from_end)
        known = self.call.not_said
        if key not in known:
            known[key] = self._not_said(window, role, from_end=from_end)
        return known[key]

    def _not_said(self, window: TimeSpan, role: SpeakerRole | None, *, from_end: bool) -> Verdict:
        if self.position is Position.REQUIRE and not self.utterances(role):
            return unknown("role_not_heard")
        reason = self.unheard(window, role)
        value = False if reason is None else None
        return Verdict(value, lambda: self._absent(window, role, from_end=from_end), reason or "")

    def unheard(self, window: TimeSpan, role: SpeakerRole | None) -> str | None:
        """Why too little of the role's speech in ``window`` was heard to say that something is not in it."""
        if self._well_heard(self.index.hearing(role, any_language=False), window):
            return None  # phrases are not to be found in another language
        understood = self.index.hearing(role, any_language=True)
        return "other_language" if self._well_heard(understood, window) else "low_recognition"

    def _well_heard(self, hearing: Hearing, window: TimeSpan) -> bool:
        limits = self.recognition
        share = hearing.right_share(window)
        if share is None:
            return True
        if self.position is not Position.REQUIRE:
            return share >= limits.forbid_coverage
        return share >= limits.require_coverage and hearing.evenly(
            window, length_s=limits.place_s, share=limits.place_coverage
        )

    def _absent(self, window: TimeSpan, role: SpeakerRole | None, *, from_end: bool) -> tuple[Evidence, ...]:
        """Where to listen for what is not in ``window``: the utterance at its beginning, or end."""
        inside = (u for u in self.utterances(role) if within(u.span, window) or window.contains(u.start))
        edge = [*inside][-1:] if from_end else [*islice(inside, 1)]
        return tuple(utterance_evidence(u, "not said here") for u in edge)


def within(span: TimeSpan, window: TimeSpan) -> bool:
    return window.start - SLACK_S <= span.middle <= window.end + SLACK_S


def reaches(turn: Turn, window: TimeSpan) -> bool:
    """Whether anything said in the turn may be ``within`` the window."""
    return turn.end >= window.start - SLACK_S and turn.start <= window.end + SLACK_S


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
    span, confidence, utterances = text.heard_at(start, end)
    return Evidence(span.start, span.end, text.role, text.quote(start, end), utterances, confidence, note)
