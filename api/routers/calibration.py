"""Calibration sessions. Until one is closed nobody is shown what others or the machine said."""

from fastapi import APIRouter, Response

from api.access import Asking, AskingContext, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.calibration import (
    AnswerList,
    AnswerModel,
    CalibrationProgress,
    CalibrationSessionModel,
    NewCalibrationSession,
    ReviewerProgress,
    SentAnswers,
    SentDecisions,
    SessionResultsModel,
)
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission

router = APIRouter(tags=["calibration"])


@operation(router, "GET", "/calibration-sessions", Permission.CALIBRATION_TAKE, errors=(400,))
def list_calibration_sessions(
    asking: Asking, limit: Limit = 50, cursor: CursorText = None
) -> Page[CalibrationSessionModel]:
    """The sessions one takes part in or has begun, newest first; for managers of the whole site all of them."""
    of = fingerprint("calibration", asking.who.user_id)
    before = (read_cursor(cursor, of, int) or [None])[0]
    found = asking.site.calibration.sessions(asking.who, before=before, limit=limit + 1)
    return page_of(found, limit, of, shown=CalibrationSessionModel.of, key=lambda session: [session.id])


@operation(
    router,
    "POST",
    "/calibration-sessions",
    Permission.CALIBRATION_MANAGE,
    status=201,
    errors=(404, 409),
    response_model=CalibrationSessionModel,
)
def start_calibration_session(asking: Asking, sent: NewCalibrationSession, key: IdempotencyKey = None) -> Response:
    """Begin a session: its reviewers score its calls blind from now on."""

    def create() -> tuple[CalibrationSessionModel, str]:
        session = asking.site.calibration.start(
            asking.who,
            title=sent.title,
            recording_ids=sent.recording_ids,
            criteria=[each.criterion() for each in sent.criteria],
            reviewers=sent.reviewers,
            origin=asking.origin,
        )
        return CalibrationSessionModel.of(session), f"/v1/calibration-sessions/{session.id}"

    return once(asking, "calibration-sessions", key, sent, create)


@operation(router, "GET", "/calibration-sessions/{session_id}", Permission.CALIBRATION_TAKE, errors=(404,))
def get_calibration_session(asking: Asking, response: Response, session_id: Number) -> CalibrationProgress:
    """A session and how far its reviewers are. Its ETag is needed to close and to settle it."""
    session = asking.site.calibration.session(asking.who, session_id)
    done = asking.site.calibration.progress(asking.who, session_id)
    tag(response, session.version)
    places = len(session.places)
    return CalibrationProgress(
        session=CalibrationSessionModel.of(session),
        progress=[ReviewerProgress(user_id=user, answered=n, places=places) for user, n in done.items()],
    )


@operation(router, "GET", "/calibration-sessions/{session_id}/answers", Permission.CALIBRATION_TAKE, errors=(404,))
def get_own_calibration_answers(asking: Asking, session_id: Number) -> AnswerList:
    """What one has said so far."""
    return _own_answers(asking, session_id)


@operation(
    router, "POST", "/calibration-sessions/{session_id}/answers", Permission.CALIBRATION_TAKE, errors=(404, 409)
)
def answer_calibration_session(asking: Asking, session_id: Number, sent: SentAnswers) -> AnswerList:
    """Say, or until it is closed say anew, what holds; all or none of it is taken. Returns all own answers."""
    values = {answer.place: (answer.said, answer.note) for answer in sent.answers}
    asking.site.calibration.answer(asking.who, session_id, values, origin=asking.origin)
    return _own_answers(asking, session_id)


@operation(
    router,
    "POST",
    "/calibration-sessions/{session_id}/close",
    Permission.CALIBRATION_MANAGE,
    errors=(404, 409, 412, 428),
)
def close_calibration_session(
    asking: Asking, response: Response, session_id: Number, if_match: IfMatch = None
) -> CalibrationSessionModel:
    """Freeze the answers, and let everybody of the session see them."""
    session = asking.site.calibration.close(
        asking.who, session_id, version=seen_version(if_match), origin=asking.origin
    )
    tag(response, session.version)
    return CalibrationSessionModel.of(session)


@operation(
    router,
    "POST",
    "/calibration-sessions/{session_id}/decisions",
    Permission.CALIBRATION_TAKE,
    status=204,
    errors=(404, 409),
)
def decide_calibration_session(asking: Asking, session_id: Number, sent: SentDecisions) -> None:
    """Record what was agreed on; all or none of it is taken. The last decision on a place holds."""
    values = {decision.place: decision.said for decision in sent.decisions}
    asking.site.calibration.decide(asking.who, session_id, values, note=sent.note, origin=asking.origin)


@operation(
    router,
    "POST",
    "/calibration-sessions/{session_id}/settle",
    Permission.CALIBRATION_MANAGE,
    errors=(404, 409, 412, 428),
)
def settle_calibration_session(
    asking: Asking, response: Response, session_id: Number, if_match: IfMatch = None
) -> CalibrationSessionModel:
    """The consensus is reached: every place that somebody answered is decided, or was answered alike by all."""
    session = asking.site.calibration.settle(
        asking.who, session_id, version=seen_version(if_match), origin=asking.origin
    )
    tag(response, session.version)
    return CalibrationSessionModel.of(session)


@operation(
    router, "GET", "/calibration-sessions/{session_id}/results", Permission.CALIBRATION_TAKE, errors=(404, 409)
)
def get_calibration_results(asking: Asking, session_id: Number) -> SessionResultsModel:
    """How far reviewers agree, and how they and the machine deviate from the consensus, once it is closed."""
    return SessionResultsModel.of(asking.site.calibration.results(asking.who, session_id))


def _own_answers(asking: AskingContext, session_id: int) -> AnswerList:
    own = asking.site.calibration.own_answers(asking.who, session_id)
    return AnswerList(answers=[AnswerModel.of(answer) for answer in own])
