"""Byte ranges of RFC 9110, section 14: one range of bytes, if it is still of what was seen."""

import re
from dataclasses import dataclass
from typing import Final

_ONE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes ``[start, end)`` of ``size``."""

    start: int
    end: int
    size: int

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


class Unsatisfiable(Exception):  # noqa: N818 - it is an answer
    """There are no such bytes."""


def asked_range(header: str | None, if_range: str | None, *, etag: str, size: int) -> ByteRange | None:
    """The range that is asked for; None: everything.

    What is no single range of bytes is as if it were not there, which the standard allows. So is a range of
    another version: ``if_range`` is not ``etag``. A date there never matches: no time of change is told.

    Raises:
        Unsatisfiable: it begins behind the end, or is empty.
    """
    if header is None or (if_range is not None and if_range.strip() != etag):
        return None
    found = _ONE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if not last else min(size, int(last) + 1)
        if last and int(last) < int(first):
            return None  # no range at all, by the standard's grammar
    if start >= end:
        raise Unsatisfiable
    return ByteRange(start, end, size)
