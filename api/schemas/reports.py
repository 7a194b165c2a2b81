"""Reports, as JSON of codes and unrounded numbers (`docs/operations/reports.md`)."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.base import PRINTABLE, Shown, ShownTime
from qa_service.services.reporting.kinds import ReportKind

Subject = Annotated[
    str | None,
    StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE),
    Query(description="The agent's number, the name of the team or vendor"),
]
Month = Annotated[
    str | None, StringConstraints(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$"), Query(description="2026-10")
]


class ReportKindModel(Shown):
    """A kind of report that one may have. `subject`: whom it is about; null: the whole site."""

    kind: ReportKind
    subject: str | None


class ReportKindList(Shown):
    items: list[ReportKindModel]


class SectionModel(Shown):
    """`title` is a code with its values; blocks are tables, charts, paragraphs and cautions."""

    title: dict[str, Any]
    blocks: list[dict[str, Any]]


class ReportModel(Shown):
    """A report. Words are codes; of a measure `value`, `unit`, `interval`, `size` and `too_few`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "format": 1,
                "kind": "agent",
                "title": {"code": "title_agent", "agent": "1024"},
                "subject": "1024",
                "since": "2026-10-01",
                "until": "2026-11-01",
                "as_of": "2026-11-01T01:30:00Z",
                "sections": [
                    {
                        "title": {"code": "faults"},
                        "blocks": [
                            {
                                "type": "table",
                                "title": {"code": "faults_by_rule"},
                                "columns": [{"code": "rule"}, {"code": "rate"}],
                                "rows": [
                                    [
                                        "opening",
                                        {
                                            "value": 0.08,
                                            "unit": "share",
                                            "interval": {"low": 0.05, "high": 0.12},
                                            "size": 310,
                                            "too_few": False,
                                        },
                                    ]
                                ],
                                "notes": [],
                            }
                        ],
                    }
                ],
            }
        }
    )

    format: int
    kind: str
    title: dict[str, Any]
    subject: str = Field(description="Empty for the whole site")
    since: str
    until: str = Field(description="The day after the last one")
    as_of: ShownTime
    sections: list[SectionModel]
