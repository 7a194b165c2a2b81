"""Facts beside the words: metrics, call metadata, other rules' outcomes."""

from collections.abc import Callable, Iterable
from typing import Final, Literal

from pydantic import Field, model_validator

from qa_service.domain.call import CallMetadata, Direction, HangupSide, Purpose
from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.metrics import ConversationMetrics, RoleMetrics
from qa_service.domain.results import Evidence, Outcome
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import Check
from rules.context import Context
from rules.verdict import FALSE, TRUE, Verdict, unknown

METRICS: Final[dict[str, Callable[[ConversationMetrics, RoleMetrics | None], float | None]]] = {
    "duration_s": lambda m, _: m.duration_s,
    "duration_without_hold_s": lambda m, _: m.duration_s - m.hold_s,
    "overlap_s": lambda m, _: m.overlap_s,
    "dead_air_s": lambda m, _: m.dead_air_s,
    "closing_silence_s": lambda m, _: m.duration_s - m.talk.end if m.talk else None,
    "speech_s": lambda _, r: r.speech_s if r else None,
    "talk_ratio": lambda _, r: r.talk_ratio if r else None,
    "speech_rate_per_min": lambda _, r: r.speech_rate_per_min if r else None,
    "turn_count": lambda _, r: float(r.turn_count) if r else None,
    "longest_monologue_s": lambda _, r: r.longest_monologue.duration_s if r and r.longest_monologue else None,
}

OF_BOTH: Final = frozenset(("overlap_s", "dead_air_s", "closing_silence_s", "turn_count", "longest_monologue_s"))
"""Metrics that need both sides of the call, whichever role they are of."""

EXTRA: Final = "extra."
_CLOCK: Final = r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"
NUMBERS: Final = ("ring_count", "agent_channel", "speakers")
VALUES: Final[dict[str, tuple[str, ...]]] = {
    "direction": tuple(Direction),
    "purpose": tuple(Purpose),
    "hangup_side": tuple(HangupSide),
}


