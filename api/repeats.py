"""Idempotency-Key: a creation that is sent twice is done once, and answered alike.

Guarantee: of two at once one is done, the other is told so. What failed may be tried again with the same key. No
secret is kept: where an answer holds one, only the first request gets it.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import Header, Response
from pydantic import BaseModel

from api.access import AskingContext
from qa_service.errors import ConflictError, InputError

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Of your choice, one for each thing to be created; kept for a day",
    ),
]


def once(
    asking: AskingContext,
    operation: str,
    key: str | None,
    sent: BaseModel | bytes,
    create: Callable[[], tuple[BaseModel, str] | tuple[BaseModel, str, int]],
    *,
    status: int = 201,
    holds_secret: bool = False,
) -> Response:
    """``create`` what was sent, once for each ``key``; it returns the answer, the path of what it
    made, and its status where that is not ``status``.

    Raises:
        InputError: ``idempotency_key_reused``, for something else that was sent with a key.
        ConflictError: ``request_under_way``, ``already_created`` where the answer cannot be told again.
    """
    if key is None:
        return _answer(*create(), status=status)
    raw = sent if isinstance(sent, bytes) else sent.model_dump_json().encode()
    digest = hashlib.sha256(raw).hexdigest()
    database, user = asking.site.database, asking.who.user_id
    with database.unit_of_work() as unit:
        before = unit.repeats.begin(user, operation, key, digest)
        unit.commit()
    if before is not None:
        if before.digest != digest:
            raise InputError(
                "idempotency_key_reused", "this Idempotency-Key belongs to another request: choose a new one"
            )
        if before.under_way:
            raise ConflictError("request_under_way", "the same request is under way: ask again", retry_after_s=1)
        if holds_secret:
            raise ConflictError(
                "already_created",
                f"this was created before, as {before.headers.get('Location')}, and its secret is told only once: "
                "make another",
            )
        return Response(before.body, before.status, headers=dict(before.headers), media_type="application/json")
    try:
        made = _answer(*create(), status=status)
    except BaseException:
        with database.unit_of_work() as unit:
            unit.repeats.forget(user, operation, key)
            unit.commit()
        raise
    with database.unit_of_work() as unit:
        unit.repeats.finish(
            *(user, operation, key),
            status=made.status_code,
            headers={"Location": made.headers["Location"]},
            body=b"" if holds_secret else bytes(made.body),
        )
        unit.commit()
    return made


def _answer(made: BaseModel, location: str, own_status: int | None = None, *, status: int) -> Response:
    body = made.model_dump_json()
    return Response(body, own_status or status, headers={"Location": location}, media_type="application/json")
