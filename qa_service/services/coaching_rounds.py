"""Rounds of coaching: what figures and findings show becomes proposals, every night and on request.

Guarantee: of many workers one does a night's round. An agent is proposed only for faults that can be heard,
and that stand; of a subject and module one action is open at most, and a later round extends it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

import structlog

from qa_service.domain.access import EVERYTHING, CallOwner, Principal, Scope
from qa_service.domain.causes import Cause, Trend
from qa_service.domain.coaching import (
    ActionState,
    ActionStep,
    Judged,
    Need,
    RoundPolicy,
    RuleInfo,
    Shared,
    find_needs,
    narrowed,
    subject_key,
)
from qa_service.domain.figures import NO_FAULTS, FaultLine, FaultTotals, FigureFilter, Grouping, Period
from qa_service.domain.nights import last_night
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.coaching import Clip, CoachingAction, Window
from qa_service.ports.people import Origin
from qa_service.services.coaching_steps import take, told

log = structlog.get_logger(__name__)

_PATIENCE: Final = timedelta(hours=2)
"""For so long a night's round waits for figures that are being counted."""


@dataclass(frozen=True, slots=True)
class Causes:
    """What statistics say. ``agents`` and ``trends``: by agent and rule; who is not named there cannot be told.
    ``shared``: team (None: the site) and rule of common causes."""

    agents: Mapping[tuple[str, str], Cause] = field(default_factory=dict)
    shared: Sequence[tuple[str | None, str]] = ()
    trends: Mapping[tuple[str, str], Trend] = field(default_factory=dict)


FindCauses = Callable[[Sequence[FaultLine], Sequence[FaultLine]], Causes]
"""Of the faults by team, agent and rule in the window, and in the time before it."""

Rules = Callable[[], Mapping[str, RuleInfo]]


@dataclass(frozen=True, slots=True)
class RoundDone:
    """How many actions were ``proposed``, ``extended`` by new evidence, and ``withdrawn``."""

    proposed: int = 0
    extended: int = 0
    withdrawn: int = 0


class CoachingRounds:
    """Args:
    units: where figures, findings and actions are stored.
    units_to_read: the same, for reading only.
    clock: tells the day.
    zone: whose days they are.
    at: the time of day from which a night's round is done.
    policy: what is looked at, and what makes a need.
    rules: what is known of the rules in use.
    causes: tells special from common causes.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        zone: tzinfo,
        at: time,
        policy: RoundPolicy,
        rules: Rules,
        causes: FindCauses,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._zone = zone
        self._at = at
        self._policy = policy
        self._rules = rules
        self._causes = causes
        self._known_day: date | None = None

    def propose(
        self,
        who: Principal,
        *,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> RoundDone:
        """A round now, about ``who``'s scope; agents are compared with everybody all the same."""
        return self._now(who, who.scope, origin)

    def refresh(self, by: str) -> RoundDone:
        """The same for a command, which is nobody's account: about everybody."""
        return self._now(by, EVERYTHING, Origin())

    def _now(self, who: Principal | str, scope: Scope, origin: Origin) -> RoundDone:
        window, past = self.windows()
        needs = self._needs(window, past)
        with self._units() as unit:
            done = self._settle(unit, needs, window, scope)
            detail = {"proposed": done.proposed, "extended": done.extended, "withdrawn": done.withdrawn}
            unit.audit.record(who, "coaching.propose", "coaching", "", detail, origin=origin)
            unit.commit()
        return done

    def look_after(self) -> RoundDone | None:
        """Do the night's round, unless it was done; None: there was nothing to do."""
        now = self._clock.now()
        night = last_night(self._at, self._zone, now)
        if night is None or night.day == self._known_day:
            return None
        window, past = self.windows()
        with self._units_to_read() as unit:
            if unit.coaching.round_done(night.day):
                self._known_day = night.day
                return None
            if now - night.begins < _PATIENCE and unit.figures.waiting(past.first, window.last):
                return None
        needs = self._needs(window, past)
        with self._units() as unit:
            if not unit.coaching.begin_round(night.day):
                self._known_day = night.day
                return None
            done = self._settle(unit, needs, window, EVERYTHING)
            unit.commit()
        self._known_day = night.day
        log.info("coaching round", proposed=done.proposed, extended=done.extended, withdrawn=done.withdrawn)
        return done

    def windows(self) -> tuple[Window, Window]:
        """The days that are looked at, and those before them."""
        last = self._clock.now().astimezone(self._zone).date() + timedelta(days=1)
        first = last - timedelta(days=self._policy.window_days)
        before = first - timedelta(days=self._policy.past_days)
        return self._window(first, last), self._window(before, first)

    def needs_of(self, agent_id: str, module: str) -> Need | None:
        """What the figures show of one agent and module now."""
        window, past = self.windows()
        wanted = f"agent:{agent_id}", module
        return next((need for need in self._needs(window, past) if need.key == wanted), None)

    def _window(self, first: date, last: date) -> Window:
        return Window(first, last, _midnight(first, self._zone), _midnight(last, self._zone))

    def _needs(self, window: Window, past: Window) -> tuple[Need, ...]:
        with self._units_to_read() as unit:
            now = _lines(unit, window, Period.WEEK)
            if not now:  # a site without calls need not read its rules
                return ()
            before = _lines(unit, past, Period.WHOLE)
        rules = {name: info for name, info in self._rules().items() if info.module is not None}
        now = [line for line in now if line.rule in rules]
        before = [line for line in before if line.rule in rules]
        causes = self._causes(_by_team_and_agent(now), _by_team_and_agent(before))
        return find_needs(_judged(now, before, causes), _shared(now, before, causes), rules, self._policy.needs)

    def _settle(self, unit: UnitOfWork, needs: Sequence[Need], window: Window, scope: Scope) -> RoundDone:
        wanted = [need for need in needs if scope.covers(need.owner)]
        evidence = _Evidence(unit, wanted, window, self._policy)
        known = {(subject_key(a.owner), a.module): a for a in unit.coaching.open_actions(scope)}
        seen, proposed, extended = set(), 0, 0
        for whole in wanted:
            need, clips = evidence.of(whole)
            if need is None:
                continue
            seen.add(need.key)
            action = known.get(need.key)
            if action is None:
                made = unit.coaching.add(need, window, clips, by=None, note="")
                if made is not None:
                    told(unit, None, made.id, ActionStep.PROPOSE, made.state)
                    proposed += 1
            elif unit.coaching.extend(action, need, window, clips):
                told(unit, None, action.id, ActionStep.EXTEND, action.state)
                extended += 1
        # What another team needs by now is for the night's round to hand over, not for this one to take back.
        seen |= {need.key for need in needs if not scope.covers(need.owner)}
        withdrawn = sum(_withdrawn(unit, action) for key, action in known.items() if key not in seen)
        return RoundDone(proposed, extended, withdrawn)


