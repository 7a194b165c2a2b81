"""A report as one page that needs nothing else: it can be printed, mailed and kept.

Guarantee: whatever stands in names is text, never markup; there is no script in it, and nothing that it fetches.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from qa_service.adapters.reporting.charts import svg
from qa_service.adapters.reporting.tables import table_of
from qa_service.adapters.reporting.values import Writer
from qa_service.domain.reporting.document import (
    Block,
    CallLink,
    Caution,
    Cell,
    Chart,
    Measure,
    Paragraph,
    Report,
    Said,
    Table,
)

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_TEMPLATES: Final = "templates"
_HERE: Final = "qa_service.adapters.reporting"


@dataclass(frozen=True, slots=True)
class _Shown:
    text: str
    is_number: bool
    href: str


def html(report: Report, writer: Writer, *, site_url: str | None = None) -> bytes:
    """The page, UTF-8.

    Args:
        site_url: where the console is, for links to calls: ``""`` on a page of the site itself. None: no links.
    """
    from markupsafe import Markup  # only who asks for pages needs it

    span = report.span
    text = template("report.html").render(
        language=writer.language.value,
        style=Markup(style()),
        title=writer.say(report.title),
        period=writer.say(Said("period", (("name", span.name),))),
        made=writer.say(Said("made", (("at", writer.text(report.as_of)),))),
        sections=[
            {
                "title": writer.say(section.title),
                "blocks": [
                    _block(block, writer, site_url, f"c{number}-{at}") for at, block in enumerate(section.blocks)
                ],
            }
            for number, section in enumerate(report.sections)
        ],
        table=_table_macro(),
    )
    return text.encode("utf-8", "replace")


def policy() -> str:
    """The content security policy under which the page looks as it should and does nothing."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def template(name: str) -> "Template":
    """A page's template."""
    return _environment().get_template(name)


@cache
def _table_macro() -> Any:
    return template("table.html").module.table  # type: ignore[attr-defined]


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(_HERE, _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def style() -> str:
    """The style sheet of all pages."""
    return (files(_HERE) / _TEMPLATES / "report.css").read_text(encoding="utf-8")


def _block(block: Block, writer: Writer, site_url: str | None, name: str) -> dict[str, Any]:
    from markupsafe import Markup

    match block:
        case Table():
            return {"kind": "table", **_table(block, writer, site_url)}
        case Chart():
            return {
                "kind": "chart",
                "title": writer.say(block.title),
                "told": writer.say(block.told),
                # Built by an XML writer, which escapes what stands in it.
                "svg": Markup(svg(block, writer, name=name)),
                "table": _table(table_of(block), writer, site_url),
            }
        case Caution():
            return {"kind": "caution", "label": writer.say(Said("caution")), "text": writer.say(block.text)}
        case Paragraph():
            return {"kind": "paragraph", "text": writer.say(block.text)}


def _table(table: Table, writer: Writer, site_url: str | None) -> dict[str, Any]:
    return {
        "title": writer.say(table.title),
        "columns": [writer.say(column.title) for column in table.columns],
        "rows": [[_cell(cell, writer, site_url) for cell in row] for row in table.rows],
        "notes": [writer.say(note) for note in table.notes],
        "empty": writer.say(table.empty),
    }


def _cell(cell: Cell, writer: Writer, site_url: str | None) -> _Shown:
    href = ""
    if isinstance(cell, CallLink) and site_url is not None:
        href = f"{site_url}/console/calls/{cell.recording_id}"
    is_number = isinstance(cell, Measure) or (isinstance(cell, int) and not isinstance(cell, bool))
    return _Shown(writer.text(cell), is_number, href)
