"""Calibration sessions: whoever scores the same calls blind, and how far they agree.

Guarantee: while a session is open nobody is shown another's answers or the machine's, not even who began it; a
reviewer may change the own ones. Closing freezes them. Nothing is overwritten: answers and decisions are added.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from qa_service.domain import calibration
from qa_service.domain.access import Permission, Principal
from qa_service.domain.agreement import Agreement, Scale, Value
from qa_service.domain.calibration import (
    MACHINE,
    Answer,
    CalibrationSession,
    Criterion,
    Deviation,
    Place,
    SessionState,
)
from qa_service.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError
from qa_service.ports import UnitOfWork, UnitOfWorkFactory
from qa_service.ports.people import Origin

TITLE_CHARACTERS, NOTE_CHARACTERS = 200, 2_000
MAX_CALLS, MAX_CRITERIA, MAX_REVIEWERS = 200, 50, 12
MAX_ANSWERS = 20_000
"""Of a whole session: what a page of results can still show."""
_KEPT_RESULTS = 32

Measure = Callable[[Mapping[int, Mapping[int, Value]], Scale], Agreement]


@dataclass(frozen=True, slots=True)
class CriterionResults:
    """One criterion: how far reviewers agree, and how each of them and the machine differ from the consensus.

    ``deviations`` are over places that there is a consensus for: those on which all agree, and those decided.
    """

    criterion: Criterion
    agreement: Agreement
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True, slots=True)
class SessionResults:
    """What a closed session came to. ``overall``: each reviewer, and the machine, over all criteria."""

    session: CalibrationSession
    criteria: tuple[CriterionResults, ...]
    overall: tuple[Deviation, ...]
    answers: tuple[Answer, ...]
    consensus: Mapping[Place, Value]
    undecided: tuple[Place, ...]


class Calibration:
    """Args:
    units: where sessions are stored.
    units_to_read: the same for transactions that write nothing.
    measure: agreement on one criterion, of answers by call and reviewer.
    """

    def __init__(
        self, *, units: UnitOfWorkFactory, measure: Measure, units_to_read: UnitOfWorkFactory | None = None
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read or units
        self._measure = measure
        # Answers are frozen when anybody may see how far they agree, and resampling them takes a while.
        self._measured: dict[int, tuple[Agreement, ...]] = {}

    def start(
        self,
        who: Principal,
        *,
        title: str,
        recording_ids: Sequence[int],
        criteria: Sequence[Criterion],
        reviewers: Sequence[int],
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> CalibrationSession:
        """Begin a session.

        Raises:
            InputError: ``calibration_invalid``.
            NotFoundError: ``recording_not_found``, ``user_not_found``.
        """
        title = " ".join(title.split())
        fault = _fault(title, recording_ids, criteria, reviewers)
        if fault is not None:
            raise InputError("calibration_invalid", f"{fault}: correct the request")
        with self._units() as unit:
            owners = unit.calibration.owners(recording_ids)
            absent = [id_ for id_ in recording_ids if id_ not in owners or not who.scope.covers(owners[id_])]
            if absent:
                raise NotFoundError(
                    "recording_not_found", f"there is no recording {absent[0]}: name one of the call list"
                )
            nobody = unit.calibration.missing_users(reviewers)
            if nobody:
                raise NotFoundError(
                    "user_not_found", f"there is no active user {min(nobody)}: name one of the user list"
                )
            session = unit.calibration.add(
                title=title,
                by=who.user_id,
                recording_ids=recording_ids,
                criteria=criteria,
                reviewers=sorted(reviewers),
            )
            detail = {"recordings": list(recording_ids), "reviewers": list(session.reviewers)}
            _record(unit, who, "start", session.id, detail, origin)
            unit.commit()
        return session

    def sessions(
        self, who: Principal, *, before: int | None = None, limit: int = 50
    ) -> tuple[CalibrationSession, ...]:
        """Sessions that ``who`` may see, newest first: all of them for a manager of the whole site."""
        with self._units_to_read() as unit:
            of = None if _sees_all(who) else who.user_id
            return unit.calibration.page(of=of, before=before, limit=limit)

    def session(self, who: Principal, session_id: int) -> CalibrationSession:
        """Raises NotFoundError ``calibration_not_found``, as all of these do."""
        with self._units_to_read() as unit:
            return _visible(who, unit.calibration.get(session_id), session_id)

    def progress(self, who: Principal, session_id: int) -> Mapping[int, int]:
        """How many places each reviewer has answered."""
        with self._units_to_read() as unit:
            session = _visible(who, unit.calibration.get(session_id), session_id)
            done = unit.calibration.answered(session_id)
        return {reviewer: done.get(reviewer, 0) for reviewer in session.reviewers}

    def own_answers(self, who: Principal, session_id: int) -> tuple[Answer, ...]:
        """What ``who`` has said so far."""
        with self._units_to_read() as unit:
            _visible(who, unit.calibration.get(session_id), session_id)
            said = unit.calibration.answers(session_id, of=who.user_id)
        return tuple(answer for given in calibration.by_place(said).values() for answer in given.values())

    def answer(
        self,
        who: Principal,
        session_id: int,
        values: Mapping[Place, tuple[Value, str]],
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> None:
        """Say, or say anew, what holds of these places, with a note each. What is said already is not said twice.

        Raises:
            ConflictError: ``calibration_not_open``.
            PermissionDeniedError: ``calibration_not_reviewer``.
            InputError: ``calibration_answer_invalid``; nothing is stored then.
        """
        with self._units() as unit:
            session = _visible(who, unit.calibration.held(session_id, alone=False), session_id)
            if who.user_id not in session.reviewers:
                raise PermissionDeniedError(
                    "calibration_not_reviewer", "only reviewers of the session answer: ask to be named as one"
                )
            _require(session, SessionState.OPEN, "calibration_not_open", "answers are frozen")
            _check(
                session, {place: value for place, (value, _) in values.items()}, [n for _, n in values.values()]
            )
            before = calibration.by_place(unit.calibration.answers(session_id, of=who.user_id))
            said = {place: (a.value, a.note) for place, own in before.items() for a in own.values()}
            new = [
                Answer(place, who.user_id, value, note.strip())
                for place, (value, note) in values.items()
                if said.get(place) != (value, note.strip())
            ]
            unit.calibration.answer(session_id, new)
            _record(unit, who, "answer", session_id, {"answers": len(new)}, origin)
            unit.commit()

    def close(
        self,
        who: Principal,
        session_id: int,
        *,
        version: int | None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> CalibrationSession:
        """Freeze the answers and let them be seen. ``version``: the one that was seen; None: whatever it is.

        Raises:
            ConflictError: ``calibration_transition_refused``, ``stale_version``.
        """
        return self._moved(who, session_id, SessionState.CLOSED, version, origin)

    def decide(
        self,
        who: Principal,
        session_id: int,
        values: Mapping[Place, Value],
        *,
        note: str = "",
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> None:
        """Record what was agreed on. Where all agreed from the start no decision is needed; it may be another one.

        Raises:
            ConflictError: ``calibration_not_closed``.
            InputError: ``calibration_answer_invalid``; nothing is stored then.
        """
        with self._units() as unit:
            session = _visible(who, unit.calibration.held(session_id, alone=False), session_id)
            _require(
                session, SessionState.CLOSED, "calibration_not_closed", "the consensus is found after closing"
            )
            _check(session, values, [note])
            unit.calibration.decide(session_id, by=who.user_id, values=values, note=note.strip())
            _record(unit, who, "decide", session_id, {"places": len(values)}, origin)
            unit.commit()

    def settle(
        self,
        who: Principal,
        session_id: int,
        *,
        version: int | None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> CalibrationSession:
        """The consensus is reached.

        Raises:
            ConflictError: ``calibration_undecided`` while some place is, ``calibration_transition_refused``,
                ``stale_version``.
        """
        return self._moved(who, session_id, SessionState.SETTLED, version, origin)

    def results(self, who: Principal, session_id: int) -> SessionResults:
        """How far the reviewers agree, and how they and the machine deviate from the consensus as it is by now.

        Raises:
            ConflictError: ``calibration_not_closed``: until then all are blind.
        """
        with self._units_to_read() as unit:
            session = _visible(who, unit.calibration.get(session_id), session_id)
            if session.state is SessionState.OPEN:
                raise ConflictError(
                    "calibration_not_closed", f"session {session_id} is scored blind: close it first"
                )
            people = unit.calibration.answers(session_id)
            machine = unit.calibration.machine(session_id)
            decided = unit.calibration.decided(session_id)
        given = calibration.by_place((*people, *machine))
        agreed = calibration.consensus(given, decided)
        return SessionResults(
            session,
            tuple(
                CriterionResults(criterion, measured, _deviations(session, [criterion], given, agreed))
                for criterion, measured in zip(session.criteria, self._agreement(session, given), strict=True)
            ),
            _deviations(session, session.criteria, given, agreed),
            tuple(answer for answers in given.values() for answer in answers.values()),
            agreed,
            calibration.undecided(given, agreed),
        )

    def hidden_from(self, who: Principal, recording_ids: Collection[int]) -> frozenset[int]:
        """Of these calls, those that ``who`` is to score blind: whatever shows findings leaves them out."""
        with self._units_to_read() as unit:
            return unit.calibration.hidden_from(who.user_id, recording_ids)

    def _agreement(
        self, session: CalibrationSession, given: Mapping[Place, Mapping[int | None, Answer]]
    ) -> tuple[Agreement, ...]:
        """By criterion, of people's answers."""
        if (known := self._measured.get(session.id)) is not None:
            return known
        people: dict[str, dict[int, dict[int, Value]]] = {each.name: {} for each in session.criteria}
        for place, answers in given.items():
            said = {user: answer.value for user, answer in answers.items() if user is not MACHINE}
            people[place.criterion][place.recording_id] = said
        found = tuple(self._measure(people[each.name], each.scale) for each in session.criteria)
        if len(self._measured) >= _KEPT_RESULTS:
            self._measured.clear()
        self._measured[session.id] = found
        return found

    def _moved(
        self, who: Principal, session_id: int, to: SessionState, version: int | None, origin: Origin
    ) -> CalibrationSession:
        with self._units() as unit:
            session = _visible(who, unit.calibration.held(session_id, alone=True), session_id)
            if calibration.FOLLOWS.get(session.state) is not to:
                raise ConflictError(
                    "calibration_transition_refused",
                    f"session {session_id} is {session.state.value} and cannot become {to.value}: "
                    "take the steps in their order",
                )
            if version not in (None, session.version):
                raise ConflictError(
                    "stale_version", f"session {session_id} has changed meanwhile: read it again, then decide"
                )
            if to is SessionState.SETTLED:
                _require_decisions(unit, session)
            moved = unit.calibration.move(session, to=to, by=who.user_id)
            _record(unit, who, to.value, session_id, {}, origin)
            unit.commit()
        return moved


