"""ETag and If-Match on what two people edit: who did not see the latest version changes nothing."""

import re
from typing import Annotated, Final

from fastapi import Header, Response

from qa_service.errors import InputError

_ETAG: Final = re.compile(r'(?:W/)?"v([0-9]{1,15})"')

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=100, description="The ETag that was seen; * for whatever is there"),
]


def tag(response: Response, version: int) -> None:
    response.headers["ETag"] = f'"v{version}"'


def seen_version(if_match: str | None) -> int | None:
    """The version that the client saw; None for ``*``.

    Raises:
        InputError: ``precondition_required`` without the header, ``stale_version`` for one that cannot match.
    """
    if if_match is None:
        raise InputError("precondition_required", "no If-Match header: send it with the ETag of what you saw")
    if if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise InputError("stale_version", "the If-Match header is no ETag of this: read it again")
    return int(found[1])
