"""Which language each stretch of a call is spoken in, where there are several.

Guarantee: pure; every speech span of a speaker is in exactly one language. An utterance is listened to by itself,
and one too short or too uncertain to tell (OK, 嗯) is in the language of the nearest that is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.asr.packing import Piece, Window
from qa_service.domain.timeline import TimeSpan, total_s, union


@dataclass(frozen=True, slots=True)
class LanguageOptions:
    """``pause_s`` ends a stretch, of which ``longest_s`` are listened to; ``shortest_s`` is the least that tells.

    ``certain_share``: what the likelier language needs of their joint probability. Of 98 windows of 2 s and more
    from 46 calls in one language none gave the other more than 0.04, one of 0.9 s gave it 0.63 (2026-11-22).
    """

    pause_s: float = 0.8
    longest_s: float = 8.0
    shortest_s: float = 1.5
    certain_share: float = 0.8


def stretches(speech: Sequence[TimeSpan], options: LanguageOptions) -> tuple[Window, ...]:
    """What to listen to: the beginning of each utterance that is long enough, as a window of its own."""
    return tuple(
        Window((Piece(TimeSpan(span.start, min(span.end, span.start + options.longest_s)), 0.0),))
        for span in union(speech, bridge_s=options.pause_s)
        if span.duration_s >= options.shortest_s
    )


def told_by(probabilities: Mapping[str, float], languages: Sequence[str], options: LanguageOptions) -> str | None:
    """The language of a window, where it is certain."""
    joint = sum(probabilities.get(code, 0.0) for code in languages)
    best = max(languages, key=lambda code: probabilities.get(code, 0.0))
    return best if probabilities.get(best, 0.0) >= options.certain_share * joint > 0.0 else None


def by_language(
    speech: Sequence[TimeSpan], told: Sequence[tuple[TimeSpan, str]], default: str, options: LanguageOptions
) -> dict[str, tuple[TimeSpan, ...]]:
    """The speech in each language: an utterance is in that of its own stretch, or else of the nearest."""
    found: dict[str, list[TimeSpan]] = {}
    for whole in union(speech, bridge_s=options.pause_s):
        nearest = min(
            told, key=lambda t: (max(t[0].start - whole.end, whole.start - t[0].end, 0.0), t[0]), default=None
        )
        inside = [span for span in speech if whole.start <= span.start < whole.end]
        found.setdefault(nearest[1] if nearest else default, []).extend(inside)
    return {code: tuple(spans) for code, spans in found.items()}


def dominant(spoken: Sequence[Mapping[str, Sequence[TimeSpan]]], languages: Sequence[str]) -> str:
    """What most is spoken in by all speakers together; the first of ``languages`` where nobody speaks."""
    return max(languages, key=lambda code: sum(total_s(speaker.get(code, ())) for speaker in spoken))
