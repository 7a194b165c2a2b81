"""The kinds of reports, whom they are about and who may have them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qa_service.domain.access import Permission
from qa_service.domain.figures import Grouping
from qa_service.domain.reporting.periods import Span
from qa_service.errors import InputError


class ReportKind(StrEnum):
    DAILY = "daily"
    AGENT = "agent"
    TEAM = "team"
    VENDOR = "vendor"
    RULES = "rules"
    SALES = "sales"
    COMPLAINTS = "complaints"
    TRAINING = "training"

    @property
    def subject(self) -> Grouping | None:
        """Whom it is about; None: the whole site."""
        return _SUBJECTS.get(self)

    @property
    def needs(self) -> Permission | None:
        """What somebody has to hold besides ``reports:read``."""
        return _NEEDS.get(self)


_SUBJECTS: Final = {
    ReportKind.AGENT: Grouping.AGENT,
    ReportKind.TEAM: Grouping.TEAM,
    ReportKind.VENDOR: Grouping.VENDOR,
}
_NEEDS: Final = {
    ReportKind.VENDOR: Permission.VENDORS_READ,
    ReportKind.RULES: Permission.QUALITY_READ,
    ReportKind.COMPLAINTS: Permission.COMPLAINTS_READ,
    ReportKind.TRAINING: Permission.TRAINING_READ,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A report that is to be made. ``subject``: an agent's number, the name of a team or vendor."""

    kind: ReportKind
    span: Span
    subject: str = ""


def check(wanted: Wanted) -> None:
    """Raises InputError ``report_subject_missing``, ``report_subject_unwanted``."""
    about = wanted.kind.subject
    if about is not None and not wanted.subject:
        raise InputError(
            "report_subject_missing", f"a report of the kind {wanted.kind} is about one {about}: name it"
        )
    if about is None and wanted.subject:
        raise InputError(
            "report_subject_unwanted", f"a report of the kind {wanted.kind} is about the whole site: name nobody"
        )
