"""How values of settings are written: lists, pairs, days, times of day."""

import errno
import re
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from qa_service.adapters.buckets import parse_bucket_url

_LONGEST_HOLIDAY_DAYS: Final = 366


def time_of_day(value: object) -> object:
    """``22:00``; nothing for an empty text."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if not re.fullmatch("[0-2][0-9]:[0-5][0-9]", value):
            raise ValueError(f"{value!r} is no time of day: write 22:00, by the clock of QA_TIME_ZONE")
        return time.fromisoformat(value)
    return value


TimeOfDay = Annotated[time, BeforeValidator(time_of_day)]
NoTimeOfDay = Annotated[time | None, BeforeValidator(time_of_day)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


def pairs(text: str, twice: str) -> dict[str, str]:
    """``name=value,name=value``. Raises ValueError ``twice``, about a name that occurs twice."""
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    named = {name.strip(): told.strip() for name, _, told in parts}
    if len(named) < len(parts):
        raise ValueError(twice)
    return named


def names(value: object) -> object:
    """Names with commas between them."""
    if not isinstance(value, str):
        return value
    return frozenset(name.strip() for name in value.split(",") if name.strip())


def place(text: str) -> str:
    """A source as everybody spells it: a folder from the root, or a bucket's URL."""
    if "://" in text:
        bucket, prefix = parse_bucket_url(text)
        return f"s3://{bucket}" + (f"/{prefix}" if prefix else "")
    if not Path(text).is_absolute():
        # Workers and commands run in different folders, and all mean the same source.
        named = "this" if "@" in text else repr(text)  # it may be a mistyped URL with a secret in it
        raise ValueError(f"{named} is neither a folder from the root on nor s3://bucket/prefix: write it in full")
    return str(Path(text))


def days(text: str) -> list[date]:
    """One day, or those from a first to a last: ``2026-10-01..2026-10-08``."""
    first, _, last = text.partition("..")
    try:
        start, end = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no day: write 2026-10-01, or 2026-10-01..2026-10-08") from error
    if not 0 <= (end - start).days < _LONGEST_HOLIDAY_DAYS:
        raise ValueError(f"{text!r} ends before it begins, or lasts longer than a year: correct it")
    return [start + timedelta(days=ahead) for ahead in range((end - start).days + 1)]


def words(value: str) -> list[str]:
    """Words from a text file, one a line, # for comments; or those of a list with commas."""
    try:
        lines = Path(value).read_text(encoding="utf-8-sig").splitlines() if _names_file(value) else None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{value} cannot be read: {error}") from error
    return re.split("[,，、]", value) if lines is None else [line.split("#")[0] for line in lines]


def _names_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # no file can be named so: it is a list
            return False
        raise
