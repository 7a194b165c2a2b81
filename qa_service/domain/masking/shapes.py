"""What digits are by their shape alone.

Sources: mobile and fixed numbers of the mainland (MIIT's numbering plan: 1[3-9] and nine more; 0, area and
subscriber, 10 to 12 in all), 400 and 800 services, North American 3-3-4, resident identity numbers (GB 11643-1999:
a region, a birth date, a check character by ISO 7064 MOD 11-2; 15 digits until 1999), bank cards (ISO/IEC 7812:
13 to 19 digits).
"""

import re
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Final

_MOBILE: Final = re.compile(r"(?:(?:00)?86|0)?(1[3-9]\d{9})")
_LANDLINE: Final = re.compile(r"0\d{9,11}")
_SERVICE: Final = re.compile(r"(?:[48]00[1-9]\d{6}|1?8(?:00|33|44|55|66|77|88)\d{7})")
_AMERICAN: Final = re.compile(r"1?[2-9]\d{9}")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_REGIONS: Final = "12345678"
_CHECKS: Final = "10X98765432"


class Shape(StrEnum):
    MOBILE = "mobile"
    PHONE = "phone"
    SERVICE = "service"  # 400 and 800: a firm's own
    IDENTITY = "identity"
    CARD = "card"
    TIMESTAMP = "timestamp"


SECRET: Final = frozenset((Shape.MOBILE, Shape.PHONE, Shape.IDENTITY, Shape.CARD))


def shape_of(digits: str, groups: Sequence[int] = ()) -> Shape | None:
    """None: of no known shape. ``groups``: the lengths in which they were read."""
    if _MOBILE.fullmatch(digits):
        return Shape.MOBILE
    lengths = tuple(groups)
    if lengths[-3:] == (3, 3, 4) and _AMERICAN.fullmatch(digits):
        return Shape.SERVICE if _SERVICE.fullmatch(digits) else Shape.PHONE
    if _SERVICE.fullmatch(digits) and digits[0] in "48":
        return Shape.SERVICE
    if _LANDLINE.fullmatch(digits):
        return Shape.PHONE
    if lengths == (3, 2, 4) or is_resident(digits) or _is_old_resident(digits):
        return Shape.IDENTITY
    if len(digits) == 14 and digits[:2] in ("19", "20") and _is_time(digits):
        return Shape.TIMESTAMP
    return Shape.CARD if 13 <= len(digits) <= 19 else None


def is_resident(digits: str) -> bool:
    """Whether the middle of 18 characters is a birth date, as of a resident identity number."""
    return len(digits) == 18 and digits[0] in _REGIONS and _is_date(digits[6:14])


def _is_old_resident(digits: str) -> bool:
    return len(digits) == 15 and digits[0] in _REGIONS and _is_date("19" + digits[6:12])


def is_checked_resident(digits: str) -> bool:
    """Whether its check character is right as well: of a hundred other dates in numbers nine are."""
    if not is_resident(digits):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=False))
    return _CHECKS[total % 11] == digits[17]


def _is_date(digits: str) -> bool:
    if digits[:2] not in ("18", "19", "20"):
        return False
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _is_time(digits: str) -> bool:
    return _is_date(digits[:8]) and digits[8:10] < "24" and digits[10:12] < "60" and digits[12:] < "60"
