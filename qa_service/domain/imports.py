"""Figures of other systems, a row at a time: what a row says, or what is wrong with it and what to do.

Guarantee: pure. A row either says one thing or is refused: a date that two countries read differently, or a number
that may be a share or a per cent, is never guessed at.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

MAX_TEXT: Final = 200
_EARLIEST, _LATEST = 1990, 2100


class ImportKind(StrEnum):
    """What a table is about. Names are stable: commands and requests give them."""

    AGENT_STATES = "agent-states"
    KPI_FIGURES = "kpi-figures"
    VENDOR_FIGURES = "vendor-figures"


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with a row. ``code`` is stable; a ``warning`` leaves the row in force."""

    code: str
    message: str
    remedy: str
    column: str = ""
    warning: bool = False


class RefusedRowError(Exception):
    """A row that says nothing that can be used."""

    def __init__(self, fault: RowFault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def refuse(code: str, column: str, message: str, remedy: str) -> RefusedRowError:
    return RefusedRowError(RowFault(code, message, remedy, column))


_DAY: Final = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|(\d{2})(\d{2}))"
)
_HAN_DAY: Final = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日")
_SHORT_DAY: Final = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_MONTH: Final = re.compile(r"(\d{4})(?:-(\d{1,2})|/(\d{1,2})|\.(\d{1,2})|年(\d{1,2})月|(\d{2}))")
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?")
_LENGTH: Final = re.compile(r"(-?)(\d{1,3}):(\d{2}):(\d{2})")
_ZONE: Final = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")
_NUMBER: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
_GROUPED: Final = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d{1,15})?")


def text_of(values: Mapping[str, str], column: str) -> str:
    """A text that has to be there."""
    text = values.get(column, "").strip()
    if not text:
        raise refuse("value_missing", column, f"{column} is empty", "fill it in")
    if len(text) > MAX_TEXT or not text.isprintable():
        raise refuse(
            "value_invalid", column, f"{column} is no text of at most {MAX_TEXT} characters", "correct it"
        )
    return text


def day_of(text: str, column: str) -> date:
    """A day, the year first; the year last only where no other reading is possible."""
    found = _DAY.fullmatch(text) or _HAN_DAY.fullmatch(text)
    if found is not None:
        return _date(text, column, *(int(part) for part in found.groups() if part is not None))
    found = _SHORT_DAY.fullmatch(text)
    if found is None:
        raise refuse("date_invalid", column, f"{text!r} is no date", "write 2026-10-05")
    first, second, year = map(int, found.groups())
    if first != second and max(first, second) <= 12:
        raise refuse("date_ambiguous", column, f"{text!r} may be two days", "write 2026-10-05, the year first")
    month, day = (second, first) if first > 12 else (first, second)
    return _date(text, column, year, month, day)


def _date(text: str, column: str, year: int, month: int, day: int) -> date:
    try:
        found = date(year, month, day)
    except ValueError:
        raise refuse("date_invalid", column, f"there is no {text!r}", "correct it") from None
    if not _EARLIEST <= year < _LATEST:
        raise refuse("date_invalid", column, f"{text!r} is not of our time", "correct the year")
    return found


def month_of(text: str, column: str) -> date:
    """The first day of a month that is written without one."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise refuse("month_invalid", column, f"{text!r} is no month", "write 2026-10")
    year, month = (int(part) for part in found.groups() if part is not None)
    return _date(text, column, year, month, 1)


def moment_of(text: str, column: str, zone: tzinfo) -> datetime:
    """A moment, in UTC; without a zone of its own by the clock of ``zone``, where that clock showed it once."""
    told_zone = _ZONE.search(text)
    own = re.sub(r"[T\s]+", " ", text[: told_zone.start()] if told_zone else text).strip()
    day, _, clock = own.partition(" ")
    found = _CLOCK.fullmatch(clock)
    if found is None:
        raise refuse("time_invalid", column, f"{text!r} is no time", "write 2026-10-05 09:30:00")
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise refuse("time_invalid", column, f"there is no {clock!r}", "write 2026-10-05 09:30:00")
    fraction = int((found[4] or "").ljust(6, "0"))
    of_day = day_of(day, column)
    naive = datetime(of_day.year, of_day.month, of_day.day, hour, minute, second, fraction)
    if told_zone:
        try:
            return datetime.fromisoformat(f"{naive.isoformat()}{told_zone[0]}").astimezone(UTC)
        except ValueError:
            raise refuse("time_invalid", column, f"there is no zone {told_zone[0]!r}", "write +08:00") from None
    return _by_clock(naive, text, column, zone)


def _by_clock(naive: datetime, text: str, column: str, zone: tzinfo) -> datetime:
    early, late = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    shown = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if shown != naive:
        raise refuse(
            "time_invalid", column, f"no clock here showed {text!r}", "write the time with its zone, +08:00"
        )
    if early.utcoffset() != late.utcoffset():
        raise refuse(
            "time_ambiguous", column, f"clocks here showed {text!r} twice", "write the time with its zone, +08:00"
        )
    return early.astimezone(UTC)


def number_of(text: str, column: str) -> float:
    """A number with a point; commas only between thousands."""
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if not _NUMBER.fullmatch(text):
        raise refuse("number_invalid", column, f"{text[:40]!r} is no number", "write it as 1234.5")
    return float(text)


def share_of(text: str, column: str) -> float:
    """A share from 0 to 1. ``93%`` is one; a bare 93 could have lost its point as well as its sign."""
    per_cent = text.endswith(("%", "％"))
    value = number_of(text[:-1].strip() if per_cent else text, column)
    if not per_cent and value > 1:
        raise refuse("share_ambiguous", column, f"{text!r} is no share", f"write {text}% or a number from 0 to 1")
    share = value / 100 if per_cent else value
    if not 0 <= share <= 1:
        raise refuse("number_out_of_range", column, f"{text!r} is no share", "write 0% to 100%")
    return share


def between(low: float, high: float) -> Callable[[str, str], float]:
    """Reads a number from ``low`` to ``high``."""

    def read(text: str, column: str) -> float:
        value = number_of(text, column)
        if not low <= value <= high:
            raise refuse(
                "number_out_of_range", column, f"{text!r} does not lie in {low:g} to {high:g}", "correct it"
            )
        return value

    return read


def count_of(text: str, column: str) -> int:
    value = number_of(text, column)
    if value < 0 or value != int(value) or value > 1e9:
        raise refuse("number_out_of_range", column, f"{text!r} is no count", "write a whole number from 0 on")
    return int(value)


def length_of(text: str, column: str) -> timedelta:
    """How long something lasted: seconds, or H:MM:SS."""
    found = _LENGTH.fullmatch(text)
    if found is None:
        seconds_told = number_of(text, column)
        try:
            return timedelta(seconds=seconds_told)
        except OverflowError:
            raise refuse(
                "duration_negative" if seconds_told < 0 else "duration_absurd",
                column,
                f"nothing lasts {text} seconds",
                "correct it",
            ) from None
    minutes, seconds = int(found[3]), int(found[4])
    if minutes > 59 or seconds > 59:
        raise refuse("number_invalid", column, f"there is no {text!r}", "write seconds, or 0:05:30")
    length = timedelta(hours=int(found[2]), minutes=minutes, seconds=seconds)
    return -length if found[1] else length
