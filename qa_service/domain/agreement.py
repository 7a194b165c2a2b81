"""How far people agree who judged the same calls: the figures. What cannot be told is None.

Guarantee: pure.
"""

from dataclasses import dataclass
from enum import StrEnum

from qa_service.domain.proportions import Interval

Value = str | float


class Scale(StrEnum):
    """What values mean: names, an order (grades), or distances (points)."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


@dataclass(frozen=True, slots=True)
class Coefficient:
    """``value`` is None where it is undefined, ``interval`` where too few calls were judged to tell."""

    value: float | None = None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two raters over the calls that both judged. ``agreement``: the share on which they said the same.

    ``kappa``: Cohen's, which takes off what chance alone would give.
    """

    first: int
    second: int
    calls: int
    agreement: float | None
    kappa: Coefficient


@dataclass(frozen=True, slots=True)
class Agreement:
    """All raters on one criterion.

    ``calls``: those that at least two judged. ``agreement``: the share of pairs of judgements of one call that are
    the same, each call counting alike. ``alpha``: Krippendorff's.
    """

    calls: int
    agreement: float | None
    alpha: Coefficient
    pairs: tuple[PairAgreement, ...]
