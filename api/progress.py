"""Live progress as Server-Sent Events.

Guarantee: no database connection is held while waiting, and all who follow the same thing share one look a second.
Every event is the whole state, so that whoever comes back, to whatever process, has missed nothing; its number is
a digest of what it says. So many follow at most, and none for longer than ``lasts_s``: then the client comes back
by itself and is asked again who it is.
"""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from qa_service.errors import QAError, TransientError

LOOK_EVERY_S: Final = 1.0
HEARTBEAT_S: Final = 15.0
MOST: Final = 64
MOST_OF_ONE: Final = 8


class EventStream(StreamingResponse):
    """``left`` is called when it has ended, however it ended."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], *, left: Callable[[], None]) -> None:
        super().__init__(
            events, headers={"X-Accel-Buffering": "no"}
        )  # proxies that wait for more keep progress back
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._left()


@dataclass(frozen=True, slots=True)
class Seen:
    """A state. ``ended``: nothing more will change."""

    text: str
    ended: bool

    @property
    def number(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@dataclass(slots=True)
class _Look:
    at: float
    state: Seen


class Followers:
    """Who follows what, in this process."""

    def __init__(self, *, lasts_s: float = 600.0) -> None:
        self.lasts_s = lasts_s
        self._looks: dict[Hashable, _Look] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._following: Counter[Hashable] = Counter()
        self._of_users: Counter[int] = Counter()

    def follow(self, user_id: int, thing: Hashable, look: Callable[[], Seen], *, last: str | None) -> EventStream:
        """Events of ``thing`` until it has ended. ``last``: the event that the client has.

        Raises:
            TransientError: ``too_many_followers``.
        """
        if self._of_users.total() >= MOST or self._of_users[user_id] >= MOST_OF_ONE:
            raise TransientError(
                "too_many_followers", "too many follow progress here: close one, or ask again later"
            )
        self._of_users[user_id] += 1
        self._following[thing] += 1
        return EventStream(self._events(thing, look, last), left=lambda: self._leave(user_id, thing))

    def _leave(self, user_id: int, thing: Hashable) -> None:
        self._of_users[user_id] -= 1
        self._following[thing] -= 1
        if not self._following[thing]:
            del self._following[thing]
            self._looks.pop(thing, None)
            self._locks.pop(thing, None)

    async def _events(self, thing: Hashable, look: Callable[[], Seen], last: str | None) -> AsyncIterator[str]:
        said = time.monotonic()
        ends = said + self.lasts_s
        yield f"retry: {int(LOOK_EVERY_S * 2000)}\n\n"
        while True:
            try:
                state = await self._shared(thing, look)
            except QAError:  # the database is away, say: the client comes back and is told
                return
            if state.number != last:
                last, said = state.number, time.monotonic()
                yield f"id: {last}\nevent: {'ended' if state.ended else 'progress'}\ndata: {state.text}\n\n"
            elif time.monotonic() - said >= HEARTBEAT_S:
                said = time.monotonic()
                yield ": still here\n\n"
            if state.ended or time.monotonic() >= ends:
                return
            await asyncio.sleep(min(LOOK_EVERY_S, max(0.0, ends - time.monotonic())))

    async def _shared(self, thing: Hashable, look: Callable[[], Seen]) -> Seen:
        async with self._locks.setdefault(thing, asyncio.Lock()):
            known = self._looks.get(thing)
            if known is None or time.monotonic() - known.at >= LOOK_EVERY_S * 0.9:
                known = _Look(time.monotonic(), await run_in_threadpool(look))
                self._looks[thing] = known
            return known.state


def seen(document: dict[str, Any], *, ended: bool) -> Seen:
    return Seen(json.dumps(document, ensure_ascii=False, separators=(",", ":")), ended)
