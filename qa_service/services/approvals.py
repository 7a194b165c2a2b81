"""Which rules may score: versions are approved and published by people whose names are kept.

Guarantee: what a person never approved scores nobody. A version that is part of a shipped pack, unchanged, is live
as the release is: nothing is stored for it, until somebody withdraws it. At most one version of a rule is live by
publication; steps that skip one are refused; steps that were taken already are no steps.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from qa_service.domain.lifecycle import RuleState, RuleTransition, RuleVersion
from qa_service.errors import ConfigurationError, ConflictError
from qa_service.ports import RuleEvaluator, RuleVersionRepository, UnitOfWork, UnitOfWorkFactory

NAME_CHARACTERS, NOTE_CHARACTERS = 200, 2_000

_Key = tuple[str, str]


def scored_digest(rules: RuleEvaluator, not_live: Collection[str]) -> str:
    """The digest of ``rules`` of which some are not scored; that of the rules themselves when all are."""
    if not not_live:
        return rules.digest
    text = json.dumps([rules.digest, sorted(not_live)], ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Steps:
    """What was done: the steps taken, the rules that were there already, and those left as they are."""

    taken: tuple[RuleTransition, ...] = ()
    already: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


Also = Callable[[UnitOfWork, Steps], None]
"""What else is written with the steps of one request."""


def _nothing(unit: UnitOfWork, steps: Steps) -> None:
    """The steps say it all."""


MayPublish = Callable[[UnitOfWork, Sequence[RuleTransition], str, str], None]
"""Raises when one of these steps may not be taken yet: by whom, and why it is taken all the same."""


def _always(unit: UnitOfWork, steps: Sequence[RuleTransition], by: str, override: str) -> None:
    """Nothing holds rules up."""


class RuleApprovals:
    """Args:
    units: where steps are stored.
    units_to_read: the same for transactions that write nothing.
    as_shipped: the rules of a pack that are a shipped pack's, unchanged.
    may_publish: is asked in the transaction that publishes.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        as_shipped: Callable[[RuleEvaluator], Collection[str]],
        units_to_read: UnitOfWorkFactory | None = None,
        may_publish: MayPublish = _always,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read or units
        self._as_shipped = as_shipped
        self._may_publish = may_publish

    def states(self, rules: RuleEvaluator, unit: UnitOfWork | None = None) -> Mapping[str, RuleState]:
        """The state of each rule's version, of the rules that are meant to be scored.

        ``unit``: the transaction to look in; without one, one of its own.
        """
        with nullcontext(unit) if unit is not None else self._units_to_read() as looking:
            stored = looking.rule_versions.states(rules.pack)
        shipped = self._as_shipped(rules)
        return {
            v.rule: stored.get((v.rule, v.digest), RuleState.LIVE if v.rule in shipped else RuleState.DRAFT)
            for v in rules.versions
            if v.counts
        }

    def not_live(self, rules: RuleEvaluator, unit: UnitOfWork | None = None) -> Mapping[str, RuleState]:
        """The rules that are to be evaluated and not scored, with their states."""
        return {rule: state for rule, state in self.states(rules, unit).items() if state is not RuleState.LIVE}

    def approve(
        self,
        rules: RuleEvaluator,
        *,
        by: str,
        note: str = "",
        only: Sequence[str] | None = None,
        also: Also = _nothing,
    ) -> Steps:
        """Say that these versions may go live: all drafts, or ``only`` these rules.

        A version that was retired is left alone unless it is named.

        Raises:
            ConfigurationError: ``rule_unknown``, ``approver_invalid``.
        """
        by, note = _signed(by, note)
        with self._units() as unit:
            versions = self._open(unit, rules, only)
            states = unit.rule_versions.held(versions)
            steps, left = _Taken(unit.rule_versions, by, note), []
            for version in versions:
                state = _state(states, version)
                if state is RuleState.RETIRED and only is None:
                    left.append(version.rule)
                elif state in (RuleState.DRAFT, RuleState.RETIRED):
                    steps.take(version.pack, version.rule, version.digest, RuleState.APPROVED)
            made = steps.made(self._named(rules, only), left)
            also(unit, made)
            unit.commit()
        return made

    def publish(
        self,
        rules: RuleEvaluator,
        *,
        by: str,
        note: str = "",
        only: Sequence[str] | None = None,
        also: Also = _nothing,
        override: str = "",
    ) -> Steps:
        """Make approved versions live, in one transaction. What was live of the same rules is retired.

        Without ``only``, versions that nobody approved are left as they are. ``override``: why they go live
        although a change that they are part of is not assessed.

        Raises:
            ConfigurationError: ``rule_unknown``, ``approver_invalid``.
            ConflictError: ``rule_transition_refused``, when one of ``only`` is not approved;
                ``script_change_pending``.
        """
        by, note = _signed(by, note)
        with self._units() as unit:
            versions = self._open(unit, rules, only)
            states = unit.rule_versions.held(versions)
            steps, left = _Taken(unit.rule_versions, by, note), []
            for version in versions:
                state = _state(states, version)
                if state is RuleState.LIVE:
                    continue
                if state is not RuleState.APPROVED and only is None:
                    left.append(version.rule)
                    continue
                steps.take(version.pack, version.rule, version.digest, RuleState.LIVE)
                for (rule, digest), other in states.items():
                    if rule == version.rule and other is RuleState.LIVE:
                        replaced = f"replaced by {version.digest[:19]}"
                        steps.take(version.pack, rule, digest, RuleState.RETIRED, note=replaced)
            made = steps.made(self._named(rules, only), left)
            self._may_publish(unit, made.taken, by, override)
            also(unit, made)
            unit.commit()
        return made

    def retire(self, pack: str, *, by: str, only: Sequence[str], note: str = "", also: Also = _nothing) -> Steps:
        """Take the live versions of these rules out of scoring, whatever the pack's files say by now.

        Raises:
            ConflictError: ``rule_transition_refused``, when nothing of a rule was published.
        """
        by, note = _signed(by, note)
        with self._units() as unit:
            known = unit.rule_versions.states(pack)
            versions = [RuleVersion(pack, rule, digest, "") for rule, digest in known if rule in only]
            states = unit.rule_versions.held(versions)
            steps = _Taken(unit.rule_versions, by, note)
            for name in dict.fromkeys(only):
                own = {digest: state for (rule, digest), state in states.items() if rule == name}
                live = [digest for digest, state in own.items() if state is RuleState.LIVE]
                if not live and RuleState.RETIRED not in own.values():
                    raise ConflictError(
                        "rule_transition_refused",
                        f"no version of rule {name} of pack {pack} was published here: switch off what a shipped "
                        "pack brings in a pack that extends it",
                        pack=pack,
                        rule=name,
                    )
                for digest in live:
                    steps.take(pack, name, digest, RuleState.RETIRED)
            made = steps.made(only)
            also(unit, made)
            unit.commit()
        return made

    def withdraw(
        self, unit: UnitOfWork, version: RuleVersion, *, by: str, note: str = ""
    ) -> RuleTransition | None:
        """Take one live version out of scoring, in the transaction of ``unit``; None: it is out already.

        A version of which nobody said anything is one of a shipped pack: of others, drafts do not score. It comes
        back as others do, when it is approved and published by its name.

        Raises:
            ConfigurationError: ``approver_invalid``.
            ConflictError: ``rule_transition_refused``, for a version that is approved and not live.
        """
        by, note = _signed(by, note)
        state = unit.rule_versions.held([version]).get((version.rule, version.digest))
        if state is RuleState.RETIRED:
            return None
        return unit.rule_versions.move(
            *(version.pack, version.rule, version.digest),
            to=RuleState.RETIRED,
            by=by,
            note=note,
            unsaid=RuleState.LIVE,
        )

    def history(self, pack: str, rule: str | None = None) -> tuple[RuleTransition, ...]:
        """Every step of the pack's rules, oldest first."""
        with self._units_to_read() as unit:
            return unit.rule_versions.history(pack, rule)

    def _open(self, unit: UnitOfWork, rules: RuleEvaluator, only: Sequence[str] | None) -> list[RuleVersion]:
        """The versions to move: those asked for, without what is live as shipped or never scored."""
        named = set(self._named(rules, only))
        said, shipped = unit.rule_versions.states(rules.pack), self._as_shipped(rules)
        return [
            v
            for v in rules.versions
            if v.counts and v.rule in named and (v.rule not in shipped or (v.rule, v.digest) in said)
        ]

    def _named(self, rules: RuleEvaluator, only: Sequence[str] | None) -> Sequence[str]:
        known = [version.rule for version in rules.versions]
        unknown = sorted(set(only or ()) - set(known))
        if unknown:
            raise ConfigurationError(
                "rule_unknown",
                f"pack {rules.pack} has no rule {', '.join(unknown)}: use {', '.join(known)}",
            )
        return [rule for rule in known if only is None or rule in only]


