"""Amounts, percentages, dates, times and durations in Mandarin, spoken or written."""

import re
from datetime import date
from decimal import Decimal
from typing import Final

from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.numbers.han import DIGITS, NUMERAL, decimal_text, digits_of, quantity_at, whole_number

_PERCENT: Final = re.compile("百分之(?!百)")
_WHOLE: Final = re.compile("百分之?百")
_PERCENT_AFTER: Final = re.compile(r" ?%|个?百分点")

_CURRENCIES: Final = {
    "人民币": "CNY", "元钱": "CNY", "元": "CNY", "块钱": "CNY", "块": "CNY",
    "美元": "USD", "美金": "USD", "美刀": "USD", "港币": "HKD", "港元": "HKD", "欧元": "EUR", "英镑": "GBP",
    "日元": "JPY", "澳元": "AUD", "加元": "CAD", "新币": "SGD",
}  # fmt: skip
_CURRENCY: Final = re.compile("|".join(sorted(_CURRENCIES, key=len, reverse=True)))
_SMALL_MONEY: Final = re.compile(
    rf"(?P<jiao>[{DIGITS}两半])(?:毛|角)?(?:(?P<fen>[{DIGITS}])分)?钱?(?![{NUMERAL}.点])"
)
_JIAO: Final = re.compile(
    rf"(?P<jiao>[{DIGITS}两])(?:毛(?P<fen>[{DIGITS}])?|角(?=钱|[{DIGITS}]分)(?P<fen2>[{DIGITS}])?)分?钱?"
)
_FEN: Final = re.compile(rf"(?P<fen>[{DIGITS}两])分钱")

_YEAR: Final = re.compile(rf"(?P<year>[{DIGITS}]{{4}})年")
_MONTH: Final = re.compile(rf"(?P<month>[{DIGITS}十]{{1,3}})月份?(?:(?P<day>[{DIGITS}十]{{1,3}})[号日])?")
_WRITTEN_DATE: Final = re.compile(
    r"(?P<year>(?:19|20)\d\d)([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?![\d\-/.])"
)

_MORNING: Final = ("凌晨", "清晨", "早上", "早晨", "上午", "今早", "明早")
_AFTERNOON: Final = ("下午", "傍晚", "晚上", "今晚", "明晚", "昨晚", "午后")
_NIGHT: Final = ("晚上", "今晚", "明晚", "昨晚")
_NOON: Final = ("中午",)
_CLOCK: Final = re.compile(
    rf"(?P<hour>[{DIGITS}两十]{{1,3}})(?:点|时(?=[{DIGITS}十]{{1,3}}分))"
    rf"(?:(?P<half>半)|(?P<quarter>[一三])刻|(?P<exact>钟|整)|(?P<minute>[{DIGITS}十]{{1,3}})(?P<fen>分?))?"
)
_WRITTEN_CLOCK: Final = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::[0-5]\d)?(?![:\d])")

_HALF_DURATION: Final = re.compile(r"半个?(?P<unit>小时|钟头|月|年(?!度|级))")
_DURATION: Final = re.compile(
    r"(?P<half>个半(?=小时|钟头|月))?(?:个(?=小时|钟头|月|星期|礼拜|季度))?"
    r"(?P<unit>小时|钟头|分钟|秒钟|秒|天|星期|礼拜|周(?![岁年])|年(?!级|代|度|货|终|纪|[\d零一二三四五六七八九十]{1,2}月)|月)(?P<half2>半)?"
)
_ISO_UNITS: Final = {
    "小时": ("T", "H"), "钟头": ("T", "H"), "分钟": ("T", "M"), "秒钟": ("T", "S"), "秒": ("T", "S"),
    "天": ("", "D"), "星期": ("", "W"), "礼拜": ("", "W"), "周": ("", "W"), "月": ("", "M"), "年": ("", "Y"),
}  # fmt: skip
# 一天到晚, 一年四季, 有一天: a stretch of time and no measure of one.
_IDLE_ONE: Final = re.compile("一(?:天|年|秒|星期|礼拜|周)")


def percent_at(plain: str, start: int) -> SpokenNumber | None:
    if whole := _WHOLE.match(plain, start):
        return SpokenNumber(start, whole.end(), NumberKind.PERCENT, "100")
    if prefix := _PERCENT.match(plain, start):
        share = quantity_at(plain, prefix.end())
        end = share.end if share else 0
    else:
        share = quantity_at(plain, start)
        suffix = _PERCENT_AFTER.match(plain, share.end) if share else None
        end = suffix.end() if suffix else 0
    if share is None or not end:
        return None
    return SpokenNumber(start, end, NumberKind.PERCENT, decimal_text(share.value), "", share.approximate)


