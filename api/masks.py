"""What somebody is shown of customers' numbers: everything, or what ``qa_service.domain.masking`` leaves."""

from collections.abc import Iterable
from dataclasses import replace
from typing import overload

from qa_service.domain.access import Permission, Principal
from qa_service.domain.conversation import Conversation
from qa_service.domain.masking.card_codes import without_card_codes
from qa_service.domain.masking.masking import MaskedConversation, mask, mask_reference, mask_text
from qa_service.domain.results import Evidence
from qa_service.domain.timeline import TimeSpan, union
from qa_service.ports import UnitOfWork
from qa_service.ports.calls import ListedCall
from qa_service.services.sign_in import denied


class Eyes:
    """Of one person."""

    def __init__(self, who: Principal) -> None:
        self.see_numbers = who.may(Permission.NUMBERS_READ)
        self._user_id = who.user_id
        self._blind: frozenset[int] = frozenset()

    def look_away(self, unit: UnitOfWork, recording_ids: Iterable[int]) -> None:
        """From what was found in those of the calls that are to be scored blind."""
        self._blind |= unit.calibration.hidden_from(self._user_id, list(recording_ids))

    def judged(self, call: ListedCall) -> ListedCall:
        """The call, without its scores where they are not for these eyes yet."""
        if call.recording_id not in self._blind:
            return call
        return replace(call, score=None, final_score=None, coverage=None, fatal=None, to_review=0, worst=0)

    @overload
    def reference(self, reference: str) -> str: ...
    @overload
    def reference(self, reference: None) -> None: ...
    def reference(self, reference: str | None) -> str | None:
        """A customer's or a call's reference, or a file's name."""
        return reference if reference is None or self.see_numbers else mask_reference(reference)

    def text(self, text: str) -> str:
        """Free text."""
        return text if self.see_numbers else mask_text(text)

    def masked(self, conversation: Conversation) -> Conversation:
        """As nobody's right shows more of it."""
        return mask(without_card_codes(conversation)).conversation

    def call(self, conversation: Conversation) -> "SeenCall":
        cleaned = without_card_codes(conversation)  # those of earlier versions still hold them
        return SeenCall(cleaned, None if self.see_numbers else mask(cleaned))

    def check_may_ask_for(self, reference: str | None) -> None:
        """Who may not see numbers finds none by trying them either.

        Raises:
            PermissionDeniedError: ``permission_denied``.
        """
        if reference is not None and not self.see_numbers and mask_reference(reference) != reference:
            raise denied(Permission.NUMBERS_READ)


class SeenCall:
    """A conversation as somebody sees it, and when they hear nothing."""

    def __init__(self, original: Conversation, masked: MaskedConversation | None) -> None:
        self._masked = masked
        self.conversation = original if masked is None else masked.conversation
        self.silent: tuple[TimeSpan, ...] = union(original.card_codes) if masked is None else masked.silent

    def evidence(self, evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
        return tuple(evidence) if self._masked is None else self._masked.evidence(evidence)
