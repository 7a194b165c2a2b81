"""Versions of rules on SQLAlchemy.

Guarantee: steps are only ever added, one a time and version: whoever moves a rule holds all its versions until the
transaction ends.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qa_service.db.inserting import insert_missing, insert_or_get, storable
from qa_service.db.rows import RulesetRuleRow, RuleTransitionRow, RuleVersionRow
from qa_service.domain.lifecycle import FOLLOWS, RuleState, RuleTransition, RuleVersion
from qa_service.errors import ConflictError
from qa_service.ports import Clock

_VERSION = (RuleVersionRow.pack, RuleVersionRow.rule, RuleVersionRow.digest)


class SqlRuleVersionRepository:
    """Implements ``RuleVersionRepository``."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def states(self, pack: str) -> Mapping[tuple[str, str], RuleState]:
        last = (
            select(RuleTransitionRow.version_id, func.max(RuleTransitionRow.number).label("number"))
            .group_by(RuleTransitionRow.version_id)
            .subquery()
        )
        found = self._session.execute(
            select(RuleVersionRow.rule, RuleVersionRow.digest, RuleTransitionRow.to_state)
            .join(RuleTransitionRow, RuleTransitionRow.version_id == RuleVersionRow.id)
            .join(
                last,
                (last.c.version_id == RuleTransitionRow.version_id) & (last.c.number == RuleTransitionRow.number),
            )
            .where(RuleVersionRow.pack == pack)
        )
        return {(rule, digest): RuleState(state) for rule, digest, state in found}

    def note(self, ruleset_digest: str, versions: Sequence[RuleVersion]) -> None:
        noted = self._session.scalars(
            select(RulesetRuleRow.rule).where(RulesetRuleRow.ruleset_digest == ruleset_digest)
        )
        missing = {version.rule: version for version in versions}.keys() - set(noted)
        rows = [self._stored(each)[0] for each in sorted(versions, key=lambda v: v.rule) if each.rule in missing]
        # A row that refers to a version waits for whoever holds that one: all take them in the order of ``held``.
        values = [
            {"ruleset_digest": ruleset_digest, "rule": row.rule, "version_id": row.id}
            for row in sorted(rows, key=lambda row: row.id)
        ]
        insert_missing(self._session, RulesetRuleRow, "ruleset_digest,rule", values)

    def held(self, versions: Sequence[RuleVersion]) -> Mapping[tuple[str, str], RuleState]:
        """See ``RuleVersionRepository.held``. In the order of the rules, so that two never wait for each other."""
        ordered = sorted(versions, key=lambda version: (version.pack, version.rule, version.digest))
        for version in ordered:
            self._stored(version)
        states: dict[tuple[str, str], RuleState] = {}
        for pack in sorted({version.pack for version in versions}):
            rules = sorted({version.rule for version in versions if version.pack == pack})
            self._session.execute(
                select(RuleVersionRow.id)
                .where(RuleVersionRow.pack == pack, RuleVersionRow.rule.in_(rules))
                .order_by(RuleVersionRow.id)
                .with_for_update()
            ).all()
            # Read after the wait: another's step may have been committed meanwhile.
            states |= {key: state for key, state in self.states(pack).items() if key[0] in rules}
        return states

    def move(
        self,
        pack: str,
        rule: str,
        digest: str,
        *,
        to: RuleState,
        by: str,
        note: str,
        unsaid: RuleState = RuleState.DRAFT,
    ) -> RuleTransition:
        row = self._row(pack, rule, digest)
        last = (
            row
            and self._session.execute(
                select(RuleTransitionRow.number, RuleTransitionRow.to_state)
                .where(RuleTransitionRow.version_id == row.id)
                .order_by(RuleTransitionRow.number.desc())
                .limit(1)
            ).one_or_none()
        )
        state = RuleState(last.to_state) if last else unsaid
        if row is None or FOLLOWS[state] is not to:
            raise ConflictError(
                "rule_transition_refused",
                f"rule {rule} of pack {pack} is {state.value} and cannot become {to.value}: "
                f"make it {FOLLOWS[state].value} first",
                pack=pack,
                rule=rule,
            )
        step = RuleTransitionRow(
            version_id=row.id,
            number=last.number + 1 if last else 1,
            from_state=state.value,
            to_state=to.value,
            by=storable(by),
            note=storable(note),
            created_at=self._clock.now(),
        )
        self._session.add(step)
        self._session.flush()
        return _transition(pack, rule, digest, step)

    def history(self, pack: str, rule: str | None = None) -> tuple[RuleTransition, ...]:
        wanted = (
            select(*_VERSION, RuleTransitionRow)
            .join(RuleTransitionRow, RuleTransitionRow.version_id == RuleVersionRow.id)
            .where(RuleVersionRow.pack == pack)
            .order_by(RuleTransitionRow.id)
        )
        if rule is not None:
            wanted = wanted.where(RuleVersionRow.rule == rule)
        return tuple(_transition(*row) for row in self._session.execute(wanted))

    def _stored(self, version: RuleVersion) -> tuple[RuleVersionRow, bool]:
        return insert_or_get(
            self._session,
            lambda: self._row(version.pack, version.rule, version.digest),
            lambda: RuleVersionRow(
                pack=version.pack,
                rule=version.rule,
                digest=version.digest,
                content=version.content,
                created_at=self._clock.now(),
            ),
        )

    def _row(self, pack: str, rule: str, digest: str) -> RuleVersionRow | None:
        return self._session.scalar(
            select(RuleVersionRow).where(
                RuleVersionRow.pack == pack, RuleVersionRow.rule == rule, RuleVersionRow.digest == digest
            )
        )


def _transition(pack: str, rule: str, digest: str, row: RuleTransitionRow) -> RuleTransition:
    return RuleTransition(
        pack,
        rule,
        digest,
        RuleState(row.from_state),
        RuleState(row.to_state),
        row.by,
        row.created_at,
        row.note,
    )
