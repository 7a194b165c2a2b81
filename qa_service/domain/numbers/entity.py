"""What a number in an utterance is."""

from dataclasses import dataclass
from enum import StrEnum


class NumberKind(StrEnum):
    DIGITS = "digits"  # read digit by digit, of no known shape: 工号, order numbers, verification codes
    PHONE = "phone"
    IDENTITY = "identity"  # an 18-character resident identity number
    CARD = "card"  # 16 to 19 digits, as bank cards have
    CARDINAL = "cardinal"
    ORDINAL = "ordinal"
    AMOUNT = "amount"
    PERCENT = "percent"
    DATE = "date"
    TIME = "time"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class SpokenNumber:
    """A number in ``Utterance.text[start:end]``; the text itself is what is quoted.

    ``value`` by kind: the digits (X in capitals) of ``digits``, ``phone``, ``identity`` and ``card``; a plain
    decimal of ``cardinal``, ``ordinal``, ``amount`` and ``percent``; ISO 8601 of ``date`` (``2025-03-05``,
    ``2025-03``, ``2025``; ``--03-05`` and ``--03`` where no year is said), ``time`` (``15:30``; on the clock that
    was said where no part of the day is) and ``duration`` (``PT20M``).
    ``unit``: the ISO 4217 currency of an amount, else empty.
    ``approximate``: 五十多, 十几: the value is where it starts.
    """

    start: int
    end: int
    kind: NumberKind
    value: str
    unit: str = ""
    approximate: bool = False