def amount_at(plain: str, start: int) -> SpokenNumber | None:
    """两块五, 三千二百八十元, 50多块钱, 五毛."""
    if small := _JIAO.match(plain, start) or _FEN.match(plain, start):
        parts = small.groupdict()
        value = Decimal(_digit(parts.get("jiao"))) / 10 + Decimal(_digit(parts["fen"] or parts.get("fen2"))) / 100
        return SpokenNumber(start, small.end(), NumberKind.AMOUNT, decimal_text(value), "CNY")
    money = quantity_at(plain, start)
    currency = _CURRENCY.match(plain, money.end) if money else None
    if money is None or currency is None:
        return None
    value, end, unit = money.value, currency.end(), _CURRENCIES[currency[0]]
    change = _SMALL_MONEY.match(plain, end) if currency[0] in ("元", "块") and not money.approximate else None
    if change:
        value += Decimal("0.5") if change["jiao"] == "半" else Decimal(_digit(change["jiao"])) / 10
        value += Decimal(_digit(change["fen"])) / 100
        end = change.end()
    elif currency[0] == "块" and money.bare:
        return None  # 一块 is together, 两块 two pieces: nobody can tell without 钱
    return SpokenNumber(start, end, NumberKind.AMOUNT, decimal_text(value), unit, money.approximate)


def _digit(character: str | None) -> int:
    return whole_number(character) or 0 if character else 0


def date_at(plain: str, start: int) -> SpokenNumber | None:
    """二零二五年三月五号, 3月5日, 五月份; a day without its month is none (八号楼, 六零三五号客服)."""
    if written := _WRITTEN_DATE.match(plain, start):
        value = _iso_date(int(written["year"]), int(written["month"]), int(written["day"]))
        return SpokenNumber(start, written.end(), NumberKind.DATE, value) if value else None
    year, end = None, start
    if said := _YEAR.match(plain, start):
        year, end = int(digits_of(said["year"]) or 0), said.end()
        if not 1900 <= year < 2100:
            return None
    if named := _MONTH.match(plain, end):
        month, day = whole_number(named["month"]), whole_number(named["day"]) if named["day"] else None
        if value := _iso_date(year, month, day):
            return SpokenNumber(start, named.end(), NumberKind.DATE, value)
    return SpokenNumber(start, end, NumberKind.DATE, str(year)) if year else None


def _iso_date(year: int | None, month: int | None, day: int | None) -> str | None:
    """None where the calendar has no such day; without a year, the 29th of February exists."""
    if not month:
        return None
    try:
        date(year or 2000, month, 1 if day is None else day)
    except ValueError:
        return None
    return f"{'-' if year is None else year}-{month:02}" + (f"-{day:02}" if day is not None else "")


def time_at(plain: str, start: int) -> SpokenNumber | None:
    """下午三点半, 八点一刻, 15:30. A bare 三点 is a time; 一点, a bit, and 两点, two points, only with more."""
    part = _part_of_day(plain, start)
    if written := _WRITTEN_CLOCK.match(plain, start):
        return _time(start, written.end(), int(written["hour"]), int(written["minute"]), part)
    clock = _CLOCK.match(plain, start)
    hour = whole_number(clock["hour"]) if clock else None
    if clock is None or hour is None:
        return None
    minute, end = 0, clock.end()
    told = bool(part or clock["half"] or clock["quarter"] or clock["exact"])
    if clock["half"]:
        minute = 30
    elif clock["quarter"]:
        minute = 15 * (whole_number(clock["quarter"]) or 0)
    elif clock["minute"]:
        read = _minutes(clock["minute"])
        if read is None or not (told or clock["fen"] or "十" in clock["minute"]):
            return None  # 三点五, 三点四五: a decimal
        minute, told = read, True
    if not told and (hour < 3 or plain[max(0, start - 1) : start] in tuple("有第这那几共")):
        return None
    return _time(start, end, hour, minute, part)


def _minutes(said: str) -> int | None:
    digits = digits_of(said)
    if digits is not None and len(digits) == 2:
        return int(digits) if digits < "60" else None  # 零五, 45
    value = whole_number(said)
    return value if value is not None and value < 60 else None


def _part_of_day(plain: str, start: int) -> str:
    before = plain[max(0, start - 3) : start].rstrip("的 ,")
    return next((p for p in (*_MORNING, *_AFTERNOON, *_NOON) if before.endswith(p)), "")


def _time(start: int, end: int, hour: int, minute: int, part: str) -> SpokenNumber | None:
    if part in _NIGHT and hour == 12:
        hour = 24
    elif (part in _AFTERNOON and hour < 12) or (part in _NOON and hour < 3):
        hour += 12
    elif part == "凌晨" and hour == 12:
        hour = 0
    if hour > 24 or (hour == 24 and minute):
        return None
    return SpokenNumber(start, end, NumberKind.TIME, f"{hour % 24:02}:{minute:02}")


def duration_at(plain: str, start: int) -> SpokenNumber | None:
    """二十分钟, 三天, 两个半小时, 48小时; not 一天 (one day, some day)."""
    if half := _HALF_DURATION.match(plain, start):
        halved = {"小时": "PT30M", "钟头": "PT30M", "月": "P0.5M", "年": "P6M"}[half["unit"]]
        return SpokenNumber(start, half.end(), NumberKind.DURATION, halved)
    length = quantity_at(plain, start)
    unit = _DURATION.match(plain, length.end) if length else None
    if length is None or unit is None or _IDLE_ONE.match(plain, start):
        return None
    if unit["unit"] == "月" and plain[unit.start()] != "个":
        return None
    time, letter = _ISO_UNITS[unit["unit"]]
    value = length.value + (Decimal("0.5") if unit["half"] or unit["half2"] else 0)
    iso = f"P{time}{decimal_text(value)}{letter}"
    return SpokenNumber(start, unit.end(), NumberKind.DURATION, iso, "", length.approximate)
