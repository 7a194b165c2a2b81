"""Whisper over packed speech windows, in batches across speakers and calls.

Guarantee: the same speech, weights and options give the same words, whatever else is in the batch: nothing is
drawn at random, and how a window is cut and padded depends on its speaker's speech alone.

A window is encoded at its own length, not at 30 s, which halves the work. Pieces that come back empty although
they hold speech are decoded once more, on their own.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from typing import TypeVar

import numpy as np

from models.asr.decoding import ATTEMPTS, Heard, WhisperOptions, WindowDecoder
from models.asr.guards import GUARDS_REVISION, guarded
from models.asr.languages import by_language, dominant, stretches, told_by
from models.asr.packing import PackingOptions, Window, pack
from models.asr.runtime import (
    FRAME_S,
    Encoded,
    Features,
    OutOfMemory,
    Samples,
    WhisperRuntime,
    memory_told,
)
from models.rehearsal import LEVEL_DBFS, Moment
from qa_service.domain.call import MIXED
from qa_service.domain.conversation import EngineRun, Transcript
from qa_service.domain.timeline import TimeSpan, difference
from qa_service.errors import EngineError
from qa_service.ports import DecodedAudio, SpeechActivity, SpokenCall

# Raised whenever packing, decoding or this module would give other words for the same speech, weights and options.
PIPELINE_REVISION = 5

DEFAULT_BATCH = {"cpu": 4, "cuda": 32}
"""Windows decoded together. On one CPU core decoding four at once takes half the time of one by one, more bring
nothing; on a GPU the first batch that has no room halves it."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Job:
    """A window to decode, of which call and speaker; ``language`` where the call is mixed."""

    call: int
    speaker: int
    window: Window
    language: str = ""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A window ready for the model: its features, or its encoding when there is one already."""

    job: _Job
    features: Features | None
    encoded: Encoded | None


class WhisperRecogniser:
    """Implements ``Transcriber`` with any Whisper runtime."""

    def __init__(
        self, runtime: WhisperRuntime, *, options: WhisperOptions | None = None, batch_size: int = 0
    ) -> None:
        """``batch_size`` 0: what suits the device."""
        self._runtime = runtime
        self._options = options or WhisperOptions()
        self._decoder = WindowDecoder(runtime, self._options)
        self._batch_size = batch_size or DEFAULT_BATCH.get(runtime.device, 1)

    @property
    def run(self) -> EngineRun:
        flat = {
            **asdict(self._options),
            "compute_type": self._runtime.compute_type,
            "attempts": ATTEMPTS,
            "pipeline": PIPELINE_REVISION,
            "confidence": self._decoder.scaling.revision,
            "guards_revision": GUARDS_REVISION,
        }
        model = self._runtime.model
        return EngineRun(
            "asr",
            self._runtime.engine,
            model.name,
            model.revision,
            self._runtime.device,
            tuple((name, str(value)) for name, value in sorted(flat.items())),
        )

    def transcribe(self, calls: Sequence[SpokenCall]) -> tuple[tuple[Transcript, ...], ...]:
        jobs = [
            _Job(index, number, window)
            for index, call in enumerate(calls)
            for number, speaker in enumerate(call.speakers)
            for window in self._windows(call, number, speaker.spans)
        ]
        languages, encoded = self._languages(calls, jobs)
        jobs = self._by_language(calls, jobs, languages)
        first = self._decode(calls, jobs, languages, encoded)
        again = self._retries(calls, jobs, first)
        second = self._decode(calls, again, languages, {})
        return tuple(
            tuple(
                Transcript(
                    speaker.channel,
                    languages[index],
                    guarded(
                        [
                            heard[job].segment
                            for heard, done in ((first, jobs), (second, again))
                            for job in done
                            if (job.call, job.speaker) == (index, number) and heard[job].segment.words
                        ],
                        language=languages[index],
                        options=self._options.guards,
                    ),
                    speaker.speaker,
                )
                for number, speaker in enumerate(call.speakers)
            )
            for index, call in enumerate(calls)
        )

    def rehearse(self) -> None:
        sound = Moment()
        whole = SpeechActivity(0, (TimeSpan(0.0, sound.duration_s),), LEVEL_DBFS)
        self.transcribe([SpokenCall(sound, (whole,), "en")])  # there is no Whisper that knows no English

    # --- what to decode ---------------------------------------------------------------------------------------

    def _languages(
        self, calls: Sequence[SpokenCall], jobs: Sequence[_Job]
    ) -> tuple[list[str], dict[_Job, Encoded]]:
        """Each call's language: told, or what its speakers share, from two windows of each (mixed where these
        differ or cannot be told); and those windows' encodings, for decoding them."""
        of_speaker: dict[tuple[int, int], list[_Job]] = {}
        for job in jobs:
            if calls[job.call].language is None:
                of_speaker.setdefault((job.call, job.speaker), []).append(job)
        listened = [job for own in of_speaker.values() for job in _fullest_and_farthest(own)]
        scores = [dict.fromkeys(self._options.languages, 0.0) for _ in calls]
        encoded: dict[_Job, Encoded] = {}
        heard: dict[int, set[str | None]] = {}
        for batch in self._prepared(calls, listened, {}):
            for window, (encoding, found) in zip(batch, self._fitting(batch, self._identify), strict=True):
                encoded[window.job] = encoding
                if window.job.window.duration_s >= self._options.switching.shortest_s:
                    language = told_by(found, self._options.languages, self._options.switching)
                    heard.setdefault(window.job.call, set()).add(language)
                score = scores[window.job.call]
                for code in score:
                    score[code] += found.get(code, 0.0) * window.job.window.duration_s
        likeliest = [max(score, key=lambda code: score[code]) for score in scores]
        told = [
            call.language or (MIXED if heard.get(index, set()) - {best} else best)
            for index, (call, best) in enumerate(zip(calls, likeliest, strict=True))
        ]
        supported = self._runtime.languages
        if supported is not None and (missing := set(told) - supported - {MIXED}):
            raise EngineError(
                "language_unsupported",
                f"{self._runtime.model.name} does not know {', '.join(sorted(missing))}: choose another model",
            )
        return told, encoded

    def _by_language(self, calls: Sequence[SpokenCall], jobs: Sequence[_Job], languages: list[str]) -> list[_Job]:
        """The jobs, those of mixed calls made anew of what is spoken in each language; ``languages`` of these
        calls become what most is spoken in."""
        options = self._options
        mixed = [index for index, language in enumerate(languages) if language == MIXED]
        listened = [
            _Job(index, number, window)
            for index in mixed
            for number, speaker in enumerate(calls[index].speakers)
            for window in stretches(speaker.spans, options.switching)
        ]
        told: dict[tuple[int, int], list[tuple[TimeSpan, str]]] = {}
        for batch in self._prepared(calls, listened, {}):
            for window, (_, found) in zip(batch, self._fitting(batch, self._identify), strict=True):
                if (language := told_by(found, options.languages, options.switching)) is not None:
                    heard = told.setdefault((window.job.call, window.job.speaker), [])
                    heard.append((window.job.window.pieces[0].span, language))
        made = [job for job in jobs if languages[job.call] != MIXED]
        for index in mixed:
            everybody = [t for number in range(len(calls[index].speakers)) for t in told.get((index, number), ())]
            default = max(options.languages, key=lambda c: sum(span.duration_s for span, t in everybody if t == c))
            spoken = [
                by_language(speaker.spans, told.get((index, number), ()), default, options.switching)
                for number, speaker in enumerate(calls[index].speakers)
            ]
            languages[index] = dominant(spoken, options.languages)
            made += [
                _Job(index, number, window, language)
                for number, parts in enumerate(spoken)
                for language, spans in sorted(parts.items())
                for window in self._windows(calls[index], number, spans)
            ]
        return made

    def _windows(self, call: SpokenCall, number: int, spans: Sequence[TimeSpan]) -> tuple[Window, ...]:
        """A speaker's speech, or part of it, packed; what is not of it is never padded or bridged into."""
        speaker = call.speakers[number]
        others = [s for other in call.speakers if _shares_channel(other, speaker) for s in other.spans]
        rest = difference(speaker.spans, spans) if len(spans) < len(speaker.spans) else ()
        return pack(
            spans, duration_s=call.audio.duration_s, options=self._options.packing, others=[*others, *rest]
        )

    def _retries(
        self, calls: Sequence[SpokenCall], jobs: Sequence[_Job], heard: Mapping[_Job, Heard]
    ) -> list[_Job]:
        """Windows of the pieces in which no word was found, although they hold speech."""
        silent: dict[tuple[int, int, str], list[TimeSpan]] = {}
        for job in jobs:
            for index, piece in enumerate(job.window.pieces):
                if index not in heard[job].pieces and piece.span.duration_s >= self._options.retry_min_s:
                    silent.setdefault((job.call, job.speaker, job.language), []).append(piece.span)
        # The spans are padded already, and a long silence before each keeps them from hiding behind another.
        options = PackingOptions(window_s=self._options.packing.window_s, gap_s=1.0, pad_s=0.0, bridge_s=0.0)
        return [
            _Job(call, speaker, window, language)
            for (call, speaker, language), spans in silent.items()
            for window in pack(spans, duration_s=calls[call].audio.duration_s, options=options)
        ]

    # --- batches ----------------------------------------------------------------------------------------------

    def _prepared(
        self, calls: Sequence[SpokenCall], jobs: Iterable[_Job], encoded: Mapping[_Job, Encoded]
    ) -> Iterator[list[_Prepared]]:
        """Batches of one length, each made ready while the one before is decoded; the longest windows first, so
        that too little memory shows at once."""
        ordered = sorted(jobs, key=lambda job: -self._decoder.frames(job.window))
        batches = [
            batch
            for _, same in groupby(ordered, key=lambda job: self._decoder.frames(job.window))
            for batch in _chunks(list(same), self._batch_size)
        ]

        def prepare(batch: Sequence[_Job]) -> list[_Prepared]:
            return [
                _Prepared(job, None if job in encoded else self._features(calls[job.call], job), encoded.get(job))
                for job in batch
            ]

        with ThreadPoolExecutor(1, thread_name_prefix="features") as ahead:
            coming: deque[Future[list[_Prepared]]] = deque()
            for batch in batches:
                coming.append(ahead.submit(prepare, batch))
                if len(coming) > 1:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()

    def _features(self, call: SpokenCall, job: _Job) -> Features:
        channel = call.speakers[job.speaker].channel
        return self._runtime.features(_samples(call.audio, channel, job.window, self._decoder.frames(job.window)))

    def _fitting(self, batch: Sequence[_Prepared], work: Callable[[Sequence[_Prepared]], list[_T]]) -> list[_T]:
        """``work`` on as many windows at once as there is memory for; what did not fit is not tried again."""
        done: list[_T] = []
        while len(done) < len(batch):
            part = batch[len(done) : len(done) + self._batch_size]
            try:
                with memory_told():
                    done += work(part)
            except OutOfMemory as error:
                if len(part) == 1:
                    raise EngineError(
                        "out_of_memory",
                        f"no memory on {self._runtime.device} for one window of speech: free some, or choose a "
                        "smaller QA_ASR_MODEL",
                    ) from error
                self._batch_size = len(part) // 2
        return done

    def _encodings(self, part: Sequence[_Prepared]) -> list[Encoded]:
        missing = [window.features for window in part if window.features is not None]
        made = iter(self._runtime.encode(missing) if missing else ())
        return [window.encoded if window.features is None else next(made) for window in part]

    def _identify(self, part: Sequence[_Prepared]) -> list[tuple[Encoded, Mapping[str, float]]]:
        encodings = self._encodings(part)
        return list(zip(encodings, self._runtime.language_probabilities(encodings), strict=True))

    # --- decoding ---------------------------------------------------------------------------------------------

    def _decode(
        self,
        calls: Sequence[SpokenCall],
        jobs: Sequence[_Job],
        languages: Sequence[str],
        encoded: Mapping[_Job, Encoded],
    ) -> dict[_Job, Heard]:
        heard: dict[_Job, Heard] = {}
        for language in sorted({job.language or languages[job.call] for job in jobs}):
            spoken = [job for job in jobs if (job.language or languages[job.call]) == language]
            for batch in self._prepared(calls, spoken, encoded):
                found = self._fitting(batch, partial(self._hear, language=language))
                heard.update(zip((window.job for window in batch), found, strict=True))
        return heard

    def _hear(self, part: Sequence[_Prepared], *, language: str) -> list[Heard]:
        windows = [window.job.window for window in part]
        return self._decoder.hear(windows, self._encodings(part), language=language)


