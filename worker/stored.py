"""A stored call, found by what a person knows of it."""

from dataclasses import dataclass

from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.conversation import Conversation
from qa_service.errors import NotFoundError
from qa_service.ports import StoredEvaluation
from worker.container import Container


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A recording with its latest evaluation, and the conversation that it was made from."""

    recording: Recording
    metadata: CallMetadata
    conversation: Conversation
    evaluation: StoredEvaluation


def stored_call(container: Container, reference: str) -> StoredCall:
    """The scored call whose path or file name is, or whose digest starts with, ``reference``.

    Raises:
        NotFoundError: ``recording_not_found``, ``recording_ambiguous``, ``not_scored``.
    """
    with container.database.unit_of_work() as unit:
        found = unit.recordings.find(reference)
        if not found:
            raise NotFoundError(
                "recording_not_found", f"no recording {reference!r}: score it first with `qa score`"
            )
        if len(found) > 1:
            names = ", ".join(f"{r.sha256[:12]} ({r.path})" for r in found)
            raise NotFoundError(
                "recording_ambiguous", f"{reference!r} is more than one recording: name one of {names}"
            )
        (recording,) = found
        evaluation = unit.evaluations.latest(recording.id)
        if evaluation is None:
            raise NotFoundError("not_scored", f"{recording.path} has no evaluation: score it with `qa score`")
        conversation = unit.conversations.get(evaluation.conversation_id).conversation
        return StoredCall(recording, unit.metadata.get(recording.id), conversation, evaluation)
