"""The formats of reports, and the names of their files."""

import hashlib
import re
from enum import StrEnum
from typing import Final

from qa_service.adapters.reporting.extra import reports_extra
from qa_service.adapters.reporting.html import html
from qa_service.adapters.reporting.json import as_json
from qa_service.adapters.reporting.values import Writer, clean
from qa_service.adapters.reporting.xlsx import xlsx
from qa_service.domain.reporting.document import Report

_UNFIT: Final = re.compile(r"""[\s/\\:*?"'<>|%&#\ufffd]+""")
_NAME_BYTES: Final = 120


class ReportFormat(StrEnum):
    HTML = "html"
    XLSX = "xlsx"
    JSON = "json"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    ReportFormat.HTML: "text/html; charset=utf-8",
    ReportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ReportFormat.JSON: "application/json",
}


def rendered(report: Report, wanted: ReportFormat, writer: Writer, *, site_url: str | None = None) -> bytes:
    """``site_url``: as ``html`` takes it.

    Raises:
        EngineError: ``reports_missing``.
    """
    with reports_extra():
        match wanted:
            case ReportFormat.HTML:
                return html(report, writer, site_url=site_url)
            case ReportFormat.XLSX:
                return xlsx(report, writer)
            case ReportFormat.JSON:
                return as_json(report)


def file_name(report: Report, wanted: ReportFormat) -> str:
    """``agent-1024-2026-10.html``: a name that every file system takes, different for different subjects."""
    parts = [report.kind, _fit(report.subject), report.span.name.replace("..", "_")]
    return "-".join(part for part in parts if part) + f".{wanted}"


def _fit(name: str) -> str:
    short = _UNFIT.sub("_", clean(name)).encode()[:_NAME_BYTES].decode(errors="ignore").strip(".")
    if short == name:
        return name
    # What was left out told it apart from others.
    return f"{short}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
