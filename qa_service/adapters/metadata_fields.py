"""Values of call metadata as people write them, checked one by one.

Guarantee: a bad value costs only itself. It becomes unknown and a fault that names the allowed form; the
other values of its row are kept.
"""

from __future__ import annotations

import dataclasses
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from qa_service.domain.call import MIXED, CallMetadata, Direction, HangupSide, Purpose, RawFormat
from qa_service.domain.timeline import TimeSpan

MAX_TEXT_LENGTH = 200
MAX_EXTRA_LENGTH = 2000

_TEXT = f"text of at most {MAX_TEXT_LENGTH} printable characters"
ALLOWED_FORMS: Mapping[str, str] = {
    "call_id": _TEXT,
    "direction": "inbound or outbound",
    "purpose": "service, sales, reply or follow-up",
    "agent_id": _TEXT,
    "agent_name": _TEXT,
    "team": _TEXT,
    "vendor": _TEXT,
    "queue": _TEXT,
    "customer_ref": _TEXT,
    "started_at": "an ISO 8601 date and time such as 2026-05-01T09:30:00",
    "language": "a language code such as zh or en, or mixed",
    "ring_count": "a whole number from 0 to 1000",
    "hangup_side": "agent or customer",
    "agent_channel": "0 or 1",
    "speakers": "a whole number from 1 to 100",
    "hold_spans": "start-end in seconds such as 12.0-95.5;130-140, each end after its start",
    "channel_map": "one or two track numbers from 0, such as 0 or 2,0",
    "raw_format": "encoding/rate or encoding/rate/channels such as mulaw/8000 or s16le/16000/2",
}
"""The known columns, in the contract's order, and what each may hold."""

_WITHHELD = frozenset({"unknown", "anonymous", "restricted", "unavailable", "private", "asterisk"})
_SPAN = re.compile(r"\s*([0-9]{1,6}(?:\.[0-9]+)?)\s*-\s*([0-9]{1,6}(?:\.[0-9]+)?)\s*")
_WHOLE = re.compile(r"([0-9]{1,9})(?:\.0*)?")
_TRACKS = re.compile(r"([0-9]{1,3})(?:[,+]([0-9]{1,3}))?")
_RAW_FORMAT = re.compile(r"([a-z0-9_]{1,20})/([0-9]{1,7})(?:/([0-9]{1,3}))?")
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{1,8})*")


def is_withheld(number: str) -> bool:
    """Whether a telephone system wrote this word where it was not told a number."""
    return number.lower() in _WITHHELD


def parse_hold_spans(text: str) -> tuple[TimeSpan, ...]:
    """``"12.0-95.5;130-140"`` as sorted spans, in seconds. Raises ValueError."""
    spans: list[TimeSpan] = []
    for part in text.strip().removesuffix(";").split(";"):
        match = _SPAN.fullmatch(part)
        if match is None:
            raise ValueError("not a span")
        spans.append(TimeSpan(float(match[1]), float(match[2])))
    return tuple(sorted(spans))


def format_hold_spans(spans: tuple[TimeSpan, ...]) -> str:
    """The text that ``parse_hold_spans`` reads as exactly these spans."""
    # Decimal(repr) is exact and, unlike repr itself, never an exponent.
    return ";".join(f"{Decimal(repr(span.start)):f}-{Decimal(repr(span.end)):f}" for span in spans)


def _printable(value: object, *, max_length: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):  # JSON writes ids as numbers
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("not text")
    text = value.strip()
    # Control characters and lone surrogates break databases and terminals.
    if len(text) > max_length or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("not printable text of that length")
    return text


def _text(value: object) -> str:
    return _printable(value, max_length=MAX_TEXT_LENGTH)


def extra_text(value: object) -> str:
    """The value of an unknown column. Raises ValueError when it cannot be kept."""
    return _printable(value, max_length=MAX_EXTRA_LENGTH)


def _word(value: object) -> str:
    return _text(value).lower()


def _whole(value: object) -> int:
    if isinstance(value, float) and math.isfinite(value):
        value = format(Decimal(value), "f")  # spreadsheets turn 3 into 3.0
    match = _WHOLE.fullmatch(_text(value))
    if match is None:
        raise ValueError("not a whole number")
    return int(match[1])


def _language(value: object) -> str:
    if _word(value) == MIXED:
        return MIXED
    match = _LANGUAGE.fullmatch(_word(value))
    if match is None:
        raise ValueError("not a language code")
    # Recognisers and rule packs know languages, not regions (zh-CN); cmn is Mandarin's own code in ISO 639-3.
    return "zh" if match[1] == "cmn" else match[1]


def _moment(value: object, info: ValidationInfo) -> datetime:
    text = _text(value)
    # A bare date would become midnight and every call one outside the call hours.
    if re.search(r"[0-9][T ][0-9]", text) is None:
        raise ValueError("no time of day")
    moment = datetime.fromisoformat(text)
    if not 1970 <= moment.year < 2200:  # near the ends of the calendar, UTC does not exist
        raise ValueError("not a plausible year")
    if moment.tzinfo is None:
        return moment.replace(tzinfo=info.context)
    # Written in UTC it is a moment and no clock: rules ask what the site's clock showed.
    return moment if moment.utcoffset() else moment.astimezone(info.context)


