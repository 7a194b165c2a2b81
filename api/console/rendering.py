"""Templates, and how times and scores are written."""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from api.access import site_of
from api.console.words import language_of, words_of

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def render(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page in the browser's language, times by the site's clock."""
    language = language_of(request.headers.get("accept-language", ""))
    page = _environment(site_of(request).settings.zone).get_template(template)
    text = page.render({"w": words_of(language), "language": language, "who": None, "fault": None, **values})
    return HTMLResponse(text, status, headers={"Content-Security-Policy": _POLICY})


@cache
def _environment(zone: ZoneInfo) -> Environment:
    environment = Environment(
        loader=PackageLoader("api.console"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def moment(at: datetime | None) -> str:
        return "" if at is None else at.astimezone(zone).strftime("%Y-%m-%d %H:%M")

    environment.filters["moment"] = moment
    environment.filters["points"] = _points
    environment.filters["clock"] = _clock
    environment.filters["length_of_time"] = _length_of_time
    return environment


def _points(score: float | None) -> str:
    return "–" if score is None else f"{score:.1f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _length_of_time(seconds: float | None) -> str:
    return "" if seconds is None else f"{int(seconds // 60)}:{int(seconds % 60):02d}"
