"""Around every request: its number, limits on what is sent, and headers that browsers should heed.

Plain ASGI, because Starlette's own base class copies bodies through queues.
"""

import re
import uuid
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem

MAX_BODY_BYTES: Final = 1024**2
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Of answers that say nothing else themselves."""


class Requests:
    """``max_upload_bytes``: of a request whose path is one of ``uploads``; of others it is a MiB."""

    def __init__(self, app: ASGIApp, *, max_upload_bytes: Callable[[], int], uploads: frozenset[str]) -> None:
        self._app = app
        self._max_upload_bytes = max_upload_bytes
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope)
        asked = given.get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        limit = self._max_upload_bytes() if scope["path"] in self._uploads else MAX_BODY_BYTES
        begun = False

        async def tell(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        declared = given.get("content-length", "0")
        taken = 0

        async def take() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    raise _TooLarge
            return message

        try:
            if not declared.isdigit() or int(declared) > limit:
                raise _TooLarge
            await self._app(scope, take, tell)
        except _TooLarge:
            if begun:
                raise
            code = "upload_too_large" if limit > MAX_BODY_BYTES else "request_too_large"
            told = f"at most {limit} bytes are taken here: send less, or ask an administrator"
            answer = problem(Request(scope), 413, code, told, headers={"Connection": "close"})
            await answer(scope, receive, tell)


class _TooLarge(Exception):  # noqa: N818 - it never leaves this module
    """More was sent than is taken."""
