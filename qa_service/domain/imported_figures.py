"""Monthly figures of agents and vendors that other systems count, read from rows.

Guarantee: pure. A figure that a row does not hold is unknown, which is not zero.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from qa_service.domain.imports import (
    ImportKind,
    RefusedRowError,
    between,
    count_of,
    day_of,
    month_of,
    refuse,
    share_of,
    text_of,
)

Reader = Callable[[str, str], float]
_POINTS: Final = between(0, 100)
_SECONDS: Final = between(0, 86_400)
_COUNT: Final[Reader] = count_of

SIZE_SUFFIX: Final = "_n"
"""``satisfaction_n``: how many ratings the figure is of, so that its error is known."""

AGENT_FIGURES: Final[Mapping[str, Reader]] = {
    "volume": _COUNT,
    "connect_rate": share_of,
    "success_rate": share_of,
    "satisfaction": share_of,
    "attitude": _POINTS,
    "customer_appraisal": _POINTS,
}
VENDOR_FIGURES: Final[Mapping[str, Reader]] = {
    "calls": _COUNT,
    "response_s": _SECONDS,
    "first_contact_resolution": share_of,
    "satisfaction": share_of,
    "abandonment": share_of,
    "availability": share_of,
    "peak_availability": share_of,
    "security_incidents": _COUNT,
}
FIGURES: Final[Mapping[ImportKind, Mapping[str, Reader]]] = {
    ImportKind.KPI_FIGURES: AGENT_FIGURES,
    ImportKind.VENDOR_FIGURES: VENDOR_FIGURES,
}
SUBJECTS: Final[Mapping[ImportKind, str]] = {
    ImportKind.KPI_FIGURES: "agent_id",
    ImportKind.VENDOR_FIGURES: "vendor",
}

_HAN: Final[Mapping[str, str]] = {
    "工号": "agent_id",
    "坐席工号": "agent_id",
    "月份": "period",
    "月": "period",
    "month": "period",
    "day": "period",
    "日期": "period",
    "外包商": "vendor",
    "供应商": "vendor",
    "通话量": "volume",
    "接通率": "connect_rate",
    "成功率": "success_rate",
    "满意度": "satisfaction",
    "态度": "attitude",
    "客户评价": "customer_appraisal",
    "来电量": "calls",
    "响应时间": "response_s",
    "首次解决率": "first_contact_resolution",
    "放弃率": "abandonment",
    "可用率": "availability",
    "高峰可用率": "peak_availability",
    "安全事件": "security_incidents",
}


@dataclass(frozen=True, slots=True)
class ImportedFigure:
    """A figure of an agent or vendor over the month, or the day, that begins on ``starts``.

    ``size``: of how many calls or ratings it is the share or mean; None: nobody told.
    """

    subject: str
    starts: date
    is_month: bool
    name: str
    value: float
    size: int | None = None


def columns_of(kind: ImportKind) -> Mapping[str, str]:
    """The columns of a kind by the names that people write."""
    names = FIGURES[kind]
    known = {"period", SUBJECTS[kind], *names, *(name + SIZE_SUFFIX for name in names)}
    return {**{told: name for told, name in _HAN.items() if name in known}, **{name: name for name in known}}


def figures_of(kind: ImportKind, values: Mapping[str, str]) -> tuple[ImportedFigure, ...]:
    """What a row says, a figure for each column that is filled in.

    Raises:
        RefusedRowError: where any of it cannot be: half a row is not taken.
    """
    readers = FIGURES[kind]
    subject = text_of(values, SUBJECTS[kind])
    starts, is_month = _period(kind, text_of(values, "period"))
    told = {name: values[name].strip() for name in readers if values.get(name, "").strip()}
    sizes = {name: values.get(name + SIZE_SUFFIX, "").strip() for name in readers}
    if not told:
        raise refuse("value_missing", "", "the row holds no figure", "fill one in, or leave the row out")
    alone = next((name for name, size in sizes.items() if size and name not in told), None)
    if alone is not None:
        raise refuse("value_missing", alone, f"{alone} is empty, and its count is not", "fill it in")
    return tuple(
        ImportedFigure(
            subject,
            starts,
            is_month,
            name,
            readers[name](text, name),
            count_of(sizes[name], name + SIZE_SUFFIX) if sizes[name] else None,
        )
        for name, text in told.items()
    )


def _period(kind: ImportKind, text: str) -> tuple[date, bool]:
    try:
        return month_of(text, "period"), True
    except RefusedRowError as error:
        if kind is ImportKind.KPI_FIGURES or error.fault.code != "month_invalid":
            raise
    return day_of(text, "period"), False
