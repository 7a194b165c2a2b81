"""Charts as SVG: black on white, told apart by dashes, marks and hatching, so that a copier loses nothing.

Guarantee: well-formed XML whatever stands in names; the same chart is the same bytes. Every chart carries its
title and what it tells as text, and whoever puts it on a page adds its numbers as a table.
"""

import math
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from qa_service.adapters.reporting.values import Writer, number
from qa_service.domain.reporting.document import Chart, ChartKind, Said, Unit

WIDTH: Final = 720
HEIGHT: Final = 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 36, 44
_DASHES: Final = ("", "7 4", "2 3", "10 3 2 3")
_LIMIT_DASHES: Final = ("1 3", "4 2", "4 2", "8 2 1 2")
_MOST_LABELS: Final = 12
_MOST_MARKS: Final = 70
_LABEL_CHARACTERS: Final = 14
_GREYS: Final = ("#000", "#555", "#888", "#333")
_STANDS_OUT: Final = Said("stands_out")
_JOINED: Final = (ChartKind.LINE, ChartKind.CONTROL)


def svg(chart: Chart, writer: Writer, *, name: str) -> str:
    """The chart as an SVG element. ``name``: unique on its page, for what is referred to in it."""
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {HEIGHT}",
            "role": "img",
            "aria-labelledby": f"{name}-t {name}-d",
            "font-family": "sans-serif",
            "font-size": "11",
        },
    )
    SubElement(root, "title", {"id": f"{name}-t"}).text = writer.say(chart.title)
    SubElement(root, "desc", {"id": f"{name}-d"}).text = writer.say(chart.told)
    scale = _Scale(chart)
    _axes(root, chart, scale, writer)
    if scale.is_empty:
        _text(root, WIDTH / 2, HEIGHT / 2, writer.say(chart.told), anchor="middle")
    elif chart.kind is ChartKind.BARS:
        _bars(root, chart, scale, name)
    else:
        _limits(root, chart, scale)
        _lines(root, chart, scale, writer)
    _legend(root, chart, writer, name)
    return tostring(root, encoding="unicode")


