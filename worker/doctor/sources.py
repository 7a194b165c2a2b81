"""Sources: whether this machine can look through them."""

import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath

from qa_service.adapters.source_folder import table_at
from qa_service.errors import QAError
from qa_service.ports.sources import Listed, Source, Unreadable
from qa_service.services.diagnosis import Finding, failed, ok, together, warning
from qa_service.settings import Settings
from worker.container import source_of

_LOOKED_AT = 1000
_AHEAD_S = 5.0


def sources(settings: Settings) -> Finding:
    """The beginning of each listing; nothing is received or remembered."""
    if not settings.sources:
        return ok("none: recordings come by qa score")
    findings = [one for name in settings.sources for one in _looked_at(source_of(name))]
    return together([*findings, *_table(settings), *_nested(settings.sources)])


def _looked_at(source: Source) -> Iterator[Finding]:
    try:
        found = list(islice(source.walk(), _LOOKED_AT))
    except QAError as error:
        what, _, remedy = error.message.partition(": ")
        yield failed(f"{error.code}: {what}", remedy)
        return
    listed = [one for one in found if isinstance(one, Listed)]
    closed = [one for one in found if isinstance(one, Unreadable)]
    recordings = sum(not one.table for one in listed)
    more = " or more" if len(found) == _LOOKED_AT else ""
    yield ok(f"{source.name}: {recordings}{more} recordings")
    if closed:
        yield warning(
            f"{source.name}: {len(closed)} folders cannot be listed, one is {closed[0].key} ({closed[0].reason})",
            "give the service's account what lies there, or leave it out",
        )
    unread = next((one for one in listed if not _is_readable(source, one)), None)
    if unread is not None:
        yield failed(
            f"{source.name}: {unread.key} may not be read", "let the service's account read what lies there"
        )
    ahead_s = max((one.changed_at - time.time() for one in listed if one.changed_at is not None), default=0.0)
    if ahead_s > _AHEAD_S:
        yield warning(
            f"{source.name}: a file's time is {ahead_s:.0f} s ahead: each file waits for two rounds",
            "set the clocks of the file server and of this machine",
        )


def _is_readable(source: Source, one: Listed) -> bool:
    """Of a bucket reading is tried when it is done: permissions are one for all of it."""
    return one.changed_at is None or os.access(source.path(one.key), os.R_OK)


def _table(settings: Settings) -> Iterator[Finding]:
    table = settings.source_metadata
    if table is not None and (table_at(table) is None or not os.access(table, os.R_OK)):
        yield failed(f"{table} cannot be read", "correct QA_SOURCE_METADATA, or let the service's account read it")


def _nested(names: tuple[str, ...]) -> Iterator[Finding]:
    for inner in names:
        outer = next((one for one in names if one != inner and PurePath(inner).is_relative_to(one)), None)
        if outer is not None:
            yield warning(f"{inner} lies in {outer}: its files are looked at twice", "leave one of them out")
