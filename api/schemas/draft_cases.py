"""Cases of rules that people made of calls, numbers masked."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.base import Sent, Shown, ShownTime
from qa_service.domain.results import Outcome
from qa_service.ports.draft_cases import DraftCase

Why = Annotated[
    str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
]


class NewDraftCase(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"why": "客户在等系统，坐席已说明"}})

    why: Why = Field(description="What the rule got wrong")


class DraftCaseModel(Shown):
    """`expect`: what the rule is to say; `outcome`: what it said of the case when that was made."""

    id: int
    finding_id: int
    recording_id: int
    pack: str
    rule: str
    expect: Outcome
    outcome: Outcome
    document: dict[str, Any] = Field(description="The case, as it stands beside its rule")
    why: str
    user_id: int
    at: ShownTime

    @staticmethod
    def of(draft: DraftCase) -> "DraftCaseModel":
        return DraftCaseModel.model_validate(draft)
