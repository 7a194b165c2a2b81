"""What is heard in windows of one length: decoded, doubted where that is due, aligned, with scaled confidence.

A window is decoded in one pass without timestamp tokens (with them, Whisper base stops early on packed Mandarin
and drops the rest: CER 0.19 against 0.08); word times come from cross-attention alignment. Words that were made up
rather than heard have the confidence 0: over speech that it does not understand, Whisper repeats a sentence and is
sure of it.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

from models.asr.confidence import RAW, ConfidenceScaling
from models.asr.guards import GuardOptions
from models.asr.languages import LanguageOptions
from models.asr.packing import PackingOptions, Window, place
from models.asr.runtime import FRAME_S, MAX_FRAMES, Decoded, Decoding, Encoded, WhisperRuntime
from qa_service.domain.conversation import Segment, Word
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan

# Ways to decode a window, in order, until a result is neither improbable nor repetitive. Whisper's own remedy,
# sampling at rising temperatures, cannot be repeated: CTranslate2 seeds each thread's generator once, on its
# first use, so the words would depend on what was decoded before. On the example calls the first way was always
# enough (46 windows, 2026-11-21).
ATTEMPTS = (Decoding(), Decoding(beam_size=5), Decoding(beam_size=5, no_repeat_ngram_size=6))

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
class Heard:
    """A window's segment, and the indices of the pieces that got words."""

    segment: Segment
    pieces: frozenset[int]


class WindowDecoder:
    """Hears windows with a runtime."""

    def __init__(self, runtime: WhisperRuntime, options: WhisperOptions) -> None:
        self._runtime = runtime
        self._options = options

    @cached_property
    def scaling(self) -> ConfidenceScaling:
        """How the model's probabilities become confidence."""
        if not self._options.scale_confidence:
            return RAW
        model = self._runtime.model
        return ConfidenceScaling.of(self._runtime.engine, model=model.name, revision=model.revision)

    def frames(self, window: Window) -> int:
        """The length at which a window is encoded."""
        options = self._options
        steps = ceil((window.duration_s + options.tail_s - options.min_length_s) / options.length_step_s)
        length_s = options.min_length_s + max(0, steps) * options.length_step_s
        return min(round(length_s / FRAME_S), MAX_FRAMES)

    def hear(self, windows: Sequence[Window], encodings: Sequence[Encoded], *, language: str) -> list[Heard]:
        """What is said in windows of one length."""
        best = self._best(encodings, language, self.frames(windows[0]))
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
    ) -> Heard:
        if self._invented(words, decoded):
            words = [replace(word, confidence=0.0) for word in words]
        words = self.scaling(words, language=language, log_probability=decoded.average_log_probability)
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
        return Heard(segment, frozenset(index for index, word in placed if fold(word.text).text))

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
