"""Amounts, percentages, dates, times and durations in English, spoken or written."""

import re
from datetime import date
from decimal import Decimal
from typing import Final

from qa_service.domain.numbers.english_words import (
    ORDINAL,
    ORDINALS,
    Word,
    cardinal,
    digit_reading,
    words_at,
)
from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.numbers.han import decimal_text
from qa_service.domain.numbers.runs import kind_of

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
MONTH: Final = "|".join(_MONTHS)
_MONTH = f"(?P<month>{MONTH})"
_DAY = rf"(?P<day>\d{{1,2}}(?:st|nd|rd|th)?(?!\d|[.:]\d|[a-z])|{ORDINAL}(?![a-z]))"
_MONTH_DAY: Final = re.compile(
    rf"(?<![a-z]){_MONTH}(?: the)? {_DAY}(?P<tail>(?:,| of)? ?(?P<year>(?:19|20)\d\d)(?!\d))?"
)
_DAY_MONTH: Final = re.compile(
    rf"(?<![a-z\d]){_DAY}(?: of)? {_MONTH}(?![a-z])(?P<tail>,? ?(?P<year>(?:19|20)\d\d)(?!\d))?"
)
_MONTH_YEAR: Final = re.compile(rf"(?<![a-z]){_MONTH},? (?P<year>(?:19|20)\d\d)(?!\d)")
_YEAR_TAIL: Final = re.compile(r",? (?:of )?")
_YEAR_BEFORE: Final = ("in ", "since ", "year ", "by ", "until ", "of ")

_WRITTEN: Final = re.compile(r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,12})(?:\.\d{1,8})?(?![\d]|\.\d)")
_PREFIX: Final = re.compile(r"(?P<sign>[$€£¥]) ?")
_SIGNS: Final = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "CNY"}
_CURRENCY: Final = re.compile(
    r" (?:us )?(?P<name>hong kong dollars?|dollars?|bucks?|usd|pounds?(?! of)|quid|euros?|yuan|rmb|cny|hkd|yen)"
    r"(?![a-z])"
)
_CURRENCIES: Final = {
    "dollar": "USD", "buck": "USD", "usd": "USD", "pound": "GBP", "quid": "GBP", "euro": "EUR", "yuan": "CNY",
    "rmb": "CNY", "cny": "CNY", "hong kong dollar": "HKD", "hkd": "HKD", "yen": "JPY",
}  # fmt: skip
_CENTS: Final = re.compile(r" (?:cents?|pence|p)(?![a-z])")
_JOIN_CENTS: Final = re.compile(r"(?: and)? ")
_SCALE: Final = re.compile(r" ?(?P<scale>thousand|million|billion|[kmw万亿](?![a-z]))")
_SCALES: Final = {
    "thousand": 10**3, "k": 10**3, "million": 10**6, "m": 10**6, "billion": 10**9,
    "w": 10**4, "万": 10**4, "亿": 10**8,
}  # fmt: skip
_PERCENT: Final = re.compile(r" ?%| per ?cent(?![a-z])")
_DURATION: Final = re.compile(
    r"[ -](?P<half>and a half )?(?P<unit>(?:second|minute|hour|day|week|month|year)s?)(?![a-z])"
)
_ISO: Final = {
    "second": "T{}S",
    "minute": "T{}M",
    "hour": "T{}H",
    "day": "{}D",
    "week": "{}W",
    "month": "{}M",
    "year": "{}Y",
}
_HALF_PAST: Final = re.compile(r"(?<![a-z])(?P<part>half|quarter|a quarter) (?P<side>past|to|after) ")
_MERIDIEM: Final = re.compile(
    r" ?(?:(?P<half>[ap])\.?m(?![a-z])\.?|o'? ?clock|in the (?P<part>morning|afternoon|evening))"
)
_CLOCK: Final = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?![:\d])")


def written_at(plain: str, start: int) -> tuple[Decimal, int] | None:
    match = _WRITTEN.match(plain, start)
    return (Decimal(match[0].replace(",", "")), match.end()) if match else None


def _spoken(words: tuple[Word, ...]) -> tuple[Decimal, int] | None:
    """The cardinal that ``words`` start with, the digits after ``point`` included, and where it ends."""
    read = cardinal(words)
    if read is None:
        return None
    value, after = read
    result, end = Decimal(value), words[after - 1].end
    if after + 1 < len(words) and words[after].text == "point" and not words[after + 1].apart:
        rest = tuple(words[after + 1 :])
        reading = digit_reading(rest)
        if reading is not None and len(reading[0]) <= 8:
            return result + Decimal(int(reading[0])) / 10 ** len(reading[0]), rest[-1].end
    return result, end


