"""What every decision about a finding asks first, whoever makes it."""

from qa_service.domain.access import Principal
from qa_service.domain.review import FindingState, Step, follow, may_follow
from qa_service.errors import ConflictError, InputError
from qa_service.ports import UnitOfWork
from qa_service.ports.review import StoredFinding

NOTE_CHARACTERS = 2_000


def not_blind(unit: UnitOfWork, who: Principal, recording_id: int) -> None:
    """Raises ConflictError ``call_blind``: what others found would no longer be what ``who`` found."""
    if unit.calibration.hidden_from(who.user_id, [recording_id]):
        raise ConflictError(
            "call_blind",
            f"you are to score recording {recording_id} blind in a calibration session: do that first",
            recording_id=recording_id,
        )


def checked_note(note: str) -> str:
    """Raises InputError ``note_too_long``."""
    if len(note) > NOTE_CHARACTERS:
        raise InputError(
            "note_too_long", f"a note of {len(note)} characters: say it in {NOTE_CHARACTERS}, or in a report"
        )
    return note.strip()


def current(unit: UnitOfWork, finding_id: int, version: int | None) -> StoredFinding:
    """The finding, when it can be decided about and is as it was read.

    Raises:
        ConflictError: ``finding_superseded``, ``stale_version``.
    """
    finding = unit.verdicts.finding(finding_id)
    if not finding.in_force:
        raise ConflictError(
            "finding_superseded",
            f"finding {finding_id} is of an evaluation that is no longer in force: read the call again",
            finding_id=finding_id,
        )
    if version is not None and version != finding.version:
        raise ConflictError(
            "stale_version",
            f"finding {finding_id} has changed meanwhile: read it again, then decide",
            finding_id=finding_id,
        )
    return finding


def next_state(finding: StoredFinding, step: Step) -> FindingState:
    """Raises ConflictError ``finding_transition_refused``."""
    after = follow(finding.state, step, outcome=finding.result.outcome)
    if after is None:
        may = ", ".join(may_follow(finding.state)) or "nothing"
        raise ConflictError(
            "finding_transition_refused",
            f"the finding is {finding.state.value}, which {step.value!r} cannot follow: "
            f"read it again (what may follow is {may})",
            finding_id=finding.id,
        )
    return after
