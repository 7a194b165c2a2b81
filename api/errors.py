"""Errors as RFC 9457 problem details: the product's codes, mapped to status once, here.

Guarantee: an answer never repeats what was sent, and says nothing of the inside when something of ours is broken.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from qa_service.errors import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    EngineError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    QAError,
    RulePackError,
    TransientError,
)

PROBLEM = "application/problem+json"

_BY_KIND: Final[Sequence[tuple[type[QAError], int]]] = (
    (AuthenticationError, 401),
    (PermissionDeniedError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (InputError, 422),
    (RulePackError, 422),
    (TransientError, 503),
    (EngineError, 503),
    (ConfigurationError, 500),
)

_BY_CODE: Final[Mapping[str, int]] = {
    "cursor_invalid": 400,
    "idempotency_key_invalid": 400,
    "cross_site_request": 403,
    "stale_version": 412,
    "upload_stalled": 408,
    "upload_too_large": 413,
    "request_too_large": 413,
    "media_type_unsupported": 415,
    "range_invalid": 416,
    "rule_unknown": 422,
    "nothing_to_backtest": 422,
    "precondition_required": 428,
    "sign_in_locked": 429,
    "storage_full": 507,
}

log = structlog.get_logger(__name__)


class Fault(BaseModel):
    """One thing that is wrong with a request. ``pointer``: where, as in ``body/roles/0``."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details. ``code`` is stable; ``detail`` names the thing and what to do."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "code": "recording_not_found",
                "detail": "no recording has the number 7: list the recordings to see which exist",
                "request_id": "5f2b",
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    code: str
    detail: str
    request_id: str = ""
    errors: list[Fault] | None = None


def status_of(error: QAError) -> int:
    """The status of an error: of its code, else of its kind."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((status for kind, status in _BY_KIND if isinstance(error, kind)), 500)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    faults: Sequence[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=getattr(request.state, "request_id", ""),
        errors=list(faults) if faults is not None else None,
    )
    return JSONResponse(
        body.model_dump(mode="json", exclude_none=True), status, headers=dict(headers or {}), media_type=PROBLEM
    )


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem."""

    def coded(request: Request, error: Exception) -> Response:
        assert isinstance(error, QAError)
        status = status_of(error)
        headers: dict[str, str] = {}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if status == 503:
            headers["Retry-After"] = "5"
        if (wait_s := error.context.get("retry_after_s")) is not None:
            headers["Retry-After"] = str(wait_s)
        if status == 500:
            log.error("request failed", code=error.code, path=_route(request))
        faults = None
        if isinstance(error, RulePackError) and error.faults:
            faults = [_placed(fault) for fault in error.faults]
        return problem(request, status, error.code, error.message, faults=faults, headers=headers)

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = error.errors()
        if any(fault["type"] == "json_invalid" for fault in found):
            return problem(request, 400, "json_invalid", "the body is not JSON: correct it")
        faults = [
            Fault(pointer="/".join(str(part) for part in fault["loc"]), detail=fault["msg"]) for fault in found
        ]
        told = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults[:3])
        return problem(request, 422, "request_invalid", f"{told}: see the API documentation", faults=faults)

    def plain(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code, detail = _PLAIN.get(error.status_code, ("request_refused", "see the API documentation"))
        return problem(request, error.status_code, code, detail, headers=error.headers)

    def broken(request: Request, error: Exception) -> Response:
        log.error("request failed", path=_route(request), error=type(error).__name__, exc_info=error)
        return problem(
            request, 500, "internal_error", "something of ours is broken: tell an administrator the request_id"
        )

    app.add_exception_handler(QAError, coded)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, broken)


_PLAIN: Final[Mapping[int, tuple[str, str]]] = {
    400: ("request_invalid", "the request cannot be read: see the API documentation"),
    404: ("no_such_path", "there is nothing under this path: see the API documentation"),
    405: ("method_not_allowed", "this path does not take this method: see the API documentation"),
    413: ("request_too_large", "the request is too large: see the API documentation"),
    415: ("media_type_unsupported", "this content type is not taken here: see the API documentation"),
}


def _route(request: Request) -> str:
    """The path as it was declared: what people sent is not for logs."""
    return getattr(request.scope.get("route"), "path", "")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of errors with these statuses."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM: {"schema": _REFERENCE}}}
        for status in sorted(statuses)
    }


def _placed(fault: str) -> Fault:
    """``pack/file.yaml:line:column: what`` with its place as the pointer."""
    found = _PLACE.match(fault)
    return Fault(pointer=found[1], detail=found[2]) if found else Fault(pointer="pack", detail=fault)


_PLACE: Final = re.compile(r"([^:]+:\d+:\d+): (.*)", re.DOTALL)
_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}