class _Taken:
    """Steps as they are taken, by one person with one note."""

    def __init__(self, versions: RuleVersionRepository, by: str, note: str) -> None:
        self._versions, self._by, self._note = versions, by, note
        self._steps: list[RuleTransition] = []

    def take(self, pack: str, rule: str, digest: str, to: RuleState, *, note: str | None = None) -> None:
        self._steps.append(
            self._versions.move(pack, rule, digest, to=to, by=self._by, note=self._note if note is None else note)
        )

    def made(self, named: Sequence[str], left: Sequence[str] = ()) -> Steps:
        told = {step.rule for step in self._steps} | set(left)
        return Steps(tuple(self._steps), tuple(rule for rule in named if rule not in told), tuple(left))


def _state(states: Mapping[_Key, RuleState], version: RuleVersion) -> RuleState:
    return states.get((version.rule, version.digest), RuleState.DRAFT)


def _signed(by: str, note: str) -> tuple[str, str]:
    by, note = " ".join(by.split()), note.strip()
    if not by or len(by) > NAME_CHARACTERS or len(note) > NOTE_CHARACTERS:
        raise ConfigurationError(
            "approver_invalid",
            f"a step is signed with a name of 1 to {NAME_CHARACTERS} characters and a note of at most "
            f"{NOTE_CHARACTERS}: give --by NAME",
        )
    return by, note
