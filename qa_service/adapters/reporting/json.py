"""A report as JSON: codes instead of words, numbers unrounded. Names of keys are stable.

Guarantee: the same report is the same bytes.
"""

import json
from datetime import UTC, date, datetime
from typing import Any

from qa_service.adapters.reporting.values import clean
from qa_service.domain.proportions import Interval
from qa_service.domain.reporting.document import (
    Block,
    CallLink,
    Caution,
    Cell,
    Chart,
    Measure,
    Paragraph,
    Report,
    RuleName,
    Said,
    Table,
)

FORMAT = 1


def as_json(report: Report) -> bytes:
    """The document, UTF-8."""
    return (json.dumps(document(report), ensure_ascii=False, allow_nan=False) + "\n").encode()


def document(report: Report) -> dict[str, Any]:
    """The same as objects."""
    return {
        "format": FORMAT,
        "kind": report.kind,
        "title": _value(report.title),
        "subject": clean(report.subject),
        "since": report.span.since.isoformat(),
        "until": report.span.until.isoformat(),
        "as_of": _moment(report.as_of),
        "sections": [
            {"title": _value(section.title), "blocks": [_block(block) for block in section.blocks]}
            for section in report.sections
        ],
    }


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Table():
            return {
                "type": "table",
                "title": _value(block.title),
                "columns": [_value(column.title) for column in block.columns],
                "rows": [[_value(cell) for cell in row] for row in block.rows],
                "notes": [_value(note) for note in block.notes],
            }
        case Chart():
            return {
                "type": "chart",
                "title": _value(block.title),
                "told": _value(block.told),
                "chart": block.kind.value,
                "unit": block.unit.value,
                "places": [_value(place) for place in block.places],
                "labels": [_value(label) for label in block.labels],
                "series": [
                    {
                        "name": _value(series.name),
                        "values": list(series.values),
                        "intervals": [_interval(interval) for interval in series.intervals],
                    }
                    for series in block.series
                ],
                "limits": [{"name": _value(limit.name), "values": list(limit.values)} for limit in block.limits],
                "flagged": sorted(block.flagged),
            }
        case Caution():
            return {"type": "caution", "text": _value(block.text)}
        case Paragraph():
            return {"type": "paragraph", "text": _value(block.text)}


def _value(cell: Cell) -> Any:
    match cell:
        case Said():
            return {"code": cell.code, **{name: _value(value) for name, value in cell.values}}
        case Measure():
            return {
                "value": cell.value,
                "unit": cell.unit.value,
                "interval": _interval(cell.interval),
                "size": cell.size,
                "too_few": cell.too_few,
            }
        case CallLink():
            return {"recording_id": cell.recording_id, "start_s": cell.start_s}
        case RuleName():
            return clean(cell.rule)
        case datetime():
            return _moment(cell)
        case date():
            return cell.isoformat()
        case str():
            return clean(cell)
        case _:
            return cell


def _interval(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else {"low": interval.low, "high": interval.high}


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
