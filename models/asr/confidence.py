"""Word confidence that is a probability: scaled from what a recogniser says about its words.

A word's confidence is the probability that it was heard right: in English that it is the word that was said, in
Mandarin that it has the syllable that was said (zh/z, ch/c, sh/s and -ng/-n alike, no tones). A homophone is heard
right and written wrong. That is what rules ask about, which find phrases by their sound, and it holds on other
calls: how often the recogniser picks the wrong character of the right sound depends on the words of the trade.

The scale is logistic (Platt 1999) in the log-odds of the recogniser's own probability, of its less probable
neighbour's and of its decoding window's mean token probability. Its coefficients are data (``confidence.yaml``),
one row for each engine, model and language, fitted by ``python -m benchmarks.confidence``.

Guarantee: pure but for reading the table; a word's confidence lies in [0, 1] and never falls when a probability
rises; words of confidence 0 (made up, not heard) keep it; without a row for the model nothing is changed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict, NonNegativeFloat
from ruamel.yaml import YAML

from qa_service.domain.conversation import Word

_TABLE = Path(__file__).with_name("confidence.yaml")
_CLOSEST = 1e-3  # to 0 and 1: what a recogniser is surer of than this it is not better at


class Scale(BaseModel):
    """One row of the table. ``own``, ``neighbour`` and ``window`` weigh log-odds; none is negative."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str
    model: str
    revision: str
    language: str
    intercept: float
    own: NonNegativeFloat
    neighbour: NonNegativeFloat
    window: NonNegativeFloat


class ScaleTable(BaseModel):
    """``revision`` names the fit, ``fitted_on`` says what the rows were fitted on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: str
    fitted_on: str
    scales: tuple[Scale, ...]


@dataclass(frozen=True, slots=True)
class ConfidenceScaling:
    """The scales of one model's languages. Without any, its confidences stay what the recogniser says."""

    revision: str
    scales: tuple[Scale, ...]

    @classmethod
    def of(cls, engine: str, *, model: str, revision: str, table: ScaleTable | None = None) -> "ConfidenceScaling":
        """The scaling of a model, from the shipped table unless another is given."""
        table = table or shipped_table()
        rows = tuple(s for s in table.scales if (s.engine, s.model, s.revision) == (engine, model, revision))
        return cls(table.revision, rows) if rows else RAW

    def __call__(self, words: Sequence[Word], *, language: str, log_probability: float) -> tuple[Word, ...]:
        """The words of one decoding window, in order, with scaled confidence.

        ``log_probability``: the window's average log probability of a token.
        """
        scale = next((s for s in self.scales if s.language == language), None)
        return tuple(words) if scale is None else scaled(words, scale, log_probability=log_probability)


RAW = ConfidenceScaling("none", ())
"""What no fit is known for."""


def scaled(words: Sequence[Word], scale: Scale, *, log_probability: float) -> tuple[Word, ...]:
    """``words`` with the confidence that ``scale`` gives them."""
    confidences = [word.confidence for word in words]
    return tuple(
        replace(word, confidence=_probability(scale, features)) if word.confidence > 0 else word
        for word, features in zip(
            words, features_of(words, confidences, log_probability=log_probability), strict=True
        )
    )


def features_of(
    words: Sequence[Word], probabilities: Sequence[float], *, log_probability: float
) -> tuple[tuple[float, float, float], ...]:
    """What the scale weighs, a word: log-odds of its own probability, of its less probable neighbour's (its own
    where it has none), and of the window's. Punctuation is nobody's neighbour."""
    spoken = [i for i, word in enumerate(words) if any(c.isalnum() for c in word.text)]
    nearest: list[list[int]] = [[] for _ in words]
    for before, after in pairwise(spoken):
        nearest[before].append(after)
        nearest[after].append(before)
    window = log_odds(math.exp(min(log_probability, 0.0)))
    return tuple(
        (
            log_odds(probabilities[i]),
            log_odds(min((probabilities[j] for j in nearest[i]), default=probabilities[i])),
            window,
        )
        for i in range(len(words))
    )


def log_odds(probability: float) -> float:
    clipped = min(max(probability, _CLOSEST), 1 - _CLOSEST)
    return math.log(clipped / (1 - clipped))


def _probability(scale: Scale, features: tuple[float, float, float]) -> float:
    own, neighbour, window = features
    total = scale.intercept + scale.own * own + scale.neighbour * neighbour + scale.window * window
    return 1 / (1 + math.exp(-total))


@cache
def shipped_table() -> ScaleTable:
    return ScaleTable.model_validate(YAML(typ="safe").load(_TABLE))
