"""Listening to a call, as far as somebody may.

Guarantee: nobody hears a card verification code; who may not see numbers hears none that was found, and no call of
which it is not known where its numbers are.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from qa_service.domain.conversation import Conversation
from qa_service.domain.masking.card_codes import without_card_codes
from qa_service.domain.masking.masking import mask
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import ConflictError
from qa_service.ports import ListeningCopies, ListeningCopy, UnitOfWorkFactory


def silent_spans(conversation: Conversation, *, sees_numbers: bool) -> tuple[TimeSpan, ...]:
    """When a call is silent, for who may see numbers or who may not."""
    # Conversations of earlier versions still hold the codes.
    cleaned = without_card_codes(conversation)
    return cleaned.card_codes if sees_numbers else mask(cleaned).silent


class ListenToCalls:
    """Calls and clips of them, with their silences."""

    def __init__(self, *, units: UnitOfWorkFactory, copies: ListeningCopies) -> None:
        self._units = units
        self._copies = copies

    @contextmanager
    def open(
        self, recording_id: int, *, sees_numbers: bool, start_s: float | None = None, end_s: float | None = None
    ) -> Iterator[ListeningCopy]:
        """The WAV file of a recording, or of ``[start_s, end_s)`` of it, readable inside the context.

        Args:
            recording_id: of a recording that may be listened to at all: that is for the caller to know.
            sees_numbers: whether who listens may see telephone, identity and card numbers.
            start_s: where the clip begins; None: at the start.
            end_s: where it ends; None: at the end.

        Raises:
            NotFoundError: ``recording_not_found``, ``blob_not_found``.
            ConflictError: ``not_heard_yet``: nothing tells where its numbers are.
            InputError, EngineError, TransientError: as ``ListeningCopies.open``.
        """
        with self._units() as unit:
            recording = unit.recordings.get(recording_id)
            metadata = unit.metadata.get(recording_id)
            stored = unit.conversations.in_force(recording_id)
        if stored is None and not sees_numbers:
            raise ConflictError(
                "not_heard_yet",
                "the call was not heard yet, so nobody knows where its numbers are: listen when it is scored",
                recording=recording_id,
            )
        silent = () if stored is None else silent_spans(stored.conversation, sees_numbers=sees_numbers)
        with self._copies.open(recording, metadata, silent=silent, start_s=start_s, end_s=end_s) as copy:
            yield copy
