"""Sign-in, queue and one call. Every step is a form, so that it works without scripts and with any keyboard."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute

from api.access import PUBLIC, SIGNED_IN, Asking, close_session, open_session, operation
from api.console.rendering import render
from api.errors import status_of
from api.masks import Eyes
from api.schemas.base import MAX_ID, Number
from qa_service.domain.access import Permission
from qa_service.domain.review import Decision, FindingState, Reason
from qa_service.errors import AuthenticationError, QAError
from qa_service.ports.review import ItemState, Sheet
from qa_service.services.findings import not_blind

HOME: Final = "/console/"
_SIGN_IN: Final = "/console/sign-in"


class PageRoute(APIRoute):
    """Faults are pages; who is not signed in is asked to."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await handle(request)
            except AuthenticationError as error:
                if request.url.path == _SIGN_IN:
                    return _sign_in_page(request, fault=error.message, status=status_of(error))
                then = request.url.path if request.method == "GET" else HOME
                return _to(f"{_SIGN_IN}?then={quote(then)}")
            except QAError as error:
                return render(
                    request,
                    "fault.html",
                    status=status_of(error),
                    fault=error.message,
                    code=error.code,
                    back=_back(request),
                )
            except RequestValidationError:
                told = "something in the form is missing or not as it should be"
                return render(
                    request, "fault.html", status=422, fault=told, code="request_invalid", back=_back(request)
                )

        return page


router = APIRouter(route_class=PageRoute, include_in_schema=False)


@operation(router, "GET", "/sign-in", PUBLIC)
def sign_in_form(request: Request, then: str = HOME) -> Response:
    return _sign_in_page(request, then=then)


@operation(router, "POST", "/sign-in", PUBLIC)
def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1024)],
    then: Annotated[str, Form(max_length=200)] = HOME,
) -> Response:
    answer = _to(then if then.startswith(HOME) else HOME)  # nobody is sent elsewhere
    open_session(request, answer, name, password)
    return answer


@operation(router, "POST", "/sign-out", SIGNED_IN)
def sign_out(request: Request, asking: Asking) -> Response:
    answer = _to(_SIGN_IN)
    close_session(request, answer, asking)
    return answer


@operation(router, "GET", "/", Permission.REVIEW_WORK)
def queue(request: Request, asking: Asking) -> Response:
    review = asking.site.review
    mine = review.queue(asking.who, mine=True).calls
    calls = [call for call in review.queue(asking.who).calls if call.item.claimed_by != asking.who.user_id]
    return render(request, "queue.html", who=asking.who, calls=calls, mine=mine, eyes=Eyes(asking.who))


@operation(router, "POST", "/next", Permission.REVIEW_WORK)
def next_call(asking: Asking) -> Response:
    item = asking.site.review.claim_next(asking.who, origin=asking.origin)
    return _to(HOME if item is None else _call(item.recording_id))


@operation(router, "GET", "/calls/{recording_id}", Permission.RECORDINGS_READ)
def call(request: Request, asking: Asking, recording_id: Number) -> Response:
    who, site = asking.who, asking.site
    with site.units() as unit:
        shown = unit.calls.get(recording_id, who.scope)
        not_blind(unit, who, recording_id)
        sheet = unit.verdicts.sheet(recording_id)
        conversation = unit.conversations.get(sheet.evaluation.conversation_id).conversation
        item = unit.review.get(recording_id)
        unit.audit.record(who, "recording.view", "recording", recording_id, origin=asking.origin)
        unit.commit()
    eyes = Eyes(who)
    seen = eyes.call(conversation)
    found = {finding.result.rule for finding in sheet.findings}
    return render(
        request,
        "call.html",
        who=who,
        call=shown,
        eyes=eyes,
        call_reference=eyes.reference(shown.call_id) or recording_id,
        recording_id=recording_id,
        sheet=sheet,
        evidence={finding.id: seen.evidence(finding.result.evidence) for finding in sheet.findings},
        verdicts=_verdicts(sheet),
        others=[result for result in sheet.evaluation.results if result.rule not in found and result.scored],
        utterances=seen.conversation.utterances,
        reasons=list(Reason),
        holds=item is not None and item.state is ItemState.CLAIMED and item.claimed_by == who.user_id,
        masked=not eyes.see_numbers,
        may_review=who.may(Permission.REVIEW_WORK),
        may_listen=who.may(Permission.RECORDINGS_LISTEN),
    )


@operation(router, "POST", "/calls/{recording_id}/claim", Permission.REVIEW_WORK)
def claim(asking: Asking, recording_id: Number) -> Response:
    asking.site.review.claim(asking.who, recording_id, origin=asking.origin)
    return _to(_call(recording_id))


@operation(router, "POST", "/calls/{recording_id}/release", Permission.REVIEW_WORK)
def release(asking: Asking, recording_id: Number) -> Response:
    asking.site.review.release(asking.who, recording_id, origin=asking.origin)
    return _to(HOME)


@operation(router, "POST", "/calls/{recording_id}/finish", Permission.REVIEW_WORK)
def finish(asking: Asking, recording_id: Number) -> Response:
    asking.site.review.finish(asking.who, recording_id, origin=asking.origin)
    return next_call(asking)


_Note = Annotated[str, Form(max_length=2000)]
_Seconds = Annotated[float | None, Form()]


@operation(router, "POST", "/findings/{finding_id}", Permission.REVIEW_WORK)
def decide(
    asking: Asking,
    finding_id: Number,
    decision: Annotated[Decision, Form()],
    version: Annotated[int, Form(ge=1, le=MAX_ID)],
    reason: Annotated[str, Form(max_length=40)] = "",
    note: _Note = "",
    start: _Seconds = None,
    end: _Seconds = None,
) -> Response:
    sheet = asking.site.review.decide(
        *(asking.who, finding_id, decision),
        reason=reason,
        note=note,
        start=start,
        end=end,
        version=version,
        origin=asking.origin,
    )
    left = [finding.id for finding in sheet.findings if finding.state is FindingState.OPEN]
    return _to(f"{_call(sheet.evaluation.recording_id)}#finding-{(left or [finding_id])[0]}")


@operation(router, "POST", "/calls/{recording_id}/findings", Permission.REVIEW_WORK)
def add(
    asking: Asking,
    recording_id: Number,
    rule: Annotated[str, Form(max_length=200)],
    start: Annotated[float, Form()],
    end: Annotated[float, Form()],
    note: _Note = "",
) -> Response:
    asking.site.review.add(asking.who, recording_id, rule, start=start, end=end, note=note, origin=asking.origin)
    return _to(_call(recording_id))


def _verdicts(sheet: Sheet) -> dict[int, list[Any]]:
    return {
        finding.id: [verdict for verdict in sheet.verdicts if verdict.finding_id == finding.id]
        for finding in sheet.findings
    }


def _sign_in_page(request: Request, *, then: str = HOME, fault: str | None = None, status: int = 200) -> Response:
    return render(request, "sign_in.html", status=status, then=then, fault=fault)


def _call(recording_id: int) -> str:
    return f"/console/calls/{recording_id}"


def _back(request: Request) -> str:
    came_from = request.headers.get("referer", "")
    own = f"{request.url.scheme}://{request.url.netloc}/console/"
    return came_from if came_from.startswith(own) else HOME


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303)
