"""What all requests and answers have in common."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
)

MAX_ID: Final = 2**53 - 1
"""The largest whole number that every JSON reader holds exactly."""

PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"
"""No control characters: no database, log or table takes harm."""


class Sent(BaseModel):
    """A request: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shown(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")

Number = Annotated[int, Path(ge=1, le=MAX_ID)]
_NAMED: Final = r"^[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\s][^\x00-\x1f\x7f]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NAMED, strip_whitespace=True)]
"""Something to be read: the documentation says too that spaces alone are no name."""
Note = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise ValueError("a time that no calendar holds") from error


def _written_out(time: object) -> object:
    """A bare number is no time: some mean seconds by it, some milliseconds."""
    if isinstance(time, datetime) or (isinstance(time, str) and _DATE.match(time)):
        return time
    raise ValueError("write it as 2026-11-20T12:30:00+08:00")


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_utc)]
"""A time that is sent: with its zone."""

ShownTime = Annotated[
    datetime, PlainSerializer(lambda t: t.astimezone(UTC).isoformat().replace("+00:00", "Z"), return_type=str)
]
"""A time that is told: ISO 8601, UTC."""