class _Evidence:
    """Where to listen, for all needs of a round in a few queries."""

    def __init__(self, unit: UnitOfWork, needs: Sequence[Need], window: Window, policy: RoundPolicy) -> None:
        self._unit, self._window, self._policy = unit, window, policy
        rules = {rule.rule for need in needs for rule in need.rules}
        agents = {need.owner.agent_id for need in needs if need.owner.agent_id is not None}
        teams = {need.owner.team for need in needs if need.owner.team is not None}
        whole_site = any(need.owner.team is None and need.owner.agent_id is None for need in needs)
        most = policy.most_faults
        self._by_agent: dict[tuple[str | None, str], list[Clip]] = {}
        self._by_team: dict[tuple[str | None, str], list[Clip]] = {}
        for clip in unit.coaching.faults(agents, rules, window, most=most):
            self._by_agent.setdefault((clip.owner.agent_id, clip.rule), []).append(clip)
        shared = {rule.rule for need in needs if need.owner.agent_id is None for rule in need.rules}
        if whole_site:
            teams = self._all_teams()
        for clip in unit.coaching.faults_of_teams(teams, shared, window, most=most):
            self._by_team.setdefault((clip.owner.team, clip.rule), []).append(clip)
        self._best: dict[str, dict[str, list[Clip]]] = {}
        self._rules = rules

    def of(self, need: Need) -> tuple[Need | None, list[Clip]]:
        """The need with the rules for which there is evidence, and the evidence."""
        clips = {rule.rule: self._faults(need.owner, rule.rule) for rule in need.rules}
        backed = narrowed(need, (rule for rule, found in clips.items() if found), self._policy.needs)
        if backed is None:
            return None, []
        faults = [clip for rule in backed.rules for clip in clips[rule.rule]]
        best = [clip for rule in backed.rules for clip in self._done_right(need.owner.team, rule.rule)]
        return backed, faults + best

    def _faults(self, owner: CallOwner, rule: str) -> list[Clip]:
        if owner.agent_id is not None:
            return self._by_agent.get((owner.agent_id, rule), [])
        if owner.team is not None:
            return self._by_team.get((owner.team, rule), [])
        found = [clip for (_, named), clips in self._by_team.items() if named == rule for clip in clips]
        found.sort(key=lambda clip: (not clip.confirmed, -clip.at.timestamp(), clip.rule_result_id))
        return found[: self._policy.most_faults]

    def _done_right(self, team: str | None, rule: str) -> list[Clip]:
        if team is None:
            return []
        if team not in self._best:
            self._best[team] = {}
            for clip in self._unit.coaching.best(
                team, self._rules, self._window, min_score=self._policy.best_score, most=self._policy.most_best
            ):
                self._best[team].setdefault(clip.rule, []).append(clip)
        return self._best[team].get(rule, [])

    def _all_teams(self) -> set[str]:
        found: list[str] = []
        while page := self._unit.directory.teams(EVERYTHING, after=found[-1] if found else None, limit=1_000):
            found += [team.name for team in page]
        return set(found)


