"""Did it help: what coaching and training did to the faults of their rules.

Guarantee: agents are compared with agents who had no coaching and no training of the module in the same time;
where there is not enough to compare, nothing is claimed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from qa_service.domain.access import EVERYTHING, Principal
from qa_service.domain.coaching import RuleInfo
from qa_service.domain.effects import DayFaults, Effect, EffectPolicy
from qa_service.domain.figures import FigureFilter, Grouping, Period
from qa_service.errors import ConflictError, EngineError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.services.training import module_of
from qa_service.statistics import effects

_PAGE = 1_000
LOOK_BACK_DAYS = 366
"""Sessions from before that are too long ago to be measured by what happened since."""


@dataclass(frozen=True, slots=True)
class MeasuredEffect:
    """An effect with what it is of."""

    module: str
    rules: tuple[str, ...]
    effect: Effect


class CoachingEffects:
    """Args:
    units_to_read: where figures, actions and sessions are read.
    clock: until when calls count.
    zone: whose days they are.
    rules: what is known of the rules in use.
    policy: windows and minimum samples.
    """

    def __init__(
        self,
        *,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        zone: tzinfo,
        rules: Callable[[], Mapping[str, RuleInfo]],
        policy: EffectPolicy,
    ) -> None:
        self._units_to_read = units_to_read
        self._clock = clock
        self._zone = zone
        self._rules = rules
        self._policy = policy

    def of_action(self, who: Principal, action_id: int) -> MeasuredEffect:
        """Of one agent's coaching, on the rules it was about.

        Raises:
            NotFoundError: ``coaching_not_found``.
            ConflictError: ``effect_not_yet``, before it was held.
            EngineError: ``statistics_missing``.
        """
        with self._units_to_read() as unit:
            action = unit.coaching.get(action_id, who.scope)
            agent = action.owner.agent_id
            if agent is None or action.held_at is None:
                raise ConflictError(
                    "effect_not_yet",
                    "nothing to measure: ask when the coaching of an agent was held, or for the module's effect",
                )
            rules = tuple(rule.rule for rule in action.rules) or self._rules_of(action.module)
            held = self._day(action.held_at)
            others = set(self._coached(unit, action.module, held)) - {agent}
            days = self._days(unit, rules, [held], without=others)
        return MeasuredEffect(action.module, rules, self._measure(days, {agent: held}))

    def of_module(self, who: Principal, module: str) -> MeasuredEffect:
        """Of a module's sessions, on all its rules, of those who were there and are in ``who``'s scope.

        Raises:
            NotFoundError: ``training_module_not_found``.
            ConflictError: ``effect_not_yet``.
            EngineError: ``statistics_missing``.
        """
        today = self._day(self._clock.now())
        since = today - timedelta(days=LOOK_BACK_DAYS)
        rules = self._rules_of(module)
        with self._units_to_read() as unit:
            module_of(unit, module)
            trained = unit.training.trained(module, since=self._midnight(since))
            mine = _agents(unit, who)
            treated = {agent: self._day(at) for agent, at in trained.items() if agent in mine}
            if not treated or not rules:
                raise ConflictError(
                    "effect_not_yet", "nothing to measure: ask when a session of a module with rules was held"
                )
            first = min(treated.values())
            others = set(self._coached(unit, module, first)) - set(treated)
            days = self._days(unit, rules, list(treated.values()), without=others)
        return MeasuredEffect(module, rules, self._measure(days, treated))

    def _measure(self, days: Iterable[DayFaults], treated: Mapping[str, date]) -> Effect:
        try:
            return effects.module_effect(days, treated, policy=self._policy)
        except ImportError as error:
            raise EngineError(
                "statistics_missing", "effects cannot be measured here: install the extra statistics"
            ) from error

    def _coached(self, unit: UnitOfWork, module: str, around: date) -> Collection[str]:
        """Everybody who was coached or trained in the module in the time that is compared."""
        since = self._midnight(around - timedelta(days=self._policy.before_days + self._policy.selection_days))
        return {
            *unit.training.trained(module, since=since),
            *unit.coaching.coached(module, since=since),
        }

    def _days(
        self, unit: UnitOfWork, rules: Collection[str], held: Collection[date], *, without: Collection[str]
    ) -> list[DayFaults]:
        before = timedelta(days=self._policy.before_days + self._policy.selection_days)
        until = max(held) + timedelta(days=self._policy.after_days + 1)
        wanted = FigureFilter(min(held) - before, until, rules=frozenset(rules))
        lines = unit.figures.faults(wanted, EVERYTHING, by=(Grouping.AGENT,), period=Period.DAY)
        return [
            DayFaults(agent, line.starts, line.totals.calls, line.totals.faults)
            for line in lines
            if (agent := line.keys[0]) is not None and agent not in without
        ]

    def _rules_of(self, module: str) -> tuple[str, ...]:
        return tuple(sorted(name for name, info in self._rules().items() if info.module == module))

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, datetime.min.time(), tzinfo=self._zone)


def _agents(unit: UnitOfWork, who: Principal) -> set[str]:
    found: list[str] = []
    while page := unit.directory.agents(who.scope, after=found[-1] if found else None, limit=_PAGE):
        found += [agent.agent_id for agent in page]
    return set(found)