def _deviations(
    session: CalibrationSession,
    criteria: Sequence[Criterion],
    given: Mapping[Place, Mapping[int | None, Answer]],
    agreed: Mapping[Place, Value],
) -> tuple[Deviation, ...]:
    """Of each reviewer and of the machine. Points and grades are averaged within one criterion only."""
    scales = {criterion.name: criterion.scale for criterion in criteria}

    def pairs(user: int | None) -> list[tuple[Scale, Value, Value]]:
        return [
            (scales[place.criterion], answers[user].value, agreed[place])
            for place, answers in given.items()
            if place.criterion in scales and user in answers and place in agreed
        ]

    deviations = (calibration.deviation(user, pairs(user)) for user in (*session.reviewers, MACHINE))
    found = [deviation for deviation in deviations if deviation.calls]
    return tuple(found if len(criteria) == 1 else (replace(one, difference=None) for one in found))


def _require_decisions(unit: UnitOfWork, session: CalibrationSession) -> None:
    given = calibration.by_place(unit.calibration.answers(session.id))
    agreed = calibration.consensus(given, unit.calibration.decided(session.id))
    open_ = calibration.undecided(given, agreed)
    if open_:
        raise ConflictError(
            "calibration_undecided",
            f"{len(open_)} of the answers of session {session.id} have no consensus, {open_[0].criterion} of "
            f"recording {open_[0].recording_id} for one: decide them first",
        )


