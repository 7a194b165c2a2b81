"""Calibration sessions: reviewers score the same calls blind."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.base import MAX_ID, PRINTABLE, Name, Note, Sent, Shown, ShownTime
from api.schemas.figures import CoefficientModel
from qa_service.domain.agreement import Agreement, Scale, Value
from qa_service.domain.calibration import (
    Answer,
    CalibrationSession,
    Criterion,
    Deviation,
    Place,
    SessionState,
)
from qa_service.domain.results import Outcome
from qa_service.services.calibration import (
    MAX_CALLS,
    MAX_CRITERIA,
    MAX_REVIEWERS,
    CriterionResults,
    SessionResults,
)

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
CriterionName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)]
# A number is a number: neither a truth value nor a text that holds one.
Points = Annotated[float, Field(strict=True, ge=-1e9, le=1e9)]
SentValue = Outcome | Points

_SESSION: dict[str, Any] = {
    "title": "2026-11 开场与结束语",
    "recording_ids": [101, 102],
    "criteria": [{"name": "closing"}, {"name": "complaint", "scale": "ordinal"}],
    "reviewers": [3, 4],
}
_ANSWER: dict[str, Any] = {"recording_id": 101, "criterion": "closing", "value": "not_met"}


class CriterionModel(Sent):
    """A rule by outcome (nominal) or by grade (ordinal), or points (interval), `score` for the call's score."""

    name: CriterionName
    scale: Scale = Scale.NOMINAL

    def criterion(self) -> Criterion:
        return Criterion(self.name, self.scale)


class NewCalibrationSession(Sent):
    model_config = ConfigDict(json_schema_extra={"example": _SESSION})

    title: Name
    recording_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_CALLS)]
    criteria: Annotated[list[CriterionModel], Field(min_length=1, max_length=MAX_CRITERIA)]
    reviewers: Annotated[list[Id], Field(min_length=2, max_length=MAX_REVIEWERS, description="Numbers of users")]


class CalibrationSessionModel(Shown):
    """`state`: open, answers are given blind; closed, they are compared; settled, a consensus is reached."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_SESSION,
                "id": 7,
                "state": "open",
                "version": 1,
                "created_by": 2,
                "created_at": "2026-11-22T08:00:00Z",
            }
        }
    )

    id: int
    title: str
    state: SessionState
    version: int
    created_by: int
    created_at: ShownTime
    recording_ids: list[int]
    criteria: list[CriterionModel]
    reviewers: list[int]

    @staticmethod
    def of(session: CalibrationSession) -> "CalibrationSessionModel":
        return CalibrationSessionModel(
            id=session.id,
            title=session.title,
            state=session.state,
            version=session.version,
            created_by=session.created_by,
            created_at=session.created_at,
            recording_ids=list(session.recording_ids),
            criteria=[CriterionModel(name=each.name, scale=each.scale) for each in session.criteria],
            reviewers=list(session.reviewers),
        )


class ReviewerProgress(Shown):
    """How many of all places (calls times criteria) a reviewer has answered."""

    user_id: int
    answered: int
    places: int


class SentValueOf(Sent):
    """A value for one criterion of one call."""

    recording_id: Id
    criterion: CriterionName
    value: SentValue = Field(description="An outcome, or a number where the criterion's scale has numbers")

    @property
    def place(self) -> Place:
        return Place(self.recording_id, self.criterion)

    @property
    def said(self) -> Value:
        return self.value.value if isinstance(self.value, Outcome) else self.value


class SentAnswer(SentValueOf):
    model_config = ConfigDict(json_schema_extra={"example": _ANSWER})

    note: Note = ""


class SentAnswers(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"answers": [_ANSWER]}})

    answers: Annotated[list[SentAnswer], Field(min_length=1, max_length=1000)]


class SentDecisions(Sent):
    model_config = ConfigDict(json_schema_extra={"example": {"decisions": [_ANSWER], "note": "第二遍听清了"}})

    decisions: Annotated[list[SentValueOf], Field(min_length=1, max_length=1000)]
    note: Note = ""


class AnswerModel(Shown):
    """`user_id` null: the machine's answer."""

    recording_id: int
    criterion: str
    user_id: int | None
    value: str | float
    note: str
    at: ShownTime | None

    @staticmethod
    def of(answer: Answer) -> "AnswerModel":
        place = answer.place
        return AnswerModel(
            recording_id=place.recording_id,
            criterion=place.criterion,
            user_id=answer.user_id,
            value=answer.value,
            note=answer.note,
            at=answer.at,
        )