def _quantity_at(plain: str, start: int) -> tuple[Decimal, int] | None:
    written = written_at(plain, start)
    if written is not None:
        scale = _SCALE.match(plain, written[1])
        return (written[0] * _SCALES[scale["scale"]], scale.end()) if scale else written
    return _spoken(words_at(plain, start))


def percent_at(plain: str, start: int) -> SpokenNumber | None:
    share = _quantity_at(plain, start)
    suffix = _PERCENT.match(plain, share[1]) if share else None
    if share is None or suffix is None:
        return None
    return SpokenNumber(start, suffix.end(), NumberKind.PERCENT, decimal_text(share[0]))


def amount_at(plain: str, start: int) -> SpokenNumber | None:
    """$25.50, twenty five dollars and ten cents, 50 cents."""
    if sign := _PREFIX.match(plain, start):
        money = _quantity_at(plain, sign.end())
        if money is None:
            return None
        return SpokenNumber(start, money[1], NumberKind.AMOUNT, decimal_text(money[0]), _SIGNS[sign["sign"]])
    money = _quantity_at(plain, start)
    if money is None:
        return None
    value, end = money
    if cents := _CENTS.match(plain, end):
        unit = "GBP" if "p" in cents[0] else "USD"
        return SpokenNumber(start, cents.end(), NumberKind.AMOUNT, decimal_text(value / 100), unit)
    named = _CURRENCY.match(plain, end)
    if named is None:
        return None
    unit, end = _CURRENCIES[named["name"].removesuffix("s")], named.end()
    if join := _JOIN_CENTS.match(plain, end):
        change = _quantity_at(plain, join.end())
        cents = _CENTS.match(plain, change[1]) if change else None
        if change and cents and change[0] < 100:
            value, end = value + change[0] / 100, cents.end()
    return SpokenNumber(start, end, NumberKind.AMOUNT, decimal_text(value), unit)


def duration_at(plain: str, start: int) -> SpokenNumber | None:
    """48 hours, three weeks, two and a half hours; not one second, one day; working days are no calendar's."""
    length = _quantity_at(plain, start)
    unit = _DURATION.match(plain, length[1]) if length else None
    if (
        length is None
        or unit is None
        or " " in unit["unit"]
        or (length[0] == 1 and unit["unit"] in ("second", "minute", "day"))
    ):
        return None
    value = length[0] + (Decimal("0.5") if unit["half"] else 0)
    iso = "P" + _ISO[unit["unit"].removesuffix("s")].format(decimal_text(value))
    return SpokenNumber(start, unit.end(), NumberKind.DURATION, iso)


def date_at(plain: str, start: int) -> SpokenNumber | None:
    """March third, 3rd of March 2025, May 2025."""
    for pattern in (_MONTH_DAY, _DAY_MONTH):
        if match := pattern.match(plain, start):
            month, day = _MONTHS.index(match["month"]) + 1, _day(match["day"])
            year, end = match["year"], match.end()
            if year is None:
                year, end = _spoken_year(plain, end)
            if match["month"] == "may" and match["day"].isdigit() and year is None:
                return None  # all 3 may apply, you may 3 times
            try:
                date(int(year or 2000), month, day)
            except ValueError:
                return None
            return SpokenNumber(start, end, NumberKind.DATE, f"{year or '-'}-{month:02}-{day:02}")
    if match := _MONTH_YEAR.match(plain, start):
        month = _MONTHS.index(match["month"]) + 1
        return SpokenNumber(start, match.end(), NumberKind.DATE, f"{match['year']}-{month:02}")
    if (year := _year_at(plain, start)) and plain.endswith(_YEAR_BEFORE, max(0, start - 6), start):
        return SpokenNumber(start, year[1], NumberKind.DATE, year[0])
    return None


def _day(said: str) -> int:
    if said[0].isdigit():
        return int(re.sub(r"\D", "", said))
    tens, _, rest = said.replace("-", " ").rpartition(" ")
    return {"twenty": 20, "thirty": 30}.get(tens, 0) + ORDINALS[rest]