def _lines(unit: UnitOfWork, window: Window, period: Period) -> Sequence[FaultLine]:
    wanted = FigureFilter(window.first, window.last)
    by = (Grouping.VENDOR, Grouping.TEAM, Grouping.AGENT)
    return unit.figures.faults(wanted, EVERYTHING, by=by, period=period)


def _withdrawn(unit: UnitOfWork, action: CoachingAction) -> bool:
    """Take back a proposal of an earlier round that nothing shows any more."""
    if action.state is not ActionState.PROPOSED or action.by_hand:
        return False
    return take(unit, None, action, ActionStep.WITHDRAW) is not None


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


_AgentRule = tuple[str, str]


def _by_team_and_agent(lines: Sequence[FaultLine]) -> tuple[FaultLine, ...]:
    """One line for each agent, rule and period, under the team in which the agent had most calls."""
    homes = _homes(lines)
    totals: dict[tuple[str, str, date], FaultTotals] = {}
    for line in lines:
        agent = line.keys[2]
        if agent is not None:
            key = agent, line.rule, line.starts
            totals[key] = totals.get(key, NO_FAULTS) + line.totals
    return tuple(
        FaultLine((homes[agent].team, agent), starts, rule, found)
        for (agent, rule, starts), found in totals.items()
    )


def _of_agents(lines: Iterable[FaultLine]) -> dict[_AgentRule, FaultTotals]:
    found: dict[_AgentRule, FaultTotals] = {}
    for line in lines:
        agent = line.keys[2]
        if agent is not None:
            found[agent, line.rule] = found.get((agent, line.rule), NO_FAULTS) + line.totals
    return found


def _homes(lines: Iterable[FaultLine]) -> dict[str, CallOwner]:
    """Vendor and team in which each agent had most calls."""
    calls: dict[str, dict[CallOwner, int]] = {}
    for line in lines:
        vendor, team, agent = line.keys
        if agent is not None:
            own = calls.setdefault(agent, {})
            owner = CallOwner(vendor, team, agent)
            own[owner] = own.get(owner, 0) + line.totals.calls
    return {
        agent: max(own, key=lambda owner: (own[owner], owner.team or "", owner.vendor or ""))
        for agent, own in calls.items()
    }


def _judged(now: Sequence[FaultLine], before: Sequence[FaultLine], causes: Causes) -> Iterable[Judged]:
    present, past, homes = _of_agents(now), _of_agents(before), _homes(now)
    everybodys = set(causes.shared)
    teams: dict[tuple[str | None, str], FaultTotals] = {}
    members: Counter[tuple[str | None, str]] = Counter()
    for (agent, rule), totals in present.items():
        key = homes[agent].team, rule
        teams[key] = teams.get(key, NO_FAULTS) + totals
        members[key] += 1
    for (agent, rule), totals in present.items():
        yield Judged(
            owner=homes[agent],
            rule=rule,
            now=totals,
            before=past.get((agent, rule), NO_FAULTS),
            peers=_without(teams[homes[agent].team, rule], totals),
            cause=_own_cause(causes, agent, rule, everybodys & {(None, rule), (homes[agent].team, rule)}),
            trend=causes.trends.get((agent, rule), Trend.CANNOT_TELL),
            others=members[homes[agent].team, rule] - 1,
        )


def _own_cause(causes: Causes, agent: str, rule: str, shared: Set[object]) -> Cause:
    """What a whole team or the site has is nobody's own, of however few calls somebody is; but who stands out from
    them too has a cause besides."""
    own = causes.agents.get((agent, rule), Cause.TOO_FEW)
    return Cause.COMMON if shared and own is not Cause.SPECIAL else own


def _shared(now: Sequence[FaultLine], before: Sequence[FaultLine], causes: Causes) -> Iterable[Shared]:
    homes = _homes(now)
    for team, rule in causes.shared:
        own = [line for line in now if line.rule == rule and team in (None, line.keys[1])]
        members = {line.keys[2] for line in own if line.keys[2] is not None}
        vendors = {homes[agent].vendor for agent in members}
        total = sum((line.totals for line in own), NO_FAULTS)
        site = sum((line.totals for line in now if line.rule == rule), NO_FAULTS)
        yield Shared(
            owner=CallOwner(vendors.pop() if team is not None and len(vendors) == 1 else None, team),
            rule=rule,
            now=total,
            before=sum(
                (line.totals for line in before if line.rule == rule and team in (None, line.keys[1])), NO_FAULTS
            ),
            peers=_without(site, total),
            agents=max(1, len(members)),
            others=len({agent for (agent, named) in _of_agents(now) if named == rule} - members),
        )


def _without(all_: FaultTotals, own: FaultTotals) -> FaultTotals:
    return FaultTotals(all_.calls - own.calls, all_.faults - own.faults, all_.confirmed - own.confirmed)
