"""How outsourced vendors do, by month."""

from datetime import date
from typing import Any

from pydantic import ConfigDict, Field

from api.schemas.base import Shown
from api.schemas.figures import IntervalModel
from qa_service.domain.vendors import Contacts, JudgedFigure, Measure, Source, Trend, VendorMonth, Verdict
from qa_service.services.vendors import VendorPerformance

_FIGURE: dict[str, Any] = {
    "measure": "first_contact_resolution",
    "value": 0.62,
    "interval": {"low": 0.57, "high": 0.67},
    "size": 400,
    "source": "calls",
    "whole": True,
    "target": 0.7,
    "verdict": "breached",
}


class VendorFigureModel(Shown):
    """`value` null: unknown, which is not zero. `interval` null: nobody can tell how sure it is. `verdict`:
    breached only when the interval lies beyond the target altogether."""

    model_config = ConfigDict(json_schema_extra={"example": _FIGURE})

    measure: Measure
    value: float | None
    interval: IntervalModel | None
    size: int | None = Field(description="Of how many calls, ratings, complaints or days")
    source: Source | None
    whole: bool = Field(description="False: days of the month are missing")
    target: float | None
    verdict: Verdict

    @staticmethod
    def of(judged: JudgedFigure) -> "VendorFigureModel":
        figure = judged.figure
        return VendorFigureModel(
            measure=figure.measure,
            value=figure.value,
            interval=IntervalModel.of(figure.interval),
            size=figure.size,
            source=figure.source,
            whole=figure.whole,
            target=judged.target,
            verdict=judged.verdict,
        )


class VendorMonthModel(Shown):
    """`over`: the month, and what has to be waited for after it, is over."""

    month: date = Field(description="Its first day")
    over: bool
    figures: list[VendorFigureModel]

    @staticmethod
    def of(month: VendorMonth) -> "VendorMonthModel":
        return VendorMonthModel(
            month=month.starts, over=month.over, figures=[VendorFigureModel.of(each) for each in month.figures]
        )


class TrendModel(Shown):
    measure: Measure
    trend: Trend


class ContactsModel(Shown):
    """Of the last month: first contacts that are counted, those whose window is not over, and calls that name no
    customer."""

    first: int
    resolved: int
    waiting: int
    unfollowed: int

    @staticmethod
    def of(contacts: Contacts) -> "ContactsModel":
        return ContactsModel.model_validate(contacts)


class VendorPerformanceModel(Shown):
    """The oldest month first."""

    name: str
    months: list[VendorMonthModel]
    trends: list[TrendModel]
    contacts: ContactsModel

    @staticmethod
    def of(found: VendorPerformance) -> "VendorPerformanceModel":
        return VendorPerformanceModel(
            name=found.name,
            months=[VendorMonthModel.of(month) for month in found.months],
            trends=[TrendModel(measure=measure, trend=trend) for measure, trend in found.trends.items()],
            contacts=ContactsModel.of(found.contacts),
        )


class VendorComparison(Shown):
    """Vendors side by side, by name."""

    vendors: list[VendorPerformanceModel]
