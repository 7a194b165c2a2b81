"""Fakes of the speech ports and of rule packs, and the services wired with them on a real store.

What the fakes do depends on the bytes of the recording alone: ``b"silent"`` holds no speech, ``b"humming"`` speech
without words, ``b"say …"`` what it says, anything else one greeting a channel. They count their work, so that a
test can tell what was not repeated.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from qa_service.adapters.blobs import LocalBlobStore
from qa_service.db.rows import Row
from qa_service.db.session import Database
from qa_service.domain.alignment import AlignmentOptions
from qa_service.domain.call import CallMetadata
from qa_service.domain.conversation import Conversation, EngineRun, SpeakerRole, TextOverlay, Transcript
from qa_service.domain.faults import ChannelInspection, ChannelSignal
from qa_service.domain.lifecycle import RuleVersion
from qa_service.domain.metrics import ConversationMetrics, MetricOptions
from qa_service.domain.results import Evidence, Outcome, RuleResult, Severity
from qa_service.domain.scoring import Scorecard, ScorecardItem, ScorecardSection
from qa_service.domain.timeline import TimeSpan, hull
from qa_service.ports import (
    AudioSource,
    BlobStore,
    DecodedAudio,
    RoleAttribution,
    RoleCue,
    SpeechActivity,
    SpokenCall,
)
from qa_service.services.approvals import RuleApprovals
from qa_service.services.evaluate import EvaluateConversation
from qa_service.services.fitness import ALWAYS_FIT, Fitness
from qa_service.services.ingest import Ingest
from qa_service.services.jobs import BatchLimits, ScoreRecordings
from qa_service.services.process import HearRecording
from tests.builders import overlay, transcript, words

SILENT = b"silent"
HUMMING = b"humming"
DURATION_S = 12.0


class FakeAudio:
    """Implements ``DecodedAudio``; ``content`` is the bytes of the recording."""

    duration_s = DURATION_S
    sample_rate_hz = 16_000

    def __init__(self, content: bytes, channels: int) -> None:
        self.content = content
        self.channels = channels

    def read(self, channel: int, span: TimeSpan) -> NDArray[np.float32]:
        return np.zeros(round(span.duration_s * self.sample_rate_hz), np.float32)


class FakeDecoder:
    """Implements ``AudioDecoder``."""

    def __init__(self, channels: int = 2) -> None:
        self.channels = channels
        self.channel_map: tuple[int, ...] | None = None
        self.decoded: list[bytes] = []
        self.open: list[bytes] = []

    @contextmanager
    def decode(self, source: AudioSource) -> Iterator[DecodedAudio]:
        content = b"".join(path.read_bytes() for path in source.paths)
        self.decoded.append(content)
        self.open.append(content)
        try:
            yield FakeAudio(content, self.channels)
        finally:
            self.open.remove(content)


class FakeInspector:
    """Implements ``ChannelInspector``: nothing is wrong, until somebody sets what is."""

    def __init__(self) -> None:
        self.model = "ears"
        self.inspection: ChannelInspection | None = None

    @property
    def run(self) -> EngineRun:
        return EngineRun("channels", "fake", self.model, "1", "cpu")

    def inspect(self, audio: DecodedAudio) -> ChannelInspection:
        sound = ChannelInspection(tuple(ChannelSignal(peak_dbfs=-10.0) for _ in range(audio.channels)))
        return self.inspection or sound


class FakeDetector:
    """Implements ``VoiceActivityDetector``: the channels speak one after the other, two seconds each."""

    def __init__(self) -> None:
        self.options: tuple[tuple[str, str], ...] = (("threshold", "0.5"),)
        self.leaked: list[tuple[tuple[TimeSpan, ...], ...]] = []

    @property
    def run(self) -> EngineRun:
        return EngineRun("vad", "fake", "vad", "1", "cpu", self.options)

    def detect(
        self, audio: DecodedAudio, *, leaked: Sequence[Sequence[TimeSpan]] = ()
    ) -> tuple[SpeechActivity, ...]:
        assert isinstance(audio, FakeAudio)
        self.leaked.append(tuple(tuple(spans) for spans in leaked))
        return tuple(
            SpeechActivity(channel, (), None)
            if audio.content == SILENT
            else SpeechActivity(channel, (TimeSpan(3.0 * channel, 3.0 * channel + 2.0),), -20.0)
            for channel in range(audio.channels)
        )

    def rehearse(self) -> None:
        return None


class FakeTranscriber:
    """Implements ``Transcriber``. ``together`` is called with the bytes of a batch's recordings when it begins,
    ``during`` with those of each while it works, ``rehearse`` when it is tried."""

    def __init__(self) -> None:
        self.model = "tiny"
        self.heard: list[bytes] = []
        self.batches: list[list[bytes]] = []
        self.together: Callable[[list[bytes]], None] = lambda _: None
        self.during: Callable[[bytes], None] = lambda _: None
        self.rehearse: Callable[[], None] = lambda: None

    @property
    def run(self) -> EngineRun:
        return EngineRun("asr", "fake", self.model, "1", "cpu")

    def transcribe(self, calls: Sequence[SpokenCall]) -> tuple[tuple[Transcript, ...], ...]:
        contents = [call.audio.content for call in calls if isinstance(call.audio, FakeAudio)]
        self.batches.append(contents)
        self.together(contents)
        return tuple(self._call(call.audio, call.speakers, call.language) for call in calls)

    def _call(
        self, audio: DecodedAudio, speech: Sequence[SpeechActivity], language: str | None
    ) -> tuple[Transcript, ...]:
        assert isinstance(audio, FakeAudio)
        said = audio.content.removeprefix(b"say ").decode() if audio.content.startswith(b"say ") else "您好"
        self.heard.append(audio.content)
        self.during(audio.content)
        return tuple(
            replace(
                transcript(
                    () if audio.content == HUMMING else words(said, s.spans[0].start),
                    channel=s.channel,
                    language=language or "zh",
                ),
                speaker=s.speaker,
            )
            for s in speech
        )


class FakeDiarizer:
    """Implements ``Diarizer``: a single channel holds two speakers, one in each half of its speech."""

    def __init__(self) -> None:
        self.model = "voices"
        self.expected: list[int | None] = []

    @property
    def run(self) -> EngineRun:
        return EngineRun("diarization", "fake", self.model, "1", "cpu")

    def speakers(
        self,
        audio: DecodedAudio,
        activities: Sequence[SpeechActivity],
        *,
        expected: int | None,
        shared: bool = False,
    ) -> tuple[SpeechActivity, ...]:
        self.expected.append(expected)
        if len(activities) > 1 and not shared:
            return tuple(activities)
        speech = activities[0]
        whole = hull(speech.spans)
        halves = (TimeSpan(whole.start, whole.middle), TimeSpan(whole.middle, whole.end))
        return tuple(replace(speech, spans=(half,), speaker=i) for i, half in enumerate(halves))


class FakeAttributor:
    """Implements ``RoleAttributor``: ``roles`` for the speakers, unknown until somebody sets them."""

    def __init__(self) -> None:
        self.roles: tuple[SpeakerRole, ...] = ()
        self.probability = 0.97
        self.places: list[tuple[int, int, int]] = [(0, 0, 1), (1, 0, 1)]

    @property
    def run(self) -> EngineRun:
        return EngineRun("roles", "fake", "cues", "1", "cpu")

    def attribute(self, said: Sequence[TextOverlay], language: str) -> RoleAttribution:
        if len(self.roles) != len(said):
            return RoleAttribution((SpeakerRole.UNKNOWN,) * len(said), 0.5)
        cues = tuple(RoleCue(*place) for place in self.places)
        return RoleAttribution(self.roles, self.probability, cues)


class FakeAnnotator:
    """Implements ``TextAnnotator``."""

    revision = "1"

    def simplified(self, raw_text: str, language: str) -> str:
        return raw_text

    def respelled(self, text: str, words: tuple[str, ...]) -> tuple[str, tuple[tuple[int, int], ...]]:
        """Every word replaces the whole of a text of its length."""
        return next(((word, ((0, len(word)),)) for word in words if len(word) == len(text)), (text, ()))

    def overlay(self, text: str) -> TextOverlay:
        return overlay(text)


class FakeRules:
    """Implements ``RuleEvaluator``: the greeting has ``outcome``, with the first utterance for evidence."""

    language = "zh"
    metric_options = MetricOptions()
    scorecard = Scorecard(
        "fake", 0.5, (ScorecardSection("all", "全部", (ScorecardItem("greeting", 10), ScorecardItem("x", 5))),)
    )

    def __init__(self, pack: str, digest: str, outcome: Outcome = Outcome.MET) -> None:
        self.pack = pack
        self.digest = digest
        self.outcome = outcome
        self.severity = Severity.MAJOR
        self.evaluated = 0

    @property
    def versions(self) -> tuple[RuleVersion, ...]:
        return (RuleVersion(self.pack, "greeting", self.digest, f'{{"outcome":"{self.outcome}"}}'),)

    def evaluate(
        self,
        conversation: Conversation,
        metrics: ConversationMetrics,
        metadata: CallMetadata,
        *,
        not_live: Collection[str] = (),
    ) -> tuple[RuleResult, ...]:
        self.evaluated += 1
        live = "greeting" not in not_live
        first = conversation.utterances[0]
        evidence = Evidence(first.start, first.end, first.role, first.text, (0,), first.confidence)
        return (
            RuleResult(
                *("greeting", "问候", self.outcome, self.severity, (evidence,)),
                scored=live,
                unscored="" if live else "not_live",
            ),
        )


class Workplace:
    """The services of one process on ``database``; the fakes are attributes to look at and to change."""

    def __init__(self, database: Database, folder: Path, *, blobs: BlobStore | None = None) -> None:
        self.database = database
        self.folder = folder
        self.blobs = blobs or LocalBlobStore(folder / "blobs")
        self.decoder = FakeDecoder()
        self.inspector = FakeInspector()
        self.detector = FakeDetector()
        self.diarizer = FakeDiarizer()
        self.transcriber = FakeTranscriber()
        self.attributor = FakeAttributor()
        self.annotator = FakeAnnotator()
        self.packs = {name: FakeRules(name, f"sha256:{name}") for name in ("rules-zh", "rules-en")}
        self.ingest = Ingest(units=database.unit_of_work, blobs=self.blobs)
        self.shipped = {"rules-zh", "rules-en"}
        self.approvals = RuleApprovals(
            units=database.unit_of_work,
            as_shipped=lambda rules: {v.rule for v in rules.versions if rules.pack in self.shipped},
        )
        self.evaluate = EvaluateConversation(
            units=database.unit_of_work,
            load_pack=self.packs.__getitem__,
            pack_by_language={"zh": "rules-zh", "en": "rules-en"},
            approvals=self.approvals,
        )
        self.hear = self.hearing()

    def hearing(
        self,
        *,
        alignment: AlignmentOptions | None = None,
        language: str | None = None,
        agent_channel: int | None = 0,
        hot_words: tuple[str, ...] = (),
    ) -> HearRecording:
        return HearRecording(
            units=self.database.unit_of_work,
            blobs=self.blobs,
            decoder=self.decoder,
            inspector=self.inspector,
            detector=self.detector,
            diarizer=self.diarizer,
            transcriber=self.transcriber,
            attributor=self.attributor,
            annotator=self.annotator,
            alignment=alignment or AlignmentOptions(),
            language=language,
            agent_channel=agent_channel,
            hot_words=hot_words,
        )

    def jobs(
        self,
        owner: str = "worker",
        *,
        lease_s: float = 60.0,
        limits: BatchLimits | None = None,
        prepare_ahead: bool = False,
        fitness: Fitness = ALWAYS_FIT,
    ) -> ScoreRecordings:
        return ScoreRecordings(
            units=self.database.unit_of_work,
            hear=self.hear,
            evaluate=self.evaluate,
            owner=owner,
            lease_s=lease_s,
            limits=limits or BatchLimits(),
            prepare_ahead=prepare_ahead,
            fitness=fitness,
        )

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def count(self, row: type[Row]) -> int:
        with self.database.unit_of_work(read_only=True) as unit:
            return unit.session.scalar(select(func.count()).select_from(row)) or 0

    def delete_blobs(self) -> None:
        for blob in self.stored_blobs():
            blob.unlink()

    def stored_blobs(self) -> list[Path]:
        """Every file of the blob store, unfinished copies included."""
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]
