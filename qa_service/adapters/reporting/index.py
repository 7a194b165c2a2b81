"""A page that lists the reports of a folder."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from urllib.parse import quote

from qa_service.adapters.reporting.extra import reports_extra
from qa_service.adapters.reporting.formats import ReportFormat
from qa_service.adapters.reporting.html import style, template
from qa_service.adapters.reporting.values import Writer, clean
from qa_service.domain.reporting.document import Said
from qa_service.domain.reporting.periods import Span
from qa_service.services.reporting.kinds import Wanted


def index_page(
    span: Span,
    as_of: datetime,
    reports: Sequence[tuple[Wanted, Mapping[ReportFormat, str]]],
    writer: Writer,
) -> bytes:
    """``reports``: those of a kind together, each with its files by format.

    Raises:
        EngineError: ``reports_missing``.
    """
    groups = [
        {
            "title": writer.say(Said(f"kind_{kind}")),
            "lines": [
                {
                    "name": clean(wanted.subject) or wanted.span.name,
                    "links": [{"href": quote(name), "text": each.value} for each, name in names.items()],
                }
                for wanted, names in lines
            ],
        }
        for kind, lines in groupby(reports, key=lambda one: one[0].kind)
    ]
    with reports_extra():
        from markupsafe import Markup

        text = template("index.html").render(
            language=writer.language.value,
            style=Markup(style()),
            title=writer.say(Said("title_all", (("name", span.name),))),
            made=writer.say(Said("made", (("at", writer.text(as_of)),))),
            groups=groups,
        )
    return text.encode()
