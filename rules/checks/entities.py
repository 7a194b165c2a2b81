"""What people say that means something by itself: telephone numbers, cards, amounts, dates, addresses, plates."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from qa_service.domain.conversation import Utterance
from qa_service.domain.numbers.entity import NumberKind, SpokenNumber
from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan
from rules.checks.base import role_of
from rules.checks.spoken import LOW_CONFIDENCE, Found, SpokenCheck
from rules.context import Context, within

Kind = Literal["phone", "identity", "card", "amount", "date", "email", "address", "plate"]

_HAN = r"\u4e00-\u9fff"
_COUNT = "[0-9零一二三四五六七八九十百两]{1,6}"
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤川青藏琼宁][A-Z][·\s]?[A-HJ-NP-Z0-9]{5,6}(?![A-Z0-9])"
)
_EMAIL = re.compile(
    r"[a-z0-9._-]+\s?(?:@|艾特|\bat\b)\s?[a-z0-9-]+\s?(?:\.|点|\bdot\b)\s?(?:com|cn|net|org)", re.IGNORECASE
)
_ADDRESS = re.compile(
    rf"[{_HAN}]{{2,8}}[省市区县镇乡][{_HAN}0-9]{{0,10}}?(?:[路街道巷弄村]|小区)[{_HAN}0-9]{{0,8}}?(?:[号栋幢楼室]|单元)"
    rf"|[{_HAN}]{{1,6}}(?:[路街巷弄]|小区){_COUNT}[号弄栋幢]楼?[{_HAN}0-9]{{0,8}}"
)
_WRITTEN: Final[dict[str, re.Pattern[str]]] = {"plate": _PLATE, "email": _EMAIL, "address": _ADDRESS}
_NUMBERS: Final[dict[str, NumberKind]] = {
    "phone": NumberKind.PHONE,
    "identity": NumberKind.IDENTITY,
    "card": NumberKind.CARD,
    "amount": NumberKind.AMOUNT,
    "date": NumberKind.DATE,
}


class EntityCheck(SpokenCheck):
    """``role`` says a telephone, identity or bank card number, an amount, date, e-mail address, address or plate.

    Numbers may be spoken (幺三八…). An identity number or card whose check digit is wrong is in doubt: one of
    its digits was misheard, or it is another number.
    """

    kinds: tuple[Kind, ...] = Field(min_length=1)

    @field_validator("kinds", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _distinct(self) -> "EntityCheck":
        if len(set(self.kinds)) < len(self.kinds):
            raise ValueError("a kind is named twice")
        return self

    def found(self, context: Context, window: TimeSpan) -> list[Found]:
        found = []
        for utterance in context.utterances(role_of(self.role)):
            for start, end, kind, certain in self._entities(utterance):
                span, confidence = _timed(utterance, start, end)
                if not within(span, window):
                    continue
                quote = utterance.text[start:end]
                evidence = Evidence(
                    span.start, span.end, utterance.role, quote, (utterance.index,), confidence, kind
                )
                doubt = "" if confidence >= context.certain_confidence else LOW_CONFIDENCE
                found.append(Found(evidence, doubt if certain else doubt or "check_digit_wrong"))
        return found

    def _entities(self, utterance: Utterance) -> Iterator[tuple[int, int, str, bool]]:
        """``(start, end, kind, certain)`` in the utterance's text."""
        wanted = {_NUMBERS[kind]: kind for kind in self.kinds if kind in _NUMBERS}
        for number in utterance.numbers:
            if number.kind in wanted:
                yield number.start, number.end, wanted[number.kind], checks(number)
        for kind in self.kinds:
            if kind in _WRITTEN:
                text = "".join(_narrow(c) for c in utterance.text)
                for match in _WRITTEN[kind].finditer(text.upper() if kind == "plate" else text):
                    yield match.start(), match.end(), kind, True


def _narrow(character: str) -> str:
    """The character in half width, where that is one character: offsets stay."""
    folded = unicodedata.normalize("NFKC", character)
    return folded if len(folded) == 1 else character


def _timed(utterance: Utterance, start: int, end: int) -> tuple[TimeSpan, float]:
    """Time and least confidence of ``[start, end)`` of the utterance's text."""
    inside = [i for i, offset in enumerate(utterance.overlay.offsets) if start <= offset < end]
    if not inside:
        return utterance.span, utterance.confidence
    least = min(utterance.confidence_at(i) for i in inside)
    return utterance.span_of(inside[0], inside[-1] + 1), least


def checks(number: SpokenNumber) -> bool:
    """Whether the check digit of an identity number (GB 11643) or bank card (Luhn) is right; others have none."""
    if number.kind is NumberKind.IDENTITY:
        weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
        total = sum(w * int(d) for w, d in zip(weights, number.value[:17], strict=True))
        return number.value[17] == "10X98765432"[total % 11]
    if number.kind is NumberKind.CARD:
        digits = [int(d) for d in reversed(number.value)]
        return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)) % 10 == 0
    return True