def _shares_channel(other: SpeechActivity, speaker: SpeechActivity) -> bool:
    return other.channel == speaker.channel and other.speaker != speaker.speaker


def _fullest_and_farthest(jobs: Sequence[_Job]) -> list[_Job]:
    """Of a speaker's windows the fullest, and the one farthest from it in time: people who change languages do so
    once."""
    fullest = max(jobs, key=lambda job: job.window.duration_s)
    start = fullest.window.pieces[0].span.start
    farthest = max(jobs, key=lambda job: abs(job.window.pieces[0].span.start - start))
    return [fullest] if farthest is fullest else [fullest, farthest]


def _chunks(jobs: Sequence[_Job], size: int) -> Iterator[Sequence[_Job]]:
    return (jobs[start : start + size] for start in range(0, len(jobs), size))


def _samples(audio: DecodedAudio, channel: int, window: Window, frames: int) -> Samples:
    """float32 (time,): the window's pieces with silence between them and after them, ``frames`` long."""
    rate = audio.sample_rate_hz
    samples = np.zeros(round(frames * FRAME_S * rate), dtype=np.float32)
    for piece in window.pieces:
        read = audio.read(channel, piece.span)
        start = round(piece.offset_s * rate)
        end = min(start + len(read), len(samples))
        samples[start:end] = read[: end - start]
    return samples