class MetricCheck(Check):
    """A metric lies above and/or below a bound. Unknown stays unknown.

    ``margin`` is the share of the bound within which the measurement is too close to decide: speech time is good
    to a few percent, and nobody is accused of the difference.
    """

    name: str
    role: Literal["agent", "customer"] | None = None
    above: float | None = None
    below: float | None = None
    margin: float = Field(default=0.0, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _known(self) -> "MetricCheck":
        if self.name not in METRICS:
            raise ValueError(f"unknown metric {self.name!r}: one of {', '.join(METRICS)}")
        if self.above is None and self.below is None:
            raise ValueError("a metric check needs `above` or `below`")
        return self

    def evaluate(self, context: Context) -> Verdict:
        role = SpeakerRole(self.role) if self.role else None
        needed = [*([role] if role else []), *([None] if self.name in OF_BOTH else [])]
        if doubt := context.doubt(*needed):
            return unknown(doubt)
        value = METRICS[self.name](context.metrics, context.metrics.of(role) if role else None)
        if value is None:
            return unknown("metric_unknown")
        span = context.metrics.talk or context.whole
        if self.name == "closing_silence_s":
            span = TimeSpan(span.end, max(span.end, context.whole.end))
        evidence = Evidence(span.start, span.end, role, note=f"{self.name} {value:.1f}")
        bounds = [bound for bound in (self.above, self.below) if bound is not None]
        if self.margin and any(abs(value - bound) <= self.margin * abs(bound) for bound in bounds):
            return unknown("near_threshold", (evidence,))
        inside = (self.above is None or value > self.above) and (self.below is None or value < self.below)
        return Verdict(inside, (evidence,))


class MetadataCheck(Check):
    """A metadata field has one of the values, or lies at or above, or below, a number.

    ``when_unknown`` says what no value means. ``extra.NAME`` is a column that the product does not know.
    """

    field: str
    equals: str | int | tuple[str | int, ...] | None = None
    at_least: float | None = None
    below: float | None = None
    known: bool | None = None
    when_unknown: Literal["unknown", "true", "false"] = "unknown"

    @model_validator(mode="after")
    def _makes_sense(self) -> "MetadataCheck":
        fields = [name for name in CallMetadata.__dataclass_fields__ if name != "extra"]
        if self.field not in fields and not self.field.startswith(EXTRA):
            raise ValueError(f"unknown metadata field {self.field!r}: one of {', '.join(fields)}, {EXTRA}COLUMN")
        bounded = self.at_least is not None or self.below is not None
        if (self.equals is not None) + bounded + (self.known is not None) != 1:
            raise ValueError(
                "a metadata check has exactly one of `equals`, `known`, and bounds (`at_least`, `below`)"
            )
        if bounded and self.field not in NUMBERS and not self.field.startswith(EXTRA):
            raise ValueError(f"a bound needs a number: one of {', '.join(NUMBERS)}, {EXTRA}COLUMN")
        if self.field in VALUES and self.equals is not None:
            for value in self._wanted():
                if value not in VALUES[self.field]:
                    raise ValueError(f"{self.field} is never {value!r}: one of {', '.join(VALUES[self.field])}")
        return self

    def _wanted(self) -> tuple[str | int | None, ...]:
        return self.equals if isinstance(self.equals, tuple) else (self.equals,)

    def _value(self, metadata: CallMetadata) -> object:
        if self.field.startswith(EXTRA):
            return dict(metadata.extra).get(self.field.removeprefix(EXTRA)) or None
        return getattr(metadata, self.field)

    def evaluate(self, context: Context) -> Verdict:
        value = self._value(context.metadata)
        if self.known is not None:
            return TRUE if (value is not None) is self.known else FALSE
        if value is None:
            answers = {"true": TRUE, "false": FALSE, "unknown": unknown(f"metadata_unknown:{self.field}")}
            return answers[self.when_unknown]
        if self.equals is not None:
            wanted = self._wanted()
            return TRUE if value in wanted or str(value) in map(str, wanted) else FALSE
        try:
            number = float(str(value))
        except ValueError:
            return unknown(f"metadata_not_a_number:{self.field}")
        reached = self.at_least is None or number >= self.at_least
        return TRUE if reached and (self.below is None or number < self.below) else FALSE


class CallTimeCheck(Check):
    """The call began at or after ``from_time`` and before ``to_time`` (HH:MM), on one of ``days`` (Monday: 1), by
    the clock of the place that ``started_at`` was written in."""

    from_time: str = Field(default="00:00", pattern=_CLOCK)
    to_time: str = Field(default="24:00", pattern=_CLOCK)
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)

    @model_validator(mode="after")
    def _makes_sense(self) -> "CallTimeCheck":
        if self.to_time <= self.from_time:
            raise ValueError("`to_time` is not after `from_time`; hours over midnight are two checks in `any`")
        if not self.days or not set(self.days) <= set(range(1, 8)):
            raise ValueError("`days` are 1 (Monday) to 7 (Sunday)")
        return self

    def evaluate(self, context: Context) -> Verdict:
        started = context.metadata.started_at
        if started is None:
            return unknown("metadata_unknown:started_at")
        inside = started.isoweekday() in self.days and self.from_time <= f"{started:%H:%M}" < self.to_time
        evidence = Evidence(0.0, 0.0, note=f"began {started.isoformat()}")
        return Verdict(inside, (evidence,))


class RuleCheck(Check):
    """Another rule's outcome."""

    id: str
    outcome: Outcome

    def rules(self) -> Iterable[str]:
        return (self.id,)

    def evaluate(self, context: Context) -> Verdict:
        outcome = context.outcomes[self.id]
        if outcome is Outcome.UNDETERMINED and self.outcome is not Outcome.UNDETERMINED:
            return unknown(f"rule_undetermined:{self.id}")
        return TRUE if outcome is self.outcome else FALSE
