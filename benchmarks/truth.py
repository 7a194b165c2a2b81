"""What is known of a call: what was said and when, and what a change of speed does to that knowledge."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]

TIMES = frozenset(
    {"start", "end", "dur", "duration", "talk_s", "overlap_s", "silence_ge3_s", "longest_silence_s", "times"}
)
SIDES = frozenset({"agent", "customer"})
"""Keys under a time or a rate that is told for each side."""
RATES = frozenset({"chars_per_min", "words_per_min", "rate_per_min", "cpm", "wpm"})

HOLD_RULES = frozenset({"dead-air", "long-hold", "hold-notice", "hold-resume", "unannounced-transfer"})
OVERLAP_RULES = frozenset({"interruption", "customer-interruption"})
HOLD_LIMITS_S = (10.0, 60.0)
OVERLAP_LIMIT_S = 1.0
TALK_LIMITS_S = (180.0, 300.0)
CLEAR_RATES = {"zh": (132.0, 360.0), "en": (88.0, 234.0)}
"""Per minute: well inside the norms, where the judge of the corpus takes a rate for clearly good."""
NEAR = 0.1
"""A duration within this share of a limit may be measured on either side of it."""


def call_names(folder: Path) -> list[str]:
    """The calls of which the truth is known."""
    return sorted(path.name.split(".")[0] for path in folder.glob("*.truth.json"))


def recording(folder: Path, name: str) -> Path:
    """The two-channel recording of a call."""
    (path,) = folder.glob(f"{name}.stereo.*")
    return path


def read(folder: Path, name: str, kind: str) -> Document:
    """``kind``: ``truth`` or ``expected``."""
    document: Document = json.loads((folder / f"{name}.{kind}.json").read_text("utf-8"))
    return document


def at_speed(document: Any, speed: float, *, scale: float = 1.0) -> Any:
    """A truth or expected document of the call played ``speed`` times as fast; limits (``thresholds``) stay."""
    if isinstance(document, Mapping):
        return {
            key: value
            if key == "thresholds"
            else at_speed(
                value,
                speed,
                scale=1 / speed if key in TIMES else speed if key in RATES else scale if key in SIDES else 1,
            )
            for key, value in document.items()
        }
    if isinstance(document, Sequence) and not isinstance(document, str):
        return [at_speed(value, speed, scale=scale) for value in document]
    if isinstance(document, float | int) and not isinstance(document, bool) and scale != 1:
        return document * scale
    return document


def undecided_at(truth: Document, speed: float) -> frozenset[str]:
    """Rules whose outcome the truth no longer tells once the call runs at ``speed``.

    A pause, an overlap, a rate or the whole call then passes a limit, or comes so near that measuring it decides.
    """
    if speed == 1.0:
        return frozenset()
    rules: set[str] = set()
    if any(_passes(pause_s, speed, limit_s) for pause_s in pauses_s(truth) for limit_s in HOLD_LIMITS_S):
        rules |= HOLD_RULES
    if any(_passes(overlap_s, speed, OVERLAP_LIMIT_S) for overlap_s in overlaps_s(truth)):
        rules |= OVERLAP_RULES
    if any(_passes(truth["duration"], speed, limit_s) for limit_s in TALK_LIMITS_S):
        rules.add("talk-duration")
    low, high = CLEAR_RATES[str(truth["language"])[:2]]
    rates = truth.get("chars_per_min") or truth.get("words_per_min")
    if rates and not low <= rates["agent"] * speed <= high:
        rules.add("speech-rate")
    return frozenset(rules)


def _passes(duration_s: float, speed: float, limit_s: float) -> bool:
    changed_s = duration_s / speed
    return (duration_s >= limit_s) != (changed_s >= limit_s) or abs(changed_s - limit_s) < NEAR * limit_s


def pauses_s(truth: Document) -> list[float]:
    """Where nobody speaks, between the first word and the last."""
    pauses, ended = [], None
    for start, end in sorted((u["start"], u["end"]) for u in truth["utterances"]):
        if ended is not None and start > ended:
            pauses.append(start - ended)
        ended = end if ended is None else max(ended, end)
    return pauses


def overlaps_s(truth: Document) -> list[float]:
    """Where an utterance of one side meets one of the other."""
    sides = [
        [(u["start"], u["end"]) for u in truth["utterances"] if u["channel"] == channel] for channel in (0, 1)
    ]
    both = (min(a[1], b[1]) - max(a[0], b[0]) for a in sides[0] for b in sides[1])
    return [overlap for overlap in both if overlap > 0]
