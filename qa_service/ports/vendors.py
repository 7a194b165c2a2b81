"""What calls say of vendors, as it is counted."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from qa_service.domain.access import Scope
from qa_service.domain.vendors import Contacts


class VendorCalls(Protocol):
    """Inbound calls by vendor; a call without a vendor is nobody's."""

    def contacts(
        self, scope: Scope, since: datetime, until: datetime, *, window: timedelta, now: datetime
    ) -> Mapping[str, Contacts]:
        """First contacts in ``[since, until)``: calls of a customer who had not called within ``window`` before,
        whoever answered; resolved are those after which no call came within ``window``. A window that is not over
        ``now`` says nothing yet."""
        ...

    def rings(
        self, scope: Scope, since: datetime, until: datetime, *, within: int
    ) -> Mapping[str, tuple[int, int]]:
        """Of calls in ``[since, until)`` that tell how often it rang: how many, and how many of them were answered
        within so many rings."""
        ...
