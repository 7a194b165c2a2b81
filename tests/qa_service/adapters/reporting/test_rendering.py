"""One report as a page, a workbook and JSON: the same numbers, and names that are nothing but names."""

import io
import json
import string
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_service.adapters.reporting.charts import svg
from qa_service.adapters.reporting.html import html, policy
from qa_service.adapters.reporting.json import as_json
from qa_service.adapters.reporting.values import Writer, clean, number
from qa_service.adapters.reporting.words import Language, codes, phrase
from qa_service.adapters.reporting.xlsx import xlsx
from qa_service.domain.proportions import Interval
from qa_service.domain.reporting.document import (
    CallLink,
    Caution,
    Cell,
    Chart,
    ChartKind,
    Column,
    Limit,
    Measure,
    Report,
    RuleName,
    Said,
    Section,
    Series,
    Table,
    Unit,
    columns,
    said,
)
from qa_service.domain.reporting.periods import month_of
from tests.qa_service.adapters.reporting.pages import charts_of, page_of, workbook_of

AS_OF = datetime(2026, 11, 1, 1, 30, tzinfo=UTC)
SPAN = month_of(date(2026, 10, 1))
ZH = Writer(Language.ZH, ZoneInfo("Asia/Shanghai"))
EN = Writer(Language.EN, ZoneInfo("Asia/Shanghai"))
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]></svg><script>",
    "=1+1",
    "@SUM(A1)",
    "＝cmd|' /C calc'!A0",
    "{agent} {0} %s",
    "a\x00b\x1bc",
    "\u202egnp.exe",
    "\ud800",
    "</style><script>",
)


def report(*blocks: Table | Chart | Caution, name: str = "1024") -> Report:
    sections = (Section(Said("scores"), blocks),)
    return Report("agent", said("title_agent", agent=name), name, SPAN, AS_OF, sections)


def table(*rows: tuple[Cell, ...]) -> Table:
    return Table(Said("by_agent"), columns("agent", "calls", "mean_score", measured=("mean_score",)), rows)


def chart(kind: ChartKind, names: tuple[str, ...] = ("a", "b", "c"), *, funnel: bool = False) -> Chart:
    places: tuple[str | int | date, ...] = tuple(range(10, 10 + len(names))) if funnel else names
    values = tuple(80.0 + at for at, _ in enumerate(names))
    bounds = tuple(Interval(value - 2, value + 2) for value in values)
    return Chart(
        Said("trend"),
        Said("trend_told"),
        kind,
        Unit.POINTS,
        places,
        (Series(names[0], values, bounds), Series(Said("team_others"), (None, *values[1:]))),
        (Limit(Said("mean_of_all"), (81.0,)), Limit(Said("target"), values)),
        frozenset({1}),
        names if funnel else (),
    )


def test_numbers_are_the_same_everywhere_and_rounded_on_the_page_alone() -> None:
    mean = Measure(81.26789, Unit.POINTS, Interval(78.04, 84.4957), 310)
    share = Measure(0.123456, Unit.SHARE, Interval(0.1, 0.15), 310)
    made = report(
        table(("1024", 1310, mean), ("2048", 12, Measure(None, Unit.POINTS, size=12, too_few=True))),
    )
    other = report(Table(Said("faults_by_rule"), (Column(Said("rate"), True),), ((share,),)))

    rows = page_of(html(made, EN)).tables["Agents side by side"]
    assert rows[1] == ["1024", "1,310", "81.3 (78.0 … 84.5)"]
    assert rows[2] == ["2048", "12", "too few calls (12)"]
    assert page_of(html(other, ZH)).tables["各规则的问题"][1] == ["12.3 % (10.0 % … 15.0 %)"]

    sheet = workbook_of(xlsx(made, EN))["Agents side by side"]
    assert sheet[0] == ["Agent", "Calls", "Mean score", "Mean score, lower bound", "Mean score, upper bound"]
    assert sheet[1] == ["1024", 1310, 81.26789, 78.04, 84.4957]
    assert sheet[2] == ["2048", 12, "too few calls (12)", None, None]

    block = json.loads(as_json(made))["sections"][0]["blocks"][0]
    assert block["rows"][0][2] == {
        "value": 81.26789,
        "unit": "points",
        "interval": {"low": 78.04, "high": 84.4957},
        "size": 310,
        "too_few": False,
    }
    assert block["rows"][1][2]["value"] is None
    assert block["rows"][1][2]["too_few"] is True


def test_a_chart_is_also_a_table_with_all_of_its_numbers() -> None:
    made = report(chart(ChartKind.LINE))
    rows = page_of(html(made, EN)).tables["Mean scores over time"]
    assert rows[0] == ["Place", "a", "Others", "Mean of all", "Target", "stands out"]
    assert rows[2] == ["b", "81.0 (79.0 … 83.0)", "81.0", "81.0", "81.0", "yes"]
    assert rows[1][2] == "–"  # a gap is no zero
    assert workbook_of(xlsx(made, EN))["Mean scores over time"][2][:4] == ["b", 81, 79, 83]


@pytest.mark.parametrize("kind", list(ChartKind))
def test_charts_are_told_apart_without_colour_and_have_a_text(kind: ChartKind) -> None:
    drawn = charts_of(html(report(chart(kind, funnel=kind is ChartKind.FUNNEL)), ZH))[0]
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.findtext(f"{space}title") == "平均分走势"
    assert "区间" in (drawn.findtext(f"{space}desc") or "")
    inks = {element.get(name) for element in drawn.iter() for name in ("stroke", "fill")} - {None, "none"}
    assert all(ink is not None and (ink.startswith(("#", "url(")) and _is_grey(ink)) for ink in inks)
    if kind is ChartKind.BARS:
        assert len(drawn.findall(f".//{space}pattern")) == 2
    else:
        assert any(element.get("stroke-dasharray") for element in drawn.iter())
    rings = [c for c in drawn.iter(f"{space}circle") if c.get("r") == "6.5"]
    assert len(rings) == 2  # the point, and what it means


