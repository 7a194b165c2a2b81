"""Rule results: what a rule says about one conversation, and the evidence for it."""

from dataclasses import dataclass
from enum import StrEnum

from qa_service.domain.conversation import SpeakerRole
from qa_service.domain.timeline import TimeSpan


class Outcome(StrEnum):
    MET = "met"
    NOT_MET = "not_met"
    NOT_APPLICABLE = "not_applicable"
    UNDETERMINED = "undetermined"


class Severity(StrEnum):
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class CriticalTo(StrEnum):
    """Whom a critical fault harms first, as the field sorts critical errors."""

    CUSTOMER = "customer"
    BUSINESS = "business"
    COMPLIANCE = "compliance"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where to listen: span in seconds, whose words, the words themselves, and why they count."""

    start: float
    end: float
    role: SpeakerRole | None = None
    quote: str = ""
    utterances: tuple[int, ...] = ()
    confidence: float | None = None
    note: str = ""

    @property
    def span(self) -> TimeSpan:
        return TimeSpan(self.start, self.end)


@dataclass(frozen=True, slots=True)
class OpenItem:
    """Something that the call leaves to be done for its customer, such as a promised reply.

    ``due_days``: days after the call until it is overdue. ``evidence``: where it was promised.
    """

    item: str
    due_days: int
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule on one conversation.

    Results with ``scored`` False are recorded only; ``unscored`` says why: the rule is for the record
    (``recorded_only``), being tried (``shadow``), or not approved and live (``not_live``).
    ``same_event_as`` names the rule that already counts the
    same event, so that one event costs points once and makes one finding. ``reason`` is a stable code that says
    why a result is undetermined or not applicable. ``style`` lists parts of the script that are reported and never
    scored: name, and whether they were heard (None: cannot be told). ``grade``: how grave it is on the rule's own
    scale (complaints: 1 to 3). ``review`` False: nobody need look when it is undetermined. ``opens``: what the
    call leaves to be done.
    """

    rule: str
    title: str
    outcome: Outcome
    severity: Severity
    evidence: tuple[Evidence, ...] = ()
    reason: str = ""
    scored: bool = True
    same_event_as: str | None = None
    style: tuple[tuple[str, bool | None], ...] = ()
    grade: int | None = None
    review: bool = True
    opens: tuple[OpenItem, ...] = ()
    unscored: str = ""

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to look: a scored doubt or violation that no other result already stands for.

        Every mono call leaves interruptions open; without so much as an overlap there is nothing to listen to.
        """
        if not self.scored or self.same_event_as is not None:
            return False
        if self.outcome is Outcome.UNDETERMINED:
            return self.review and (self.reason != "overlap_not_measurable" or bool(self.evidence))
        return self.outcome is Outcome.NOT_MET