def _spoken_year(plain: str, end: int) -> tuple[str | None, int]:
    tail = _YEAR_TAIL.match(plain, end)
    year = _year_at(plain, tail.end()) if tail else None
    return year or (None, end)


def _year_at(plain: str, start: int) -> tuple[str, int] | None:
    """nineteen eighty four, twenty twenty five, two thousand (and) five."""
    words = words_at(plain, start)
    if not words or words[0].start != start:
        return None
    read = cardinal(words)
    if read and read[1] == len(words) and 2000 <= read[0] < 2100:
        return str(read[0]), words[-1].end
    reading = digit_reading(words)
    if reading and len(reading[0]) == 4 and words[0].text in ("nineteen", "twenty"):
        return reading[0], words[-1].end
    return None


def time_at(plain: str, start: int) -> SpokenNumber | None:
    """8:30 am, three pm, eight thirty in the evening, half past two, five o'clock."""
    if relative := _HALF_PAST.match(plain, start):
        hour = _quantity_at(plain, relative.end())
        if hour is None or not 1 <= hour[0] <= 12 or hour[0] % 1:
            return None
        minutes = 30 if relative["part"] == "half" else 15
        if relative["side"] == "to":
            minutes = -minutes
        meridiem = _MERIDIEM.match(plain, hour[1])
        return _time(start, hour[1], int(hour[0]), minutes, meridiem)
    if clock := _CLOCK.match(plain, start):
        meridiem = _MERIDIEM.match(plain, clock.end())
        return _time(start, clock.end(), int(clock["hour"]), int(clock["minute"]), meridiem) if meridiem else None
    if written := written_at(plain, start):
        meridiem = _MERIDIEM.match(plain, written[1])
        return _time(start, written[1], int(written[0]), 0, meridiem) if meridiem and not written[0] % 1 else None
    words = words_at(plain, start)
    meridiem = _MERIDIEM.match(plain, words[-1].end) if words else None
    read = cardinal(words)
    if meridiem is None or read is None or read[0] > 12:
        return None
    minute = digit_reading(words[read[1] :]) if read[1] < len(words) else ("0", ())
    if minute is None or len(minute[0]) > 2:
        return None
    return _time(start, words[-1].end, read[0], int(minute[0]), meridiem)


def _time(start: int, end: int, hour: int, minute: int, meridiem: re.Match[str] | None) -> SpokenNumber | None:
    if meridiem:
        end = meridiem.end()
        if hour > 12:
            return None
        if meridiem["half"] == "p" or meridiem["part"] in ("afternoon", "evening"):
            hour = hour % 12 + 12
        elif meridiem["half"] == "a" or meridiem["part"] == "morning":
            hour %= 12
    if hour > 24 or minute > 59:
        return None
    total = (hour * 60 + minute) % (24 * 60)
    return SpokenNumber(start, end, NumberKind.TIME, f"{total // 60:02}:{total % 60:02}")


_ALWAYS_OPEN: Final = ("twenty", "four", "seven")


def words_in_row(plain: str, start: int) -> tuple[SpokenNumber | None, int]:
    """The digits or the cardinal that a row of number words says, and where the row ends.

    One digit alone is a word like any other (no one, one of them); so is a row that reads as neither.
    """
    words = words_at(plain, start)
    if not words:
        return None, start + 1
    if words[0].text in ("oh", "o") and len(words) > 1 and words[1].apart:
        return None, words[0].end
    upto = next((i for i, word in enumerate(words) if i and word.apart), len(words))
    reading = digit_reading(words)
    if reading and len(words) > upto and _single_digits(words):
        upto = len(words)
    row = words[:upto]
    end = row[-1].end
    value = _spoken(row)
    if value is not None and value[1] == end:
        if len(row) == 1 and value[0] < 10:
            return None, end
        return SpokenNumber(start, end, NumberKind.CARDINAL, decimal_text(value[0])), end
    reading = digit_reading(row)
    repeated = len(row) == 2 and row[0].text == row[1].text  # fifty fifty
    if reading is None or len(reading[0]) < 3 or repeated or tuple(w.text for w in row) == _ALWAYS_OPEN:
        return None, end
    return SpokenNumber(start, end, kind_of(reading[0], groups=reading[1]), reading[0]), end


def _single_digits(words: tuple[Word, ...]) -> bool:
    return all(cardinal((word,)) is None or (cardinal((word,)) or (10, 0))[0] < 10 for word in words)
