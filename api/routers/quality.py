"""How good the machine is, by what people decided; a rule is never switched but by a person."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.schemas.base import PRINTABLE, Number
from api.schemas.quality import (
    MeasuredThen,
    MeasurementModel,
    PathName,
    RuleFiguresModel,
    RuleHistoryModel,
    ShadowDecision,
    ShadowProposalModel,
)
from qa_service.domain.access import Permission

router = APIRouter(tags=["quality"])

Named = Annotated[str | None, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE), Query()]


@operation(router, "GET", "/quality/rules", Permission.QUALITY_READ)
def get_rule_figures(
    asking: Asking,
    pack: Named = None,
    rule: Named = None,
    in_force: Annotated[bool | None, Query(description="Only versions that found something lately")] = None,
    short: Annotated[bool | None, Query(description="Only rules that fall short of their target")] = None,
) -> MeasurementModel:
    """Precision, recall, overturned findings and drift of every version of every rule, as last measured."""
    measured = asking.site.quality.latest()
    if measured is None:
        return MeasurementModel(since=None, until=None, rules=[])
    wanted = [
        figures
        for figures in measured.figures
        if pack in (None, figures.of.pack)
        and rule in (None, figures.of.rule)
        and in_force in (None, figures.in_force)
        and short in (None, figures.short)
    ]
    return MeasurementModel(
        since=measured.since, until=measured.until, rules=[RuleFiguresModel.of(figures) for figures in wanted]
    )


@operation(router, "GET", "/quality/rules/{pack}/{rule}/history", Permission.QUALITY_READ)
def get_rule_history(asking: Asking, pack: PathName, rule: PathName, limit: Limit = 50) -> RuleHistoryModel:
    """What the last measurements said of a rule; empty for a rule that nobody judged."""
    history = asking.site.quality.history(pack, rule, limit=limit)
    return RuleHistoryModel(
        measurements=[
            MeasuredThen(until=until, figures=RuleFiguresModel.of(figures)) for until, figures in history
        ]
    )


@operation(router, "GET", "/quality/proposals", Permission.QUALITY_READ, errors=(400,))
def list_shadow_proposals(
    asking: Asking,
    limit: Limit = 50,
    cursor: CursorText = None,
    undecided: Annotated[bool, Query(description="Only those that wait for somebody")] = True,
) -> Page[ShadowProposalModel]:
    """Rules that fall short and are proposed for shadow, newest first."""
    of = fingerprint("shadow-proposals", undecided)
    before = (read_cursor(cursor, of, int) or [None])[0]
    found = asking.site.quality.proposals(undecided=undecided, before=before, limit=limit + 1)
    return page_of(found, limit, of, shown=ShadowProposalModel.of, key=lambda proposal: [proposal.id])


@operation(
    router, "POST", "/quality/proposals/{proposal_id}/decision", Permission.RULES_APPROVE, errors=(404, 409)
)
def decide_shadow_proposal(asking: Asking, proposal_id: Number, sent: ShadowDecision) -> ShadowProposalModel:
    """Accept a proposal, or decline it; once."""
    decided = asking.site.quality.decide(
        asking.who, proposal_id, accept=sent.accept, note=sent.note, origin=asking.origin
    )
    return ShadowProposalModel.of(decided)
