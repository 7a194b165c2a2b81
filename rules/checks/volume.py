"""How loud somebody speaks, beside how loud they usually speak in this call."""

from statistics import median
from typing import ClassVar, Literal

from pydantic import PositiveFloat

from qa_service.domain.conversation import LEVEL_STEP_S, SpeakerRole, SpeakerSpeech
from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan, total_s, union
from rules.checks.base import Check
from rules.context import Anchor, Context
from rules.verdict import FALSE, Verdict, unknown

_BREATH_S = 0.5  # between two loud parts of one outburst
_NEAR_DB = 1.5  # levels of telephone lines wander by this much


class VolumeCheck(Check):
    """``role`` speaks at least ``above_own_db`` louder than they usually do, for ``for_s`` together or longer.

    Usually: the median level of their own speech. One loud word is no shouting, and neither is a loud line. Of
    less than ``known_from_s`` of speech nobody knows what is usual.
    """

    occurs: ClassVar[bool] = True

    role: Literal["agent", "customer"] = "agent"
    above_own_db: PositiveFloat = 8.0
    for_s: PositiveFloat = 2.0
    known_from_s: PositiveFloat = 8.0

    def evaluate(self, context: Context) -> Verdict:
        role = SpeakerRole(self.role)
        if doubt := context.doubt(role):
            return unknown(doubt)
        if self._unmeasured(context):
            return unknown("level_unknown")
        if found := self._outbursts(context, self.above_own_db):
            return Verdict(True, tuple(a.evidence for a in found))
        if near := self._outbursts(context, self.above_own_db - _NEAR_DB):
            return unknown("near_threshold", tuple(a.evidence for a in near))
        return FALSE

    def anchors(self, context: Context) -> tuple[Anchor, ...] | None:
        if context.doubt(SpeakerRole(self.role)) or self._unmeasured(context):
            return None
        return self._outbursts(context, self.above_own_db)

    def _speakers(self, context: Context) -> list[SpeakerSpeech]:
        return [s for s in context.conversation.speech if s.role == self.role and s.spans]

    def _unmeasured(self, context: Context) -> bool:
        speakers = self._speakers(context)
        spoken_s = total_s(span for speaker in speakers for span in speaker.spans)
        return any(speaker.levels is None for speaker in speakers) or 0 < spoken_s < self.known_from_s

    def _outbursts(self, context: Context, above_db: float) -> tuple[Anchor, ...]:
        found = []
        for speaker in self._speakers(context):
            levels = {n: level for n, level in enumerate(speaker.levels or ()) if level is not None}
            if not levels:
                continue
            usual = median(levels.values())
            loud = {n: level for n, level in levels.items() if level >= usual + above_db}
            pieces = [TimeSpan(n * LEVEL_STEP_S, (n + 1) * LEVEL_STEP_S) for n in loud]
            for span in union(pieces, bridge_s=_BREATH_S):
                inside = [level for n, level in loud.items() if span.contains((n + 0.5) * LEVEL_STEP_S)]
                if len(inside) * LEVEL_STEP_S >= self.for_s:
                    note = f"{sum(inside) / len(inside) - usual:.0f} dB above their own level"
                    found.append(Anchor(span, Evidence(span.start, span.end, speaker.role, note=note)))
        return tuple(found)
