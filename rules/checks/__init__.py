"""The check kinds that a condition may name: one table, name → class."""

from typing import Final

from rules.checks.base import Check
from rules.checks.events import DigitsCheck, InterruptionCheck, SilenceCheck
from rules.checks.facts import MetadataCheck, MetricCheck, RuleCheck
from rules.checks.logic import All, Any, AtLeast, Not
from rules.checks.phrases import PhraseCheck

KINDS: Final[dict[str, type[Check]]] = {
    "all": All,
    "any": Any,
    "not": Not,
    "at_least": AtLeast,
    "phrase": PhraseCheck,
    "silence": SilenceCheck,
    "interruption": InterruptionCheck,
    "digits": DigitsCheck,
    "metric": MetricCheck,
    "metadata": MetadataCheck,
    "rule": RuleCheck,
}

__all__ = ["KINDS", "Check"]
