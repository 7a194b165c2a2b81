"""What a number is called: by who says it, just before or after, or by who asked for it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qa_service.domain.masking.runs import Run
from qa_service.domain.masking.streams import APART, Stream


class Name(StrEnum):
    PHONE = "phone"
    IDENTITY = "identity"
    CARD = "card"
    HARMLESS = "harmless"  # an order, an employee, a hotline: evidence, and nobody's secret


@dataclass(frozen=True, slots=True)
class Named:
    """``sure``: by its spelling; otherwise only by its sound."""

    name: Name
    sure: bool = True


_WRITTEN: Final = {
    Name.HARMLESS: (
        "工号|订单|定单|单号|运单|工单|流水|编号|热线|受理|客服电话|服务电话|投诉电话|举报电话|咨询电话|专线|总机"
        "|邮编|税号|户号|保单|合同|快递|车牌|型号|会员号|客户号|拨打"
        r"|(?<![a-z])(?:orders?|tracking|reference|ticket|case|claim|hotline|call us"
        r"|our (?:phone |telephone )?number|confirmation|booking|agent|employee|badge|invoice|policy|extension"
        r"|plan number|toll[- ]free|zip)(?![a-z])"
    ),
    Name.PHONE: (
        "手机|电话|座机|联系方式|联系号码|传真"
        r"|(?<![a-z])(?:phone|telephone|cell ?phone|mobile|cell|contact number|reach (?:me|you)"
        r"|(?:my|his|her|their) number)(?![a-z])"
    ),
    Name.IDENTITY: (
        "身份|证件|证号|护照|驾驶证|驾照|通行证|社保|医保|户口"
        r"|(?<![a-z])(?:social security|ssn|passport|licen[cs]e|id number|identity|national insurance)(?![a-z])"
    ),
    Name.CARD: (
        "卡号|银行卡|信用卡|储蓄卡|借记卡|银行账[号户]|对公账[号户]"
        r"|(?<![a-z])(?:card|account number|iban)(?![a-z])"
    ),
}
_SOUNDING: Final = {
    Name.HARMLESS: "gong hao|ding dan|dan hao|bian hao|shou li|liu shui|re xian|yun dan",
    Name.PHONE: "shou ji|dian hua",
    Name.IDENTITY: "shen fen|zheng hao|zheng jian",
    Name.CARD: "ka hao|yin hang ka|xin yong ka",
}
_NAMES: Final = re.compile("|".join(f"(?P<{name}>{words})" for name, words in _WRITTEN.items()))
_SOUNDS: Final = re.compile("|".join(f"(?P<{name}>(?<= )(?:{s})(?= ))" for name, s in _SOUNDING.items()))
_REACH, _REACH_LATIN, _AFTER, _ASKED = 24, 48, 8, 40


def name_of(stream: Stream, run: Run) -> Named | None:
    """The nearest name before the run; else one just behind it; else what it was asked for as."""
    reach = _REACH_LATIN if _is_latin(stream.plain, run) else _REACH
    first = max(stream.reach(run.start), run.start - reach)
    if before := _last(stream.plain[first : run.start]):
        return Named(before)
    if by_sound := _last_sound(stream, first, run.start):
        return Named(by_sound, sure=False)
    behind = _NAMES.search(stream.plain[run.end : run.end + _AFTER].split(APART)[0])
    if behind and behind.lastgroup and behind.lastgroup != Name.HARMLESS:
        return Named(Name(behind.lastgroup))
    if stream.parts:
        part = stream.part_at(run.start)
        if run.start - stream.starts[part] <= _AFTER and (asked := _last(stream.asked[part][-_ASKED:])):
            return Named(asked)
    return None


def _is_latin(plain: str, run: Run) -> bool:
    around = [c for c in plain[max(0, run.start - 16) : run.start] if c.isalpha()]
    return bool(around) and sum(c.isascii() for c in around) * 2 > len(around)


def _last(text: str) -> Name | None:
    found = None
    for match in _NAMES.finditer(text):
        found = Name(match.lastgroup or "")
    return found


def _last_sound(stream: Stream, first: int, end: int) -> Name | None:
    if not stream.syllables:
        return None
    sounds, at = stream.sounds
    found = None
    for match in _SOUNDS.finditer(sounds, at[first], at[end] + 1):
        found = Name(match.lastgroup or "")
    return found
