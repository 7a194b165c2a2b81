"""What the machine got wrong becomes a case of its rule: a draft, for whoever keeps the rules.

Guarantee: a draft holds no number that is masked for people, whoever makes it, and goes into no pack by itself. It
says what people decided: a rejected finding or an upheld objection is a call in which the rule is to find nothing,
a fault that a person added is one that it is to find.
"""

from dataclasses import replace

from qa_service.domain.access import Principal
from qa_service.domain.masking.masking import mask, mask_text
from qa_service.domain.results import Outcome
from qa_service.domain.review import CLEARED, FindingState, Reason
from qa_service.domain.review import Origin as FoundBy
from qa_service.errors import ConflictError, InputError, NotFoundError
from qa_service.ports import UnitOfWorkFactory
from qa_service.ports.draft_cases import DraftCase
from qa_service.ports.people import Origin
from qa_service.ports.review import StoredFinding
from qa_service.ports.rules import CaseWriting
from qa_service.services.findings import checked_note, not_blind

MAX_EXPORT = 500
_NAME_CHARACTERS = 60


class DraftCases:
    """Args:
    units: where findings, calls and drafts are stored.
    units_to_read: the same for transactions that write nothing.
    writing: knows the form of cases.
    """

    def __init__(
        self, *, units: UnitOfWorkFactory, units_to_read: UnitOfWorkFactory, writing: CaseWriting
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._writing = writing

    def save(
        self,
        who: Principal,
        finding_id: int,
        *,
        why: str,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> DraftCase:
        """Make a case of a finding; ``why`` says what is wrong with it.

        Raises:
            NotFoundError: ``finding_not_found``.
            ConflictError: ``draft_case_exists``, ``finding_not_settled``.
            InputError: ``draft_case_unexplained``, ``note_too_long``.
            RulePackError: the pack is not there any more, or has no such rule.
        """
        why = mask_text(" ".join(checked_note(why).split()))
        if not why:
            raise InputError("draft_case_unexplained", "a case without a reason: say what the rule got wrong")
        with self._units_to_read() as unit:
            finding = unit.verdicts.finding(finding_id)
            if not who.scope.covers(unit.verdicts.owner(finding.recording_id)):
                raise NotFoundError(
                    "finding_not_found",
                    f"no finding has the number {finding_id}: read the call's findings again",
                    finding_id=finding_id,
                )
            not_blind(unit, who, finding.recording_id)
            expect = _expected(finding)
            conversation = unit.conversations.get(unit.draft_cases.conversation_of(finding.evaluation_id))
            metadata = unit.metadata.get(finding.recording_id)
        rule = finding.result.rule
        document, outcome = self._writing.write(
            finding.pack,
            rule,
            name=f"finding {finding_id}: {why[:_NAME_CHARACTERS]}",
            expect=expect,
            conversation=mask(conversation.conversation).conversation,
            metadata=replace(metadata, extra=()),
        )
        with self._units() as unit:
            draft = unit.draft_cases.add(
                finding_id=finding_id,
                recording_id=finding.recording_id,
                pack=finding.pack,
                rule=rule,
                expect=expect,
                outcome=outcome,
                document=document,
                why=why,
                by=who.user_id,
            )
            detail = {"finding_id": finding_id, "rule": rule, "expect": expect.value}
            unit.audit.record(who, "draft_case.save", "draft_case", draft.id, detail, origin=origin)
            unit.commit()
        return draft

    def page(
        self, who: Principal, *, pack: str | None = None, rule: str | None = None, after: int = 0, limit: int = 50
    ) -> tuple[DraftCase, ...]:
        """Drafts of calls in the scope, in the order they were made."""
        with self._units_to_read() as unit:
            return unit.draft_cases.page(scope=who.scope, pack=pack, rule=rule, after=after, limit=limit)

    def export(
        self,
        who: Principal,
        *,
        pack: str,
        rule: str,
        origin: Origin = Origin(),  # noqa: B008 - frozen
    ) -> str:
        """The drafts of one rule as the text of its ``.cases.yaml``, the first ``MAX_EXPORT`` of them."""
        with self._units() as unit:
            drafts = unit.draft_cases.page(scope=who.scope, pack=pack, rule=rule, after=0, limit=MAX_EXPORT)
            detail = {"pack": pack, "cases": len(drafts)}
            unit.audit.record(who, "draft_case.export", "rule", rule, detail, origin=origin)
            unit.commit()
        return self._writing.text([draft.document for draft in drafts])


def _expected(finding: StoredFinding) -> Outcome:
    """What the rule is to say of the call, by what people decided."""
    if finding.state in CLEARED:
        reason = finding.ruling.reason if finding.ruling is not None else ""
        return Outcome.NOT_APPLICABLE if reason == Reason.NOT_APPLICABLE else Outcome.MET
    if finding.origin is FoundBy.HUMAN and finding.state is not FindingState.OPEN:
        return Outcome.NOT_MET
    raise ConflictError(
        "finding_not_settled",
        f"finding {finding.id} is {finding.state.value}: make a case of one that was rejected or overturned, or "
        "of a fault that a person added",
        finding_id=finding.id,
    )
