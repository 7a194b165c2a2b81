"""What people and other systems do to calls: tell late what is known of them.

Guarantee: nothing is changed outside who asks' scope, nor moved out of it; a change of what somebody else changed
meanwhile is refused; what changed is scored again, by a job of the same transaction.
"""

from collections.abc import Callable
from typing import Final

from qa_service.domain.access import Principal, Scope
from qa_service.domain.call import CallMetadata, Recording
from qa_service.errors import ConflictError, PermissionDeniedError
from qa_service.ports import COLLECT_PRIORITY, PRIORITY, Job, JobRequest, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.calls import CallDetails
from qa_service.ports.people import Origin
from qa_service.services.keys import stage_key
from qa_service.services.plans import AUTO, SCORE

_NOBODY: Final = Origin()


class Calls:
    """Calls as people and programs change them. ``units``: where they are stored."""

    def __init__(self, *, units: UnitOfWorkFactory) -> None:
        self._units = units

    def tell(
        self,
        who: Principal,
        recording_id: int,
        change: Callable[[CallMetadata], CallMetadata],
        *,
        version: int | None,
        origin: Origin = _NOBODY,
    ) -> CallDetails:
        """Replace what is known of a call by what ``change`` makes of it.

        Args:
            who: who tells.
            recording_id: of which call.
            change: of what is stored.
            version: that ``who`` saw; None: whichever is there.
            origin: of the request.

        Raises:
            NotFoundError: ``recording_not_found``.
            ConflictError: ``stale_version``.
            PermissionDeniedError: ``outside_scope``.
        """
        with self._units() as unit:
            unit.recordings.lock(recording_id)
            found = unit.calls.details(recording_id, who.scope)
            if version is not None and version != found.metadata_version:
                raise ConflictError(
                    "stale_version", "somebody else changed this meanwhile: read it again, then decide"
                )
            told = change(found.metadata)
            if told != found.metadata:
                unit.metadata.put(recording_id, told)
                check_still_within(unit, recording_id, who.scope)
                unit.audit.record(who, "recording.tell", "recording", recording_id, origin=origin)
                if found.call.evaluation_id is not None or unit.jobs.any_of(recording_id):
                    enqueue(unit, found.recording, told, who)
            after = unit.calls.details(recording_id, who.scope)
            unit.commit()
        return after


def check_still_within(unit: UnitOfWork, recording_id: int, scope: Scope) -> None:
    """Nobody gives away, or makes up, a call of somebody else.

    Raises:
        PermissionDeniedError: ``outside_scope``.
    """
    if not scope.covers(unit.calls.owner(recording_id)):
        raise PermissionDeniedError(
            "outside_scope",
            "by this metadata the call would be outside your scope: name an agent, team and vendor of yours",
        )


def enqueue(unit: UnitOfWork, recording: Recording, metadata: CallMetadata, who: Principal) -> Job:
    """Have a recording heard, if that is not stored, and scored.

    The web process knows no engines: its jobs have keys of their own, without them. The stages are keyed all the
    same, so that a job for what is done already repeats nothing.
    """
    wanted = JobRequest(
        SCORE,
        stage_key("asked", recording=recording.sha256, metadata=metadata),
        recording.id,
        {"pack": AUTO},
    )
    # What people upload goes before what other systems deliver.
    priority = COLLECT_PRIORITY if who.via == "token" else PRIORITY
    return unit.jobs.enqueue(wanted.kind, wanted.key, wanted.recording_id, wanted.payload, priority=priority)
