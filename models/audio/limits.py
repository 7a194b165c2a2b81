"""What a recording may cost, whatever its bytes say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """Bounds of one recording.

    ``decode_timeout_s`` is for a decoder that gets nowhere: decoding may take this long and a tenth of the audio
    decoded so far, so that no bound on honest recordings follows from it (they decode at hundreds of times their
    duration). ``decode_memory_bytes`` counts the whole decoding process, about 70 MB of it interpreter and FFmpeg.
    """

    max_duration_s: float = 4 * 3600.0
    max_file_bytes: int = 2 * 1024**3
    min_sample_rate_hz: int = 6_000
    max_sample_rate_hz: int = 192_000
    max_tracks: int = 32
    decode_timeout_s: float = 30.0
    decode_memory_bytes: int = 512 * 1024**2