class AnswerList(Shown):
    answers: list[AnswerModel]


class PlaceModel(Shown):
    recording_id: int
    criterion: str

    @staticmethod
    def of(place: Place) -> "PlaceModel":
        return PlaceModel(recording_id=place.recording_id, criterion=place.criterion)


class ConsensusModel(PlaceModel):
    value: str | float


class PairModel(Shown):
    """Two reviewers over the calls that both judged."""

    first: int
    second: int
    calls: int
    agreement: float | None = Field(description="The share on which they said the same")
    kappa: CoefficientModel = Field(description="Cohen's κ")


class DeviationModel(Shown):
    """How answers differ from the consensus; `user_id` null: the machine's.

    `stricter` accuses more, `milder` less, `otherwise` differs without direction. `chance`: how probable a split
    into stricter and milder at least as uneven is without a bias.
    """

    user_id: int | None
    calls: int
    same: int
    stricter: int
    milder: int
    otherwise: int
    difference: float | None = Field(description="Answer minus consensus on average, of numbers of one criterion")
    chance: float

    @staticmethod
    def of(deviation: Deviation) -> "DeviationModel":
        return DeviationModel.model_validate(deviation)


class CriterionResultsModel(Shown):
    """How far reviewers agree on one criterion, and who deviates how."""

    criterion: CriterionModel
    calls: int = Field(description="Those that at least two judged")
    agreement: float | None = Field(description="The share of pairs of judgements of one call that are the same")
    alpha: CoefficientModel = Field(description="Krippendorff's α")
    pairs: list[PairModel]
    deviations: list[DeviationModel]

    @staticmethod
    def of(results: CriterionResults) -> "CriterionResultsModel":
        measured: Agreement = results.agreement
        criterion = results.criterion
        return CriterionResultsModel(
            criterion=CriterionModel(name=criterion.name, scale=criterion.scale),
            calls=measured.calls,
            agreement=measured.agreement,
            alpha=CoefficientModel.of(measured.alpha),
            pairs=[
                PairModel(
                    first=pair.first,
                    second=pair.second,
                    calls=pair.calls,
                    agreement=pair.agreement,
                    kappa=CoefficientModel.of(pair.kappa),
                )
                for pair in measured.pairs
            ],
            deviations=[DeviationModel.of(deviation) for deviation in results.deviations],
        )


class SessionResultsModel(Shown):
    """What a closed session came to: agreement and deviations by criterion and over all, answers, consensus."""

    session: CalibrationSessionModel
    criteria: list[CriterionResultsModel]
    overall: list[DeviationModel]
    answers: list[AnswerModel]
    consensus: list[ConsensusModel]
    undecided: list[PlaceModel]

    @staticmethod
    def of(results: SessionResults) -> "SessionResultsModel":
        return SessionResultsModel(
            session=CalibrationSessionModel.of(results.session),
            criteria=[CriterionResultsModel.of(each) for each in results.criteria],
            overall=[DeviationModel.of(deviation) for deviation in results.overall],
            answers=[AnswerModel.of(answer) for answer in results.answers],
            consensus=[
                ConsensusModel(recording_id=place.recording_id, criterion=place.criterion, value=value)
                for place, value in results.consensus.items()
            ],
            undecided=[PlaceModel.of(place) for place in results.undecided],
        )


class CalibrationProgress(Shown):
    session: CalibrationSessionModel
    progress: list[ReviewerProgress]
