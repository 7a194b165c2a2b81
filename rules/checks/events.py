"""Events of the conversation: silences and waits, speech, interruptions."""

from typing import ClassVar, Literal

from pydantic import NonNegativeFloat

from qa_service.domain.metrics import ROLES, Interruption
from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan, union
from rules.checks.base import Check, RoleName, role_of
from rules.checks.scope import PlacedCheck, ScopedCheck, place_of
from rules.context import Anchor, Context, within
from rules.verdict import FALSE, Verdict, unknown

_ROUNDING_S = 1e-6  # a difference of two floats may be a hair over: 16.1 - 6.1 > 10
_JOIN_S = 2.0  # a telephony hold and the silence right beside it are one wait


class SilenceCheck(PlacedCheck):
    """Somebody is left waiting in ``scope`` longer than ``longer_than_s``: nobody speaks, or a telephony hold.

    ``source``: silence only, hold only, or both joined into waits.
    """

    occurs: ClassVar[bool] = True

    longer_than_s: NonNegativeFloat = 10.0
    source: Literal["silence", "hold", "wait"] = "wait"

    def evaluate(self, context: Context) -> Verdict:
        if doubt := self._doubt(context):
            return unknown(doubt)
        found = self._waits(context)
        return Verdict(True, tuple(a.evidence for a in found)) if found else FALSE

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        return None if self._doubt(context) else self._waits(context)

    def _doubt(self, context: Context) -> str | None:
        """Where one side is not heard, nobody knows when nobody spoke; a telephony hold is told."""
        unheard = None if self.source == "hold" else context.doubt(None)
        return unheard or (None if self.scope.everywhere else place_of(self.scope, context, None).doubt or None)

    def _waits(self, context: Context) -> tuple[Anchor, ...]:
        metrics, window = context.metrics, context.whole
        if not self.scope.everywhere:
            place = place_of(self.scope, context, None)
            if place.window is None:
                return ()
            window = place.window
        spans: list[TimeSpan] = []
        if self.source in ("silence", "wait"):
            spans += [silence.span for silence in metrics.silences]
        if self.source in ("hold", "wait"):
            spans += metrics.holds
        if self.source == "wait":
            spans = list(union(spans, bridge_s=_JOIN_S if metrics.holds else 0.0))
        return tuple(
            Anchor(span, Evidence(span.start, span.end, note=f"{span.duration_s:.1f} s"))
            for span in spans
            if span.duration_s > self.longer_than_s + _ROUNDING_S
            and (self.scope.everywhere or within(span, window))
        )


class SpeechCheck(ScopedCheck):
    """``role`` speaks in ``scope`` for longer than ``longer_than_s``, whatever they say and however well heard."""

    occurs: ClassVar[bool] = True

    longer_than_s: NonNegativeFloat = 0.0

    def evaluate(self, context: Context) -> Verdict:
        role = role_of(self.role)
        if doubt := context.doubt(role) or place_of(self.scope, context, role).doubt:
            return unknown(doubt)
        spoken = self._spoken(context)
        if sum(span.duration_s for span in spoken) <= self.longer_than_s:
            return FALSE
        return Verdict(True, lambda: tuple(Evidence(s.start, s.end, role, note="speaks") for s in spoken))

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        """One a stretch of speech."""
        verdict = self.evaluate(context)
        if verdict.value is None:
            return None
        return tuple(Anchor(evidence.span, evidence) for evidence in verdict.evidence) if verdict.value else ()

    def _spoken(self, context: Context) -> tuple[TimeSpan, ...]:
        role = role_of(self.role)
        window = place_of(self.scope, context, role).window
        if window is None:
            return ()
        start, end = window.start, window.end
        spans = (s for s in context.speech_of(role) if s.end > start and s.start < end)
        return tuple(TimeSpan(max(s.start, start), min(s.end, end)) for s in spans)


class InterruptionCheck(Check):
    """``role`` interrupts the other (domain definition, with its thresholds)."""

    occurs: ClassVar[bool] = True

    role: RoleName = "agent"

    def evaluate(self, context: Context) -> Verdict:
        if doubt := context.doubt(*ROLES):
            return unknown(doubt)
        own = [i for i in context.metrics.interruptions if role_of(self.role) in (None, i.role)]
        if not context.metrics.interruptions_measurable:
            return unknown("overlap_not_measurable", tuple(_interruption_evidence(i, context) for i in own))
        happened = [i for i in own if i.violation]
        if happened:
            return Verdict(True, tuple(_interruption_evidence(i, context) for i in happened))
        unclear = [i for i in own if i.violation is None]
        if unclear:
            return unknown("low_recognition", tuple(_interruption_evidence(i, context) for i in unclear))
        return FALSE

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        """The overlaps; those that may have been no interruption are not sure."""
        if context.doubt(*ROLES) or not context.metrics.interruptions_measurable:
            return None
        return tuple(
            Anchor(i.overlap, _interruption_evidence(i, context), i.violation is True)
            for i in context.metrics.interruptions
            if i.violation is not False and role_of(self.role) in (None, i.role)
        )


def _interruption_evidence(interruption: Interruption, context: Context) -> Evidence:
    said = [context.conversation.utterances[i] for i in interruption.utterances]
    return Evidence(
        interruption.overlap.start,
        interruption.overlap.end,
        interruption.role,
        said[0].text if said else "",
        interruption.utterances,
        said[0].confidence if said else None,
        f"{interruption.overlap.duration_s:.1f} s overlap, {interruption.outcome.value}",
    )
