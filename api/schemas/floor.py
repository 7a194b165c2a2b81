"""Floor control: how shifts are spent."""

from datetime import date

from pydantic import Field

from api.schemas.base import Shown
from api.schemas.figures import IntervalModel
from qa_service.domain.causes import Cause
from qa_service.domain.control_charts import Advice, Alarm, ChartKind
from qa_service.domain.floor import FloorFigure, FloorMeasure, Spread, Standing
from qa_service.domain.state_times import StateTimes
from qa_service.services.floor import FloorAlert, FloorChart, FloorGrouping, FloorLine, FloorPeriod, TeamSpread


class FloorFigureModel(Shown):
    """`value` is null where `standing` is too_few. `uncertain`: off its target, and chance may have done it."""

    measure: FloorMeasure
    value: float | None
    interval: IntervalModel | None
    days: int = Field(description="Days of agents that it is of")
    standing: Standing

    @staticmethod
    def of(figure: FloorFigure) -> "FloorFigureModel":
        return FloorFigureModel(
            measure=figure.measure,
            value=figure.value,
            interval=IntervalModel.of(figure.interval),
            days=figure.days,
            standing=figure.standing,
        )


class StateTimesModel(Shown):
    """Seconds in each state, and calls that began. `shift_s`: at work, known or not what with."""

    talk_s: float
    hold_s: float
    ring_s: float
    after_call_s: float
    idle_s: float
    break_s: float
    training_s: float
    meeting_s: float
    shift_s: float
    calls: int

    @staticmethod
    def of(times: StateTimes) -> "StateTimesModel":
        return StateTimesModel.model_validate(times)


class FloorLineModel(Shown):
    """`key`: the agent, team or vendor; null where nobody told, and for the site."""

    key: str | None
    team: str | None
    starts: date
    times: StateTimesModel
    figures: list[FloorFigureModel]

    @staticmethod
    def of(line: FloorLine) -> "FloorLineModel":
        return FloorLineModel(
            key=line.key,
            team=line.team,
            starts=line.starts,
            times=StateTimesModel.of(line.times),
            figures=[FloorFigureModel.of(figure) for figure in line.figures],
        )


class FloorModel(Shown):
    since: date
    until: date
    by: FloorGrouping
    period: FloorPeriod
    lines: list[FloorLineModel]


class SpreadModel(Shown):
    """How the agents of a team differ; `cv`: standard deviation ÷ mean. Null: too few agents."""

    agents: int
    mean: float | None
    sd: float | None
    cv: float | None
    interval: IntervalModel | None = Field(description="Of `cv`; an upper bound of 1000 stands for none")
    standing: Standing

    @staticmethod
    def of(spread: Spread) -> "SpreadModel":
        interval = spread.interval
        shown = None if interval is None else IntervalModel(low=interval.low, high=min(interval.high, 1000.0))
        return SpreadModel(
            agents=spread.agents,
            mean=spread.mean,
            sd=spread.sd,
            cv=spread.cv,
            interval=shown,
            standing=spread.standing,
        )


class TeamSpreadModel(Shown):
    """`breaks`: of break rates, judged by their coefficient of variation; `handling`: of handling times, s."""

    team: str | None
    breaks: SpreadModel
    handling: SpreadModel

    @staticmethod
    def of(spread: TeamSpread) -> "TeamSpreadModel":
        return TeamSpreadModel(
            team=spread.team, breaks=SpreadModel.of(spread.breaks), handling=SpreadModel.of(spread.handling)
        )


class TeamSpreadsModel(Shown):
    since: date
    until: date
    teams: list[TeamSpreadModel]
    between: SpreadModel = Field(description="How handling times of teams differ; `agents` counts teams")


class ChartPointModel(Shown):
    """Null: nothing was measured on this day, or there are no limits yet."""

    day: date
    value: float | None
    limits: IntervalModel | None


class ChartAlarmModel(Shown):
    """`days`: those that make up the pattern. `cause`: special, something happened; common, it is how the work is
    set up. `advice`: what to do."""

    test: str
    days: list[date]
    above: bool | None
    cause: Cause
    advice: Advice

    @staticmethod
    def of(alarm: Alarm, days: tuple[date, ...]) -> "ChartAlarmModel":
        return ChartAlarmModel(
            test=alarm.test.value,
            days=[days[point] for point in alarm.points],
            above=alarm.above,
            cause=alarm.cause,
            advice=alarm.advice,
        )


class FloorChartModel(Shown):
    """A control chart, a point a day. `cause` too_few: under 20 points there are no limits."""

    measure: FloorMeasure
    kind: ChartKind
    centre: float | None
    cause: Cause
    target: IntervalModel | None
    points: list[ChartPointModel]
    alarms: list[ChartAlarmModel]

    @staticmethod
    def of(drawn: FloorChart, target: IntervalModel | None) -> "FloorChartModel":
        chart = drawn.chart
        return FloorChartModel(
            measure=drawn.measure,
            kind=chart.kind,
            centre=chart.centre,
            cause=chart.cause,
            target=target,
            points=[
                ChartPointModel(day=day, value=point.value, limits=IntervalModel.of(point.limits))
                for day, point in zip(drawn.days, chart.points, strict=True)
            ],
            alarms=[ChartAlarmModel.of(alarm, drawn.days) for alarm in chart.alarms],
        )


class FloorAlertModel(Shown):
    """`test`: a run test's name, `target` for a figure that is off it, `spread` for agents who differ too much."""

    team: str | None
    measure: FloorMeasure
    cause: Cause
    advice: Advice
    test: str
    since: date
    until: date
    above: bool | None
    value: float | None
    target: IntervalModel | None

    @staticmethod
    def of(alert: FloorAlert) -> "FloorAlertModel":
        return FloorAlertModel(
            team=alert.team,
            measure=alert.measure,
            cause=alert.cause,
            advice=alert.advice,
            test=alert.test,
            since=alert.since,
            until=alert.until,
            above=alert.above,
            value=alert.value,
            target=IntervalModel.of(alert.target),
        )


class FloorAlertList(Shown):
    items: list[FloorAlertModel]
