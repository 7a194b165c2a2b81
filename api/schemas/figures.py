"""Shares, intervals and coefficients, as statistics tell them."""

from pydantic import Field

from api.schemas.base import Shown
from qa_service.domain.agreement import Coefficient
from qa_service.domain.proportions import Interval, Share


class IntervalModel(Shown):
    """A 95 % confidence interval."""

    low: float
    high: float

    @staticmethod
    def of(interval: Interval | None) -> "IntervalModel | None":
        return None if interval is None else IntervalModel(low=interval.low, high=interval.high)


class ShareModel(Shown):
    """`count` of `total`; `value` is null where nothing was counted."""

    count: int
    total: int
    value: float | None
    interval: IntervalModel

    @staticmethod
    def of(share: Share) -> "ShareModel":
        interval = IntervalModel(low=share.interval.low, high=share.interval.high)
        return ShareModel(count=share.count, total=share.total, value=share.value, interval=interval)


class CoefficientModel(Shown):
    """Agreement beyond chance: 1 always, 0 no more than by chance."""

    value: float | None = Field(description="Null where everybody said the same of every call")
    interval: IntervalModel | None = Field(description="Null where too few calls were judged to tell")

    @staticmethod
    def of(coefficient: Coefficient) -> "CoefficientModel":
        return CoefficientModel(value=coefficient.value, interval=IntervalModel.of(coefficient.interval))
