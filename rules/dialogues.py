"""The readable notation of a small conversation, and the conversation that it means.

.. code-block:: text

    agent 0.8-6.5: 您好，怀信通信客服，公号8023为您服务
    customer 7.0-9.0 (0.4): 你好
    agent 9.2-15.0 [unheard]:
    agent 15.5-18.0 [-12 dB]: 我已经说过了

A line is role, time in seconds, the recogniser's confidence (0.9 when not given) and what was recognised;
``[unheard]`` is speech of which nothing was recognised; ``[-12 dB]`` how loud it is (−20 dBFS when not given);
a line that starts with ``#`` is a comment.
Guarantee: pure; the conversation has the overlays, numbers and levels that the real pipeline gives it.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from qa_service.domain.alignment import turns_of
from qa_service.domain.conversation import (
    LEVEL_STEP_S,
    Conversation,
    SpeakerRole,
    SpeakerSpeech,
    TextOverlay,
    Utterance,
    Word,
)
from qa_service.domain.numbers.finder import find_numbers
from qa_service.domain.text import fold
from qa_service.domain.timeline import TimeSpan, union
from qa_service.errors import RulePackError
from qa_service.pinyin import syllables

DEFAULT_CONFIDENCE: Final = 0.9
DEFAULT_LEVEL_DBFS: Final = -20.0
LATEST_S: Final = 6 * 3600.0  # nobody writes a longer call by hand
_LEVEL_SHARE_S: Final = 0.2

_LINE = re.compile(
    r"(?P<role>[a-z]+)\s+(?P<start>\d+(?:\.\d+)?)-(?P<end>\d+(?:\.\d+)?)"
    r"(?:\s*\((?P<confidence>[01](?:\.\d+)?)\))?(?:\s*(?P<unheard>\[unheard\]))?"
    r"(?:\s*\[(?P<level>-\d+(?:\.\d+)?) dB\])?\s*[:：](?P<text>.*)"
)
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002fa1f"
_WORD = re.compile(rf"\s*(?:[{_HAN}]|\w[^\s{_HAN}]*|[^\w\s]+)")
_EXAMPLE = "agent 0.8-6.5 (0.9): 您好"


def dialogue(
    text: str, *, language: str, duration_s: float | None = None, overlap_measurable: bool = True
) -> Conversation:
    """The conversation that ``text`` writes down, one channel a role in the order in which the roles appear.

    Raises:
        RulePackError: ``dialogue_invalid``; ``faults`` names the lines of ``text`` that cannot be read.
    """
    lines, faults = parsed(text)
    if faults:
        found = tuple(f"line {number}: {message}" for number, message in faults)
        raise RulePackError("dialogue_invalid", "; ".join(found), faults=found)
    roles = tuple(dict.fromkeys(line.role for line in lines))
    heard = sorted((line for line in lines if line.text), key=lambda line: (line.span, roles.index(line.role)))
    utterances = tuple(_utterance(index, line, roles.index(line.role)) for index, line in enumerate(heard))
    return Conversation(
        duration_s=max((line.span.end for line in lines), default=0.0) if duration_s is None else duration_s,
        language=language,
        utterances=utterances,
        turns=turns_of(utterances),
        speech=tuple(
            SpeakerSpeech(channel, role, union(line.span for line in said), levels=_levels(said))
            for channel, role in enumerate(roles)
            for said in [[line for line in lines if line.role is role]]
        ),
        role_source="unknown" if SpeakerRole.UNKNOWN in roles else "metadata",
        overlap_measurable=overlap_measurable,
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is written."""

    role: SpeakerRole
    span: TimeSpan
    confidence: float
    text: str
    level_dbfs: float


def parsed(text: str) -> tuple[list[Line], list[tuple[int, str]]]:
    """The lines that can be read, and what is wrong with the others: 1-based number, message."""
    lines: list[Line] = []
    faults: list[tuple[int, str]] = []
    spoken: dict[SpeakerRole, list[TimeSpan]] = {role: [] for role in SpeakerRole}  # in order
    for number, written in enumerate(text.splitlines(), start=1):
        if not written.strip() or written.lstrip().startswith("#"):
            continue
        line = _line(written.strip())
        if isinstance(line, str):
            faults.append((number, line))
            continue
        own = spoken[line.role]
        at = bisect_left(own, line.span)
        if any(other.overlap_s(line.span) > 0 for other in own[max(0, at - 1) : at + 1]):
            faults.append((number, f"{line.role.value} already speaks at that time"))
        else:
            own.insert(at, line.span)
            lines.append(line)
    return lines, faults


def _line(written: str) -> Line | str:
    match = _LINE.fullmatch(written)
    if match is None:
        return f"not a line of a dialogue: write it like `{_EXAMPLE}`"
    if match["role"] not in tuple(SpeakerRole):
        return f"unknown role {match['role']!r}: one of {', '.join(SpeakerRole)}"
    start, end, said = float(match["start"]), float(match["end"]), match["text"].strip()
    if end <= start:
        return f"ends at {match['end']} s, before it starts at {match['start']} s"
    if end > LATEST_S:
        return f"ends at {match['end']} s: write a call of at most {LATEST_S:.0f} s"
    confidence = float(match["confidence"] or DEFAULT_CONFIDENCE)
    if confidence > 1.0:
        return f"a confidence of {confidence}: write a number from 0 to 1"
    recognised = any(c.isalnum() for c in said)
    if bool(match["unheard"]) is recognised:
        return "`[unheard]` goes with no words, and no words go with `[unheard]`"
    level_dbfs = float(match["level"] or DEFAULT_LEVEL_DBFS)
    return Line(SpeakerRole(match["role"]), TimeSpan(start, end), confidence, said, level_dbfs)


def _utterance(index: int, line: Line, channel: int) -> Utterance:
    texts = _words(line.text)
    step_s = line.span.duration_s / len(texts)
    times = [line.span.start + step_s * n for n in range(len(texts))] + [line.span.end]
    folded = fold(line.text)
    return Utterance(
        index=index,
        role=line.role,
        channel=channel,
        start=line.span.start,
        end=line.span.end,
        text=line.text,
        raw_text=line.text,
        words=tuple(Word(word, times[n], times[n + 1], line.confidence) for n, word in enumerate(texts)),
        word_offsets=tuple(accumulate((len(word) for word in texts[:-1]), initial=0)),
        confidence=line.confidence,
        overlay=TextOverlay(folded.text, folded.offsets, syllables(folded.text)),
        numbers=find_numbers(line.text),
    )


def _levels(lines: Sequence[Line]) -> tuple[float | None, ...]:
    """The level of each step, as it is measured: None where there is hardly any speech."""
    steps = 1 + int(max(line.span.end for line in lines) / LEVEL_STEP_S)
    found: list[float | None] = [None] * steps
    most = [0.0] * steps
    for line in lines:
        for n in range(int(line.span.start / LEVEL_STEP_S), 1 + int(line.span.end / LEVEL_STEP_S)):
            spoken_s = line.span.overlap_s(TimeSpan(n * LEVEL_STEP_S, (n + 1) * LEVEL_STEP_S))
            if spoken_s >= _LEVEL_SHARE_S and spoken_s > most[n]:
                found[n], most[n] = line.level_dbfs, spoken_s
    return tuple(found)


def _words(text: str) -> list[str]:
    """One Han character or Latin word each, punctuation with the word before it, as recognisers write them."""
    words: list[str] = []
    for token in _WORD.findall(text):
        if words and not any(c.isalnum() for c in token):
            words[-1] += token
        else:
            words.append(token)
    return words
