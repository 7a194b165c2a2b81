"""How good the machine is: measured once a day, and acted on by people alone.

Guarantee: of many workers one measures a day. A rule that falls short is proposed for shadow; it is a manager who
accepts, and then the version is withdrawn in the same transaction. A proposal is decided once.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from qa_service.domain.access import Principal
from qa_service.domain.lifecycle import RuleVersion
from qa_service.domain.quality import (
    Measurement,
    QualityPolicy,
    RuleFigures,
    ShadowProposal,
    measure,
    to_propose,
)
from qa_service.errors import ConflictError, NotFoundError
from qa_service.ports import Clock, UnitOfWorkFactory
from qa_service.ports.people import Origin
from qa_service.services.approvals import RuleApprovals
from qa_service.services.findings import checked_note

log = structlog.get_logger(__name__)


class RuleQuality:
    """Args:
    units: where verdicts, measurements and proposals are stored.
    units_to_read: the same for transactions that write nothing.
    approvals: which takes rules out of scoring.
    policy: what is asked of rules.
    clock: until when verdicts count.
    zone: in which a day is a day.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        approvals: RuleApprovals,
        policy: QualityPolicy,
        clock: Clock,
        zone: ZoneInfo,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._approvals = approvals
        self._policy = policy
        self._clock = clock
        self._zone = zone
        self._known_day = ""

    def look_after(self) -> bool:
        """Measure, unless that was done today; whether it was this one who did."""
        now = self._clock.now()
        day = now.astimezone(self._zone).date().isoformat()
        if day == self._known_day:
            return False
        with self._units_to_read() as unit:
            known = unit.quality.measured(day)
        done = not known and self.measure(day, until=now)
        if known or done:  # else somebody is at it, who may yet fail
            self._known_day = day
        return done

    def measure(self, key: str, *, until: datetime) -> bool:
        """Measure all rules under ``key``, and propose those that fall short; False: another does or did."""
        edges = self._policy.edges(until)
        # Counting takes a while on a large site: nothing is held meanwhile that anybody waits for.
        with self._units_to_read() as unit:
            if not unit.quality.alone():
                return False
            records = unit.quality.records(edges=edges, until=until)
        figures = measure(records, self._policy)
        with self._units() as unit:
            if not unit.quality.add(key, since=edges[-1], until=until, figures=figures):
                return False
            last = unit.quality.last_proposals(list(records))
            proposed = to_propose(records, last, self._policy, until)
            for of, precision in proposed:
                unit.quality.propose(of, precision, target=self._policy.target_of(of.rule))
            unit.commit()
        log.info(
            "rules were measured",
            rules=len(figures),
            fallen=[each.of.rule for each in figures if each.drift is not None and each.drift.fallen],
            proposed=[of.rule for of, _ in proposed],
        )
        return True

    def latest(self) -> Measurement | None:
        with self._units_to_read() as unit:
            return unit.quality.latest()

    def history(self, pack: str, rule: str, *, limit: int = 100) -> tuple[tuple[datetime, RuleFigures], ...]:
        """What the last measurements said of a rule, the newest first."""
        with self._units_to_read() as unit:
            return unit.quality.history(pack, rule, limit=limit)

    def proposals(
        self, *, undecided: bool = True, before: int | None = None, limit: int = 50
    ) -> tuple[ShadowProposal, ...]:
        """Proposals, newest first."""
        with self._units_to_read() as unit:
            return unit.quality.proposals(undecided=undecided, before=before, limit=limit)

    def decide(
        self,
        who: Principal,
        proposal_id: int,
        *,
        accept: bool,
        note: str = "",
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> ShadowProposal:
        """Accept a proposal, which takes the version out of scoring, or decline it.

        Raises:
            NotFoundError: ``shadow_proposal_not_found``.
            ConflictError: ``shadow_proposal_decided``; ``rule_transition_refused`` where it does not score.
            InputError: ``note_too_long``.
        """
        note = checked_note(note)
        with self._units() as unit:
            proposal = unit.quality.proposal(proposal_id)
            if proposal is None:
                raise NotFoundError(
                    "shadow_proposal_not_found",
                    f"there is no proposal {proposal_id}: look at the list of proposals",
                    proposal_id=proposal_id,
                )
            if proposal.decided_at is not None:
                raise ConflictError(
                    "shadow_proposal_decided",
                    f"somebody has decided on proposal {proposal_id} already: read it again",
                    proposal_id=proposal_id,
                )
            of = proposal.of
            if accept:
                version = RuleVersion(of.pack, of.rule, of.digest, "")
                self._approvals.withdraw(unit, version, by=who.name, note=note)
            decided = unit.quality.decide(proposal, accept=accept, by=who.user_id, note=note)
            detail = {"pack": of.pack, "rule": of.rule, "digest": of.digest, "accepted": accept}
            unit.audit.record(who, "shadow.decide", "shadow_proposal", proposal_id, detail, origin=origin)
            unit.commit()
        return decided
