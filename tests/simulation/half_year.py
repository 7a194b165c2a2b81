"""A half-year of a call centre that never was, with facts planted in it that the statistics have to find again.

Guarantee: the same seed and sizes give the same half-year, and ``simulate`` has exactly the day totals of
``simulate_days``. It shares no code with what estimates anything from it: only numpy and the standard library.

What is as in real centres: agents differ, days differ, an agent has good and bad days and fortnights; some rules
apply to every call and some to one in twenty, some break in a third of the calls and some in one of three hundred;
people join, leave, or take few calls; a few answers are undetermined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MET, NOT_MET, NOT_APPLICABLE, UNDETERMINED = "met", "not_met", "not_applicable", "undetermined"
STARTS: Final = date(2026, 1, 5)  # a Monday
ZONE: Final = timezone(timedelta(hours=8))
QUEUES: Final = ("billing", "support", "orders")

# How much what cannot be seen varies, on the scale of log odds.
BETWEEN_AGENTS: Final = 0.30
BETWEEN_TEAMS: Final = 0.10
BETWEEN_DAYS: Final = 0.12
BETWEEN_AGENT_DAYS: Final = 0.30
BETWEEN_AGENT_FORTNIGHTS: Final = 0.10
UNDETERMINED_SHARE: Final = 0.02

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rule:
    """``rate``: of the calls that it applies to, the share with a fault; ``applies``: to which share of calls;
    ``differs``: how much agents do, as a standard deviation of log odds."""

    name: str
    module: str
    rate: float
    applies: float = 1.0
    weight: float = 5.0
    differs: float = BETWEEN_AGENTS


RULES: Final = (
    Rule("opening", "script-wording", 0.08, weight=10),
    Rule("hold-notice", "script-wording", 0.18, 0.4),
    Rule("anything-else", "script-wording", 0.30),
    Rule("satisfaction-invite", "script-wording", 0.22),
    Rule("interruption", "courtesy", 0.12, weight=10),
    Rule("thanks", "courtesy", 0.25, 0.5),
    # Who looks worst at it for four weeks, looks so by chance.
    Rule("dead-air", "product-knowledge", 0.15, 0.6, weight=10, differs=0.05),
    Rule("talk-duration", "product-knowledge", 0.10),
    Rule("identity-check", "script-wording", 0.05, 0.6, weight=15),
    Rule("closing", "script-wording", 0.06, weight=10),
    Rule("complaint", "complaint-handling", 0.20, 0.05, weight=15),
    Rule("refusal", "customer-relationship", 0.01, weight=20),
    Rule("overpromise", "product-knowledge", 0.003, weight=20),
)


@dataclass(frozen=True, slots=True)
class Special:
    """An agent whose faults of one rule have a cause of their own, from day ``since`` on."""

    agent: str
    rule: str
    since: date
    odds: float


@dataclass(frozen=True, slots=True)
class Drift:
    """A team that gets slowly worse at one rule: to ``odds`` times at the end of the half-year."""

    team: str
    rule: str
    since: date
    odds: float


@dataclass(frozen=True, slots=True)
class Training:
    """A module (or coaching) that agents were given on a day; ``odds``: what it made of the odds of a fault."""

    name: str
    rules: tuple[str, ...]
    sessions: Mapping[str, date]
    odds: float


@dataclass(frozen=True, slots=True)
class Planted:
    """What is true.

    ``helps`` works; ``idles`` changes nothing; ``regression``: agents who were coached because they looked worst
    in the four weeks before, to no effect whatever; ``new``, ``gone``, ``few``: who was there for a part of the
    time only, or took few calls.
    """

    special: tuple[Special, ...]
    drift: Drift
    helps: Training
    idles: Training
    regression: Training
    new: frozenset[str]
    gone: frozenset[str]
    few: frozenset[str]


@dataclass(frozen=True, slots=True)
class Agent:
    agent_id: str
    team: str
    vendor: str
    queue: str


@dataclass(frozen=True, slots=True)
class Call:
    """``score`` is None where too much could not be determined; ``fatal`` where a grave fault made it nothing."""

    number: int
    agent_id: str
    team: str
    vendor: str
    queue: str
    at: datetime
    duration_s: float
    score: float | None
    outcomes: Mapping[str, str]


class DayCount(NamedTuple):
    """``calls``: those in which the rule had an answer."""

    agent: str
    team: str
    day: date
    rule: str
    calls: int
    faults: int


@dataclass(frozen=True)
class DayTotals:
    """By agent, day and rule: how many calls had an answer, and in how many of them there was a fault.

    ``taken``: calls by agent and day. ``undetermined`` are not among the ``answered``.
    """

    seed: int
    agents: tuple[Agent, ...]
    rules: tuple[Rule, ...]
    starts: date
    taken: Counts
    answered: Counts
    faults: Counts
    undetermined: Counts
    planted: Planted

    @property
    def days(self) -> int:
        return self.taken.shape[1]

    def day(self, number: int) -> date:
        return self.starts + timedelta(days=number)

    def rule(self, name: str) -> int:
        return [rule.name for rule in self.rules].index(name)

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Where agents are in the tables, by their id."""
        return {agent.agent_id: number for number, agent in enumerate(self.agents)}

    def rows(self, *rules: str) -> Iterator[DayCount]:
        """Of ``rules`` (all when none is named), nothing for days without an answer."""
        for at, rule in enumerate(self.rules):
            if rules and rule.name not in rules:
                continue
            for who, day in zip(*np.nonzero(self.answered[:, :, at]), strict=True):
                agent = self.agents[who]
                calls, faults = int(self.answered[who, day, at]), int(self.faults[who, day, at])
                yield DayCount(agent.agent_id, agent.team, self.day(int(day)), rule.name, calls, faults)


