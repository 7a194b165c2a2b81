"""What the speech stage makes of sounds that are no speech: seconds taken for speech, and words, without and with
the guards against both.

    python -m benchmarks.sounds [--as-speech] [SOUND…]        # default: every sound of tests/sounds

A minute of each, as it is and through the codecs of telephony, recognised as Mandarin and as English. Sounds
of which nothing is made either way are counted in the last line. ``--as-speech``: half a minute is taken for
speech whatever the detector says, which leaves the recogniser's guards alone with it. Exits with 1 when a word
is accepted with the guards.
"""

import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from models.asr.faster_whisper import FasterWhisper
from models.asr.guards import GuardOptions
from models.asr.recogniser import WhisperOptions, WhisperRecogniser
from models.audio.decoder import RecordingDecoder
from models.vad.afresh import AfreshOptions
from models.vad.silero import SileroVad
from models.vad.steady import SteadyOptions
from models.weights import default_cache_dir
from qa_service.domain.timeline import TimeSpan, total_s
from qa_service.ports import AudioSource, DecodedAudio, SpeechActivity, SpokenCall
from tests.recordings import write_recording
from tests.signals import ArrayAudio
from tests.sounds import SOUNDS
from tests.sounds.synthesis import RATE_HZ, Samples

CODECS = ("wav-mulaw", "amr-nb", "ogg-opus")
DURATION_S = 60.0

NEVER = math.inf
UNGUARDED = GuardOptions(no_speech=NEVER, stock_no_speech=NEVER, repeats=sys.maxsize, windows=sys.maxsize)


def versions(samples: Samples, folder: Path) -> Iterator[tuple[str, DecodedAudio]]:
    yield "as it is", ArrayAudio(samples)
    for codec in CODECS:
        path = folder / codec
        write_recording(path, samples[None], rate_hz=RATE_HZ, format=codec)
        with RecordingDecoder().decode(AudioSource((path,))) as audio:
            yield codec, audio


class Fooled:
    """Takes everything for speech."""

    def detect(self, audio: DecodedAudio) -> tuple[SpeechActivity, ...]:
        return (SpeechActivity(0, (TimeSpan(0.0, audio.duration_s),), -20.0),)


def heard(
    detector: SileroVad | Fooled, recogniser: WhisperRecogniser, audio: DecodedAudio
) -> tuple[float, list[str]]:
    """Seconds of speech, and the words with any confidence in each language."""
    speech = detector.detect(audio)
    seconds = total_s(speech[0].spans)
    if not seconds:
        return 0.0, []
    calls = [SpokenCall(audio, speech, language) for language in ("zh", "en")]
    words = [
        word.text
        for transcripts in recogniser.transcribe(calls)
        for transcript in transcripts
        for segment in transcript.segments
        for word in segment.words
        if word.confidence > 0 and any(c.isalnum() for c in word.text)
    ]
    return seconds, words


def main() -> int:
    runtime = FasterWhisper(
        model="base", cache_dir=default_cache_dir(), device="cpu", compute_type="default", threads=1
    )
    unguarded = WhisperRecogniser(runtime, options=WhisperOptions(guards=UNGUARDED))
    guarded = WhisperRecogniser(runtime)
    arguments = sys.argv[1:]
    fooled = "--as-speech" in arguments
    names = [argument for argument in arguments if argument != "--as-speech"] or list(SOUNDS)
    unfiltered = SileroVad(steady=SteadyOptions(share_ceiling=NEVER), afresh=AfreshOptions(unheard_s=NEVER))
    stages: tuple[tuple[SileroVad | Fooled, WhisperRecogniser], ...] = (
        (Fooled() if fooled else unfiltered, unguarded),
        (Fooled() if fooled else SileroVad(), guarded),
    )
    accepted = quiet = 0
    print("| sound | version | speech s before → after | words before → after | heard before |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="qa-sounds-") as folder:
        for name in names:
            samples = SOUNDS[name](DURATION_S / 2 if fooled else DURATION_S)
            for version, audio in versions(samples, Path(folder)):
                (before_s, before), (after_s, after) = (heard(*stage, audio) for stage in stages)
                accepted += len(after)
                if not (before or after if fooled else before_s or after_s):
                    quiet += 1
                    continue
                print(
                    f"| {name} | {version} | {before_s:.1f} → {after_s:.1f} | {len(before)} → {len(after)} "
                    f"| {''.join(before)[:60].strip()} |",
                    flush=True,
                )
    print(f"{accepted} words accepted; nothing heard in {quiet} others")
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main())