def _is_grey(ink: str) -> bool:
    digits = ink.removeprefix("#")
    return ink.startswith("url(") or len(set(digits)) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_nothing_but_names(name: str) -> None:
    kinds = [chart(kind, (name, "b", "c"), funnel=kind is ChartKind.FUNNEL) for kind in ChartKind]
    made = report(table((name, 1, None)), *kinds, name=name)
    page = html(made, EN, site_url="")
    seen = page_of(page)
    assert {tag for tag, _ in seen.tags} & {"script", "img", "iframe", "object"} == set()
    assert not [key for _, attributes in seen.tags for key in attributes if key.startswith("on")]
    assert seen.tables["Agents side by side"][1][0] == clean(name)
    assert len(charts_of(page)) == len(kinds)
    assert json.loads(as_json(made))["subject"] == clean(name)

    made_book = xlsx(made, EN)
    for sheet in openpyxl.load_workbook(io.BytesIO(made_book)):
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    shown = workbook_of(made_book)["Agents side by side"][1][0]
    assert shown.removeprefix("'") == clean(name)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(ChartKind)),
    st.lists(
        st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([0.0, -0.0, 1e-300])), min_size=0, max_size=40
    ),
    st.text(alphabet=st.characters(), max_size=20),
)
def test_any_values_make_a_chart(kind: ChartKind, values: list[float | None], name: str) -> None:
    places: tuple[str | int | date, ...]
    places = tuple(range(len(values))) if kind is ChartKind.FUNNEL else tuple(name for _ in values)
    made = Chart(
        *(Said("trend"), Said("trend_told"), kind, Unit.POINTS, places),
        series=(Series(name, tuple(values)),),
        labels=tuple(name for _ in values) if kind is ChartKind.FUNNEL else (),
        flagged=frozenset(range(len(values))),
    )
    drawn = charts_of(svg(made, EN, name="c").encode())[0]
    numbers = [value for element in drawn.iter() for value in element.attrib.values()]
    assert not [value for value in numbers if "nan" in value or "inf" in value]


def test_the_same_report_is_the_same_bytes() -> None:
    makes = (lambda one: html(one, ZH), as_json, lambda one: xlsx(one, ZH))
    for make in makes:
        assert make(report(chart(ChartKind.BARS), table(("a", 1, None)))) == make(
            report(chart(ChartKind.BARS), table(("a", 1, None)))
        )


def test_links_lead_to_the_call_where_somebody_says_where_the_site_is() -> None:
    made = report(Table(Said("to_correct"), columns("run"), ((CallLink(17),),)))
    links = [
        attributes["href"] for tag, attributes in page_of(html(made, EN, site_url="https://qa")).tags if tag == "a"
    ]
    assert links == ["https://qa/console/calls/17"]
    assert not [tag for tag, _ in page_of(html(made, EN)).tags if tag == "a"]


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = html(report(table()), EN)
    assert b"@page" in page
    assert not [tag for tag, attributes in page_of(page).tags if attributes.keys() & {"src", "href"}]
    assert "script-src" not in policy()
    assert "default-src 'none'" in policy()


def test_a_table_without_rows_says_so() -> None:
    assert page_of(html(report(table()), EN)).tables["Agents side by side"][1] == ["There is nothing."]
    assert workbook_of(xlsx(report(table()), EN))["Agents side by side"][1][0] == "There is nothing."


def test_sheets_have_names_that_workbooks_allow() -> None:
    sheets = workbook_of(xlsx(report(table(), table(), table()), ZH))
    assert list(sheets) == ["摘要", "坐席对照", "坐席对照 2", "坐席对照 3"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (-0.04, Unit.POINTS, "0.0"),
        (0.04, Unit.POINTS_CHANGE, "0.0"),
        (-3.25, Unit.POINTS_CHANGE, "-3.2"),
        (1234.5, Unit.NUMBER, "1,234.5"),
        (0.0004, Unit.PROBABILITY, "< 0.001"),
        (125.4, Unit.SECONDS, "2:05"),
        (0.021, Unit.SHARE_CHANGE, "+2.1"),
    ],
)
def test_how_numbers_are_written(value: float, unit: Unit, text: str) -> None:
    assert number(value, unit) == text


def test_everything_is_said_in_both_languages_with_the_same_gaps() -> None:
    for code in codes():
        gaps = []
        for language in Language:
            wanted: set[str] = set()

            class Asked(dict[str, str]):
                def __missing__(self, key: str, wanted: set[str] = wanted) -> str:
                    wanted.add(key)
                    return ""

            assert phrase(language, code, Asked()).strip() or wanted
            gaps.append(wanted)
        assert gaps[0] == gaps[1], code
        assert all(set(name) <= set(string.ascii_lowercase) for name in gaps[0])


def test_rules_have_their_titles_for_people_and_ids_for_programs() -> None:
    writer = Writer(Language.ZH, ZoneInfo("Asia/Shanghai"), {"closing": "结束语\u202e"})
    assert writer.text(RuleName("closing")) == "结束语\ufffd (closing)"
    assert writer.text(RuleName("of-the-site")) == "of-the-site"
