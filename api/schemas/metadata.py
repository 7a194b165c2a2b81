"""What the telephony side tells of a call, as it is sent and shown."""

from dataclasses import replace
from datetime import tzinfo
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints

from api.masks import Eyes
from api.schemas.base import PRINTABLE, Sent
from qa_service.adapters.metadata_fields import MAX_EXTRA_LENGTH, MAX_TEXT_LENGTH, parse_raw_format
from qa_service.domain.call import CallMetadata, Direction, HangupSide, Purpose
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import InputError

_REFERENCES = ("call_id", "customer_ref")


def _invalid(fault: str) -> InputError:
    return InputError("metadata_invalid", f"{fault}: correct it")


def _raw_format(text: str) -> str:
    parse_raw_format(text)
    return text


_Text = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_TEXT_LENGTH, pattern=PRINTABLE, strip_whitespace=True)
]
_Extra = Annotated[str, StringConstraints(max_length=MAX_EXTRA_LENGTH, pattern=PRINTABLE)]
_Seconds = Annotated[float, Field(ge=0, lt=1e6, allow_inf_nan=False)]


class HoldSpan(Sent):
    """Seconds from the beginning of the recording; it ends after it starts."""

    start: _Seconds
    end: _Seconds


class MetadataModel(Sent):
    """Everything may be left out: unknown stays unknown. ``extra``: what this product does not know."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "call_id": "c-20261120-0931",
                "direction": "inbound",
                "agent_id": "1024",
                "team": "A",
                "vendor": "V",
                "queue": "billing",
                "customer_ref": "C-5531",
                "started_at": "2026-11-20T09:31:07+08:00",
            }
        }
    )

    call_id: _Text | None = None
    direction: Direction | None = None
    purpose: Purpose | None = None
    agent_id: _Text | None = None
    agent_name: _Text | None = None
    team: _Text | None = None
    vendor: _Text | None = None
    queue: _Text | None = None
    customer_ref: _Text | None = None
    started_at: AwareDatetime | None = None
    language: Annotated[str, StringConstraints(pattern=r"^([a-z]{2,3}|mixed)$")] | None = None
    ring_count: Annotated[int, Field(ge=0, le=1000)] | None = None
    hangup_side: HangupSide | None = None
    agent_channel: Annotated[int, Field(ge=0, le=1)] | None = None
    speakers: Annotated[int, Field(ge=1, le=100)] | None = None
    hold_spans: Annotated[list[HoldSpan], Field(max_length=1000)] | None = None
    channel_map: Annotated[list[Annotated[int, Field(ge=0, le=999)]], Field(min_length=1, max_length=2)] | None = (
        Field(default=None, description="Which tracks of the file are channels 0 and 1")
    )
    raw_format: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[a-z0-9_]{1,20}/[0-9]{1,7}(/[0-9]{1,3})?$"),
            AfterValidator(_raw_format),
        ]
        | None
    ) = Field(default=None, description="Of a file without a header: encoding/rate/channels")
    # Said here, because the schema of a pattern for names leaves other names open.
    extra: dict[_Text, _Extra] = Field(
        default_factory=dict, max_length=50, json_schema_extra={"additionalProperties": False}
    )

    def metadata(self, *, zone: tzinfo) -> CallMetadata:
        """``zone``: of the site. A time in UTC is a moment, no clock: rules ask what the site's clock showed.

        Raises:
            InputError: ``metadata_invalid``.
        """
        self._check()
        started = self.started_at
        if started is not None and not started.utcoffset():
            started = started.astimezone(zone)
        values = self.model_dump(exclude={"started_at", "hold_spans", "channel_map", "raw_format", "extra"})
        return CallMetadata(
            **values,
            started_at=started,
            hold_spans=(
                None
                if self.hold_spans is None
                else tuple(sorted(TimeSpan(s.start, s.end) for s in self.hold_spans))
            ),
            channel_map=None if self.channel_map is None else tuple(self.channel_map),
            raw_format=None if self.raw_format is None else parse_raw_format(self.raw_format),
            extra=tuple(sorted(self.extra.items())),
        )

    def _check(self) -> None:
        """What no schema says. Raises InputError ``metadata_invalid``."""
        if self.started_at is not None and not 1970 <= self.started_at.year < 2200:
            raise _invalid("started_at is in no plausible year")  # near the ends of the calendar there is no UTC
        if any(span.end < span.start for span in self.hold_spans or ()):
            raise _invalid("a hold span ends before it starts")
        if self.channel_map is not None and len(set(self.channel_map)) < len(self.channel_map):
            raise _invalid("channel_map names one track twice")

    @staticmethod
    def of(metadata: CallMetadata, eyes: Eyes) -> "MetadataModel":
        """Not validated: what other ways of telling allowed is shown as it is."""
        raw = metadata.raw_format
        values: dict[str, Any] = {name: getattr(metadata, name) for name in MetadataModel.model_fields}
        values |= {name: eyes.reference(values[name]) for name in _REFERENCES}
        values["raw_format"] = raw and f"{raw.encoding}/{raw.sample_rate_hz}/{raw.channels}"
        values["channel_map"] = metadata.channel_map and list(metadata.channel_map)
        if metadata.hold_spans is not None:
            values["hold_spans"] = [
                HoldSpan.model_construct(start=s.start, end=s.end) for s in metadata.hold_spans
            ]
        values["extra"] = {name: eyes.reference(value) for name, value in metadata.extra}
        return MetadataModel.model_construct(**values)


def as_seen(sent: CallMetadata, stored: CallMetadata, eyes: Eyes) -> CallMetadata:
    """``sent``, where what comes back as it was shown, masked, stands for what is stored."""
    same = {
        name: value
        for name in _REFERENCES
        if (value := getattr(stored, name)) is not None and getattr(sent, name) == eyes.reference(value)
    }
    known = dict(stored.extra)
    extra = tuple(
        (name, known[name] if name in known and value == eyes.reference(known[name]) else value)
        for name, value in sent.extra
    )
    return replace(sent, **same, extra=extra)
