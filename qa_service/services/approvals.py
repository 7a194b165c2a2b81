"""Which rules may score: versions are approved and published by people whose names are kept.

Guarantee: what a person never approved scores nobody. A version that is part of a shipped pack, unchanged, is live
as the release is: nothing is stored for it and no database is asked. At most one version of a rule is live by
publication; steps that skip one are refused; steps that were taken already are no steps.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from qa_service.domain.lifecycle import RuleState, RuleTransition, RuleVersion
from qa_service.errors import ConfigurationError, ConflictError
from qa_service.ports import RuleEvaluator, RuleVersionRepository, UnitOfWorkFactory

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


class RuleApprovals:
    """Args:
    units: where steps are stored.
    as_shipped: the rules of a pack that are a shipped pack's, unchanged.
    """

    def __init__(
        self, *, units: UnitOfWorkFactory, as_shipped: Callable[[RuleEvaluator], Collection[str]]
    ) -> None:
        self._units = units
        self._as_shipped = as_shipped

    def states(self, rules: RuleEvaluator) -> Mapping[str, RuleState]:
        """The state of each rule's version, of the rules that are meant to be scored."""
        shipped = self._as_shipped(rules)
        asked = [version for version in rules.versions if version.counts and version.rule not in shipped]
        stored: Mapping[_Key, RuleState] = {}
        if asked:
            with self._units() as unit:
                stored = unit.rule_versions.states(rules.pack)
        told = {v.rule: stored.get((v.rule, v.digest), RuleState.DRAFT) for v in asked}
        return {v.rule: told.get(v.rule, RuleState.LIVE) for v in rules.versions if v.counts}

    def not_live(self, rules: RuleEvaluator) -> Mapping[str, RuleState]:
        """The rules that are to be evaluated and not scored, with their states."""
        return {rule: state for rule, state in self.states(rules).items() if state is not RuleState.LIVE}

    def approve(
        self, rules: RuleEvaluator, *, by: str, note: str = "", only: Sequence[str] | None = None
    ) -> Steps:
        """Say that these versions may go live: all drafts, or ``only`` these rules.

        A version that was retired is left alone unless it is named.

        Raises:
            ConfigurationError: ``rule_unknown``, ``approver_invalid``.
        """
        by, note = _signed(by, note)
        versions = self._open(rules, only)
        with self._units() as unit:
            states = unit.rule_versions.held(versions)
            steps, left = _Taken(unit.rule_versions, by, note), []
            for version in versions:
                state = _state(states, version)
                if state is RuleState.RETIRED and only is None:
                    left.append(version.rule)
                elif state in (RuleState.DRAFT, RuleState.RETIRED):
                    steps.take(version.pack, version.rule, version.digest, RuleState.APPROVED)
            unit.commit()
        return steps.made(self._named(rules, only), left)

    def publish(
        self, rules: RuleEvaluator, *, by: str, note: str = "", only: Sequence[str] | None = None
    ) -> Steps:
        """Make approved versions live, in one transaction. What was live of the same rules is retired.

        Without ``only``, versions that nobody approved are left as they are.

        Raises:
            ConfigurationError: ``rule_unknown``, ``approver_invalid``.
            ConflictError: ``rule_transition_refused``, when one of ``only`` is not approved.
        """
        by, note = _signed(by, note)
        versions = self._open(rules, only)
        with self._units() as unit:
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
            unit.commit()
        return steps.made(self._named(rules, only), left)

    def retire(self, pack: str, *, by: str, only: Sequence[str], note: str = "") -> Steps:
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
            unit.commit()
        return steps.made(only)

    def history(self, pack: str, rule: str | None = None) -> tuple[RuleTransition, ...]:
        """Every step of the pack's rules, oldest first."""
        with self._units() as unit:
            return unit.rule_versions.history(pack, rule)

    def _open(self, rules: RuleEvaluator, only: Sequence[str] | None) -> list[RuleVersion]:
        """The versions to move: those asked for, without what is live as shipped or never scored."""
        named = set(self._named(rules, only))
        shipped = self._as_shipped(rules)
        return [v for v in rules.versions if v.counts and v.rule in named and v.rule not in shipped]

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
