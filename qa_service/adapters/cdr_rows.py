"""Rows of call detail records (CDR) as Asterisk and FreeSWITCH write them to CSV files.

Guarantee: a file is known by its shape, or not at all. Every line is read by itself, so that one that cannot be
read harms no other: caller names come from strangers, and FreeSWITCH does not escape them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

SAMPLE_LINES = 100  # of which at least half must fit

_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?")
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]+)?")
_DISPOSITION = re.compile("ANSWERED|NO ANSWER|BUSY|FAILED|CONGESTION|CANCEL|UNKNOWN")
UNIQUEID = re.compile(r"(?:[^,\s]+-)?[0-9]{9,11}\.[0-9]+")
UUID = re.compile("[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")

_TIMES = ("start", "answer", "end", "duration", "billsec")
_ASTERISK = ("channel", "dstchannel", "lastapp", "lastdata", *_TIMES, "disposition", "amaflags")
_LAYOUTS: tuple[tuple[str, ...], ...] = (
    # cdr_csv.c; what the site switched on follows
    ("accountcode", "src", "dst", "dcontext", "clid", *_ASTERISK),
    # the sample of cdr_custom.conf
    ("clid", "src", "dst", "dcontext", *_ASTERISK, "accountcode", "uniqueid", "userfield", "sequence"),
    # the template `example` of cdr_csv.conf.xml
    ("clid", "src", "dst", "dcontext", *_TIMES, "hangup_cause", "uuid", "bleg_uuid", "accountcode"),
)
_TAIL = ("uniqueid", "userfield", "peeraccount", "linkedid", "sequence")
_MINIMUM = 11  # FreeSWITCH's, up to the call's uuid

# Columns by the names they have in headers: variables of Asterisk and FreeSWITCH, columns of their databases.
_NAMES: Mapping[str, str] = {
    "calldate": "start", "start_stamp": "start", "answer_stamp": "answer", "end_stamp": "end",
    "answerdate": "answer", "hangupdate": "end",
    "caller_id_number": "src", "destination_number": "dst", "context": "dcontext", "source": "src",
    "destination": "dst", "recording_file": "recordingfile", "record_file": "recordingfile",
    "sip_auth_username": "user_name", "direction": "leg_direction",
}  # fmt: skip
_KEYS = frozenset({"uniqueid", "uuid", "recordingfile"})
# What is kept of a row: all rows of a file are held at once.
_KEPT = _KEYS | {
    "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "duration",
    "billsec", "disposition", "userfield", "bleg_uuid", "did", "outbound_cnum", "call_direction", "leg_direction",
    "sip_hangup_disposition", "cc_queue", "cc_agent", "dialed_user", "user_name",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class CdrRow:
    """What one line says, by column under one name for both systems. With a ``fault`` it cannot be trusted."""

    place: str
    values: Mapping[str, str]
    fault: str | None = None

    @property
    def call_id(self) -> str:
        """The channel's name, by which a recording may be known; empty when the row has none."""
        return self.values.get("uniqueid") or self.values.get("uuid") or ""


def read_cdr(data: bytes) -> Iterator[CdrRow] | None:
    """The rows of a file, None when it is not of call detail records."""
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines()
    first = next((line for line in lines if line.strip()), b"")
    header = _header(first)
    if header is not None:
        return _headed(lines, *header)
    sample = list(islice((line for line in lines if line.strip()), SAMPLE_LINES))
    fits = [(sum(_fits(_cells(line), layout) for line in sample), layout) for layout in _LAYOUTS]
    count, layout = max(fits, key=lambda fit: fit[0])
    return _positional(lines, layout) if count and 2 * count >= len(sample) else None


def _text(line: bytes) -> str | None:
    for encoding in ("utf-8", "gb18030"):
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def _cells(line: bytes, delimiter: str = ",") -> list[str] | None:
    """None when the line is not CSV text."""
    text = _text(line)
    if text is None:
        return None
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        return None
    return [cell.strip() for cell in cells]


def _header(line: bytes) -> tuple[str, tuple[str, ...]] | None:
    """Delimiter and columns, when a line is the header of call detail records and of no other metadata."""
    for delimiter in ",;\t":
        names = [name.lower() for name in _cells(line, delimiter) or ()]
        columns = tuple(_NAMES.get(name, name) for name in names)
        if "file" not in names and "start" in columns and _KEYS & set(columns) and {"src", "dst"} <= set(columns):
            return delimiter, columns
    return None


def _headed(lines: Sequence[bytes], delimiter: str, columns: Sequence[str]) -> Iterator[CdrRow]:
    begun = False
    for place, line in _places(lines):
        cells = _cells(line, delimiter)
        if not begun:
            begun = True
        elif cells is None:
            yield CdrRow(place, {}, "not a line of CSV: check its quotation marks and characters")
        elif len(cells) != len(columns):
            yield CdrRow(place, {}, f"{len(cells)} values for {len(columns)} columns")
        else:
            values: dict[str, str] = {}
            for name, cell in zip(columns, cells, strict=True):
                if cell and name in _KEPT:
                    values.setdefault(name, cell)
            yield CdrRow(place, values)


def _positional(lines: Sequence[bytes], layout: Sequence[str]) -> Iterator[CdrRow]:
    for place, line in _places(lines):
        cells = _cells(line)
        if cells is None:
            yield CdrRow(place, {}, "not a line of CSV: check its quotation marks and characters")
        elif not _fits(cells, layout):
            yield CdrRow(place, {}, "its values do not stand where those of the other lines do")
        else:
            values = zip(_named(cells, layout), cells, strict=False)
            yield CdrRow(place, {name: cell for name, cell in values if cell and name in _KEPT})


def _places(lines: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    return ((f"line {number}", line) for number, line in enumerate(lines, 1) if line.strip())


def _fits(cells: Sequence[str] | None, layout: Sequence[str]) -> bool:
    if cells is None or len(cells) < min(len(layout), _layout_minimum(layout)):
        return False
    values = dict(zip(layout, cells, strict=False))
    return (
        _STAMP.fullmatch(values["start"]) is not None
        and all(not values[name] or _STAMP.fullmatch(values[name]) for name in ("answer", "end"))
        and all(_SECONDS.fullmatch(values[name]) for name in ("duration", "billsec"))
        and ("disposition" not in values or _DISPOSITION.fullmatch(values["disposition"]) is not None)
        and ("uuid" not in layout or UUID.fullmatch(values["uuid"]) is not None)
    )


def _layout_minimum(layout: Sequence[str]) -> int:
    return _MINIMUM if "uuid" in layout else layout.index("amaflags") + 1


def _named(cells: Sequence[str], layout: Sequence[str]) -> Sequence[str]:
    """The layout's names, and those of what Asterisk's ``cdr.conf`` adds behind them."""
    if layout is not _LAYOUTS[0]:
        return layout
    told = len(cells) > len(layout) and UNIQUEID.fullmatch(cells[len(layout)]) is not None
    return (*layout, *(_TAIL if told else _TAIL[1:]))
