"""Reports as readers get them: pages and workbooks taken apart again."""

import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import openpyxl

_SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


@dataclass
class Page(HTMLParser):
    """``tables``: rows of cells by caption, the head first. ``tags``: all that there are."""

    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    _open: str = ""
    _text: str = ""
    _rows: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th", "caption"):
            self._open, self._text = tag, ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self.tables[self._text] = self._rows
        elif tag in ("td", "th"):
            self._rows[-1].append(self._text)
        if tag == self._open:
            self._open = ""


def page_of(made: bytes) -> Page:
    page = Page()
    page.feed(made.decode())
    return page


def charts_of(made: bytes) -> list[ElementTree.Element]:
    """Raises ParseError for one that is not well-formed."""
    return [ElementTree.fromstring(svg) for svg in _SVG.findall(made.decode())]


def workbook_of(made: bytes) -> dict[str, list[list[Any]]]:
    """Rows of values by sheet; formulas as they are written."""
    book = openpyxl.load_workbook(io.BytesIO(made))
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book}