def _sees_all(who: Principal) -> bool:
    return who.may(Permission.CALIBRATION_MANAGE) and who.scope.is_everything


def _visible(who: Principal, session: CalibrationSession | None, session_id: int) -> CalibrationSession:
    if session is not None and (_sees_all(who) or who.user_id in (*session.reviewers, session.created_by)):
        return session
    raise NotFoundError(
        "calibration_not_found", f"there is no calibration session {session_id}: look at the list of sessions"
    )


def _require(session: CalibrationSession, state: SessionState, code: str, why: str) -> None:
    if session.state is not state:
        raise ConflictError(
            code, f"session {session.id} is {session.state.value} and {why}: begin another session"
        )


def _check(session: CalibrationSession, values: Mapping[Place, Value], notes: Sequence[str]) -> None:
    """Whether these places are the session's, and these values answers."""
    fault = None if values else "nothing is said of any call"
    for place, value in values.items():
        criterion = session.criterion(place.criterion)
        if place.recording_id not in session.recording_ids or criterion is None:
            fault = fault or f"{place.criterion} of recording {place.recording_id} is not judged in this session"
        else:
            fault = fault or calibration.value_fault(criterion, value)
    if any(len(note) > NOTE_CHARACTERS for note in notes):
        fault = fault or f"a note has at most {NOTE_CHARACTERS} characters"
    if fault is not None:
        raise InputError("calibration_answer_invalid", f"{fault}: correct the request")


def _fault(
    title: str, recording_ids: Sequence[int], criteria: Sequence[Criterion], reviewers: Sequence[int]
) -> str | None:
    names = [criterion.name for criterion in criteria]
    if not title or len(title) > TITLE_CHARACTERS:
        return f"a session has a title of 1 to {TITLE_CHARACTERS} characters"
    if not all(names) or any(len(name) > TITLE_CHARACTERS for name in names):
        return f"a criterion has a name of 1 to {TITLE_CHARACTERS} characters"
    for what, named, fewest, most in (
        ("calls", recording_ids, 1, MAX_CALLS),
        ("criteria", names, 1, MAX_CRITERIA),
        ("reviewers", reviewers, 2, MAX_REVIEWERS),
    ):
        if not fewest <= len(named) <= most:
            return f"a session has {fewest} to {most} {what}"
        if len(set(named)) < len(named):
            return f"one of the {what} is named twice"
    if len(recording_ids) * len(criteria) * len(reviewers) > MAX_ANSWERS:
        return f"a session asks for at most {MAX_ANSWERS} answers, of all reviewers together"
    return None


def _record(
    unit: UnitOfWork, who: Principal, what: str, session_id: int, detail: Mapping[str, object], origin: Origin
) -> None:
    unit.audit.record(who, f"calibration.{what}", "calibration_session", session_id, detail, origin=origin)
