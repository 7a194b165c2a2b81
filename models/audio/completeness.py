"""Whether what was decoded is all there was: against the header's word, and against the time stamps.

Guarantee: lost or contradictory audio becomes a coded error, both when the file holds less than its header says
and when it holds more; a hundredth either way is trailing garbage or padding, which is common.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.audio.faults import corrupt
from models.audio.headers import LengthPromise
from qa_service.errors import InputError

_TOLERATED_SHARE = 0.01
_TOLERATED_EXCESS_S = 0.5

_MAX_JUMP_S = 0.1
_MAX_DRIFT_S = 0.5
_FEWEST_BYTES_PER_S = 100  # of any codec that speech is recorded with; silence may take less


class LengthCheck:
    """What a header and FFmpeg say about the length, to hold against what comes out."""

    def __init__(self, promise: LengthPromise, told_s: Mapping[int, float | None], *, alone: bool) -> None:
        """
        Args:
            promise: the header's.
            told_s: what FFmpeg says, stream by stream.
            alone: the file holds one stream, so that what is said of the file is said of it.
        """
        self._promise = promise
        self._told_s = told_s
        self._alone = alone
        self._header_s = promise.duration_s if alone else None

    def surely_longer_than(self, duration_s: float, size_bytes: int) -> bool:
        """Whether the header says so, before anything is decoded, of a file that can hold as much.

        A small file that promises hours is cut or lies, and decoding it tells which.
        """
        believed = self._promise.kept_by_ffmpeg or self._promise.rough
        told = [told_s or 0.0 for told_s in self._told_s.values()] if believed else []
        said_s = max([self._header_s or 0.0, *told])
        return said_s > duration_s and size_bytes >= said_s * _FEWEST_BYTES_PER_S

    def reached(self, decoded_s: float) -> bool:
        """Whether decoding broke off behind everything that was announced: at garbage after the audio."""
        said = [self._header_s, *self._told_s.values()]
        known = [duration_s for duration_s in said if duration_s is not None]
        return bool(known) and _complete(decoded_s, known[0], self._promise.slack_s)

    def check(self, decoded_s: Mapping[int, float], packet_bytes: int) -> None:
        """
        Args:
            decoded_s: seconds that came out, stream by stream.
            packet_bytes: bytes that they were decoded from.

        Raises:
            InputError: ``audio_corrupt``, ``header_mismatch``.
        """
        for stream, came_s in decoded_s.items():
            if not came_s:
                continue
            promised_s = self._header_s
            if promised_s is None and self._promise.kept_by_ffmpeg:
                promised_s = self._told_s[stream]
            if self._alone:
                by_bytes_s = self._by_bytes(came_s / max(packet_bytes, 1))
                promised_s = max(by_bytes_s, promised_s or 0.0)
            if promised_s and not _complete(came_s, promised_s, self._promise.slack_s):
                raise corrupt(f"ends at {came_s:.1f} s, its header says {promised_s:.1f} s")
            if promised_s and _exceeds(came_s, promised_s):
                raise _mismatch(promised_s, came_s)

    def _by_bytes(self, second_per_byte: float) -> float:
        """The duration that the header promises by a number of bytes which the file lacks; 0 otherwise."""
        promise = self._promise
        promised_s = promise.promised_bytes * second_per_byte
        held_s = (promise.held_bytes + promise.unclaimed_bytes) * second_per_byte
        if promise.unclaimed_bytes and _exceeds(held_s, promised_s):
            raise _mismatch(promised_s, held_s)
        return promised_s if promise.held_bytes < promise.promised_bytes else 0.0


def _exceeds(held_s: float, promised_s: float) -> bool:
    return held_s - promised_s > max(_TOLERATED_EXCESS_S, promised_s * _TOLERATED_SHARE)


def _complete(decoded_s: float, declared_s: float, slack_s: float) -> bool:
    return decoded_s >= min(declared_s * (1 - _TOLERATED_SHARE), declared_s - slack_s)


def _mismatch(header_s: float, held_s: float) -> InputError:
    return InputError(
        "header_mismatch",
        f"the header says {header_s:.1f} s, the file holds about {held_s:.1f} s: export the recording again",
    )


class SampleClock:
    """Compares the time stamps of a stream's frames with the samples before them."""

    def __init__(self, *, exact: bool, chained: bool) -> None:
        """
        Args:
            exact: the stamps count samples; otherwise they may be a clock's, which drifts from them.
            chained: a stream may start again at any time (RFC 3533 section 4).
        """
        self._exact = exact
        self._chained = chained
        self._first_s: float | None = None
        self._late_s = 0.0

    def check(self, time_s: float, decoded_s: float) -> None:
        """Take the stamp of a frame that ``decoded_s`` seconds of samples came before.

        Raises:
            InputError: ``audio_corrupt``.
        """
        late_s = time_s - decoded_s - (time_s - decoded_s if self._first_s is None else self._first_s)
        if self._first_s is None or (self._chained and late_s < -_MAX_JUMP_S):
            self._first_s, late_s = time_s - decoded_s, 0.0
        elif self._exact:
            if abs(late_s) > _MAX_JUMP_S:
                raise corrupt(f"is damaged at {decoded_s:.1f} s")
        elif abs(late_s - self._late_s) > _MAX_JUMP_S or abs(late_s) > max(
            _MAX_DRIFT_S, decoded_s * _TOLERATED_SHARE
        ):
            raise corrupt(f"has time stamps that jump at {decoded_s:.1f} s")
        self._late_s = late_s


def clock_of(container: str) -> SampleClock | None:
    """For FFmpeg's name of a container; None where time stamps say nothing that the samples do not."""
    if container in ("flac", "mp3", "ogg"):
        return SampleClock(exact=True, chained=container == "ogg")
    if container.split(",")[0] in ("mov", "matroska", "asf"):
        return SampleClock(exact=False, chained=False)
    return None