@dataclass(frozen=True)
class HalfYear:
    """The same, call by call."""

    totals: DayTotals

    @property
    def agents(self) -> tuple[Agent, ...]:
        return self.totals.agents

    @property
    def planted(self) -> Planted:
        return self.totals.planted

    def __len__(self) -> int:
        return int(self.totals.taken.sum())

    def calls(self) -> Iterator[Call]:
        """In the order of days and, within a day, of agents; the same each time."""
        totals = self.totals
        random = np.random.default_rng([totals.seed, 1])
        weights = np.array([rule.weight for rule in totals.rules])
        names = [rule.name for rule in totals.rules]
        number = 0
        for day in range(totals.days):
            midnight = datetime.combine(totals.day(day), datetime.min.time(), ZONE)
            for who, agent in enumerate(totals.agents):
                calls = int(totals.taken[who, day])
                if not calls:
                    continue
                # Calls of a day differ only in which of them have which answers.
                answers = np.full((calls, len(names)), NOT_APPLICABLE, dtype=object)
                for at in range(len(names)):
                    order = random.permutation(calls)
                    answered, faults = int(totals.answered[who, day, at]), int(totals.faults[who, day, at])
                    unsure = int(totals.undetermined[who, day, at])
                    answers[order[:faults], at] = NOT_MET
                    answers[order[faults:answered], at] = MET
                    answers[order[answered : answered + unsure], at] = UNDETERMINED
                seconds = np.sort(random.uniform(9 * 3600, 18 * 3600, calls))
                durations = np.clip(random.lognormal(5.0, 0.5, calls), 15, 3600)
                other = random.random(calls) < 0.15
                queues = random.integers(len(QUEUES), size=calls)
                met, broken = answers == MET, answers == NOT_MET
                weighed = (met | broken) @ weights
                applicable = (answers != NOT_APPLICABLE) @ weights
                for call in range(calls):
                    number += 1
                    told = weighed[call] >= 0.6 * applicable[call] and weighed[call] > 0
                    yield Call(
                        number,
                        agent.agent_id,
                        agent.team,
                        agent.vendor,
                        QUEUES[queues[call]] if other[call] else agent.queue,
                        midnight + timedelta(seconds=round(float(seconds[call]), 3)),
                        round(float(durations[call]), 2),
                        round(float(100 * (met[call] @ weights) / weighed[call]), 4) if told else None,
                        dict(zip(names, answers[call].tolist(), strict=True)),
                    )


