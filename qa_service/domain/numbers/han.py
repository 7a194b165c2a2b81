"""Reading Mandarin numerals, as people say them and as recognisers mix them with written digits."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

DIGIT_OF: Final = {character: str(value) for value, character in enumerate("零一二三四五六七八九")} | {"幺": "1"}
DIGITS: Final = "0-9零一二三四五六七八九幺"
UNITS: Final = "十百千万亿"
NUMERAL: Final = f"{DIGITS}两{UNITS}"

_SMALL: Final = {"十": 10, "百": 100, "千": 1_000}
_LARGE: Final = {"万": 10_000, "亿": 100_000_000}
_TOKEN = re.compile(r"\d+|.")
_NONE_YET = 10**12  # larger than any unit
_LONGEST = 24  # 九千九百九十九万亿… has fewer; longer is no number anybody says

_QUANTITY = re.compile(
    rf"(?P<whole>\d{{1,3}}(?:,\d{{3}})+(?![\d])|[{NUMERAL}]+)"
    rf"(?:(?P<point>[.点])(?P<fraction>[{DIGITS}]+)(?![{DIGITS}十百年月分点]|\.\d)(?P<scale>[千万亿]?))?"
    r"(?P<more>[多几](?![少久大]))?(?P<thousands>(?<=[多几])[万亿])?"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A cardinal at the start of a text: its value and where it ends. ``bare``: one digit, no unit or fraction."""

    value: Decimal
    end: int
    approximate: bool
    bare: bool


def digits_of(run: str) -> str | None:
    """The digits of what is read digit by digit (幺三八, 80零2); None where a unit or 两 is among them."""
    read = [DIGIT_OF.get(character, character) for character in run]
    return "".join(read) if all(c.isascii() and c.isdigit() for c in read) else None


def whole_number(numeral: str) -> int | None:
    """The value of 三千二百八十, 十二, 3万5, 一百二 (120); None of what is no cardinal: 七八十, 万一, 二零二五."""
    if len(numeral) > _LONGEST:
        return None
    if numeral.isdigit():
        return int(numeral)
    total = section = 0
    number: int | None = None
    unit = below = large = _NONE_YET
    zero = False
    for token in _TOKEN.findall(numeral):
        if token == "零":
            if number is not None or zero or not (total or section):
                return None
            zero = True
        elif token in _SMALL:
            size = _SMALL[token]
            if size >= below or (number is None and size != 10) or (number is not None and number > 9):
                return None
            section += (1 if number is None else number) * size
            number, zero, unit, below = None, False, size, size
        elif token in _LARGE:
            size = _LARGE[token]
            section += number or 0
            if not section or (size >= large and size != _LARGE["亿"]):
                return None
            total = (total + section) * size if size == _LARGE["亿"] else total + section * size
            section, number, zero, unit, below, large = 0, None, False, size, _NONE_YET, size
        else:
            if number is not None:
                return None
            number = 2 if token == "两" else int(DIGIT_OF.get(token, token))
    if zero and number is None:
        return None
    if number is not None:
        # 一百二 is 120 and 三千五 3500: the last digit counts the next smaller unit.
        section += number * unit // 10 if 100 <= unit < _NONE_YET and not zero and number < 10 else number
    return total + section


def quantity_at(plain: str, start: int) -> Quantity | None:
    """The cardinal or decimal that starts at ``start``."""
    match = _QUANTITY.match(plain, start)
    if match is None:
        return None
    numeral = match["whole"].replace(",", "")
    value = whole_number(numeral)
    if value is None and len(numeral) > 1 and match["point"] and len(numeral) <= _LONGEST:
        read = digits_of(numeral)  # 二零点五
        value = int(read) if read else None
    elif value is None and len(numeral) == 1:
        read = digits_of(numeral)
        value = int(read) if read else None
    if value is None:
        return None
    result, end = Decimal(value), match.end("whole")
    if match["point"]:
        fraction = digits_of(match["fraction"])
        if fraction is None or len(fraction) > 8:
            return None
        result += Decimal(int(fraction)) / (Decimal(10) ** len(fraction))
        result *= {"": 1, "千": 1_000, **_LARGE}[match["scale"]]
        end = match.end("scale")
    if match["more"]:
        result *= _LARGE.get(match["thousands"] or "", 1)
        end = match.end("thousands") if match["thousands"] else match.end("more")
    bare = len(numeral) == 1 and not match["point"] and not match["more"]
    return Quantity(result, end, bool(match["more"]), bare)


def decimal_text(value: Decimal) -> str:
    """Without an exponent, without trailing zeros: 3280, 3.5."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
