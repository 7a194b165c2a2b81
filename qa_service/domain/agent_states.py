"""What agents do at work, as the telephone system logs it: spans of states, read from rows.

Guarantee: pure. A span begins before it ends and lasts a day at most; anything else is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from qa_service.domain.imports import length_of, moment_of, refuse, text_of

LONGEST: Final = timedelta(hours=24)
_ROUNDING: Final = timedelta(seconds=1)


class AgentState(StrEnum):
    """``shift``: from login to logout, beside the others; ``offline``: not at work."""

    TALK = "talk"
    HOLD = "hold"
    RING = "ring"
    AFTER_CALL = "after_call"
    IDLE = "idle"
    BREAK = "break"
    TRAINING = "training"
    MEETING = "meeting"
    SHIFT = "shift"
    OFFLINE = "offline"


USUAL_STATES: Final[Mapping[str, AgentState]] = {
    **{state.value: state for state in AgentState},
    "after call": AgentState.AFTER_CALL,
    "after-call": AgentState.AFTER_CALL,
    "acw": AgentState.AFTER_CALL,
    "wrap-up": AgentState.AFTER_CALL,
    "available": AgentState.IDLE,
    "ready": AgentState.IDLE,
    "ringing": AgentState.RING,
    "talking": AgentState.TALK,
    "login": AgentState.SHIFT,
    "logout": AgentState.OFFLINE,
    "通话": AgentState.TALK,
    "通话中": AgentState.TALK,
    "保持": AgentState.HOLD,
    "振铃": AgentState.RING,
    "话后": AgentState.AFTER_CALL,
    "话后处理": AgentState.AFTER_CALL,
    "事后处理": AgentState.AFTER_CALL,
    "空闲": AgentState.IDLE,
    "示闲": AgentState.IDLE,
    "小休": AgentState.BREAK,
    "休息": AgentState.BREAK,
    "培训": AgentState.TRAINING,
    "会议": AgentState.MEETING,
    "班次": AgentState.SHIFT,
    "签入": AgentState.SHIFT,
    "签出": AgentState.OFFLINE,
    "离线": AgentState.OFFLINE,
}
"""States by the names that telephone systems give them; a site adds its own."""

COLUMNS: Final[Mapping[str, str]] = {
    "agent_id": "agent_id",
    "工号": "agent_id",
    "坐席工号": "agent_id",
    "state": "state",
    "状态": "state",
    "started_at": "started_at",
    "开始时间": "started_at",
    "ended_at": "ended_at",
    "结束时间": "ended_at",
    "duration": "duration",
    "duration_s": "duration",
    "时长": "duration",
    "call_id": "call_id",
    "通话编号": "call_id",
}


@dataclass(frozen=True, slots=True)
class StateSpan:
    """An agent was in a state in ``[starts, ends)``, times in UTC."""

    agent_id: str
    state: AgentState
    starts: datetime
    ends: datetime
    call_id: str | None = None

    @property
    def seconds(self) -> float:
        return (self.ends - self.starts).total_seconds()

    @property
    def is_shift(self) -> bool:
        """Whether it lies beside the other states rather than among them."""
        return self.state is AgentState.SHIFT


def span_of(values: Mapping[str, str], *, names: Mapping[str, AgentState], zone: tzinfo) -> StateSpan | None:
    """What a row says; None: a state that lasted no time at all, of which there is nothing to keep.

    Raises:
        RefusedRowError: for what cannot be.
    """
    agent_id = text_of(values, "agent_id")
    named = text_of(values, "state")
    state = names.get(named.lower())
    if state is None:
        raise refuse("state_unknown", "state", f"no state is named {named!r}", "tell it in QA_AGENT_STATES")
    starts = moment_of(text_of(values, "started_at"), "started_at", zone)
    ends = _end(values, starts, zone)
    if ends < starts:
        raise refuse("duration_negative", "ended_at", "the state ends before it begins", "correct it")
    if ends - starts > LONGEST:
        raise refuse("duration_absurd", "ended_at", "the state lasts more than 24 hours", "correct it")
    if ends == starts:
        return None
    call_id = values.get("call_id", "").strip()
    return StateSpan(agent_id, state, starts, ends, text_of(values, "call_id") if call_id else None)


def _end(values: Mapping[str, str], starts: datetime, zone: tzinfo) -> datetime:
    told_end, told_length = values.get("ended_at", "").strip(), values.get("duration", "").strip()
    if not told_end and not told_length:
        raise refuse("value_missing", "ended_at", "neither an end nor a duration", "fill one of them in")
    ends = moment_of(told_end, "ended_at", zone) if told_end else None
    if not told_length:
        assert ends is not None
        return ends
    length = length_of(told_length, "duration")
    if length < timedelta(0):
        raise refuse("duration_negative", "duration", "the duration is negative", "correct it")
    if length > LONGEST:
        raise refuse("duration_absurd", "duration", "the state lasts more than 24 hours", "correct it")
    if ends is not None and abs(ends - starts - length) > _ROUNDING:
        raise refuse(
            "duration_contradicts", "duration", "the duration is not that of start and end", "correct one"
        )
    return ends if ends is not None else starts + length
