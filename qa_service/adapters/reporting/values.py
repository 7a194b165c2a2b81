"""How the values of a report are written for people: the one place where numbers are rounded.

Guarantee: what comes from outside (names, references) is data. It holds no control characters afterwards, none
that turn the direction of reading, and nothing that XML cannot hold.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from qa_service.adapters.reporting.words import Language, phrase
from qa_service.domain.reporting.document import CallLink, Cell, Measure, RuleName, Said, Unit

NOTHING: Final = "–"
_UNFIT: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def clean(text: str) -> str:
    """Text that shows itself and does nothing else, wherever it is put."""
    return _UNFIT.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes values in a language, times by the clock of the site. ``titles``: of rules, by their ids."""

    language: Language
    zone: ZoneInfo
    titles: Mapping[str, str] = field(default_factory=dict)

    def text(self, cell: Cell) -> str:
        match cell:
            case None:
                return NOTHING
            case bool():
                return self.say(Said("yes" if cell else "no"))
            case Said():
                return self.say(cell)
            case Measure():
                return self.measure(cell)
            case CallLink():
                return f"#{cell.recording_id}"
            case RuleName():
                title = self.titles.get(cell.rule)
                return clean(f"{title} ({cell.rule})" if title else cell.rule)
            case datetime():
                return cell.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
            case date():
                return cell.isoformat()
            case int():
                return f"{cell:,}"
            case str():
                return clean(cell)

    def say(self, said: Said) -> str:
        return phrase(self.language, said.code, {name: self.text(value) for name, value in said.values})

    def measure(self, measure: Measure) -> str:
        if measure.too_few:
            return self.say(Said("too_few", (("size", measure.size or 0),)))
        if measure.value is None:
            return NOTHING
        text = number(measure.value, measure.unit)
        if measure.interval is None:
            return text
        low, high = (number(bound, measure.unit) for bound in (measure.interval.low, measure.interval.high))
        return f"{text} ({low} … {high})"


def number(value: float, unit: Unit) -> str:
    match unit:
        case Unit.POINTS | Unit.NUMBER | Unit.HOURS:
            return _unsigned_zero(f"{value:,.1f}")
        case Unit.POINTS_CHANGE:
            return _unsigned_zero(f"{value:+,.1f}")
        case Unit.SHARE:
            return _unsigned_zero(f"{value * 100:.1f} %")
        case Unit.SHARE_CHANGE:
            return _unsigned_zero(f"{value * 100:+.1f}")
        case Unit.SECONDS:
            minutes, seconds = divmod(round(abs(value)), 60)
            return f"{'-' if round(value) < 0 else ''}{minutes}:{seconds:02d}"
        case Unit.PROBABILITY:
            return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _unsigned_zero(text: str) -> str:
    return text.lstrip("+-") if not any(digit in text for digit in "123456789") else text
