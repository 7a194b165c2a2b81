"""Reports in files: whole or not at all, and as a mail that a mail system takes as it is.

Guarantee: a mail's header holds what a schedule says and nothing that a name smuggles in. Nothing is sent.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from zoneinfo import ZoneInfo

from qa_service.adapters.reporting.formats import ReportFormat, file_name, rendered
from qa_service.adapters.reporting.values import Writer
from qa_service.adapters.reporting.words import Language
from qa_service.domain.reporting.document import Report
from qa_service.errors import ConfigurationError
from qa_service.ports.reporting import ReportSchedule


class ReportFolder:
    """Implements ``ReportFiles``.

    Args:
        folder: of all scheduled reports; each schedule has one below.
        zone: whose clock times are told by.
        site_url: where the console is, for links.
        sender: the address that mails come from.
        titles: tells the titles of rules, by their ids.
    """

    def __init__(
        self,
        folder: Path,
        *,
        zone: ZoneInfo,
        site_url: str | None,
        sender: str,
        titles: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._folder = folder
        self._zone = zone
        self._titles = titles
        self._site_url = site_url
        self._sender = sender

    def write(self, report: Report, schedule: ReportSchedule) -> Sequence[str]:
        terms = schedule.terms
        writer = Writer(Language(terms.language), self._zone, self._titles())
        formats = [ReportFormat(name) for name in terms.formats]
        mailed = [ReportFormat.HTML, ReportFormat.XLSX] if terms.recipients else []
        contents = {
            each: rendered(report, each, writer, site_url=self._site_url)
            for each in dict.fromkeys([*formats, *mailed])
        }
        names = []
        for each in formats:
            names.append(f"{schedule.id}/{file_name(report, each)}")
            write_whole(self._folder / names[-1], contents[each])
        if terms.recipients:
            letter = mail(report, writer, contents, sender=self._sender, recipients=terms.recipients)
            names.append(f"{schedule.id}/{file_name(report, ReportFormat.HTML).removesuffix('.html')}.eml")
            write_whole(self._folder / names[-1], letter)
        return names

    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None


def mail(
    report: Report, writer: Writer, contents: dict[ReportFormat, bytes], *, sender: str, recipients: Sequence[str]
) -> bytes:
    """The report as a mail: the page inline, the workbook attached. The same report is the same bytes."""
    title = f"{writer.say(report.title)} {report.span.name}"
    name = file_name(report, ReportFormat.XLSX)
    letter = EmailMessage(policy=SMTP)
    letter["From"] = sender
    letter["To"] = ", ".join(recipients)
    letter["Subject"] = title
    letter["Date"] = report.as_of.astimezone(UTC)
    letter["Message-ID"] = f"<{report.kind}.{report.span.since:%Y%m%d}.{report.as_of:%Y%m%dT%H%M%S}@qa-service>"
    letter.set_content(title + "\n")
    letter.add_alternative(contents[ReportFormat.HTML].decode(), subtype="html")
    main, _, sub = ReportFormat.XLSX.media_type.partition("/")
    letter.add_attachment(contents[ReportFormat.XLSX], maintype=main, subtype=sub, filename=name)
    # Else its parts are told apart by random numbers.
    letter.set_boundary(f"=-qa-{report.kind}-mixed")
    for part in letter.iter_parts():
        if part.is_multipart():
            part.set_boundary(f"=-qa-{report.kind}-page")
    return letter.as_bytes()


def write_whole(path: Path, content: bytes) -> None:
    """Into a file that is there as a whole, or as it was.

    Raises:
        ConfigurationError: ``report_unwritable``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".report-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(0o640)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(
            "report_unwritable", f"cannot write {path} ({error.strerror}): check the folder and its disk"
        ) from error