class _Scale:
    """Where values and places lie."""

    def __init__(self, chart: Chart) -> None:
        values = [value for series in chart.series for value in series.values if value is not None]
        for series in chart.series:
            for interval in series.intervals:
                values.extend(() if interval is None else (interval.low, interval.high))
        values.extend(value for limit in chart.limits for value in limit.values if value is not None)
        self.is_empty = not values
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if chart.kind in (ChartKind.BARS, ChartKind.FUNNEL):
            low, high = min(low, 0.0), max(high, 0.0)
        self.ticks = _ticks(low, high)
        self.low, self.high = self.ticks[0], self.ticks[-1]
        self.count = max(1, len(chart.places))
        self.sizes: list[float] | None = None
        if chart.kind is ChartKind.FUNNEL:
            self.sizes = [float(place) for place in chart.places if isinstance(place, int)]
            self.size_ticks = _ticks(0.0, max(self.sizes, default=1.0))

    def x(self, place: int) -> float:
        width = WIDTH - _LEFT - _RIGHT
        if self.sizes is not None:
            return _LEFT + width * self.sizes[place] / self.size_ticks[-1]
        return _LEFT + width * (place + 0.5) / self.count

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers around all values (Heckbert, "Nice numbers for graph labels", 1990)."""
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(nice for nice in (1, 2, 5, 10) if nice * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _axes(root: Element, chart: Chart, scale: _Scale, writer: Writer) -> None:
    for tick in scale.ticks:
        y = scale.y(tick)
        _line(root, _LEFT, y, WIDTH - _RIGHT, y, stroke="#ccc")
        _text(root, _LEFT - 6, y + 4, _tick_text(tick, chart.unit, scale.ticks), anchor="end")
    floor = HEIGHT - _BOTTOM
    _line(root, _LEFT, floor, WIDTH - _RIGHT, floor)
    if scale.sizes is not None:
        for tick in scale.size_ticks:
            x = _LEFT + (WIDTH - _LEFT - _RIGHT) * tick / scale.size_ticks[-1]
            _line(root, x, floor, x, floor + 4)
            _text(root, x, floor + 16, f"{tick:,.0f}", anchor="middle")
        return
    every = math.ceil(scale.count / _MOST_LABELS)
    for at, place in enumerate(chart.places):
        if at % every == 0:
            text = f"{place:%m-%d}" if isinstance(place, date) else writer.text(place)
            _line(root, scale.x(at), floor, scale.x(at), floor + 4)
            _text(root, scale.x(at), floor + 16, _short(text), anchor="middle")


def _tick_text(tick: float, unit: Unit, ticks: Sequence[float]) -> str:
    if unit in (Unit.SHARE, Unit.SHARE_CHANGE):
        digits = 0 if (ticks[1] - ticks[0]) >= 0.00999 else 1
        return f"{tick * 100:.{digits}f}%"
    return number(tick, unit)


def _bars(root: Element, chart: Chart, scale: _Scale, name: str) -> None:
    _hatching(root, name, len(chart.series))
    slot = (WIDTH - _LEFT - _RIGHT) / scale.count
    width = min(40.0, slot * 0.8 / len(chart.series))
    for number_, series in enumerate(chart.series):
        for at, value in enumerate(series.values):
            if value is None:
                continue
            x = scale.x(at) + (number_ - len(chart.series) / 2) * width
            top, foot = sorted((scale.y(value), scale.y(0.0)))
            fill = f"url(#{name}-h{number_ % len(_DASHES)})"
            _shape(root, "rect", x=x, y=top, width=width, height=foot - top, fill=fill, stroke="#000")
            if series.intervals and (interval := series.intervals[at]) is not None:
                _whisker(root, x + width / 2, scale.y(interval.low), scale.y(interval.high))
            if number_ == 0 and at in chart.flagged:
                _flag(root, x + width / 2, top - 8)
    for limit in chart.limits:
        if limit.values and limit.values[0] is not None:
            y = scale.y(limit.values[0])
            _line(root, _LEFT, y, WIDTH - _RIGHT, y, dashes=_LIMIT_DASHES[1])


def _limits(root: Element, chart: Chart, scale: _Scale) -> None:
    for number_, limit in enumerate(chart.limits):
        dashes = _LIMIT_DASHES[number_ % len(_LIMIT_DASHES)]
        if len(limit.values) == 1 and limit.values[0] is not None:
            y = scale.y(limit.values[0])
            _line(root, _LEFT, y, WIDTH - _RIGHT, y, dashes=dashes)
            continue
        if len(limit.values) != len(chart.places):
            continue
        points = [(scale.x(at), value) for at, value in enumerate(limit.values) if value is not None]
        if scale.sizes is not None:
            points.sort()
        drawn = [(x, scale.y(value)) for x, value in points]
        if len(drawn) > 1:
            _path(root, drawn, dashes=dashes, stroke="#000")


def _lines(root: Element, chart: Chart, scale: _Scale, writer: Writer) -> None:
    for number_, series in enumerate(chart.series):
        grey, mark = _GREYS[number_ % len(_GREYS)], _MARKS[number_ % len(_MARKS)]
        # Else the intervals of several series cover each other.
        beside = 0.0 if chart.kind is ChartKind.FUNNEL else 6.0 * (number_ - (len(chart.series) - 1) / 2)
        if chart.kind in _JOINED:
            for run in _runs(series.values):
                drawn = [(scale.x(at) + beside, scale.y(value)) for at, value in run]
                if len(drawn) > 1:
                    _path(root, drawn, dashes=_DASHES[number_ % len(_DASHES)], stroke=grey)
        few = len(series.values) <= _MOST_MARKS or chart.kind is ChartKind.FUNNEL
        for at, value in enumerate(series.values):
            if value is None:
                continue
            x, y = scale.x(at) + beside, scale.y(value)
            if few:
                if series.intervals and (interval := series.intervals[at]) is not None:
                    _whisker(root, x, scale.y(interval.low), scale.y(interval.high))
                mark(root, x, y, grey)
            if number_ == 0 and at in chart.flagged:
                _flag(root, x, y)
                if chart.labels:
                    _text(root, x + 9, y + 4, _short(writer.text(chart.labels[at])))


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches without gaps."""
    runs: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((at, value))
    return [run for run in runs if run]


