"""What the machine got wrong, as cases of its rules. Nothing goes into a pack by itself."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import StringConstraints

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.schemas.base import PRINTABLE, Number
from api.schemas.draft_cases import DraftCaseModel, NewDraftCase
from qa_service.domain.access import Permission

router = APIRouter(tags=["rules"])

_Text = StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)


@operation(
    router,
    "POST",
    "/findings/{finding_id}/draft-case",
    Permission.RULES_TEST,
    status=201,
    errors=(404, 409),
)
def save_draft_case(asking: Asking, response: Response, finding_id: Number, sent: NewDraftCase) -> DraftCaseModel:
    """Make a case of a rejected finding, an upheld objection or an added fault, numbers masked; once a finding."""
    draft = asking.site.draft_cases.save(asking.who, finding_id, why=sent.why, origin=asking.origin)
    response.headers["Location"] = f"/v1/draft-cases?pack={draft.pack}&rule={draft.rule}"
    return DraftCaseModel.of(draft)


@operation(router, "GET", "/draft-cases", Permission.RULES_TEST, errors=(400,))
def list_draft_cases(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    pack: Annotated[str | None, _Text, Query()] = None,
    rule: Annotated[str | None, _Text, Query()] = None,
) -> Page[DraftCaseModel]:
    """Cases that people made of calls, in the order they were made."""
    of = fingerprint("draft-cases", pack, rule)
    after = (read_cursor(cursor, of, int) or [0])[0]
    found = asking.site.draft_cases.page(asking.who, pack=pack, rule=rule, after=after, limit=limit + 1)
    return page_of(found, limit, of, shown=DraftCaseModel.of, key=lambda draft: [draft.id])


@operation(
    router,
    "GET",
    "/draft-cases/export",
    Permission.RULES_TEST,
    response_class=Response,
    responses={200: {"content": {"application/yaml": {"schema": {"type": "array", "items": {"type": "object"}}}}}},
)
def export_draft_cases(
    asking: Asking, pack: Annotated[str, _Text, Query()], rule: Annotated[str, _Text, Query()]
) -> Response:
    """The cases of one rule as the text of its `.cases.yaml`, which `qa rules test` takes."""
    text = asking.site.draft_cases.export(asking.who, pack=pack, rule=rule, origin=asking.origin)
    return Response(text, media_type="application/yaml")
