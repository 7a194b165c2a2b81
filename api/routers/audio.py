"""Listening: a recording or a clip of it, any bytes of it, silent where somebody may not hear."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.access import Asking, AskingContext, operation
from api.errors import problem
from api.masks import Eyes
from api.ranges import Unsatisfiable, asked_range
from api.routers.recordings import record
from api.schemas.base import Number
from qa_service.domain.access import Permission
from qa_service.ports import ListeningCopy

router = APIRouter(tags=["recordings"])

_Seconds = Annotated[float | None, Query(ge=0, le=1e6, allow_inf_nan=False)]
_Range = Annotated[
    str | None, Header(alias="Range", max_length=200, description="One range of bytes: bytes=0-65535")
]
_IfRange = Annotated[str | None, Header(alias="If-Range", max_length=200)]
_WAV: Final[dict[str, Any]] = {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "WAV, 16 bit, one or two channels", **_WAV},
    206: {"description": "The bytes that were asked for", **_WAV},
}


def get_audio(
    request: Request,
    asking: Asking,
    recording_id: Number,
    start: _Seconds = None,
    end: _Seconds = None,
    asked: _Range = None,
    if_range: _IfRange = None,
) -> Response:
    """Listen to a recording, or to `[start, end)` of it, in seconds. Who listens is on the audit trail.

    Numbers are silent for who may not see them, card verification codes for everybody. Players may ask for
    ranges of bytes; `ETag` changes with what is silent.
    """
    with asking.site.units_to_read() as unit:
        unit.calls.get(recording_id, asking.who.scope)
    with ExitStack() as opened:
        copy = opened.enter_context(
            asking.site.listening.open(
                recording_id, sees_numbers=Eyes(asking.who).see_numbers, start_s=start, end_s=end
            )
        )
        etag = f'"{copy.etag}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Disposition": "inline"}
        try:
            part = asked_range(asked, if_range, etag=etag, size=copy.size_bytes)
        except Unsatisfiable:
            told = f"the audio has {copy.size_bytes} bytes: ask for some of them"
            refused = headers | {"Content-Range": f"bytes */{copy.size_bytes}"}
            return problem(request, 416, "range_invalid", told, headers=refused)
        first, last = (0, copy.size_bytes) if part is None else (part.start, part.end)
        headers["Content-Length"] = str(last - first)
        if part is not None:
            headers["Content-Range"] = part.content_range
        status = 200 if part is None else 206
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers, media_type=copy.media_type)
        _tell(asking, recording_id, start, end)
        return StreamingResponse(
            _bytes(copy, first, last, opened.pop_all()),
            status_code=status,
            headers=headers,
            media_type=copy.media_type,
        )


for method in ("GET", "HEAD"):
    operation(
        router,
        method,
        "/recordings/{recording_id}/audio",
        Permission.RECORDINGS_LISTEN,
        errors=(404, 409, 416, 503),
        responses=_ANSWERS,
        response_class=Response,
        name="get_audio" if method == "GET" else "head_audio",
    )(get_audio)


def _tell(asking: AskingContext, recording_id: int, start: float | None, end: float | None) -> None:
    play = (asking.who.user_id, recording_id, start, end)
    if not asking.site.plays.begins(play):
        return
    try:
        record(asking, "recording.play", recording_id, {"start": start, "end": end})
    except BaseException:
        asking.site.plays.forget(play)
        raise


def _bytes(copy: ListeningCopy, first: int, last: int, opened: ExitStack) -> Iterator[bytes]:
    with opened:
        yield from copy.read_range(first, last)