def _legend(root: Element, chart: Chart, writer: Writer, name: str) -> None:
    x = float(_LEFT)
    for number_, series in enumerate(chart.series):
        if chart.kind is ChartKind.BARS:
            fill = f"url(#{name}-h{number_ % len(_DASHES)})"
            _shape(root, "rect", x=x, y=10.0, width=24.0, height=11.0, fill=fill, stroke="#000")
        else:
            grey = _GREYS[number_ % len(_GREYS)]
            if chart.kind in _JOINED:
                _line(root, x, 16, x + 24, 16, dashes=_DASHES[number_ % len(_DASHES)], stroke=grey)
            _MARKS[number_ % len(_MARKS)](root, x + 12, 16.0, grey)
        x = _legend_text(root, x, writer.text(series.name))
    for number_, limit in enumerate(chart.limits):
        dashes = _LIMIT_DASHES[1 if chart.kind is ChartKind.BARS else number_ % len(_LIMIT_DASHES)]
        _line(root, x, 16, x + 24, 16, dashes=dashes)
        x = _legend_text(root, x, writer.text(limit.name))
    if chart.flagged:
        _flag(root, x + 12, 16.0)
        _legend_text(root, x, writer.text(_STANDS_OUT))


def _legend_text(root: Element, x: float, text: str) -> float:
    _text(root, x + 30, 20, text)
    return x + 46 + sum(12 if ord(character) > 0x2E80 else 6.5 for character in text)


def _hatching(root: Element, name: str, count: int) -> None:
    definitions = SubElement(root, "defs")
    for number_ in range(min(count, len(_DASHES))):
        pattern = SubElement(
            definitions,
            "pattern",
            {"id": f"{name}-h{number_}", "width": "6", "height": "6", "patternUnits": "userSpaceOnUse"},
        )
        _shape(pattern, "rect", width=6.0, height=6.0, fill="#fff")
        strokes = (("M0 6L6 0",), ("M0 0L6 6",), ("M0 3H6",), ("M3 0V6",))[number_]
        for stroke in strokes:
            SubElement(pattern, "path", {"d": stroke, "stroke": "#000", "stroke-width": "1"})


def _dot(root: Element, x: float, y: float, fill: str) -> None:
    _shape(root, "circle", cx=x, cy=y, r=3.0, fill=fill)


def _square(root: Element, x: float, y: float, fill: str) -> None:
    _shape(root, "rect", x=x - 3, y=y - 3, width=6.0, height=6.0, fill="#fff", stroke=fill)


def _triangle(root: Element, x: float, y: float, fill: str) -> None:
    corners = f"{x:.1f},{y - 4:.1f} {x - 4:.1f},{y + 3:.1f} {x + 4:.1f},{y + 3:.1f}"
    SubElement(root, "polygon", {"points": corners, "fill": fill})


def _cross(root: Element, x: float, y: float, fill: str) -> None:
    d = f"M{x - 3:.1f} {y - 3:.1f}l6 6m0-6l-6 6"
    SubElement(root, "path", {"d": d, "stroke": fill, "stroke-width": "1.5"})


_MARKS: Final[tuple[Callable[[Element, float, float, str], None], ...]] = (_dot, _square, _triangle, _cross)


def _flag(root: Element, x: float, y: float) -> None:
    """A ring around what stands out: seen in black and white, and over any mark."""
    _shape(root, "circle", cx=x, cy=y, r=6.5, fill="none", stroke="#000", **{"stroke-width": 2.0})


def _whisker(root: Element, x: float, low: float, high: float) -> None:
    d = f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6"
    SubElement(root, "path", {"d": d, "stroke": "#000", "stroke-width": "0.8", "fill": "none"})


def _line(
    root: Element, x1: float, y1: float, x2: float, y2: float, *, dashes: str = "", stroke: str = "#000"
) -> None:
    _path(root, [(x1, y1), (x2, y2)], dashes=dashes, stroke=stroke)


def _path(root: Element, points: Sequence[tuple[float, float]], *, dashes: str, stroke: str) -> None:
    d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    given = {"d": d, "stroke": stroke, "fill": "none"}
    SubElement(root, "path", {**given, "stroke-dasharray": dashes} if dashes else given)


def _shape(root: Element, tag: str, **attributes: float | str) -> None:
    SubElement(root, tag, {key: v if isinstance(v, str) else f"{v:.1f}" for key, v in attributes.items()})


def _text(root: Element, x: float, y: float, text: str, *, anchor: str = "start") -> None:
    SubElement(root, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}).text = text


def _short(text: str) -> str:
    return text if len(text) <= _LABEL_CHARACTERS else f"{text[: _LABEL_CHARACTERS - 1]}…"
