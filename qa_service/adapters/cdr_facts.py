"""What the call detail records of one call say for certain.

Guarantee: nothing is guessed. A direction needs a context whose meaning is convention or configured; agent,
customer and side of the hang-up follow from it; what several records of a call tell differently stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from qa_service.adapters.cdr_rows import UUID, CdrRow
from qa_service.domain.call import Direction, HangupSide

_T = TypeVar("_T")

RING_S = 3.0
"""Seconds from one ring to the next, as in the domain's norm for late answers."""

INBOUND_CONTEXTS = re.compile(
    "(?:from-(?:trunk|pstn|dahdi|zaptel)|ext-did)(?:-.+)?|from-did-direct|ext-queues|trunkinbound|public"
)
"""Where FreePBX, VICIdial and FreeSWITCH let calls in: those from outside, and those that a queue hands out."""

# A queue's members are called as Local/8023@from-queue; any other Local channel may be a queue or a menu itself.
_EXTENSION = re.compile(
    r"(?:(?:PJSIP|SIP|IAX2|SCCP|Agent)/([0-9]{2,6})|Local/([0-9]{2,6})@from-queue)(?:[-/@;].*)?"
)
_NUMBER = re.compile(r"[+*#]?[0-9][0-9*#]{2,}")
_USER = re.compile(r"([A-Za-z0-9_.-]{1,64})(?:@.*)?")


def facts(rows: Sequence[CdrRow], contexts: Mapping[str, Direction]) -> dict[str, object]:
    """Values of metadata columns, as ``parse_fields`` takes them.

    Args:
        rows: of one call, at least one.
        contexts: what the site's dial plan contexts mean; they win over the conventions.
    """
    direction = _agreed(rows, lambda row: _direction(row, contexts))
    talked = [row for row in rows if _answered(row)] or rows
    starts = [row.values["start"] for row in rows if "start" in row.values]
    return {
        "call_id": rows[0].call_id or None,
        "direction": direction,
        "started_at": min(starts, default=None),
        "agent_id": _agreed(talked, lambda row: _agent(row, direction)),
        "queue": _agreed(rows, _queue),
        "customer_ref": _agreed(talked, lambda row: _customer(row, direction)),
        "ring_count": _rings(rows[0]) if len(rows) == 1 and direction is Direction.INBOUND else None,
        "hangup_side": _agreed(talked, lambda row: _hangup_side(row, direction)),
    }


def _agreed(rows: Sequence[CdrRow], told: Callable[[CdrRow], _T | None]) -> _T | None:
    """What the rows that know something all say."""
    known = {value for row in rows if (value := told(row)) is not None}
    return known.pop() if len(known) == 1 else None


def _direction(row: CdrRow, contexts: Mapping[str, Direction]) -> Direction | None:
    values = row.values
    if all(_extension(values.get(side, "")) for side in ("channel", "dstchannel")):
        return None  # colleagues
    if values.get("call_direction") in tuple(
        Direction
    ):  # FusionPBX; `direction` itself is of a leg, not of the call
        return Direction(values["call_direction"])
    did, presented = (
        "did" in values,
        "outbound_cnum" in values,
    )  # FreePBX: a number was called from, or shown, outside
    if did != presented:
        return Direction.INBOUND if did else Direction.OUTBOUND
    context = values.get("dcontext", "")
    if context in contexts:
        return contexts[context]
    return Direction.INBOUND if INBOUND_CONTEXTS.fullmatch(context) else None


def _answered(row: CdrRow) -> bool:
    if "disposition" in row.values:
        return row.values["disposition"].upper() == "ANSWERED"
    return "answer" in row.values


def _agent(row: CdrRow, direction: Direction | None) -> str | None:
    values = row.values
    if direction is None:
        return None
    inbound = direction is Direction.INBOUND
    extension = _extension(values.get("dstchannel" if inbound else "channel", ""))
    if extension:
        return extension
    named = (values.get("cc_agent") or values.get("dialed_user")) if inbound else values.get("user_name")
    user = _USER.fullmatch(named or "")
    return user[1] if user and not UUID.fullmatch(user[1]) else None


def _extension(channel: str) -> str | None:
    match = _EXTENSION.fullmatch(channel)
    return (match[1] or match[2]) if match else None


def _customer(row: CdrRow, direction: Direction | None) -> str | None:
    if direction is None:
        return None
    number = row.values.get("src" if direction is Direction.INBOUND else "dst", "")
    return number if _NUMBER.fullmatch(number) else None


def _queue(row: CdrRow) -> str | None:
    if row.values.get("lastapp", "").lower() == "queue":
        return re.split("[,|]", row.values.get("lastdata", ""))[0].strip() or None
    return row.values.get("cc_queue", "").split("@")[0] or None


def _rings(row: CdrRow) -> int | None:
    """Rings until the line was answered. A queue and whatever is not a plain call answer before anybody does."""
    values = row.values
    if not _answered(row) or values.get("lastapp", "Dial") != "Dial" or "cc_queue" in values:
        return None
    try:
        waited = datetime.fromisoformat(values["answer"]) - datetime.fromisoformat(values["start"])
        waited_s = waited.total_seconds()
    except (KeyError, ValueError, TypeError):
        try:
            waited_s = float(values["duration"]) - float(values["billsec"])
        except (KeyError, ValueError):
            return None
    return int(waited_s // RING_S) if 0 <= waited_s < 3600 else None


def _hangup_side(row: CdrRow, direction: Direction | None) -> HangupSide | None:
    """Of FreeSWITCH's leg from the caller: its own goodbye is the caller's. One sent to it may be the system's."""
    values = row.values
    own = values.get("sip_hangup_disposition") == "recv_bye" and values.get("leg_direction") == "inbound"
    if not own or direction is None or not _answered(row):
        return None
    return HangupSide.CUSTOMER if direction is Direction.INBOUND else HangupSide.AGENT
