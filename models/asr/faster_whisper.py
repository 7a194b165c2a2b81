"""faster-whisper (CTranslate2) over packed speech windows.

Guarantee: the same speech, weights and options give the same words: nothing is drawn at random.

A window is decoded in one pass without timestamp tokens (with them, Whisper base stops early on packed
Mandarin and drops the rest: CER 0.19 against 0.08); word times come from cross-attention alignment. Pieces that
come back empty although they hold speech are decoded once more, on their own. Words that were made up rather than
heard have the confidence 0: over speech that it does not understand, Whisper repeats a sentence and is sure of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.asr.packing import PackingOptions, Window, pack, place
from models.weights import LocatedModel, locate
from qa_service.domain.conversation import EngineRun, Segment, Transcript, Word
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import EngineError
from qa_service.ports import DecodedAudio, SpeechActivity, SpokenCall

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

# Raised whenever this module or the packing would give other words for the same speech, weights and options.
PIPELINE_REVISION = 3

# Ways to decode a window, in order, until a result is neither improbable nor repetitive. Whisper's own remedy,
# sampling at rising temperatures, cannot be repeated: CTranslate2 seeds each thread's generator once, on its
# first use, so the words would depend on what was decoded before. On the example calls the first way was always
# enough (46 windows, 2026-11-21).
ATTEMPTS: tuple[dict[str, int], ...] = (
    {"beam_size": 1},
    {"beam_size": 5},
    {"beam_size": 5, "no_repeat_ngram_size": 6},
)


@dataclass(frozen=True, slots=True)
class WhisperOptions:
    """Decoding options; a changed option is a changed engine run.

    ``prompts``: text that steers script and punctuation, by language. ``languages``: what may be detected.
    ``unplaced_share_ceiling``: a window of which more words take no time was not heard. Of 194 windows of real and
    synthetic calls at most 0.06 of the words took none, of a call played backwards up to 0.74 (2026-11-22).
    """

    languages: tuple[str, ...] = ("zh", "en")
    prompts: tuple[tuple[str, str], ...] = (("zh", "以下是普通话的句子。"),)
    log_probability_floor: float = -1.0
    no_speech_ceiling: float = 0.6
    compression_ratio_ceiling: float = 2.4
    unplaced_share_ceiling: float = 0.15
    retry_min_s: float = 0.6
    packing: PackingOptions = field(default_factory=PackingOptions)


class FasterWhisper:
    """Implements ``Transcriber``."""

    def __init__(
        self,
        *,
        model: str,
        cache_dir: Path,
        device: str = "cpu",
        compute_type: str = "default",
        threads: int = 0,
        options: WhisperOptions | None = None,
    ) -> None:
        self._name = model
        self._cache_dir = cache_dir
        self._device = device
        self._compute_type = compute_type if compute_type != "default" else _COMPUTE_TYPES.get(device, "default")
        self._threads = threads
        self._options = options or WhisperOptions()

    @cached_property
    def _located(self) -> LocatedModel:
        return locate(self._name, cache_dir=self._cache_dir)

    @property
    def run(self) -> EngineRun:
        flat = {
            **asdict(self._options),
            "compute_type": self._compute_type,
            "attempts": ATTEMPTS,
            "pipeline": PIPELINE_REVISION,
        }
        return EngineRun(
            "asr",
            "faster-whisper",
            self._located.name,
            self._located.revision,
            self._device,
            tuple((name, str(value)) for name, value in sorted(flat.items())),
        )

    @cached_property
    def _model(self) -> "WhisperModel":
        try:
            from faster_whisper import WhisperModel
        except ImportError as error:
            raise EngineError(
                "engine_missing", "faster-whisper is not installed: install the extra 'speech'"
            ) from error
        try:
            return WhisperModel(
                str(self._located.path),
                device=self._device,
                compute_type=self._compute_type,
                cpu_threads=self._threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                "engine_unavailable",
                f"Whisper {self._located.name} does not load on {self._device} ({error}): "
                "check QA_DEVICE, QA_ASR_COMPUTE_TYPE and the model folder",
            ) from error

    def transcribe(self, calls: Sequence[SpokenCall]) -> tuple[tuple[Transcript, ...], ...]:
        return tuple(self._call(call.audio, call.speakers, call.language) for call in calls)

    def _call(
        self, audio: DecodedAudio, speech: Sequence[SpeechActivity], language: str | None
    ) -> tuple[Transcript, ...]:
        windows = [
            pack(
                speaker.spans,
                duration_s=audio.duration_s,
                options=self._options.packing,
                others=[span for other in speech if _shares_channel(other, speaker) for span in other.spans],
            )
            for speaker in speech
        ]
        encoded: dict[tuple[int, Window], Any] = {}
        if language is None:
            language = self._detect_language(audio, list(zip(speech, windows, strict=True)), encoded)
        return tuple(
            Transcript(
                speaker.channel,
                language,
                self._segments(audio, speaker.channel, packed, language, encoded),
                speaker.speaker,
            )
            for speaker, packed in zip(speech, windows, strict=True)
        )

    def _segments(
        self,
        audio: DecodedAudio,
        channel: int,
        windows: Sequence[Window],
        language: str,
        encoded: dict[tuple[int, Window], Any],
    ) -> tuple[Segment, ...]:
        segments: list[Segment] = []
        silent: list[TimeSpan] = []
        for window in windows:
            segment, heard = self._decode(audio, channel, window, language, encoded.pop((channel, window), None))
            segments.append(segment)
            silent.extend(
                piece.span
                for index, piece in enumerate(window.pieces)
                if index not in heard and piece.span.duration_s >= self._options.retry_min_s
            )
        for window in pack(silent, duration_s=audio.duration_s, options=self._retry_packing):
            segments.append(self._decode(audio, channel, window, language, None)[0])
        return tuple(segment for segment in segments if segment.words)

    @property
    def _retry_packing(self) -> PackingOptions:
        # The spans are padded already, and a long silence before each keeps them from hiding behind another.
        return PackingOptions(window_s=self._options.packing.window_s, gap_s=1.0, pad_s=0.0, bridge_s=0.0)

    def _decode(
        self, audio: DecodedAudio, channel: int, window: Window, language: str, encoded: Any
    ) -> tuple[Segment, set[int]]:
        """One window's segment, and the indices of the pieces that got words."""
        tokenizer, decoding = self._decoder(language)
        if encoded is None:
            encoded = self._encode(audio, channel, window)
        output, frames = encoded
        prompt = self._model.get_prompt(tokenizer, self._prompt_tokens(language), without_timestamps=True)
        result, log_probability, compression = self._generate(output, prompt, tokenizer, decoding)
        no_speech = float(result.no_speech_prob)
        words: tuple[tuple[int, Word], ...] = ()
        rejected = no_speech > self._options.no_speech_ceiling and (
            log_probability < self._options.log_probability_floor
        )
        tokens = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
        if tokens and not rejected and not self._echoes_prompt(tokenizer.decode(tokens), language):
            aligned = self._model.find_alignment(tokenizer, [tokens], output, frames)[0]
            heard = [_word(timing) for timing in aligned if timing["word"]]
            if self._invented(heard, log_probability, compression):
                heard = [replace(word, confidence=0.0) for word in heard]
            words = place(heard, window)
        segment = Segment(
            words=tuple(word for _, word in words),
            average_log_probability=log_probability,
            no_speech_probability=no_speech,
            compression_ratio=compression,
            temperature=0.0,
        )
        return segment, {index for index, word in words if fold(word.text).text}

    def _invented(self, words: Sequence[Word], log_probability: float, compression: float) -> bool:
        """Whether all attempts gave words that are improbable, repetitive, or found nowhere in the sound."""
        unplaced = sum(word.end - word.start < _UNPLACED_S for word in words)
        return (
            log_probability < self._options.log_probability_floor
            or compression > self._options.compression_ratio_ceiling
            or unplaced > max(self._options.unplaced_share_ceiling * len(words), 1)
        )

    def _generate(self, output: Any, prompt: list[int], tokenizer: Any, decoding: Any) -> tuple[Any, float, float]:
        """The first good result of ``ATTEMPTS``, or the most probable one that does not repeat itself, with its
        average log probability and compression ratio."""
        tried: list[tuple[Any, float, float]] = []
        for attempt in ATTEMPTS:
            result, log_probability, _, compression = self._model.generate_with_fallback(
                output, prompt, tokenizer, replace(decoding, **attempt)
            )
            tried.append((result, float(log_probability), float(compression)))
            improbable = log_probability < self._options.log_probability_floor
            repetitive = compression > self._options.compression_ratio_ceiling
            silent = improbable and result.no_speech_prob > self._options.no_speech_ceiling
            if silent or not (improbable or repetitive):
                return tried[-1]
        varied = [t for t in tried if t[2] <= self._options.compression_ratio_ceiling]
        return max(varied or tried, key=lambda t: t[1])

    def _encode(self, audio: DecodedAudio, channel: int, window: Window) -> tuple[Any, int]:
        """Encoder output of one window and its number of feature frames."""
        from faster_whisper.audio import pad_or_trim

        features = self._model.feature_extractor(_samples(audio, channel, window))
        frames = min(features.shape[-1], self._model.feature_extractor.nb_max_frames)
        return self._model.encode(pad_or_trim(features[:, :frames])), frames

    def _detect_language(
        self,
        audio: DecodedAudio,
        speakers: Sequence[tuple[SpeechActivity, Sequence[Window]]],
        encoded: dict[tuple[int, Window], Any],
    ) -> str:
        """The language the speakers share, from each one's fullest window; encodings are kept for decoding."""
        score = dict.fromkeys(self._options.languages, 0.0)
        for speaker, packed in speakers:
            if not packed:
                continue
            window = max(packed, key=lambda w: w.duration_s)
            heard = encoded[speaker.channel, window] = self._encode(audio, speaker.channel, window)
            for token, probability in self._model.model.detect_language(heard[0])[0]:
                code = token[2:-2]
                if code in score:
                    score[code] += probability * window.duration_s
        return max(score, key=lambda code: score[code])

    def _decoder(self, language: str) -> tuple[Any, Any]:
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import TranscriptionOptions, get_suppressed_tokens

        if not self._model.model.is_multilingual and language != "en":
            raise EngineError("language_unsupported", f"{self._name} knows English only: choose another model")
        tokenizer = Tokenizer(
            self._model.hf_tokenizer, self._model.model.is_multilingual, task="transcribe", language=language
        )
        options = TranscriptionOptions(
            beam_size=1,
            best_of=5,
            patience=1.0,
            length_penalty=1.0,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            log_prob_threshold=self._options.log_probability_floor,
            no_speech_threshold=self._options.no_speech_ceiling,
            compression_ratio_threshold=self._options.compression_ratio_ceiling,
            condition_on_previous_text=False,
            prompt_reset_on_temperature=0.5,
            temperatures=[0.0],
            initial_prompt=None,
            prefix=None,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            without_timestamps=True,
            max_initial_timestamp=1.0,
            word_timestamps=True,
            prepend_punctuations="",
            append_punctuations="",
            multilingual=False,
            max_new_tokens=None,
            clip_timestamps="0",
            hallucination_silence_threshold=None,
            hotwords=None,
        )
        return tokenizer, options

    def _prompt_tokens(self, language: str) -> list[int]:
        text = dict(self._options.prompts).get(language)
        return self._decoder(language)[0].encode(f" {text}") if text else []

    def _echoes_prompt(self, text: str, language: str) -> bool:
        prompt = dict(self._options.prompts).get(language)
        return bool(prompt) and fold(prompt or "").text in fold(text).text


def _shares_channel(other: SpeechActivity, speaker: SpeechActivity) -> bool:
    return other.channel == speaker.channel and other.speaker != speaker.speaker


_UNPLACED_S = 0.03  # alignment counts in frames of 0.02 s

_COMPUTE_TYPES = {"cpu": "int8", "cuda": "float16"}


def _samples(audio: DecodedAudio, channel: int, window: Window) -> NDArray[np.float32]:
    """float32 (time,): the window's pieces with silence between them."""
    rate = audio.sample_rate_hz
    samples = np.zeros(round(window.duration_s * rate), dtype=np.float32)
    for piece in window.pieces:
        read = audio.read(channel, piece.span)
        start = round(piece.offset_s * rate)
        end = min(start + len(read), len(samples))
        samples[start:end] = read[: end - start]
    return samples


def _word(timing: Mapping[str, Any]) -> Word:
    start = float(timing["start"])
    return Word(timing["word"], start, max(start, float(timing["end"])), float(timing["probability"]))
