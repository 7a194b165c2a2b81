"""Taking an agent out of the agent's own words, so that colleagues may learn from them.

Guarantee: pure. The name, and what follows 工号 or an agent's number, are replaced; nothing else changes.
"""

import re
from typing import Final

HIDDEN: Final = "＊"
_NUMERALS: Final = "0-9０-９零〇一二三四五六七八九幺两洞"
_NUMBER: Final = re.compile(
    rf"(?P<before>工号(?:是|为)?\s*|(?:agent|employee|badge|operator)(?: (?:number|id|no\.?))?(?: is)?\s+)"
    rf"(?P<number>[{_NUMERALS}](?:[\s-]*[{_NUMERALS}])*)",
    re.IGNORECASE,
)
_CALLED: Final = re.compile(
    r"(?P<before>我姓|我叫|免贵姓|my name is\s+|this is\s+)"
    r"(?P<name>[\u4e00-\u9fff]{1,3}|[A-Za-z]+(?: [A-Z][a-z]+)?)",
    re.IGNORECASE,
)


def without_agent(quote: str, name: str | None, agent_id: str | None) -> str:
    """``quote`` without name and number of whoever said it.

    Whole and given names go, spoken numbers after 工号 too; a name that is spelled otherwise than the directory's
    goes where it is announced (我叫…).
    """
    for known in sorted({*_names(name), *([agent_id] if agent_id else [])}, key=len, reverse=True):
        quote = re.sub(re.escape(known), HIDDEN, quote, flags=re.IGNORECASE)
    quote = _NUMBER.sub(lambda found: found["before"] + HIDDEN, quote)
    return _CALLED.sub(lambda found: found["before"] + HIDDEN, quote)


def _names(name: str | None) -> set[str]:
    """The name, its parts, and of a Chinese one the given name."""
    if not name:
        return set()
    parts = {name, *name.split()}
    if re.fullmatch(r"[\u4e00-\u9fff]{3,4}", name):
        parts.add(name[-2:])
    return {part for part in parts if len(part) > 1}
