"""Numbers that are read digit by digit, and what their shape says they are.

People read long numbers in groups (幺三九，零零零零，五六七八), and recognisers write the groups with commas,
spaces or hyphens between. Groups are joined where together they have a known shape, or where all look like groups.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.numbers.han import DIGITS, UNITS, digits_of

_RUN: Final = re.compile(rf"[{DIGITS}]+")
_BETWEEN: Final = re.compile(r"[ ,.\-、]{1,2}")
_AFTER_X: Final = re.compile(r"[ ,]?x(?![a-z])")
# A digit run that one of these follows is a quantity: 2917，30元.
_MEASURED: Final = re.compile(rf"[{UNITS}两多几点]|元|块|毛|角|月|年|天|小时|分|秒|%|:\d|\.\d| ?[ap]\.?m\b")
_NAMED: Final = ("number ", "number is ", "agent ", "extension ", "code ", "code is ", "id ", "pin ")
_MOST_GROUPS = 8
_MOBILE: Final = re.compile(r"1[3-9]\d{9}")
_LANDLINE: Final = re.compile(r"0\d{9,11}")
_SERVICE: Final = re.compile(r"[48]00[1-9]\d{6}")
_AMERICAN: Final = re.compile(r"1?[2-9]\d{2}[2-9]\d{6}")


def kind_of(digits: str, *, groups: Sequence[int] = ()) -> NumberKind:
    """What a number of these digits is; ``groups``: the lengths in which it was read."""
    if _MOBILE.fullmatch(digits) or _LANDLINE.fullmatch(digits) or _SERVICE.fullmatch(digits):
        return NumberKind.PHONE
    if _AMERICAN.fullmatch(digits) and tuple(groups)[-3:] == (3, 3, 4):
        return NumberKind.PHONE
    if len(digits) == 18 and _is_birth_date(digits[6:14]):
        return NumberKind.IDENTITY
    return NumberKind.CARD if 16 <= len(digits) <= 19 else NumberKind.DIGITS


def _is_birth_date(digits: str) -> bool:
    if digits[:2] not in ("18", "19", "20"):
        return False
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def digits_at(plain: str, start: int) -> SpokenNumber | None:
    """The digit run that starts at ``start``, its groups joined; None where it is too short to be one."""
    groups = _groups(plain, start)
    if not groups:
        return None
    taken = _joined(groups)
    digits = "".join(text for _, _, text in groups[:taken])
    end = groups[taken - 1][1]
    if len(digits) == 17 and (letter := _AFTER_X.match(plain, end)):
        return SpokenNumber(start, letter.end(), NumberKind.IDENTITY, digits + "X")
    named = plain.endswith(_NAMED, max(0, start - 12), start)
    if taken == 1 and not _read_out(plain[start:end], digits, latin=_in_latin(plain, start, end) and not named):
        return None
    return SpokenNumber(start, end, kind_of(digits, groups=[len(text) for _, _, text in groups[:taken]]), digits)


def _groups(plain: str, start: int) -> list[tuple[int, int, str]]:
    """Consecutive groups of digits: start, end, digits. A quantity (30元) is none."""
    found: list[tuple[int, int, str]] = []
    position = start
    while len(found) < _MOST_GROUPS and (run := _RUN.match(plain, position)):
        digits = digits_of(run[0])
        if digits is None or _MEASURED.match(plain, run.end()):
            break
        found.append((run.start(), run.end(), digits))
        between = _BETWEEN.match(plain, run.end())
        if between is None:
            break
        position = between.end()
    return found


def _joined(groups: Sequence[tuple[int, int, str]]) -> int:
    """How many of the groups are one number."""
    for taken in range(len(groups), 1, -1):
        texts = [text for _, _, text in groups[:taken]]
        together = "".join(texts)
        lengths = [len(text) for text in texts]
        if len(together) >= 10 and kind_of(together, groups=lengths) is not NumberKind.DIGITS:
            return taken
        repeated = taken == 2 and texts[0] == texts[1]  # 2917, 2917: said twice
        if all(2 <= n <= 4 for n in lengths) and len(together) >= 6 and not repeated:
            return taken
    return 1


def _read_out(written: str, digits: str, *, latin: bool) -> bool:
    if not written.isascii():  # 三五 is about four, 幺八 no number anybody asks for
        return len(digits) >= 3
    return len(digits) >= (4 if latin else 3) or (len(digits) > 1 and digits[0] == "0")


def _in_latin(plain: str, start: int, end: int) -> bool:
    """Whether the nearest letter before, or else after, is a Latin one: ``300 people``."""
    for character in plain[max(0, start - 4) : start][::-1] + plain[end : end + 4]:
        if character.isalpha():
            return character.isascii()
    return False
