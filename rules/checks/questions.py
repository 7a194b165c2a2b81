"""Questions, and how long the other side waits for an answer."""

import re
from typing import ClassVar, Literal

from pydantic import NonNegativeFloat

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import role_of
from rules.checks.scope import ScopedCheck, place_of
from rules.checks.spoken import LOW_CONFIDENCE, Found, SpokenCheck
from rules.context import Anchor, Context, utterance_evidence, within
from rules.verdict import FALSE, Verdict, unknown

_ASKS_ZH = re.compile(
    r"[吗嘛呢][？?。，,!！]?$|什么|怎么|为什么|哪[里儿个些家]|几[个天点号时]|多少|多久|谁|是不是|能不能|可不可以|有没有"
    r"|行不行|好不好|要不要|会不会|对不对|[？?]"
)
_ASKS_EN = re.compile(
    r"\?|^(?:so |and |but |well |ok |okay )*(?:what|when|where|which|who|whose|why|how|is|are|am|was|were|do|does"
    r"|did|can|could|will|would|shall|should|may|have|has|had)\b",
    re.IGNORECASE,
)


class QuestionCheck(SpokenCheck):
    """``role`` asks a question; with ``answered``, only one after which the other side does (true) or does not
    (false) begin to speak within ``within_s``."""

    role: Literal["agent", "customer"] = "customer"
    answered: bool | None = None
    within_s: NonNegativeFloat = 5.0

    @property
    def _other(self) -> SpeakerRole:
        return SpeakerRole.CUSTOMER if self.role == "agent" else SpeakerRole.AGENT

    def _unanswerable(self, context: Context) -> str | None:
        """Why it cannot be told whether the other side answered."""
        return context.doubt(self._other) if self.answered is not None else None

    def evaluate(self, context: Context) -> Verdict:
        doubt = self._unanswerable(context)
        return unknown(doubt) if doubt else super().evaluate(context)

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        return None if self._unanswerable(context) else super().anchors(context)

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        role = SpeakerRole(self.role)
        asks = _ASKS_EN if context.conversation.language == "en" else _ASKS_ZH
        speech = context.speech_of(self._other)
        found = []
        for utterance in context.utterances(role):
            if not within(utterance.span, window) or not asks.search(utterance.text):
                continue
            if self.answered is not None:
                until = utterance.end + self.within_s
                heard = any(s.end > utterance.end and s.start <= until for s in speech)
                if heard is not self.answered:
                    continue
            doubt = "" if utterance.confidence >= context.certain_confidence else LOW_CONFIDENCE
            found.append(Found(utterance_evidence(utterance, "question"), doubt))
        return found


class LatencyCheck(ScopedCheck):
    """``role`` lets the other wait longer than ``longer_than_s`` before they begin to speak in answer."""

    occurs: ClassVar[bool] = True

    role: Literal["agent", "customer"] = "agent"
    longer_than_s: NonNegativeFloat = 5.0

    def evaluate(self, context: Context) -> Verdict:
        if doubt := context.doubt(None) or place_of(self.scope, context, role_of(self.role)).doubt:
            return unknown(doubt)
        found = self.anchors(context) or ()
        return Verdict(True, tuple(a.evidence for a in found)) if found else FALSE

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        """One a pause between the end of the other's speech and the role's."""
        role = SpeakerRole(self.role)
        place = place_of(self.scope, context, role)
        if context.doubt(None) or place.doubt:
            return None
        spoken = sorted(
            (span, r) for r in (SpeakerRole.AGENT, SpeakerRole.CUSTOMER) for span in context.speech_of(r)
        )
        found = []
        ended, last = 0.0, None
        for span, who in spoken:
            pause = TimeSpan(ended, max(ended, span.start))
            if (
                who is role
                and last not in (None, role)
                and pause.duration_s > self.longer_than_s
                and place.window is not None
                and within(pause, place.window)
            ):
                evidence = Evidence(pause.start, pause.end, role, note=f"{pause.duration_s:.1f} s")
                found.append(Anchor(pause, evidence))
            if span.end >= ended:
                ended, last = span.end, who
        return tuple(found)
