"""Pages of figures: the reports, and one agent with scores, faults and their calls, and coaching."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.access import Asking, AskingContext, operation
from api.console.pages import PageRoute
from api.console.rendering import render
from qa_service.adapters.reporting.formats import ReportFormat
from qa_service.domain.access import Permission
from qa_service.domain.figures import FaultTotals, ScoreTotals
from qa_service.domain.results import Outcome
from qa_service.domain.review import FindingState
from qa_service.ports.calls import CallFilter, CallOrder
from qa_service.ports.coaching import ActionFilter, CoachingAction
from qa_service.services.agent_page import LATELY
from qa_service.services.reporting.kinds import ReportKind
from qa_service.services.reporting.means import mean_score

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_MONTHS: Final = 6
_RULES_WITH_CALLS: Final = 5
_CALLS_EACH: Final = 3
_LOOKED_AT: Final = 10


@dataclass(frozen=True, slots=True)
class FaultyCall:
    """A call with a fault that stands, and where it is heard."""

    recording_id: int
    at: datetime
    start_s: float | None
    state: FindingState


@operation(router, "GET", "/reports", Permission.REPORTS_READ)
def reports(request: Request, asking: Asking) -> Response:
    kinds = [kind for kind in ReportKind if kind.needs is None or asking.who.may(kind.needs)]
    return render(request, "reports.html", who=asking.who, kinds=kinds, formats=list(ReportFormat))


@operation(router, "GET", "/reports/open", Permission.REPORTS_READ)
def open_report(
    kind: ReportKind,
    subject: Annotated[str, Query(max_length=200)] = "",
    month: Annotated[str, Query(max_length=7)] = "",
    form: Annotated[ReportFormat, Query(alias="format")] = ReportFormat.HTML,
) -> Response:
    """A form knows one address; a report is under its kind."""
    asked = {"subject": subject.strip() if kind.subject else "", "month": month, "format": form.value}
    return _to(f"/v1/reports/{kind}?{urlencode({name: value for name, value in asked.items() if value})}")


@operation(router, "GET", "/agents/{agent_id}", Permission.RECORDINGS_READ)
def agent(request: Request, asking: Asking, agent_id: str) -> Response:
    who, site = asking.who, asking.site
    shown = site.agent_pages.page(who, agent_id, months=_MONTHS)
    rules = [rule for rule in shown.rules if rule.lately.faults or rule.before.faults]
    rules.sort(key=lambda rule: (-rule.lately.faults, rule.rule))
    own = who.scope.agent_id == agent_id

    def mean(totals: ScoreTotals | None) -> object:
        return None if totals is None else mean_score(totals, least=shown.min_calls)

    def rate(totals: FaultTotals | None) -> object:
        return None if totals is None or totals.calls < shown.min_calls else totals.rate

    return render(
        request,
        "agent.html",
        who=who,
        page=shown,
        rules=rules,
        mean=mean,
        rate=rate,
        calls={rule.rule: _calls(asking, agent_id, rule.rule) for rule in rules[:_RULES_WITH_CALLS]},
        coaching=_coaching(asking, agent_id),
        scorecard=_scorecard(who.may(Permission.REPORTS_READ), own and who.may(Permission.KPI_READ), agent_id),
    )


def _calls(asking: AskingContext, agent_id: str, rule: str) -> list[FaultyCall]:
    """The last calls with a fault of this rule that nobody has found to be none, but those to be scored blind."""
    since = asking.site.clock.now().astimezone(UTC) - LATELY - timedelta(days=1)
    wanted = CallFilter(agent_id=agent_id, rule=rule, outcome=Outcome.NOT_MET, since=since)
    found: list[FaultyCall] = []
    with asking.site.units_to_read() as unit:
        calls = unit.calls.page(wanted, asking.who.scope, order=CallOrder.NEWEST, after=None, limit=_LOOKED_AT)
        hidden = unit.calibration.hidden_from(asking.who.user_id, [call.recording_id for call in calls])
        for call in calls:
            if call.recording_id in hidden or len(found) == _CALLS_EACH:
                continue
            for finding in unit.verdicts.sheet(call.recording_id).findings:
                if finding.result.rule == rule and finding.state.stands:
                    start = finding.result.evidence[0].start if finding.result.evidence else None
                    found.append(FaultyCall(call.recording_id, call.at, start, finding.state))
    return found


def _coaching(asking: AskingContext, agent_id: str) -> tuple[CoachingAction, ...]:
    who, coaching = asking.who, asking.site.coaching
    if who.may(Permission.COACHING_READ):
        found = coaching.page(who, ActionFilter(agent_id=agent_id))
    elif who.may(Permission.COACHING_OWN) and who.scope.agent_id == agent_id:
        found = coaching.mine(who, after=None, limit=50)
    else:
        return ()
    return tuple(action for action in found if action.state.is_open)


def _scorecard(may_read: bool, is_own: bool, agent_id: str) -> str | None:
    if may_read:
        return f"/v1/reports/agent?{urlencode({'subject': agent_id, 'format': 'html'})}"
    return "/v1/reports/mine?format=html" if is_own else None


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303)
