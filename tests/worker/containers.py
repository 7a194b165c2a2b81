"""A container whose engines and rule packs are fakes; everything else is the real thing."""

from functools import cached_property
from pathlib import Path

from qa_service.domain.call import RawFormat
from qa_service.services.evaluate import EvaluateConversation
from qa_service.services.process import HearRecording
from qa_service.settings import Settings
from tests.fakes import Workplace
from worker.container import Container


class FakeContainer(Container):
    """One process's objects on the data directory ``folder``."""

    member = "tests.worker.member"

    def __init__(
        self,
        folder: Path,
        *,
        filename_template: str | None = None,
        leg_suffixes: tuple[str, str] | None = None,
        raw_format: RawFormat | None = None,
        transient_retries: int = 1,
        processes: int = 1,
        settings: Settings | None = None,
    ) -> None:
        super().__init__(
            settings
            or Settings(
                data_dir=folder,
                database_url=f"sqlite:///{folder / 'qa.db'}",
                filename_template=filename_template,
                leg_suffixes=leg_suffixes,
                raw_format=raw_format,
                transient_retries=transient_retries,
                processes=processes,
            )
        )

    @cached_property
    def workplace(self) -> Workplace:
        return Workplace(self.database, self.settings.data_dir, blobs=self.blobs)

    @cached_property
    def hear(self) -> HearRecording:
        return self.workplace.hear

    @cached_property
    def evaluate(self) -> EvaluateConversation:
        return self.workplace.evaluate
