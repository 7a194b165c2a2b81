"""The check kinds that a condition may name: one table, name → class."""

from typing import Final

from rules.checks.base import Check
from rules.checks.digits import DigitsCheck
from rules.checks.entities import EntityCheck
from rules.checks.events import InterruptionCheck, SilenceCheck, SpeechCheck
from rules.checks.facts import CallTimeCheck, MetadataCheck, MetricCheck, RuleCheck
from rules.checks.logic import All, Any, AtLeast, Not
from rules.checks.patterns import PatternCheck, SimilarCheck
from rules.checks.phrases import PhraseCheck
from rules.checks.questions import LatencyCheck, QuestionCheck
from rules.checks.sequence import RepeatCheck, SequenceCheck
from rules.checks.tokens import TokensCheck
from rules.checks.volume import VolumeCheck

KINDS: Final[dict[str, type[Check]]] = {
    "all": All,
    "any": Any,
    "not": Not,
    "at_least": AtLeast,
    "phrase": PhraseCheck,
    "pattern": PatternCheck,
    "tokens": TokensCheck,
    "similar": SimilarCheck,
    "question": QuestionCheck,
    "entity": EntityCheck,
    "repeat": RepeatCheck,
    "sequence": SequenceCheck,
    "speech": SpeechCheck,
    "silence": SilenceCheck,
    "latency": LatencyCheck,
    "interruption": InterruptionCheck,
    "volume": VolumeCheck,
    "digits": DigitsCheck,
    "metric": MetricCheck,
    "metadata": MetadataCheck,
    "call_time": CallTimeCheck,
    "rule": RuleCheck,
}

__all__ = ["KINDS", "Check"]
