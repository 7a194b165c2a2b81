"""Words of one call as somebody is shown them; the conversation is read only where a quote may hide a number."""

from collections.abc import Iterable

from api.access import AskingContext
from api.masks import Eyes, SeenCall
from api.schemas.evaluations import EvidenceModel
from qa_service.domain.results import Evidence


class Hiding:
    """Of one call, for who asks."""

    def __init__(self, asking: AskingContext, recording_id: int) -> None:
        self._eyes = Eyes(asking.who)
        self._site = asking.site
        self._recording_id = recording_id
        self._seen: SeenCall | None = None

    def text(self, text: str) -> str:
        """Free text."""
        return self._eyes.text(text)

    def evidence(self, evidence: Iterable[Evidence]) -> list[EvidenceModel]:
        told = tuple(evidence)
        if not self._eyes.see_numbers and any(each.quote for each in told):
            told = self._call().evidence(told)
        return [
            EvidenceModel(
                start=each.start,
                end=each.end,
                role=each.role,
                quote=each.quote,
                utterances=list(each.utterances),
                confidence=each.confidence,
                note=self.text(each.note),
            )
            for each in told
        ]

    def _call(self) -> SeenCall:
        if self._seen is None:
            with self._site.units_to_read() as unit:
                stored = unit.conversations.in_force(self._recording_id)
            assert stored is not None  # what was judged was heard
            self._seen = self._eyes.call(stored.conversation)
        return self._seen
