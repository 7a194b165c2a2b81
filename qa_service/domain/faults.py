"""Faults of channels: what a recorder or a line did to a call, and when it matters.

Guarantee: pure; what the samples tell is measured elsewhere, here it is only judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qa_service.domain.timeline import TimeSpan, union


class FaultKind(StrEnum):
    SAME_AUDIO = "same_audio"
    CROSS_TALK = "cross_talk"
    SWAPPED = "swapped"
    DEAD = "dead"
    CLIPPING = "clipping"
    LOW_LEVEL = "low_level"


MEASURES: Final[dict[FaultKind, str]] = {
    FaultKind.SAME_AUDIO: "explained_share",
    FaultKind.CROSS_TALK: "leakage_db",
    FaultKind.SWAPPED: "probability",
    FaultKind.DEAD: "peak_dbfs",
    FaultKind.CLIPPING: "clipped_share",
    FaultKind.LOW_LEVEL: "speech_dbfs",
}
"""What a fault's value is: share of the sound that is the other channel's, the leaked voice to its source, the
probability that the channels are swapped, the loudest sound, the share of loud samples at the ceiling, the
speech."""


@dataclass(frozen=True, slots=True)
class ChannelFault:
    """``channel`` is the one that suffers, None: both. ``value`` is what ``MEASURES`` says of the kind; ``spans``
    where to listen, the longest of them; ``quotes`` the words that contradict what was told."""

    kind: FaultKind
    channel: int | None
    value: float | None = None
    spans: tuple[TimeSpan, ...] = ()
    quotes: tuple[str, ...] = ()

    @property
    def measure(self) -> str:
        return MEASURES[self.kind]


@dataclass(frozen=True, slots=True)
class ChannelSignal:
    """What the samples of one channel tell. Levels in dBFS, None: nothing sounds.

    ``leaked``: when the channel holds nothing but the other side's voice, ``leakage_db`` how loud that copy is to
    its source, None: no copy. ``clipped_share``: of the loud samples, those at the ceiling; ``clipped``: where.
    """

    peak_dbfs: float | None
    leaked: tuple[TimeSpan, ...] = ()
    leakage_db: float | None = None
    clipped_share: float = 0.0
    clipped: tuple[TimeSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelInspection:
    """``explained_share``: of the sound of two channels, what each of them tells of the other; 0 for a single one.
    ``louder_db``: by how much the first is the louder one."""

    channels: tuple[ChannelSignal, ...]
    explained_share: float = 0.0
    louder_db: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultOptions:
    """When a measurement is a fault.

    ``same_share``: of the call, that each of two copies tells of the other (0.91 and more of 20 copies, 0 of 57
    recordings). ``same_level_db``: a copy fainter than this is what the only speaker leaks into a silent line.
    ``leakage_db``: a hybrid leaks −28 dB and less, which the gate of levels keeps out. ``dead_dbfs``: an open line
    has noise, −65 dBFS on the quietest of the recordings at hand, an encoder's idle pattern stays under this.
    ``clipped_share``: 0.0001 at most on all of them, over 0.003 from 6 dB of overload. ``speech_dbfs``: telephone
    speech lies between −35 and −10; under this a µ-law line (ITU-T G.711) spends less than 30 dB of its range on
    it. ``evidence``: spans kept."""

    same_share: float = 0.8
    same_level_db: float = 10.0
    leakage_db: float = -24.0
    dead_dbfs: float = -75.0
    clipped_share: float = 0.003
    speech_dbfs: float = -45.0
    evidence: int = 10
    bridge_s: float = 1.0


def is_same_audio(inspection: ChannelInspection, options: FaultOptions) -> bool:
    return inspection.explained_share >= options.same_share


def hold_one_mixture(inspection: ChannelInspection, options: FaultOptions) -> bool:
    """Whether neither channel can be told to be the copy, so that both are all speakers' channel."""
    return is_same_audio(inspection, options) and abs(inspection.louder_db) < options.same_level_db


def leaked(
    inspection: ChannelInspection, *, duration_s: float, options: FaultOptions
) -> tuple[tuple[TimeSpan, ...], ...]:
    """Of each channel, when it holds nothing but the other side's voice. All of one that is a faint copy."""
    if hold_one_mixture(inspection, options):
        return tuple(() for _ in inspection.channels)
    if is_same_audio(inspection, options):
        copy = 1 if inspection.louder_db > 0 else 0
        return tuple((TimeSpan(0.0, duration_s),) if index == copy else () for index in (0, 1))
    return tuple(channel.leaked for channel in inspection.channels)


def channel_faults(
    inspection: ChannelInspection,
    *,
    speech_dbfs: Sequence[float | None],
    separate: bool,
    options: FaultOptions,
) -> tuple[ChannelFault, ...]:
    """The faults that the samples tell, by kind and channel.

    Args:
        speech_dbfs: level of each channel's own speech, None where nobody speaks.
        separate: whether each channel is a person. Where one channel holds both, the other one is missed by
            nobody, and what it shares with the first is no leakage.
    """
    found: list[ChannelFault] = []
    if not separate and is_same_audio(inspection, options):
        found.append(ChannelFault(FaultKind.SAME_AUDIO, None, inspection.explained_share))
    for index, signal in enumerate(inspection.channels):
        if separate:
            if signal.leakage_db is not None and signal.leakage_db >= options.leakage_db:
                spans = _where(signal.leaked, options)
                found.append(ChannelFault(FaultKind.CROSS_TALK, index, signal.leakage_db, spans))
            if signal.peak_dbfs is None or signal.peak_dbfs < options.dead_dbfs:
                found.append(ChannelFault(FaultKind.DEAD, index, signal.peak_dbfs))
        if signal.clipped_share >= options.clipped_share:
            spans = _where(signal.clipped, options)
            found.append(ChannelFault(FaultKind.CLIPPING, index, signal.clipped_share, spans))
    for index, level in enumerate(speech_dbfs):
        if level is not None and level < options.speech_dbfs:
            found.append(ChannelFault(FaultKind.LOW_LEVEL, index, level))
    order = list(FaultKind)
    return tuple(sorted(found, key=lambda fault: (order.index(fault.kind), fault.channel or 0)))


def _where(spans: Sequence[TimeSpan], options: FaultOptions) -> tuple[TimeSpan, ...]:
    """The longest, in order of time: evidence is listened to, not counted."""
    joined = union(spans, bridge_s=options.bridge_s)
    longest = sorted(joined, key=lambda span: (-span.duration_s, span.start))[: options.evidence]
    return tuple(sorted(longest))
