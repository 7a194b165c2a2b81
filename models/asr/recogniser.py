"""Whisper over packed speech windows, in batches across speakers and calls.

Guarantee: the same speech, weights and options give the same words, whatever else is in the batch: nothing is
drawn at random, and how a window is cut and padded depends on its speaker's speech alone.

A window is decoded in one pass without timestamp tokens (with them, Whisper base stops early on packed Mandarin
and drops the rest: CER 0.19 against 0.08); word times come from cross-attention alignment. It is encoded at its
own length, not at 30 s, which halves the work. Pieces that come back empty although they hold speech are decoded
once more, on their own. Words that were made up rather than heard have the confidence 0: over speech that it does
not understand, Whisper repeats a sentence and is sure of it.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from itertools import groupby
from math import ceil
from typing import TypeVar

import numpy as np

from models.asr.confidence import RAW, ConfidenceScaling
from models.asr.guards import GUARDS_REVISION, GuardOptions, guarded
from models.asr.languages import LanguageOptions, by_language, dominant, stretches, told_by
from models.asr.packing import PackingOptions, Window, pack, place
from models.asr.runtime import (
    FRAME_S,
    MAX_FRAMES,
    Decoded,
    Decoding,
    Encoded,
    Features,
    OutOfMemory,
    Samples,
    WhisperRuntime,
    memory_told,
)
from qa_service.domain.call import MIXED
from qa_service.domain.conversation import EngineRun, Segment, Transcript, Word
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan, difference
from qa_service.errors import EngineError
from qa_service.ports import DecodedAudio, SpeechActivity, SpokenCall

# Raised whenever this module or the packing would give other words for the same speech, weights and options.
PIPELINE_REVISION = 5

# Ways to decode a window, in order, until a result is neither improbable nor repetitive. Whisper's own remedy,
# sampling at rising temperatures, cannot be repeated: CTranslate2 seeds each thread's generator once, on its
# first use, so the words would depend on what was decoded before. On the example calls the first way was always
# enough (46 windows, 2026-11-21).
ATTEMPTS = (Decoding(), Decoding(beam_size=5), Decoding(beam_size=5, no_repeat_ngram_size=6))

DEFAULT_BATCH = {"cpu": 4, "cuda": 32}
"""Windows decoded together. On one CPU core decoding four at once takes half the time of one by one, more bring
nothing; on a GPU the first batch that has no room halves it."""

_T = TypeVar("_T")
_UNPLACED_S = 0.03  # alignment counts in frames of 0.02 s


@dataclass(frozen=True, slots=True)
class WhisperOptions:
    """Decoding options; a changed option is a changed engine run.

    ``prompts``: text that steers script and punctuation, by language. ``languages``: what may be detected.
    ``unplaced_share_ceiling``: a window of which more words take no time was not heard. Of 194 windows of real and
    synthetic calls at most 0.06 of the words took none, of a call played backwards up to 0.74 (2026-11-22).
    ``tail_s``, ``length_step_s``, ``min_length_s``: the silence that ends every window, the steps in which windows
    grow so that many are of one length, and the shortest one. ``scale_confidence`` False: words keep the
    recogniser's own probabilities.
    """

    languages: tuple[str, ...] = ("zh", "en")
    prompts: tuple[tuple[str, str], ...] = (("zh", "以下是普通话的句子。"),)
    log_probability_floor: float = -1.0
    no_speech_ceiling: float = 0.6
    compression_ratio_ceiling: float = 2.4
    unplaced_share_ceiling: float = 0.15
    retry_min_s: float = 0.6
    tail_s: float = 1.0
    length_step_s: float = 2.0
    min_length_s: float = 6.0
    tokens_per_s: float = 16.0
    switching: LanguageOptions = field(default_factory=LanguageOptions)
    scale_confidence: bool = True
    packing: PackingOptions = field(default_factory=PackingOptions)
    guards: GuardOptions = field(default_factory=GuardOptions)


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


@dataclass(frozen=True, slots=True)
class _Heard:
    """A window's segment, and the indices of the pieces that got words."""

    segment: Segment
    pieces: frozenset[int]


