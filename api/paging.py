"""Pages by cursor: each begins where the last one ended, so that the thousandth costs what the first did.

Guarantee: a cursor that was not made for the same list, filters and order is refused.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from qa_service.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

MAX_LIMIT: Final = 200

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="At most so many items")]
CursorText = Annotated[
    str | None, Query(max_length=1000, pattern=r"^[A-Za-z0-9_-]+$", description="`next` of the page before")
]


class Page(BaseModel, Generic[T]):
    """Items in the list's order; ``next`` is the cursor of the page that follows, null on the last one."""

    items: list[T]
    next: str | None = Field(default=None, description="Give it as `cursor` for the next page")


def fingerprint(*asked: object) -> str:
    """Of a list with its filters and order."""
    return hashlib.sha256(repr(asked).encode("utf-8", "replace")).hexdigest()[:12]


def write_cursor(of: str, keys: Sequence[Any]) -> str:
    """``keys``: JSON values that tell where the next page begins."""
    text = json.dumps([of, *keys], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(cursor: str | None, of: str, *kinds: type) -> list[Any] | None:
    """The keys, each of its kind; None for the first page.

    Raises:
        InputError: ``cursor_invalid``.
    """
    if cursor is None:
        return None
    keys: list[Any]
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        made_for, *keys = json.loads(text)
    except (ValueError, binascii.Error, TypeError, RecursionError):
        made_for, keys = None, []
    fits = len(keys) == len(kinds) and all(
        isinstance(key, kind) and not (isinstance(key, bool) and kind is not bool)
        for key, kind in zip(keys, kinds, strict=False)
    )
    if made_for != of or not fits or any(isinstance(key, int) and abs(key) > 2**62 for key in keys):
        raise InputError(
            "cursor_invalid", "the cursor is not of this list, filters and order: begin without one", cursor=cursor
        )
    return keys


def moment_of(text: str) -> datetime:
    """A time that a cursor holds.

    Raises:
        InputError: ``cursor_invalid``.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment
    except ValueError:
        pass
    raise InputError("cursor_invalid", "the cursor is not of this list, filters and order: begin without one")


def page_of(
    found: Sequence[R], limit: int, of: str, *, shown: Callable[[R], T], key: Callable[[R], Sequence[Any]]
) -> Page[T]:
    """A page of ``found``, which holds one item more than the page where another page follows."""
    items = list(found[:limit])
    after = write_cursor(of, key(items[-1])) if len(found) > limit else None
    return Page(items=[shown(item) for item in items], next=after)
