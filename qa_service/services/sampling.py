"""Sampling plans: so many calls of each agent, drawn for every period once, and shared out among inspectors.

Guarantee: the same plan, period and calls give the same draw; asked for again, a draw is what it was.
"""

from datetime import date, datetime, time, timedelta, tzinfo

from qa_service.domain.access import Principal, Scope
from qa_service.domain.nights import last_night
from qa_service.domain.queueing import ReviewPolicy
from qa_service.domain.sampling import Period, PlanTerms, assign, draw, period_start, span_of
from qa_service.errors import ConflictError, InputError, NotFoundError
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.people import Origin
from qa_service.ports.sampling import SampledCall, SamplingDraw, SamplingPlan

MAX_PER_AGENT, MAX_FACTOR, MAX_NEW_DAYS = 200, 10.0, 366
DAYS_BACK = 7
"""How long ago a day may be that is still drawn when no worker ran at its time."""


class Sampling:
    """Args:
    units: where plans and draws are stored.
    units_to_read: the same, for reading only.
    clock: tells which periods are over.
    zone: whose days and weeks they are.
    at: the time of day from which a period that is over is drawn: its calls are scored by then.
    policy: where drawn calls stand in the review queue.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        zone: tzinfo,
        at: time,
        policy: ReviewPolicy,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._zone = zone
        self._at = at
        self._policy = policy

    def plans(self, who: Principal) -> tuple[SamplingPlan, ...]:
        """Those that are about calls of ``who``'s scope."""
        with self._units_to_read() as unit:
            return tuple(plan for plan in unit.sampling.plans() if _holds(who.scope, plan.terms.scope))

    def get(self, who: Principal, plan_id: int) -> SamplingPlan:
        """Raises NotFoundError ``sampling_plan_not_found``."""
        with self._units_to_read() as unit:
            return self._own(unit, who, plan_id)

    def create(
        self,
        who: Principal,
        terms: PlanTerms,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> SamplingPlan:
        """Make a plan. Raises InputError ``sampling_plan_invalid``, ConflictError ``sampling_plan_exists``."""
        check_plan(who, terms)
        with self._units() as unit:
            plan = unit.sampling.add(terms, by=who.user_id)
            unit.audit.record(who, "sampling_plan.create", "sampling_plan", plan.id, origin=origin)
            unit.commit()
        return plan

    def change(
        self,
        who: Principal,
        plan_id: int,
        terms: PlanTerms,
        *,
        version: int | None,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> SamplingPlan:
        """Change a plan; what it has drawn stays. Raises as ``create`` and ``get`` do, ``stale_version``."""
        check_plan(who, terms)
        with self._units() as unit:
            self._own(unit, who, plan_id)
            plan = unit.sampling.change(plan_id, terms, version=version)
            unit.audit.record(who, "sampling_plan.change", "sampling_plan", plan_id, origin=origin)
            unit.commit()
        return plan

    def draw(
        self,
        who: Principal,
        plan_id: int,
        day: date,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> SamplingDraw:
        """Draw the period that ``day`` is in now.

        Raises:
            NotFoundError: ``sampling_plan_not_found``.
            InputError: ``period_not_over``.
            ConflictError: ``period_drawn``.
        """
        with self._units() as unit:
            plan = self._own(unit, who, plan_id)
            start = period_start(day, plan.terms.period)
            if span_of(start, plan.terms.period, self._zone)[1] > self._clock.now():
                raise InputError("period_not_over", f"the {plan.terms.period.value} is not over: ask again then")
            drawn = self._draw(unit, plan, start)
            if drawn is None:
                raise ConflictError(
                    "period_drawn", f"plan {plan_id} has drawn this {plan.terms.period.value}: see its draws"
                )
            unit.audit.record(who, "sampling_plan.draw", "sampling_plan", plan_id, origin=origin)
            unit.commit()
        return drawn

    def draws(self, who: Principal, plan_id: int, *, before: date | None, limit: int) -> tuple[SamplingDraw, ...]:
        """What the plan has drawn, the last period first."""
        with self._units_to_read() as unit:
            self._own(unit, who, plan_id)
            return unit.sampling.draws(plan_id, before=before, limit=limit)

    def calls(self, who: Principal, draw_id: int, *, after: int, limit: int) -> tuple[SampledCall, ...]:
        """The calls of a draw, by number. Raises NotFoundError ``sampling_draw_not_found``."""
        with self._units_to_read() as unit:
            drawn = unit.sampling.draw(draw_id)
            if not _holds(who.scope, unit.sampling.get(drawn.plan_id).terms.scope):
                raise NotFoundError(
                    "sampling_draw_not_found", f"no draw has the number {draw_id}: list the plan's draws"
                )
            return unit.sampling.calls(draw_id, after=after, limit=limit)

    def look_after(self) -> int:
        """Draw what is due and not drawn yet; returns how many periods."""
        due: list[tuple[SamplingPlan, date]] = []
        with self._units_to_read() as unit:
            for plan in unit.sampling.plans():
                if plan.terms.active:
                    due += [
                        (plan, start) for start in self._due(plan) if not unit.sampling.is_drawn(plan.id, start)
                    ]
        made = 0
        for plan, start in due:
            with self._units() as unit:  # each for itself: a large draw does not hold up another's commit
                made += self._draw(unit, plan, start) is not None
                unit.commit()
        return made

    def _due(self, plan: SamplingPlan) -> list[date]:
        """The periods that are over and still wanted: not those from before the plan, nor long ago."""
        night = last_night(self._at, self._zone, self._clock.now())
        if night is None:
            return []
        period = plan.terms.period
        first = plan.created_at.astimezone(self._zone).date()
        starts = {
            period_start(night.day - timedelta(days=back), period)
            for back in range(1, DAYS_BACK + 1)
            if night.day - timedelta(days=back) >= first
        }
        return sorted(s for s in starts if span_of(s, period, self._zone)[1] <= _midnight(night.day, self._zone))

    def _draw(self, unit: UnitOfWork, plan: SamplingPlan, start: date) -> SamplingDraw | None:
        begun = unit.sampling.begin(plan.id, start)
        if begun is None:
            return None
        since, until = span_of(start, plan.terms.period, self._zone)
        candidates = unit.sampling.candidates(plan.terms, since, until)
        drawn = draw(plan.id, plan.terms, start, candidates, self._zone)
        assigned = assign(drawn, unit.sampling.inspectors())
        return unit.sampling.finish(begun, drawn, assigned, candidates=len(candidates), policy=self._policy)

    def _own(self, unit: UnitOfWork, who: Principal, plan_id: int) -> SamplingPlan:
        plan = unit.sampling.get(plan_id)
        if not _holds(who.scope, plan.terms.scope):
            raise NotFoundError(
                "sampling_plan_not_found", f"no plan has the number {plan_id}: list the plans", plan_id=plan_id
            )
        return plan


def _midnight(day: date, zone: tzinfo) -> datetime:
    return span_of(day, Period.DAY, zone)[0]


def _holds(outer: Scope, inner: Scope) -> bool:
    """Whether every call of ``inner`` is in ``outer``."""
    return (
        outer.agent_id is None
        and (outer.vendor is None or outer.vendor == inner.vendor)
        and (outer.teams is None or (inner.teams is not None and inner.teams <= outer.teams))
    )


def check_plan(who: Principal, terms: PlanTerms) -> None:
    """Raises InputError ``sampling_plan_invalid``."""
    fault = None
    if not terms.name.strip() or len(terms.name) > 200:
        fault = "a name has 1 to 200 characters"
    elif not 1 <= terms.per_agent <= MAX_PER_AGENT:
        fault = f"1 to {MAX_PER_AGENT} calls of an agent"
    elif not 0 <= terms.new_agent_days <= MAX_NEW_DAYS or not 1.0 <= terms.new_agent_factor <= MAX_FACTOR:
        fault = f"an agent is new for 0 to {MAX_NEW_DAYS} days, with 1 to {MAX_FACTOR:g} times as many calls"
    elif not 0.0 <= terms.risk_share <= 1.0:
        fault = "the share of risk lies between 0 and 1"
    elif not _holds(who.scope, terms.scope):
        fault = "a plan is about calls of your own scope"
    if fault is not None:
        raise InputError("sampling_plan_invalid", f"{fault}: correct the plan")