class WhisperRecogniser:
    """Implements ``Transcriber`` with any Whisper runtime."""

    def __init__(
        self, runtime: WhisperRuntime, *, options: WhisperOptions | None = None, batch_size: int = 0
    ) -> None:
        """``batch_size`` 0: what suits the device."""
        self._runtime = runtime
        self._options = options or WhisperOptions()
        self._batch_size = batch_size or DEFAULT_BATCH.get(runtime.device, 1)

    @property
    def run(self) -> EngineRun:
        flat = {
            **asdict(self._options),
            "compute_type": self._runtime.compute_type,
            "attempts": ATTEMPTS,
            "pipeline": PIPELINE_REVISION,
            "confidence": self._scaling.revision,
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

    @cached_property
    def _scaling(self) -> ConfidenceScaling:
        if not self._options.scale_confidence:
            return RAW
        model = self._runtime.model
        return ConfidenceScaling.of(self._runtime.engine, model=model.name, revision=model.revision)

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
        self, calls: Sequence[SpokenCall], jobs: Sequence[_Job], heard: Mapping[_Job, _Heard]
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

    def _frames(self, window: Window) -> int:
        """The length at which a window is encoded."""
        options = self._options
        steps = ceil((window.duration_s + options.tail_s - options.min_length_s) / options.length_step_s)
        length_s = options.min_length_s + max(0, steps) * options.length_step_s
        return min(round(length_s / FRAME_S), MAX_FRAMES)

    def _prepared(
        self, calls: Sequence[SpokenCall], jobs: Iterable[_Job], encoded: Mapping[_Job, Encoded]
    ) -> Iterator[list[_Prepared]]:
        """Batches of one length, each made ready while the one before is decoded; the longest windows first, so
        that too little memory shows at once."""
        ordered = sorted(jobs, key=lambda job: -self._frames(job.window))
        batches = [
            batch
            for _, same in groupby(ordered, key=lambda job: self._frames(job.window))
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
        return self._runtime.features(_samples(call.audio, channel, job.window, self._frames(job.window)))

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
    ) -> dict[_Job, _Heard]:
        heard: dict[_Job, _Heard] = {}
        for language in sorted({job.language or languages[job.call] for job in jobs}):
            spoken = [job for job in jobs if (job.language or languages[job.call]) == language]
            for batch in self._prepared(calls, spoken, encoded):
                found = self._fitting(batch, partial(self._hear, language=language))
                heard.update(zip((window.job for window in batch), found, strict=True))
        return heard

    def _hear(self, part: Sequence[_Prepared], *, language: str) -> list[_Heard]:
        encodings = self._encodings(part)
        windows = [window.job.window for window in part]
        best = self._best(encodings, language, self._frames(windows[0]))
        decoded, attempts = [text for text, _ in best], [attempt for _, attempt in best]
        said = [i for i, text in enumerate(decoded) if text.tokens and not self._rejected(text, language)]
        aligned = self._runtime.align(
            [encodings[i] for i in said],
            [decoded[i].tokens for i in said],
            language=language,
            frames=[min(ceil(windows[i].duration_s / FRAME_S), MAX_FRAMES) for i in said],
        )
        words = dict(zip(said, aligned, strict=True))
        return [
            self._heard(window, decoded[i], attempts[i], words.get(i, ()), language)
            for i, window in enumerate(windows)
        ]

    def _heard(
        self, window: Window, decoded: Decoded, attempt: int, words: Sequence[Word], language: str
    ) -> _Heard:
        if self._invented(words, decoded):
            words = [replace(word, confidence=0.0) for word in words]
        words = self._scaling(words, language=language, log_probability=decoded.average_log_probability)
        placed = place(words, window)
        segment = Segment(
            words=tuple(word for _, word in placed),
            average_log_probability=decoded.average_log_probability,
            no_speech_probability=decoded.no_speech_probability,
            compression_ratio=compression_ratio(decoded.text),
            temperature=0.0,
            language=language,
            attempt=attempt,
            span=TimeSpan(window.pieces[0].span.start, window.pieces[-1].span.end),
        )
        return _Heard(segment, frozenset(index for index, word in placed if fold(word.text).text))

    def _best(self, encodings: Sequence[Encoded], language: str, frames: int) -> list[tuple[Decoded, int]]:
        """Of each window the first good result of ``ATTEMPTS``, or the most probable one that does not repeat
        itself; and which attempt that was."""
        tried: list[list[Decoded]] = [[] for _ in encodings]
        doubtful = list(range(len(encodings)))
        for attempt in ATTEMPTS:
            if not doubtful:
                break
            results = self._runtime.decode(
                [encodings[i] for i in doubtful],
                language=language,
                prompt=self._prompt(language),
                decoding=attempt,
                # No speech is as quick as this: it ends a window that repeats itself for ever.
                max_tokens=round(self._options.tokens_per_s * frames * FRAME_S),
            )
            for i, result in zip(doubtful, results, strict=True):
                tried[i].append(result)
            doubtful = [i for i in doubtful if self._doubtful(tried[i][-1])]
        picked = [self._pick(results) for results in tried]
        return [(text, results.index(text)) for text, results in zip(picked, tried, strict=True)]

    def _pick(self, tried: Sequence[Decoded]) -> Decoded:
        if not self._doubtful(tried[-1]):
            return tried[-1]
        varied = [t for t in tried if not self._repetitive(t)]
        return max(varied or tried, key=lambda t: t.average_log_probability)

    def _doubtful(self, decoded: Decoded) -> bool:
        return (self._improbable(decoded) or self._repetitive(decoded)) and not self._silent(decoded)

    def _improbable(self, decoded: Decoded) -> bool:
        return decoded.average_log_probability < self._options.log_probability_floor

    def _repetitive(self, decoded: Decoded) -> bool:
        return compression_ratio(decoded.text) > self._options.compression_ratio_ceiling

    def _silent(self, decoded: Decoded) -> bool:
        return self._improbable(decoded) and decoded.no_speech_probability > self._options.no_speech_ceiling

    def _rejected(self, decoded: Decoded, language: str) -> bool:
        prompt = fold(self._prompt(language)).text
        return self._silent(decoded) or bool(prompt and prompt in fold(decoded.text).text)

    def _invented(self, words: Sequence[Word], decoded: Decoded) -> bool:
        """Whether all attempts gave words that are improbable, repetitive, or found nowhere in the sound."""
        unplaced = sum(word.end - word.start < _UNPLACED_S for word in words)
        return (
            self._improbable(decoded)
            or self._repetitive(decoded)
            or unplaced > max(self._options.unplaced_share_ceiling * len(words), 1)
        )

    def _prompt(self, language: str) -> str:
        return dict(self._options.prompts).get(language, "")


def compression_ratio(text: str) -> float:
    """How much shorter the text becomes when compressed: above 2.4 it repeats itself."""
    raw = text.encode("utf-8", "surrogatepass")
    return round(len(raw) / len(zlib.compress(raw)), 4)


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