def simulate(seed: int, **sizes: object) -> HalfYear:
    """A half-year of calls; ``sizes`` as for ``simulate_days``. By default about 110,000 of them."""
    return HalfYear(simulate_days(seed, **sizes))  # type: ignore[arg-type]


def simulate_days(
    seed: int,
    *,
    agents: int = 60,
    teams: int = 6,
    vendors: int = 2,
    days: int = 182,
    calls_a_day: float = 16.0,
    rules: Sequence[Rule] = RULES,
    starts: date = STARTS,
    special: int = 5,
    special_odds: float = 6.0,
    drift_odds: float = 2.5,
    helps_odds: float = 0.55,
) -> DayTotals:
    """Only the totals by agent, day and rule, without making calls: some tens of milliseconds.

    Args:
        seed: of everything.
        agents: how many there are, over all of the time; those present all along are somewhat fewer.
        teams: they are of.
        vendors: the teams are of.
        days: how long it goes on; a session of training takes place about the middle.
        calls_a_day: that a full-time agent takes on a working day, five days of seven.
        rules: that calls are judged by; the names that facts are planted in have to be among them.
        starts: the first day.
        special: how many agents have a special cause; every second one of them from the middle on.
        special_odds: of a fault, with a special cause; for rules that break rarely twice as much.
        drift_odds: of a fault, at the end of a drift.
        helps_odds: of a fault, after training that helps.
    """
    random = np.random.default_rng([seed, 0])
    people = _people(agents, teams, vendors)
    stays, new, gone = _presence(random, agents, days)
    pace = calls_a_day * random.lognormal(0.0, 0.15, agents)
    whole = np.flatnonzero(stays.all(axis=1))
    few = random.choice(whole, max(1, agents // 20), replace=False)
    pace[few] = calls_a_day / 20
    # A day off in two out of seven, not the same ones for all: service centres do not close on Sundays.
    works = (np.arange(days)[None, :] + np.arange(agents)[:, None]) % 7 < 5
    taken = random.poisson(pace[:, None] * (stays & works))

    logit = _usual(random, rules, people, days)
    fit = np.setdiff1d(whole, few)
    planted, shift = _plant(
        random, rules, people, days, starts, fit, (special, special_odds, drift_odds, helps_odds)
    )
    applicable = random.binomial(taken[:, :, None], [rule.applies for rule in rules])
    undetermined = random.binomial(applicable, UNDETERMINED_SHARE)
    answered = applicable - undetermined
    faults = random.binomial(answered, 1 / (1 + np.exp(-(logit + shift))))

    names = [rule.name for rule in rules]
    regression = _worst(faults[:, :, names.index("dead-air")], answered[:, :, names.index("dead-air")], fit, days)
    at = starts + timedelta(days=days // 2)
    coached = Training("coaching", ("dead-air",), {people[who].agent_id: at for who in regression}, 1.0)
    return DayTotals(
        seed,
        people,
        tuple(rules),
        starts,
        taken,
        answered,
        faults,
        undetermined,
        Planted(
            planted[0],
            planted[1],
            planted[2],
            planted[3],
            coached,
            *(frozenset(people[who].agent_id for who in group) for group in (new, gone, few)),
        ),
    )


def _people(agents: int, teams: int, vendors: int) -> tuple[Agent, ...]:
    return tuple(
        Agent(
            f"a{number + 1:03}",
            f"team-{number % teams + 1}",
            f"vendor-{number % teams % vendors + 1}",
            QUEUES[number % teams % len(QUEUES)],
        )
        for number in range(agents)
    )


def _presence(
    random: np.random.Generator, agents: int, days: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Who is there on which day; who came later; who left."""
    some = max(1, agents // 15)
    moved = random.choice(agents, 2 * some, replace=False)
    new, gone = moved[:some], moved[some:]
    stays = np.ones((agents, days), dtype=bool)
    for who, day in zip(new, random.integers(days // 4, 3 * days // 4, some), strict=True):
        stays[who, :day] = False
    for who, day in zip(gone, random.integers(days // 4, 3 * days // 4, some), strict=True):
        stays[who, day:] = False
    return stays, new, gone


def _usual(random: np.random.Generator, rules: Sequence[Rule], people: Sequence[Agent], days: int) -> Floats:
    """Log odds of a fault by agent, day and rule, with nothing planted."""
    agents, count = len(people), len(rules)
    rates = np.array([rule.rate for rule in rules])
    teams = sorted({person.team for person in people})
    team = np.array([teams.index(person.team) for person in people])
    fortnights = np.arange(days) // 14
    usual: Floats = np.log(rates / (1 - rates))[None, None, :] + np.zeros((agents, days, count))
    usual += random.normal(0, [rule.differs for rule in rules], (agents, 1, count))
    usual += random.normal(0, BETWEEN_TEAMS, (len(teams), 1, count))[team]
    usual += random.normal(0, BETWEEN_DAYS, (1, days, count))
    usual += random.normal(0, BETWEEN_AGENT_FORTNIGHTS, (agents, int(fortnights[-1]) + 1, count))[:, fortnights]
    usual += random.standard_normal((agents, days, count), dtype=np.float32) * BETWEEN_AGENT_DAYS
    return usual


def _plant(
    random: np.random.Generator,
    rules: Sequence[Rule],
    people: Sequence[Agent],
    days: int,
    starts: date,
    fit: NDArray[np.int64],
    sizes: tuple[int, float, float, float],
) -> tuple[tuple[tuple[Special, ...], Drift, Training, Training], Floats]:
    """Planted facts, and what they do to the log odds."""
    count, special_odds, drift_odds, helps_odds = sizes
    names = [rule.name for rule in rules]
    shift = np.zeros((len(people), days, len(rules)))

    def on(number: int) -> date:
        return starts + timedelta(days=number)

    # Special causes are of rules that nothing else is planted in, so that each fact stands alone.
    own = ("talk-duration", "closing", "refusal", "complaint", "overpromise")
    special = []
    for number, who in enumerate(random.choice(fit, count, replace=False)):
        rule = names.index(own[number % len(own)])
        since = days // 2 if number % 2 else 0
        odds = special_odds * (2 if rules[rule].rate < 0.02 else 1)
        shift[who, since:, rule] += np.log(odds)
        special.append(Special(people[who].agent_id, names[rule], on(since), odds))

    team = people[int(random.integers(len(people)))].team
    rule, since = names.index("identity-check"), days // 4
    slope = np.clip((np.arange(days) - since) / (days - 1 - since), 0, 1) * np.log(drift_odds)
    shift[[person.team == team for person in people], :, rule] += slope
    drift = Drift(team, "identity-check", on(since), drift_odds)

    trainings = []
    for module, odds in (("script-wording", helps_odds), ("courtesy", 1.0)):
        trained = ("hold-notice", "anything-else") if module == "script-wording" else ("interruption", "thanks")
        sessions = {}
        # A third of the people, drawn by lot, in sessions a few days apart.
        for number, who in enumerate(random.choice(fit, len(people) // 3, replace=False)):
            day = days // 2 + 3 * (number % 4)
            sessions[people[who].agent_id] = on(day)
            for name in trained:
                shift[who, day:, names.index(name)] += np.log(odds)
        trainings.append(Training(module, trained, sessions, odds))
    return (tuple(special), drift, trainings[0], trainings[1]), shift


def _worst(faults: Counts, answered: Counts, fit: NDArray[np.int64], days: int) -> NDArray[np.int64]:
    """Those whose rate of the four weeks before the middle looked worst."""
    window = slice(days // 2 - 28, days // 2)
    rate = faults[fit, window].sum(axis=1) / np.maximum(1, answered[fit, window].sum(axis=1))
    return fit[np.argsort(-rate, kind="stable")[: max(2, len(fit) // 8)]]
