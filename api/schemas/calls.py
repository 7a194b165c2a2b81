"""What a list of calls is asked for."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.paging import MAX_LIMIT
from api.schemas.base import PRINTABLE, Moment
from qa_service.domain.call import Direction
from qa_service.domain.results import Outcome
from qa_service.ports.calls import CallFilter, CallOrder

_Word = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
_Score = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Cursor = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[A-Za-z0-9_-]+$")]


class CallQuery(BaseModel):
    """Filters of calls; all that are given hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent_id: _Word | None = None
    team: _Word | None = None
    vendor: _Word | None = None
    queue: _Word | None = None
    direction: Direction | None = None
    call_id: _Word | None = None
    customer_ref: _Word | None = None
    since: Moment | None = Field(default=None, description="Calls of this time and later")
    until: Moment | None = Field(default=None, description="Calls before this time")
    min_score: _Score | None = Field(default=None, description="Of the final score")
    max_score: _Score | None = None
    rule: _Word | None = Field(
        default=None, description="Calls whose evaluation in force has a result of this rule"
    )
    outcome: Outcome | None = Field(default=None, description="… with this outcome")
    to_review: bool | None = Field(default=None, description="Whether findings wait for a person")
    fatal: bool | None = None

    def filter(self, *, text: str | None = None) -> CallFilter:
        """``text``: folded words that are said."""
        values: dict[str, Any] = {name: getattr(self, name, None) for name in CallFilter.__dataclass_fields__}
        values["direction"] = self.direction and self.direction.value
        return CallFilter(**values | {"text": text})


class SearchQuery(CallQuery):
    """Words, and filters of the calls in which somebody says them."""

    text: Annotated[str, StringConstraints(min_length=2, max_length=100, pattern=PRINTABLE)] = Field(
        description="Words as they are said in one breath; case, width and punctuation do not count"
    )
    limit: int = Field(default=20, ge=1, le=50, description="At most so many calls")
    cursor: Cursor | None = Field(default=None, description="`next` of the page before")


class CallListQuery(CallQuery):
    """A page of a list of calls."""

    order: CallOrder = Field(
        default=CallOrder.NEWEST, description="By time, or by final score (calls that have one); - for descending"
    )
    limit: int = Field(default=50, ge=1, le=MAX_LIMIT, description="At most so many items")
    cursor: Cursor | None = Field(default=None, description="`next` of the page before")
