"""Tables of other systems that were brought in."""

from typing import Any

from pydantic import ConfigDict, Field

from api.schemas.base import Shown, ShownTime
from qa_service.domain.imports import ImportKind
from qa_service.ports.imports import Import, ImportState

_IMPORT: dict[str, Any] = {
    "id": 12,
    "kind": "kpi-figures",
    "file_name": "2026-10.csv",
    "sha256": "9f2c",
    "all_or_nothing": False,
    "state": "done",
    "rows": 60,
    "added": 57,
    "changed": 0,
    "unchanged": 0,
    "rejected": 3,
    "warned": 1,
    "by": "wang.fang",
    "at": "2026-11-02T01:30:00Z",
    "ended_at": "2026-11-02T01:30:01Z",
}


class ImportModel(Shown):
    """`state`: done, also where rows were rejected; refused, nothing was taken as all or nothing was asked for;
    failed, it broke off and is to be sent again. `warned` rows are in force."""

    model_config = ConfigDict(json_schema_extra={"example": _IMPORT})

    id: int
    kind: ImportKind
    file_name: str
    sha256: str
    all_or_nothing: bool
    state: ImportState
    rows: int
    added: int
    changed: int
    unchanged: int
    rejected: int = Field(description="Their faults: `GET /v1/imports/{import_id}/faults`")
    warned: int
    by: str
    at: ShownTime
    ended_at: ShownTime | None

    @staticmethod
    def of(found: Import) -> "ImportModel":
        counts = found.counts
        return ImportModel(
            id=found.id,
            kind=found.kind,
            file_name=found.file_name,
            sha256=found.sha256,
            all_or_nothing=found.all_or_nothing,
            state=found.state,
            rows=counts.rows,
            added=counts.added,
            changed=counts.changed,
            unchanged=counts.unchanged,
            rejected=counts.rejected,
            warned=counts.warned,
            by=found.by,
            at=found.at,
            ended_at=found.ended_at,
        )