def _spans(value: object) -> tuple[TimeSpan, ...]:
    if not isinstance(value, str):
        raise ValueError("not text")
    return parse_hold_spans(value)


def parse_channel_map(text: str) -> tuple[int, ...]:
    """``"2,0"``: the file's track 2 becomes channel 0, track 0 channel 1. Raises ValueError."""
    match = _TRACKS.fullmatch(text.replace(" ", ""))
    if match is None or match[1] == match[2]:
        raise ValueError("not one or two different tracks")
    return tuple(int(track) for track in match.groups() if track is not None)


def parse_raw_format(text: str) -> RawFormat:
    """``"mulaw/8000/1"``. Which encodings there are is the decoder's to know. Raises ValueError."""
    match = _RAW_FORMAT.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("not encoding/rate/channels")
    return RawFormat(match[1], int(match[2]), int(match[3] or 1))


def _channel_map(value: object) -> tuple[int, ...]:
    return parse_channel_map(_text(value))


def _raw_format(value: object) -> RawFormat:
    return parse_raw_format(_text(value))


_Text = Annotated[str | None, BeforeValidator(_text)]


class MetadataRow(BaseModel):
    """The known columns of one row; columns without a value are left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    call_id: _Text = None
    direction: Annotated[Direction | None, BeforeValidator(_word)] = None
    purpose: Annotated[Purpose | None, BeforeValidator(_word)] = None
    agent_id: _Text = None
    agent_name: _Text = None
    team: _Text = None
    vendor: _Text = None
    queue: _Text = None
    customer_ref: _Text = None
    started_at: Annotated[datetime | None, BeforeValidator(_moment)] = None
    language: Annotated[str | None, BeforeValidator(_language)] = None
    ring_count: Annotated[int | None, Field(ge=0, le=1000), BeforeValidator(_whole)] = None
    hangup_side: Annotated[HangupSide | None, BeforeValidator(_word)] = None
    agent_channel: Annotated[int | None, Field(ge=0, le=1), BeforeValidator(_whole)] = None
    speakers: Annotated[int | None, Field(ge=1, le=100), BeforeValidator(_whole)] = None
    hold_spans: Annotated[tuple[TimeSpan, ...] | None, BeforeValidator(_spans)] = None
    channel_map: Annotated[tuple[int, ...] | None, BeforeValidator(_channel_map)] = None
    raw_format: Annotated[RawFormat | None, BeforeValidator(_raw_format)] = None


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A value that was treated as unknown."""

    column: str
    value: object

    def __str__(self) -> str:
        shown = repr(self.value)
        if self.column == "customer_ref":  # often a telephone number, which belongs in no log
            shown = "the value"
        elif len(shown) > 60:
            shown = f"{shown[:57]}…"
        return f"column {self.column}: {shown} is not {ALLOWED_FORMS[self.column]}"


def parse_fields(
    values: Mapping[str, object], *, time_zone: tzinfo
) -> tuple[CallMetadata, tuple[FieldFault, ...]]:
    """Known columns to metadata; None and blank text are unknown.

    Args:
        values: by column, only columns of ``ALLOWED_FORMS``.
        time_zone: what a ``started_at`` without an offset is in.
    """
    given: dict[str, Any] = {
        column: value
        for column, value in values.items()
        if value is not None and not (isinstance(value, str) and not value.strip())
    }
    faults: tuple[FieldFault, ...] = ()
    try:
        row = MetadataRow.model_validate(given, context=time_zone)
    except ValidationError as error:
        bad = dict.fromkeys(str(detail["loc"][0]) for detail in error.errors(include_url=False))
        faults = tuple(FieldFault(column, given.pop(column)) for column in bad)
        row = MetadataRow.model_validate(given, context=time_zone)
    return CallMetadata(**{column: getattr(row, column) for column in ALLOWED_FORMS}), faults


def merge(first: CallMetadata, second: CallMetadata) -> CallMetadata:
    """What either knows; where both know something, ``first`` is believed."""
    known = {
        field.name: value
        for field in dataclasses.fields(CallMetadata)
        if (value := getattr(first, field.name)) is not None
    }
    known["extra"] = tuple(sorted((dict(second.extra) | dict(first.extra)).items()))
    return dataclasses.replace(second, **known)


def contradictions(one: CallMetadata | None, other: CallMetadata | None) -> tuple[str, ...]:
    """Names of the values, among those that both know, that are not the same."""
    if one is None or other is None:
        return ()
    fields = [field.name for field in dataclasses.fields(CallMetadata) if field.name != "extra"]
    pairs = [(name, getattr(one, name), getattr(other, name)) for name in fields]
    extra, other_extra = dict(one.extra), dict(other.extra)
    pairs += [(name, value, other_extra.get(name)) for name, value in extra.items()]
    return tuple(name for name, a, b in pairs if a is not None and b is not None and a != b)
