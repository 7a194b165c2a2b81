"""Steps of a script, and things said again and again."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, SerializeAsAny, model_validator
from rapidfuzz import fuzz

from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import Check, role_of
from rules.checks.spoken import LOW_CONFIDENCE, Found, SpokenCheck
from rules.context import Anchor, Context, utterance_evidence, within
from rules.verdict import Verdict, unknown


class Step(BaseModel):
    """One step: its name for people, and the condition whose occurrences are the step being done."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1)
    check: SerializeAsAny[Check]

    @model_validator(mode="after")
    def _occurs(self) -> "Step":
        if not self.check.has_occurrences:
            raise ValueError(f"step {self.name!r} needs a condition that has occurrences, such as `phrase`")
        return self


class SequenceCheck(Check):
    """All steps are done; with ``ordered`` one after another, at most ``max_gap_s`` apart.

    A step may begin with the words that end the one before it. The evidence names the steps that were done, or
    the first that is missing.
    """

    steps: tuple[Step, ...] = Field(min_length=2)
    ordered: bool = True
    max_gap_s: PositiveFloat | None = None

    @model_validator(mode="after")
    def _gaps_need_order(self) -> "SequenceCheck":
        if self.max_gap_s is not None and not self.ordered:
            raise ValueError("`max_gap_s` needs steps in order")
        return self

    def inside(self) -> Iterable[Check]:
        return (step.check for step in self.steps)

    def parts(self, context: Context) -> Iterable[tuple[str, Check, Context]]:
        return [(step.name, step.check, context) for step in self.steps]

    def evaluate(self, context: Context) -> Verdict:
        found = [context.anchors(step.check) for step in self.steps]
        done = self._walk([[a for a in anchors or () if a.sure] for anchors in found])
        if len(done) == len(self.steps):
            return Verdict(True, tuple(done))
        missing = self.steps[len(done)]
        for step, anchors in zip(self.steps, found, strict=True):
            if anchors is None:
                return unknown(step.check.unsure(context))
        possible = self._walk([list(anchors or ()) for anchors in found])
        if len(possible) == len(self.steps):
            return unknown(LOW_CONFIDENCE, tuple(possible))
        for step, anchors in zip(self.steps, found, strict=True):
            # A step that may have been said unheard may have been said in its place.
            if not anchors and (verdict := context.ask(step.check)).value is None:
                return unknown(verdict.reason, _named(verdict.evidence, f"step in doubt: {step.name}"))
        if any(context.ask(step.check).value is None for step in self.steps):
            return unknown(LOW_CONFIDENCE, tuple(done))
        if doubt := self._may_follow(missing, done, context):
            return unknown(doubt, (*done, *_named(done[-1:], f"step in doubt: {missing.name}")))
        absent = context.ask(missing.check).evidence[:1] if not found[len(done)] else ()
        return Verdict(False, (*done, *_named(absent or done[-1:], f"missing step: {missing.name}")))

    def _may_follow(self, missing: Step, done: Sequence[Evidence], context: Context) -> str:
        """Why a step that was done too early, or too late, may have been done once more, unheard."""
        if not (self.ordered and done and isinstance(missing.check, SpokenCheck)):
            return ""
        start, end = done[-1].start, context.whole.end
        if self.max_gap_s is not None:
            end = min(end, done[-1].end + self.max_gap_s)
        if end <= start:
            return ""
        verdict = missing.check.not_said(context, TimeSpan(start, end))
        return verdict.reason if verdict.value is None else ""

    def _walk(self, found: Sequence[Sequence[Anchor]]) -> list[Evidence]:
        """Evidence of the longest run of steps from the first that can be done (in order)."""
        done: list[Evidence] = []
        reached: list[Anchor] | None = None
        for step, anchors in zip(self.steps, found, strict=True):
            reached = [a for a in anchors if reached is None or not self.ordered or self._follows(a, reached)]
            if not reached:
                break
            done.extend(_named([reached[0].evidence], step.name))
        return done

    def _follows(self, anchor: Anchor, before: Sequence[Anchor]) -> bool:
        return any(
            earlier.span.start <= anchor.span.start
            and (self.max_gap_s is None or anchor.span.start - earlier.span.end <= self.max_gap_s)
            for earlier in before
        )


def _named(evidence: Iterable[Evidence], note: str) -> tuple[Evidence, ...]:
    return tuple(Evidence(e.start, e.end, e.role, e.quote, e.utterances, e.confidence, note) for e in evidence)


class RepeatCheck(SpokenCheck):
    """``role`` says the same again: an occurrence is an utterance of at least ``min_characters`` that an earlier
    one resembles by ``alike`` percent. ``times`` counts the repetitions, not the first time."""

    occurs: ClassVar[bool] = True

    times: PositiveInt = 2
    alike: float = Field(default=85.0, gt=0.0, le=100.0)
    min_characters: PositiveInt = 6

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        earlier: list[tuple[str, bool]] = []
        found = []
        for utterance in context.utterances(role_of(self.role)):
            text = utterance.overlay.folded
            if len(text) < self.min_characters or not within(utterance.span, window):
                continue
            sure = utterance.confidence >= context.certain_confidence
            alike = [was_sure for said, was_sure in earlier if fuzz.ratio(said, text) >= self.alike]
            if alike:
                doubt = "" if sure and any(alike) else LOW_CONFIDENCE
                found.append(Found(utterance_evidence(utterance, "said again"), doubt))
            earlier.append((text, sure))
        return found
