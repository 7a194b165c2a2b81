"""Finding the numbers of an utterance.

Guarantee: pure and total: any text is read without an error, in time linear in its length; what is found lies
inside the text, in order, without overlap. Nothing of the text is changed: inverse text normalisation replaces
words, makes one number of two (一千二百元二零二五年) and counts where nobody does (我等1下).
"""

import re
from collections.abc import Callable
from typing import Final

from qa_service.domain.numbers import english, mandarin
from qa_service.domain.numbers.english_words import FIRST_WORD, ORDINAL
from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.numbers.han import NUMERAL, decimal_text, quantity_at
from qa_service.domain.numbers.runs import digits_at

_PLAIN: Final = str.maketrans(
    "〇○，．：％－＄￥￡’。０１２３４５６７８９ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "零零,.:%-$¥£'.0123456789abcdefghijklmnopqrstuvwxyz",
)
_CANDIDATE: Final = re.compile(
    rf"百分|半个?(?=小时|钟头|月|年)|[$€£¥](?= ?\d)|[{NUMERAL}]"
    rf"|(?<![a-z])(?:{english.MONTH}|half|quarter|a(?= (?:hundred|thousand|million|billion|quarter)))(?= )"
    rf"|{FIRST_WORD}|(?<![a-z]){ORDINAL}(?= )"
)
_RUN: Final = re.compile(rf"[{NUMERAL}]+")
_WEEKDAY: Final = re.compile("[一二三四五六](?=.)")
_ONE_IN_A_WORD: Final = ("统", "唯", "逐", "单", "专", "同", "之")
_CLASSIFIER: Final = re.compile(
    r"个|位|名|人|次|件|台|条|张|家|种|户|米|公里|斤|倍|套|款|项|页|瓶|箱|份|岁|度|兆|公斤|平|[gmk]b?(?![a-z])"
)
# Mandarin first, but for a clock in figures: in "8:30 am" the half of the day belongs to it.
_HAN: Final = (mandarin.percent_at, mandarin.date_at, mandarin.time_at, mandarin.amount_at, mandarin.duration_at)
_LATIN: Final = (english.percent_at, english.date_at, english.time_at, english.amount_at, english.duration_at)
_FIGURES: Final = (english.time_at, *_HAN, *_LATIN)


def find_numbers(text: str) -> tuple[SpokenNumber, ...]:
    """The numbers of ``text``, in order."""
    plain = text.translate(_PLAIN)
    found: list[SpokenNumber] = []
    position = 0
    while candidate := _CANDIDATE.search(plain, position):
        start = candidate.start()
        number, position = _number_at(plain, start)
        if number is not None:
            found.append(number)
    return tuple(found)


def _number_at(plain: str, start: int) -> tuple[SpokenNumber | None, int]:
    """The number at a candidate, and where to look for the next."""
    skipped = _no_number(plain, start)
    if skipped:
        return None, start + skipped
    if plain[start - 1 : start] == "第" and (rank := quantity_at(plain, start)):
        return SpokenNumber(start - 1, rank.end, NumberKind.ORDINAL, decimal_text(rank.value)), rank.end
    for parse in _readings(plain[start]):
        if number := parse(plain, start):
            return number, number.end
    if run := _RUN.match(plain, start):
        return _digits_or_cardinal(plain, start, run.end())
    return english.words_in_row(plain, start)


def _readings(first: str) -> tuple[Callable[[str, int], SpokenNumber | None], ...]:
    if first.isascii() and first.isalpha():
        return _LATIN
    return _FIGURES if first.isdigit() or first in "$€£¥" else _HAN


def _no_number(plain: str, start: int) -> int:
    """How many characters at ``start`` look like a numeral and are none: 周三, 统一, 万一, 千万别, 几十."""
    if plain.endswith(("周", "星期", "礼拜"), max(0, start - 2), start) and _WEEKDAY.match(plain, start):
        return 1
    if plain.startswith("万一", start):
        return 2
    if plain[start - 1 : start] in _ONE_IN_A_WORD and plain[start] == "一":
        return 1
    if plain[start - 1 : start] == "初" and plain[start] in "一二三":
        return 1
    if plain[start] in "百千万亿" and not plain.startswith("百分", start):
        return 1
    run = _RUN.match(plain, start)
    if run and plain[start] == "十" and plain[start - 1 : start] in ("几", "数", "双"):
        return len(run[0])
    if run and plain[start - 1 : start] == "." and plain[max(0, start - 2) : start - 1].isdigit():
        return len(run[0])  # 0.0.0: no decimal
    return 0


def _digits_or_cardinal(plain: str, start: int, end: int) -> tuple[SpokenNumber | None, int]:
    """What the numeral ``[start, end)`` is without a unit. One digit alone is none: 一 is mostly an article."""
    quantity = quantity_at(plain, start)
    grouped = quantity is not None and "," in plain[start : quantity.end]
    if not grouped and not _counted(plain, start, end) and (digits := digits_at(plain, start)):
        return digits, digits.end
    before = plain[start - 1 : start]
    if quantity is None or quantity.bare or (before.isascii() and before.isalpha()):
        return None, end
    value = decimal_text(quantity.value)
    return SpokenNumber(start, quantity.end, NumberKind.CARDINAL, value, "", quantity.approximate), quantity.end


def _counted(plain: str, start: int, end: int) -> bool:
    """Whether the written number counts something: 30个, 3000人, but not 工号8023位您服务 (为)."""
    written = plain[start:end]
    few = len(written) <= 3 or written.endswith("00")
    return few and written.isascii() and _CLASSIFIER.match(plain, end) is not None
